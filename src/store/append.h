#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/record_batch.h"

namespace firn {

// What an acknowledgement means. The order of work is the same for all levels.
enum class AckLevel : uint8_t {
  kFsync = 0,   // in the log, and a sync that covers it has returned
  kOs = 1,      // handed to the operating system
  kMemory = 2,  // in order, in memory
};
std::string_view ack_level_name(AckLevel level);

struct AppendRequest {
  std::unique_ptr<RecordBatch> batch;  // unstamped
  // Rows whose id a client chose (ascending): only these can be duplicates.
  std::vector<uint32_t> rows_with_client_id;
  AckLevel ack = AckLevel::kFsync;
};

struct AppendResult {
  // Positions of the request's rows: smallest and greatest, the original ones for duplicates.
  Position first_position = 0;
  Position last_position = 0;
  uint32_t count = 0;       // rows of the request
  uint32_t duplicates = 0;  // of them, rows that were stored before
  AckLevel ack = AckLevel::kFsync;
};

// Failure: kConflict (an id exists with other content; nothing stored), kUnavailable (memory
// budget; retry), kNoSpace (disk; retry), kOutcomeUnknown (the log failed; stored or not),
// kCancelled (closing), kTooLarge, kNotFound (namespace deleted).
using AppendCallback = std::function<void(const Result<AppendResult>&)>;

}  // namespace firn
