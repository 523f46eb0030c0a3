#include "views/streams/stream_reads.h"

#include <algorithm>

#include "base/size.h"

namespace firn {

namespace {

// Rows that one query brings while a filter or the absence of a limit asks for more than one.
constexpr uint32_t kPieceRows = 1000;

Predicate number_predicate(PredicateKind kind, ColumnId column, int64_t number) {
  Predicate predicate;
  predicate.kind = kind;
  predicate.column = column;
  predicate.numbers = {number};
  return predicate;
}

Predicate stream_predicate(const std::string& stream) {
  Predicate predicate;
  predicate.column = ColumnId::kStream;
  predicate.texts = {stream};
  return predicate;
}

// How much a read may bring.
struct Most {
  uint64_t events = 0, bytes = 0;
};

// The first events of the query that `keep` accepts, piece by piece.
template <typename Keep>
Result<std::vector<EventRef>> read_pieces(const Snapshot& snapshot, EventQuery query,
                                          const Most& most, bool all_pass, const QueryGuard& guard,
                                          const Keep& keep) {
  const uint64_t limit = most.events;
  std::vector<EventRef> found;
  uint64_t bytes = 0;
  while (found.size() < limit) {
    const uint64_t wanted = limit - found.size();
    query.limit = static_cast<uint32_t>(all_pass ? std::min<uint64_t>(wanted, kLimits.page_rows)
                                                 : kPieceRows);
    query.bytes_max = std::max<uint64_t>(most.bytes - bytes, 1);
    FIRN_ASSIGN(EventPage page, query_events(snapshot, query, guard));
    for (EventRef& event : page.events) {
      if (found.size() == limit || !keep(event)) continue;
      bytes += event.batch->row_bytes(event.row);
      if (bytes > most.bytes) {
        return too_large("the events have more than " + format_size(most.bytes) +
                         " together; ask for fewer at a time");
      }
      found.push_back(std::move(event));
    }
    if (!page.next.has_value()) break;
    query.cursor = page.next;
  }
  return found;
}

int64_t stream_position_of(const EventRef& event) {
  return event.batch->int64s(ColumnId::kStreamPosition)[event.row];
}

// How many stream positions from `from` on a page that holds `events` skips.
uint64_t count_dropped(const StreamRead& read, int64_t version,
                       const std::vector<EventRef>& events) {
  const bool is_full = events.size() >= read.limit;
  int64_t first = std::max<int64_t>(read.from, 0), end = 0;
  if (read.backward) {
    end = std::min(read.from, version) + 1;
    first = is_full && !events.empty() ? stream_position_of(events.back()) : 0;
  } else if (is_full) {
    end = events.empty() ? first : stream_position_of(events.back()) + 1;
  } else if (!events.empty()) {
    end = stream_position_of(events.back()) + 1;
  } else {
    end = version + 1;
  }
  const int64_t expected = std::max<int64_t>(end - first, 0);
  return static_cast<uint64_t>(expected) -
         std::min<uint64_t>(static_cast<uint64_t>(expected), events.size());
}

// Positions from `from` to the first one that the namespace still has.
uint64_t positions_before_data(const Snapshot& snapshot, Position from) {
  if (from > snapshot.published()) return 0;
  Filter behind;
  behind.positions.from = from;
  Position first = snapshot.published() + 1;
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kEvents, behind)) {
    first = std::min(first, std::max(chunk.stats.position_min, chunk.owned.from));
    if (first <= from) return 0;
  }
  return first - from;
}

}  // namespace

Result<StreamPage> read_stream(const Snapshot& snapshot, const StreamRead& read,
                               const QueryGuard& guard) {
  StreamPage page;
  if (read.backward && read.from < 0) return page;
  EventQuery query;
  query.filter.predicates = {stream_predicate(read.stream)};
  if (read.backward) {
    query.order = EventOrder::kPositionDescending;
    if (read.from < INT64_MAX) {
      query.filter.predicates.push_back(
          number_predicate(PredicateKind::kLess, ColumnId::kStreamPosition, read.from + 1));
    }
  } else if (read.from > 0) {
    query.filter.predicates.push_back(
        number_predicate(PredicateKind::kAtLeast, ColumnId::kStreamPosition, read.from));
    // Every event before it has a smaller position, from 1 on.
    query.filter.positions.from = static_cast<Position>(read.from) + 1;
  }
  query.filter.positions.from = std::max(query.filter.positions.from, read.from_position);
  uint64_t limit = read.limit;
  FIRN_ASSIGN(const int64_t version, stream_version(snapshot, read.stream));
  const int64_t most = read.backward ? std::min(read.from, version) + 1
                                     : version + 1 - std::max<int64_t>(read.from, 0);
  if (most <= 0) return page;
  // Having found them all, it looks no further.
  limit = std::min(limit, static_cast<uint64_t>(most));
  query.wants_next = limit > kLimits.page_rows;
  FIRN_ASSIGN(page.events, read_pieces(snapshot, std::move(query), {limit, read.bytes_max}, true,
                                       guard, [](const EventRef&) { return true; }));
  if (read.from_position > 0) return page;
  page.dropped = count_dropped(read, version, page.events);
  return page;
}

std::vector<Predicate> category_predicates(const std::string& category) {
  if (category.empty()) {
    return {number_predicate(PredicateKind::kAtLeast, ColumnId::kStreamPosition, 0)};
  }
  Predicate predicate;
  predicate.kind = PredicateKind::kCategory;
  predicate.column = ColumnId::kStream;
  predicate.texts = {category};
  return {predicate};
}

bool passes(const CategoryRead& read, const RecordBatch& batch, uint32_t row) {
  if (read.group.has_value() && !is_member(*read.group, batch.strings(ColumnId::kStream)[row])) {
    return false;
  }
  if (read.correlation.empty()) return true;
  constexpr std::string_view kKey = "correlationStreamName";
  const std::string_view metadata = batch.strings(ColumnId::kMetadata)[row];
  if (metadata.find(read.correlation) == std::string_view::npos) return false;
  const auto stream = attribute_of("", metadata, "", kKey);
  return stream.has_value() && category_of(*stream) == read.correlation;
}

Result<StreamPage> read_category(const Snapshot& snapshot, const CategoryRead& read,
                                 const QueryGuard& guard) {
  StreamPage page;
  EventQuery query;
  query.filter.predicates = category_predicates(read.category);
  if (read.backward) {
    query.order = EventOrder::kPositionDescending;
    if (read.from < UINT64_MAX) query.filter.positions.to = read.from + 1;
  } else {
    query.filter.positions.from = read.from;
    page.dropped = positions_before_data(snapshot, std::max<Position>(read.from, 1));
  }
  const bool all_pass = read.correlation.empty() && !read.group.has_value();
  FIRN_ASSIGN(page.events, read_pieces(snapshot, std::move(query), {read.limit, read.bytes_max},
                                       all_pass, guard, [&read](const EventRef& event) {
                                         return passes(read, *event.batch, event.row);
                                       }));
  return page;
}

Result<EventRef> last_of_stream(const Snapshot& snapshot, const std::string& stream,
                                const std::string& type, const QueryGuard& guard) {
  EventQuery query;
  query.order = EventOrder::kPositionDescending;
  query.limit = 1;
  query.wants_next = false;
  query.filter.predicates = {stream_predicate(stream)};
  if (!type.empty()) {
    Predicate of_type;
    of_type.column = ColumnId::kType;
    of_type.texts = {type};
    query.filter.predicates.push_back(std::move(of_type));
  } else {
    // The last is known by its number, and every event before it has a smaller position.
    FIRN_ASSIGN(const int64_t version, stream_version(snapshot, stream));
    if (version < 0) return EventRef{};
    query.filter.positions.from = static_cast<Position>(version) + 1;
    query.filter.predicates.push_back(
        number_predicate(PredicateKind::kAtLeast, ColumnId::kStreamPosition, version));
  }
  FIRN_ASSIGN(EventPage page, query_events(snapshot, query, guard));
  return page.events.empty() ? EventRef{} : std::move(page.events.front());
}

// Rows that a flush took out of memory before the snapshot are in the heads it recorded; memory has
// the rest. The heads are read after the snapshot, so nothing falls between.
Result<int64_t> stream_version(const Snapshot& snapshot, const std::string& stream) {
  int64_t next = 0;
  ScanSpec spec;
  spec.filter.predicates = {stream_predicate(stream)};
  spec.projection = Projection::none().add(ColumnId::kStreamPosition);
  spec.order = ScanOrder::kPositionDescending;
  for (const SnapshotChunk& chunk : snapshot.memory_chunks(Dataset::kEvents)) {
    FIRN_ASSIGN(const auto reader, snapshot.scan(chunk, spec, nullptr));
    BatchSlice slice;
    FIRN_ASSIGN(const bool found, reader->next(&slice));
    if (!found) continue;
    const uint32_t last = slice.row(slice.rows() - 1);
    next = std::max(next, slice.batch->int64s(ColumnId::kStreamPosition)[last] + 1);
  }
  FIRN_ASSIGN(const int64_t flushed, snapshot.flushed_stream_head(stream));
  return std::max(next, flushed) - 1;
}

}  // namespace firn
