#pragma once

#include <optional>
#include <string>
#include <vector>

#include "query/query.h"

// Lists of streams and categories (docs/streams.md). They look at every row in memory, and
// list_categories() at the stream column of everything. Fail as reads do; kTooLarge when the names
// of streams with rows in memory, which are held to count each once, take more than `bytes_max`.
// Any thread.

namespace firn {

struct StreamInfo {
  std::string stream;
  int64_t version = -1;
  std::optional<TimeNs> last_time;  // of its latest event; nothing when all were dropped
};

// Streams behind `after` whose names begin with `prefix`, ascending by bytes, at most `limit`.
Result<std::vector<StreamInfo>> list_streams(const Snapshot& snapshot, const std::string& prefix,
                                             const std::string& after, uint32_t limit,
                                             const QueryGuard& guard);

struct CategoryInfo {
  std::string category;
  uint64_t streams = 0;   // with their dropped events counted, as list_streams()
  uint64_t messages = 0;  // stored
};
// Ascending by bytes.
Result<std::vector<CategoryInfo>> list_categories(const Snapshot& snapshot, uint64_t bytes_max,
                                                  const QueryGuard& guard);

struct StreamCounts {
  uint64_t streams = 0, messages = 0;
  std::optional<TimeNs> last_time;
};
// Of the namespace.
Result<StreamCounts> count_streams(const Snapshot& snapshot, uint64_t bytes_max,
                                   const QueryGuard& guard);

}  // namespace firn
