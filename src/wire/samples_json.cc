#include "wire/samples_json.h"

#include <fmt/format.h>

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "wire/json_batch.h"
#include "wire/json_values.h"
#include "wire/sample_number.h"

namespace firn {

namespace {

class SamplesDecoder {
 public:
  SamplesDecoder(ByteView body, const DecodeDefaults& defaults)
      : limits_(defaults.limits),
        batch_(body, "samples", "sample", defaults.limits),
        rows_(defaults, SampleDoor::kSamplesJson) {}

  Result<DecodedSamples> decode() {
    FIRN_TRY(batch_.read(members_, [this] { return add_sample(); }));
    return finish_one(&rows_, "samples", limits_);
  }

 private:
  Status add_sample() {
    FIRN_TRY(find_series());
    PlainSample sample;
    FIRN_ASSIGN(sample.time, batch_.time(timestamp_));
    if (!value_.is_number()) {
      return batch_.refuse(value_, "must be a number; JSON has no NaN and no infinities");
    }
    const auto number = read_sample_number(value_.json);
    if (!number) return batch_.refuse(value_, "is beyond what a float64 can hold");
    if (!metadata_.json.empty() && !metadata_.is_object()) {
      return batch_.refuse(metadata_, "must be an object");
    }
    sample.value = number->value;
    sample.is_integer = number->is_integer;
    sample.data = number->data;
    sample.metadata = metadata_.json;
    return rows_.add(sample);
  }

  // Most samples are of series that were seen before, by the very bytes.
  Status find_series() {
    const BatchMember& name = metric_type_.json.empty() ? name_ : metric_type_;
    if (!metric_type_.json.empty() && !name_.json.empty()) {
      return batch_.refuse(name_, "is \"metric_type\" by another name; give one of them");
    }
    buffer_.assign(server_id_.json).append(labels_.json).append(name.json);
    if (!sent_.empty() && buffer_ == sent_) return Status();
    sent_.swap(buffer_);
    if (rows_.knows_series(sent_)) return Status();
    Status status = begin_series(name);
    if (!status.ok()) sent_.clear();
    return status;
  }

  Status begin_series(const BatchMember& name) {
    if (!name.is_text()) return batch_.refuse(metric_type_, "(or \"name\") must be a text");
    texts_.clear();
    std::vector<Label> labels;
    if (!server_id_.json.empty()) {
      if (!server_id_.is_text()) return batch_.refuse(server_id_, "must be a text");
      labels.push_back({server_id_.name, batch_.text(server_id_)});
    }
    if (!labels_.json.empty()) {
      if (!labels_.is_object()) return batch_.refuse(labels_, "must be an object");
      FIRN_TRY(visit_members(labels_.json, [&](std::string_view key, std::string_view json) {
        if (!json.starts_with('"')) {
          return batch_.refuse(labels_, fmt::format("must have texts; '{}' is none", key));
        }
        const auto text = json_text(json, key);
        if (!text.ok()) return text.status();
        labels.push_back({texts_.emplace_back(key), texts_.emplace_back(*text)});
        return Status();
      }));
    }
    return rows_.begin_series(batch_.text(name), labels);
  }

  const Limits& limits_;
  JsonBatch batch_;
  SampleRows rows_;
  std::array<BatchMember, 7> members_{{{"server_id"},
                                       {"timestamp"},
                                       {"metric_type"},
                                       {"value"},
                                       {"labels"},
                                       {"name"},
                                       {"metadata"}}};
  const BatchMember& server_id_ = members_[0];
  const BatchMember& timestamp_ = members_[1];
  const BatchMember& metric_type_ = members_[2];
  const BatchMember& value_ = members_[3];
  const BatchMember& labels_ = members_[4];
  const BatchMember& name_ = members_[5];
  const BatchMember& metadata_ = members_[6];
  std::string sent_, buffer_;      // what says all of the series begun; the next one
  std::deque<std::string> texts_;  // of labels
};

}  // namespace

Result<DecodedSamples> decode_samples_json(ByteView body, const DecodeDefaults& defaults) {
  return SamplesDecoder(body, defaults).decode();
}

}  // namespace firn
