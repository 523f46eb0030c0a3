#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
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
// Nothing when there is none of that name.
std::optional<AckLevel> parse_ack_level(std::string_view name);

// A condition of an append: the stream's last position must be this one; -1: it has no event.
struct ExpectedVersion {
  std::string stream;
  int64_t version = -1;
};

struct VersionConflict {
  std::string stream;
  int64_t expected = -1, actual = -1;
};

// Where a row is: in its namespace and, unless kAbsentInt64, in its stream.
struct RowPosition {
  Position position = 0;
  int64_t stream_position = kAbsentInt64;
};

// What some callers want to know beyond the result. Filled before the answer, by whoever gives it.
struct AppendDetails {
  // After success: one per row of the request, in its order; the original ones for duplicates.
  std::vector<RowPosition> rows;
  // After kConflict: what version was not the expected one, or the row whose id was in the way.
  std::optional<VersionConflict> version_conflict;
  std::optional<uint32_t> conflicting_row;
};

struct AppendRequest {
  std::unique_ptr<RecordBatch> batch;  // unstamped
  // Rows whose id a client chose (ascending): only these can be duplicates.
  std::vector<uint32_t> rows_with_client_id;
  // All must hold, or nothing is stored. A request that was stored before, as its ids tell,
  // succeeds whatever the versions are now. Streams may be others than the batch's.
  std::vector<ExpectedVersion> expected_versions;
  std::shared_ptr<AppendDetails> details;  // null: nobody wants them
  AckLevel ack = AckLevel::kFsync;
  // Nothing of it may have been stored before, not even as it is: kConflict.
  bool must_be_new = false;
};

struct AppendResult {
  // Positions of the request's rows: smallest and greatest, the original ones for duplicates.
  Position first_position = 0;
  Position last_position = 0;
  uint32_t count = 0;       // rows of the request
  uint32_t duplicates = 0;  // of them, rows that were stored before
  AckLevel ack = AckLevel::kFsync;
};

// Failure: kConflict (an id exists with other content, or a stream has not the expected version;
// nothing stored; answered when what it conflicts with is durable), kUnavailable (memory
// budget; retry), kNoSpace (disk; retry), kOutcomeUnknown (the log failed; stored or not),
// kCancelled (closing), kTooLarge, kNotFound (namespace deleted).
using AppendCallback = std::function<void(const Result<AppendResult>&)>;

}  // namespace firn
