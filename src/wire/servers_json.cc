#include "wire/servers_json.h"

#include <array>
#include <optional>
#include <string>

#include "model/server_metrics.h"
#include "wire/json_batch.h"
#include "wire/json_text.h"
#include "wire/json_values.h"
#include "wire/sample_number.h"

namespace firn {
namespace {

class ServersDecoder {
 public:
  ServersDecoder(ByteView body, const DecodeDefaults& defaults)
      : limits_(defaults.limits),
        batch_(body, "servers", "server", defaults.limits),
        rows_(defaults, SampleDoor::kServersJson) {}

  Result<DecodedSamples> decode() {
    FIRN_TRY(batch_.read(members_, [this] { return add_server(); }));
    return finish_one(&rows_, "servers", limits_);
  }

 private:
  Status add_server() {
    if (!server_.is_text()) return batch_.refuse(server_, "must be a text");
    FIRN_ASSIGN(time_, batch_.time(timestamp_));
    if (!name_.json.empty() && !name_.is_text()) return batch_.refuse(name_, "must be a text");
    if (!metrics_.is_object()) return batch_.refuse(metrics_, "must be an object");
    const Result<ServerColumns> columns = read_server_columns(metrics_.json);
    if (!columns.ok()) return batch_.refuse(metrics_, columns.status().message());
    FIRN_TRY(add_document());
    FIRN_TRY(add_number("cpu_usage_avg", columns->cpu_avg));
    FIRN_TRY(add_number("temperature_avg", columns->temp_avg));
    FIRN_TRY(add_number("memory_used", columns->memory_used));
    FIRN_TRY(add_number("memory_total", columns->memory_total));
    PlainSample percentage;
    const auto used = read_sample_number(columns->memory_used);
    const auto total = read_sample_number(columns->memory_total);
    if (used && total && total->value.value() > 0) {
      percentage.value = Float64::of(100 * used->value.value() / total->value.value());
    }
    return add("memory_used_pct", percentage);
  }

  Status add_document() {
    metadata_.clear();
    JsonObjectWriter object(&metadata_);
    if (!name_.json.empty()) object.raw(name_.name, name_.json);
    object.raw(metrics_.name, metrics_.json);
    object.close();
    PlainSample sample;
    sample.value = Float64::of(1);
    sample.is_integer = true;
    sample.metadata = metadata_;
    return add(kServerSeries, sample);
  }

  // A row even without a number: the same row may have been sent before with one.
  Status add_number(std::string_view name, std::string_view json) {
    PlainSample sample;
    std::optional<SampleNumber> number;
    if (!json.empty()) {
      number = read_sample_number(json);
      if (!number) return batch_.refuse(metrics_, "has a number that no float64 can hold");
      sample.value = number->value;
      sample.is_integer = number->is_integer;
      sample.data = number->data;
    }
    return add(name, sample);
  }

  Status add(std::string_view name, PlainSample sample) {
    sample.time = time_;
    sent_.assign(name).append(server_.json);
    if (!rows_.knows_series(sent_)) {
      const std::string_view server = batch_.text(server_);
      if (server.empty()) return batch_.refuse(server_, "must not be empty");
      std::array<Label, 1> labels = {{{kServerLabel, server}}};
      FIRN_TRY(rows_.begin_series(name, labels));
    }
    return rows_.add(sample);
  }

  const Limits& limits_;
  JsonBatch batch_;
  SampleRows rows_;
  std::array<BatchMember, 4> members_{
      {{kServerLabel}, {"timestamp"}, {"display_name"}, {"metrics"}}};
  const BatchMember& server_ = members_[0];
  const BatchMember& timestamp_ = members_[1];
  const BatchMember& name_ = members_[2];
  const BatchMember& metrics_ = members_[3];
  TimeNs time_ = 0;
  std::string sent_, metadata_;
};

}  // namespace

Result<DecodedSamples> decode_servers_json(ByteView body, const DecodeDefaults& defaults) {
  return ServersDecoder(body, defaults).decode();
}

Result<ServerColumns> read_server_columns(std::string_view metrics) {
  ServerColumns columns;
  const auto number = [](std::string_view name, std::string_view json,
                         std::string_view* out) -> Status {
    if (json == "null") return Status();
    const bool is_number = json[0] == '-' || (json[0] >= '0' && json[0] <= '9');
    if (!is_number) return invalid_argument("has a '" + std::string(name) + "' that is no number");
    *out = json;
    return Status();
  };
  const auto part = [&](std::string_view of, std::string_view json) -> Status {
    if (!is_json_object(json)) return Status();
    return visit_members(json, [&](std::string_view name, std::string_view value) -> Status {
      if (of == "cpus" && name == "average_usage") return number(name, value, &columns.cpu_avg);
      if (of == "components" && name == "average_temperature") {
        return number(name, value, &columns.temp_avg);
      }
      if (of == "memory" && name == "used") return number(name, value, &columns.memory_used);
      if (of == "memory" && name == "total") return number(name, value, &columns.memory_total);
      return Status();
    });
  };
  FIRN_TRY(visit_members(metrics, part));
  return columns;
}

}  // namespace firn
