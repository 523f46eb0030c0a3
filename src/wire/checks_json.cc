#include "wire/checks_json.h"

#include <algorithm>
#include <array>
#include <string>

#include "model/service_check.h"
#include "wire/json_batch.h"
#include "wire/json_text.h"
#include "wire/sample_number.h"

namespace firn {
namespace {

class ChecksDecoder {
 public:
  ChecksDecoder(ByteView body, const DecodeDefaults& defaults)
      : limits_(defaults.limits),
        batch_(body, "checks", "check", defaults.limits),
        rows_(defaults, SampleDoor::kChecksJson) {}

  Result<DecodedSamples> decode() {
    FIRN_TRY(batch_.read(members_, [this] { return add_check(); }));
    return finish_one(&rows_, "checks", limits_);
  }

 private:
  Status add_check() {
    if (!service_.is_text()) return batch_.refuse(service_, "must be a text");
    FIRN_ASSIGN(const TimeNs time, batch_.time(timestamp_));
    FIRN_ASSIGN(const CheckStatus status, read_status());
    FIRN_TRY(check_others());

    PlainSample check;
    check.time = time;
    check.value = Float64::of(static_cast<double>(status));
    check.is_integer = true;
    write_metadata();
    check.metadata = metadata_;
    FIRN_TRY(begin_series(kCheckSeries));
    FIRN_TRY(rows_.add(check));

    // A row even without a number: the check may have been sent before with one.
    PlainSample response;
    response.time = time;
    SampleNumber number;
    if (!response_.json.empty()) {
      const auto read = read_sample_number(response_.json);
      if (!read || !(read->value.value() >= 0)) {
        return batch_.refuse(response_, "must be a number that is not negative");
      }
      number = *read;
    }
    response.value = number.value;
    response.is_integer = number.is_integer;
    response.data = number.data;
    FIRN_TRY(begin_series(kCheckResponseSeries));
    rows_.describe({.type = "gauge", .unit = "ms"});
    return rows_.add(response);
  }

  Result<CheckStatus> read_status() {
    if (status_.is_text()) {
      const std::string_view text = batch_.text(status_);
      const auto found = std::find(kCheckStatusNames.begin(), kCheckStatusNames.end(), text);
      if (found != kCheckStatusNames.end()) {
        return static_cast<CheckStatus>(found - kCheckStatusNames.begin());
      }
    }
    return batch_.refuse(status_, "must be \"up\", \"degraded\" or \"down\"");
  }

  Status check_others() const {
    for (const BatchMember* member : {&url_, &error_}) {
      if (!member->json.empty() && !member->is_text()) {
        return batch_.refuse(*member, "must be a text");
      }
    }
    if (!response_.json.empty() && !response_.is_number()) {
      return batch_.refuse(response_, "must be a number that is not negative");
    }
    const bool is_whole = code_.is_number() && code_.json.find_first_of(".eE") == code_.json.npos;
    if (code_.json.empty() || is_whole) return Status();
    return batch_.refuse(code_, "must be a whole number");
  }

  // The other members as they were sent.
  void write_metadata() {
    metadata_.clear();
    JsonObjectWriter object(&metadata_);
    for (const BatchMember* member : {&url_, &response_, &code_, &error_}) {
      if (!member->json.empty()) object.raw(member->name, member->json);
    }
    object.close();
    if (object.empty()) metadata_.clear();
  }

  Status begin_series(std::string_view name) {
    sent_.assign(name).append(service_.json);
    if (rows_.knows_series(sent_)) return Status();
    const std::string_view service = batch_.text(service_);
    if (service.empty()) return batch_.refuse(service_, "must not be empty");
    std::array<Label, 1> labels = {{{kServiceLabel, service}}};
    return rows_.begin_series(name, labels);
  }

  const Limits& limits_;
  JsonBatch batch_;
  SampleRows rows_;
  std::array<BatchMember, 7> members_{{{kServiceLabel},
                                       {"timestamp"},
                                       {"url"},
                                       {"status"},
                                       {"response_time_ms"},
                                       {"http_status_code"},
                                       {"error_message"}}};
  const BatchMember& service_ = members_[0];
  const BatchMember& timestamp_ = members_[1];
  const BatchMember& url_ = members_[2];
  const BatchMember& status_ = members_[3];
  const BatchMember& response_ = members_[4];
  const BatchMember& code_ = members_[5];
  const BatchMember& error_ = members_[6];
  std::string sent_, metadata_;
};

}  // namespace

Result<DecodedSamples> decode_checks_json(ByteView body, const DecodeDefaults& defaults) {
  return ChecksDecoder(body, defaults).decode();
}

}  // namespace firn
