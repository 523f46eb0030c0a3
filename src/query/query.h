#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "model/aggregate.h"
#include "model/filter.h"
#include "model/record_batch.h"
#include "store/snapshot.h"

namespace firn {

// What was read to answer, by tier, for answers and explanations.
struct TierCost {
  uint64_t chunks = 0;
  ScanCost cost;
};
struct QueryCost {
  std::map<std::string, TierCost> tiers;  // by tier name; only tiers that were read
  uint64_t chunks_pruned = 0;
  std::vector<std::string> tier_names() const;
};
void add_cost(const QueryCost& from, QueryCost* to);

// Called between blocks; not ok (kCancelled, kDeadlineExceeded) ends the query with that status.
using QueryGuard = std::function<Status()>;

enum class EventOrder : uint8_t { kPosition, kPositionDescending, kTime, kTimeDescending };
// "position" or "asc", "-position" or "desc", "time", "-time".
std::optional<EventOrder> parse_event_order(std::string_view text);

// Where a page ended: the next page begins behind it. An opaque text for clients.
struct EventCursor {
  TimeNs time = 0;  // only used by orders by time
  Position position = 0;
  std::string encode() const;
  static std::optional<EventCursor> parse(std::string_view text);
};

struct EventQuery {
  Dataset dataset = Dataset::kEvents;
  Filter filter;
  Projection projection = Projection::all();
  EventOrder order = EventOrder::kPosition;
  uint32_t limit = 100;               // at most Limits::page_rows
  std::optional<EventCursor> cursor;  // only rows behind it in the order
  // The page ends before its rows have more bytes together, but not before its first row. While it
  // is made, about twice as much is held.
  uint64_t bytes_max = UINT64_MAX;
  // Whether the page tells if there are more. Without, nothing is read for an answer to that, so
  // that whoever knows how many rows there are does not search for another one.
  bool wants_next = true;
};

struct EventRef {
  BatchPtr batch;
  uint32_t row = 0;
};

struct EventPage {
  std::vector<EventRef> events;     // in the order asked for
  std::optional<EventCursor> next;  // set when there are more
  QueryCost cost;
};

// The first `limit` rows in the order, over all tiers of the snapshot. Chunks and blocks that
// cannot hold a better row than those found are not read. Fails with what a tier returns
// (kCorruption names the damaged chunk) or the guard.
Result<EventPage> query_events(const Snapshot& snapshot, const EventQuery& query,
                               const QueryGuard& guard);

// One event by its id; a null batch when there is none.
Result<EventRef> query_event_by_id(const Snapshot& snapshot, const Id& id, QueryCost* cost,
                                   const QueryGuard& guard);

struct AggregateAnswer {
  AggregateStates states;
  QueryCost cost;
};
// Partial states of all chunks, merged. Chunks whose rows all count are answered from the manifest
// when only a total is asked for.
Result<AggregateAnswer> query_aggregate(const Snapshot& snapshot, Dataset dataset,
                                        const AggregateSpec& spec, const QueryGuard& guard);

}  // namespace firn
