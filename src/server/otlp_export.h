#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "server/services.h"
#include "store/append.h"
#include "wire/otlp.h"

namespace firn {

// An export request in whatever way it came, unpacked.
struct OtlpExport {
  OtlpSignal signal = OtlpSignal::kLogs;
  OtlpEncoding encoding = OtlpEncoding::kProtobuf;
  std::string name_space;  // empty: the configured one
  std::string body;
  MemoryBudget::Share memory{};  // what the body takes when it came packed
  std::string ack{};             // see server/ack_fields.h
};

// With an ok status everything but the rejected records is durable; `message` says why they were
// rejected, or is a warning. Otherwise the request may be sent again when the status is retryable.
struct OtlpOutcome {
  Status status;
  uint64_t rejected = 0;
  std::string message;
  // After success.
  AckLevel ack = AckLevel::kFsync;
  Position last_position = 0;  // the greatest; 0: nothing was stored
};

// Decodes the request and appends its rows; calls back once, perhaps before it returns, perhaps
// from the log's worker. `services` must outlive that. Any thread.
void export_otlp(Services* services, OtlpExport request,
                 std::function<void(const OtlpOutcome&)> done);

}  // namespace firn
