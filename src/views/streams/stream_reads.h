#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "query/query.h"
#include "views/streams/stream_name.h"

// Reads of streams from a snapshot (docs/streams.md). All fail with what a tier returns or with the
// guard's status. Any thread.

namespace firn {

inline constexpr uint64_t kNoLimit = UINT64_MAX;

struct StreamRead {
  std::string stream;
  int64_t from = 0;  // the first stream position; backward: the last one
  bool backward = false;
  uint64_t limit = kNoLimit;
  uint64_t bytes_max = kNoLimit;
  Position from_position = 0;  // also only events from this position on
};

struct CategoryRead {
  std::string category;  // empty: all streams
  Position from = 1;     // the first position; backward: the last one
  bool backward = false;
  uint64_t limit = kNoLimit;
  uint64_t bytes_max = kNoLimit;
  std::string correlation{};  // the category that a message must correlate with; empty: any
  std::optional<ConsumerGroup> group{};  // only this member's streams
};

struct StreamPage {
  std::vector<EventRef> events;  // in the order asked for; fewer than the limit at the end only
  // What is missing because its chunk was dropped. Of a stream: how many events between `from` and
  // the end of the page; not told of a read from a position. Of a category: how many positions
  // between `from` and the first one that the namespace still holds.
  uint64_t dropped = 0;
};

// kTooLarge when the events have more than `bytes_max` together: a page that ended there would look
// like the end. About twice as much is held meanwhile.
Result<StreamPage> read_stream(const Snapshot& snapshot, const StreamRead& read,
                               const QueryGuard& guard);
Result<StreamPage> read_category(const Snapshot& snapshot, const CategoryRead& read,
                                 const QueryGuard& guard);

// The stream's last event, of this type unless it is empty; a null batch when there is none.
Result<EventRef> last_of_stream(const Snapshot& snapshot, const std::string& stream,
                                const std::string& type, const QueryGuard& guard);

// The stream position of the stream's last event, dropped or not; -1 when it has none. Not older
// than the snapshot.
Result<int64_t> stream_version(const Snapshot& snapshot, const std::string& stream);

// The predicates of a category, empty for all streams.
std::vector<Predicate> category_predicates(const std::string& category);
// What no predicate says: correlation and group.
bool passes(const CategoryRead& read, const RecordBatch& batch, uint32_t row);

}  // namespace firn
