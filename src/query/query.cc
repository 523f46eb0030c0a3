#include "query/query.h"

#include <algorithm>
#include <charconv>

namespace firn {

namespace {

// The place of a row in the order asked for; smaller comes first, for every order.
struct SortKey {
  int64_t primary = 0;
  uint64_t position = 0;
  auto operator<=>(const SortKey&) const = default;
};

bool by_time(EventOrder order) {
  return order == EventOrder::kTime || order == EventOrder::kTimeDescending;
}
bool descending(EventOrder order) {
  return order == EventOrder::kPositionDescending || order == EventOrder::kTimeDescending;
}

// ~x reverses the order of both signed and unsigned numbers.
SortKey sort_key(EventOrder order, TimeNs time, Position position) {
  SortKey key{by_time(order) ? time : 0, position};
  if (descending(order)) key = {~key.primary, ~key.position};
  return key;
}

// No row of the chunk comes before it.
SortKey best_key(EventOrder order, const SnapshotChunk& chunk) {
  const Position last = std::min(chunk.stats.position_max, chunk.owned.to - 1);
  const Position first = std::max(chunk.stats.position_min, chunk.owned.from);
  if (by_time(order)) {
    // Times do not tell positions, so only the time bounds.
    return descending(order) ? SortKey{~chunk.stats.time_max, 0} : SortKey{chunk.stats.time_min, 0};
  }
  return sort_key(order, 0, descending(order) ? last : first);
}

struct Candidate {
  SortKey key;
  EventRef event;
  uint64_t bytes = 0;      // of the row
  bool in_memory = false;  // its batch is alive anyway
  bool operator<(const Candidate& other) const { return key < other.key; }
};

// Keeps the smallest candidates: `limit` of them, or fewer when they have more than `bytes_max`.
class Best {
 public:
  Best(size_t limit, uint64_t bytes_max) : limit_(limit), bytes_max_(bytes_max) {}
  bool is_full() const { return heap_.size() >= limit_ || bound_.has_value(); }
  // Whether a row with this key would be kept.
  bool wants(const SortKey& key) const {
    if (bound_.has_value() && key >= *bound_) return false;
    return heap_.size() < limit_ || key < heap_.front().key;
  }
  void add(Candidate candidate) {
    if (!wants(candidate.key)) return;  // any more
    if (heap_.size() >= limit_) pop_worst();
    bytes_ += candidate.bytes;
    heap_.push_back(std::move(candidate));
    std::push_heap(heap_.begin(), heap_.end());
    while (bytes_ > bytes_max_ && heap_.size() > 1) bound_ = pop_worst();
  }
  // Whether rows were left out because of their bytes.
  bool is_cut() const { return bound_.has_value(); }
  // Candidates keep their whole batch alive, so batches that were added for them are copied
  // together when most of their rows are no candidates any more.
  void note_held(uint64_t batch_bytes) {
    held_bytes_ += batch_bytes;
    if (bytes_max_ == UINT64_MAX || held_bytes_ <= 2 * bytes_max_) return;
    std::vector<EventRef*> held;
    for (Candidate& candidate : heap_) {
      if (!candidate.in_memory) held.push_back(&candidate.event);
    }
    std::sort(held.begin(), held.end(), [](const EventRef* a, const EventRef* b) {
      return a->batch->position(a->row) < b->batch->position(b->row);
    });
    held_bytes_ = 0;
    if (held.empty()) return;
    BatchBuilder builder(held.front()->batch->dataset());
    for (const EventRef* event : held) {
      builder.add_rows({event->batch, nullptr}, event->row, event->row + 1);
    }
    const BatchPtr copied(builder.finish());
    for (uint32_t i = 0; i < held.size(); ++i) *held[i] = {copied, i};
    held_bytes_ = copied->size_bytes();
  }
  std::vector<Candidate> take_sorted() {
    std::sort_heap(heap_.begin(), heap_.end());
    return std::move(heap_);
  }

 private:
  SortKey pop_worst() {
    std::pop_heap(heap_.begin(), heap_.end());
    const SortKey key = heap_.back().key;
    bytes_ -= heap_.back().bytes;
    heap_.pop_back();
    return key;
  }

  const size_t limit_;
  const uint64_t bytes_max_;
  uint64_t bytes_ = 0;            // of the candidates' rows
  uint64_t held_bytes_ = 0;       // of batches outside memory that they may keep alive
  std::optional<SortKey> bound_;  // no row from here on: one was left out because of its bytes
  std::vector<Candidate> heap_;
};

// Rows that a block outside memory contributes are copied when they are few, so that a page does
// not keep whole blocks alive for single rows.
void keep_rows(const BatchSlice& slice, const std::vector<std::pair<SortKey, uint32_t>>& wanted,
               bool in_memory, Best* best) {
  if (wanted.empty()) return;
  if (in_memory || wanted.size() * 4 >= slice.batch->rows()) {
    for (const auto& [key, row] : wanted) {
      best->add({key, {slice.batch, row}, slice.batch->row_bytes(row), in_memory});
    }
    if (!in_memory) best->note_held(slice.batch->size_bytes());
    return;
  }
  auto rows = std::make_shared<std::vector<uint32_t>>();
  for (const auto& [key, row] : wanted) rows->push_back(row);
  BatchBuilder builder(slice.batch->dataset());
  builder.add_rows(BatchSlice{slice.batch, rows});
  const BatchPtr copied(builder.finish());
  for (uint32_t i = 0; i < wanted.size(); ++i) {
    best->add({wanted[i].first, {copied, i}, copied->row_bytes(i), false});
  }
  best->note_held(copied->size_bytes());
}

// Narrows the filter to rows behind the cursor, as far as one range can say it.
void apply_cursor(const EventQuery& query, Filter* filter) {
  if (!query.cursor.has_value()) return;
  const EventCursor& cursor = *query.cursor;
  switch (query.order) {
    case EventOrder::kPosition:
      filter->positions.from = std::max(filter->positions.from, cursor.position + 1);
      break;
    case EventOrder::kPositionDescending:
      filter->positions.to = std::min(filter->positions.to, cursor.position);
      break;
    case EventOrder::kTime:
      filter->time.from = std::max(filter->time.from, cursor.time);
      break;
    case EventOrder::kTimeDescending:
      if (cursor.time != INT64_MAX) {
        filter->time.to = std::min(filter->time.to, cursor.time + 1);
      }
      break;
  }
}

Status read_chunk(const Snapshot& snapshot, const EventQuery& query, const SnapshotChunk& chunk,
                  const Filter& filter, const QueryGuard& guard, Best* best, QueryCost* cost) {
  TierCost& tier_cost = cost->tiers[chunk.tier];
  ++tier_cost.chunks;
  ScanSpec spec;
  spec.filter = filter;
  spec.projection = query.projection;
  spec.projection.add(ColumnId::kTime);
  if (!by_time(query.order)) {
    spec.order =
        descending(query.order) ? ScanOrder::kPositionDescending : ScanOrder::kPositionAscending;
  }
  FIRN_ASSIGN(const auto reader, snapshot.scan(chunk, std::move(spec), &tier_cost.cost));
  std::optional<SortKey> behind;
  if (query.cursor.has_value()) {
    behind = sort_key(query.order, query.cursor->time, query.cursor->position);
  }
  std::vector<std::pair<SortKey, uint32_t>> wanted;
  BatchSlice slice;
  while (true) {
    if (guard) FIRN_TRY(guard());
    FIRN_ASSIGN(const bool more, reader->next(&slice));
    if (!more) return Status();
    wanted.clear();
    const auto times = slice.batch->int64s(ColumnId::kTime);
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      const uint32_t row = slice.row(i);
      const SortKey key = sort_key(query.order, times[row], slice.batch->position(row));
      if (behind.has_value() && key <= *behind) continue;
      if (best->wants(key)) wanted.emplace_back(key, row);
    }
    const bool nothing_new = wanted.empty();
    keep_rows(slice, wanted, chunk.in_memory, best);
    // Slices come in position order: once full, a slice without a better row ends the chunk.
    if (nothing_new && best->is_full() && !by_time(query.order)) return Status();
  }
}

// Whether the chunk can hold a row with one of the ids, streams or categories that the filter asks
// for; true when it asks for none. Saves opening a file per chunk for a look-up.
Result<bool> may_match(const Snapshot& snapshot, const SnapshotChunk& chunk, const Filter& filter) {
  for (const Predicate& predicate : filter.predicates) {
    bool any = false, is_listed = true;
    const bool is_equal = predicate.kind == PredicateKind::kEqual;
    if (is_equal && predicate.column == ColumnId::kId) {
      for (const Id& id : predicate.ids) {
        FIRN_ASSIGN(const bool found, snapshot.may_contain_id(chunk, id));
        any = any || found;
      }
    } else if (is_equal && predicate.column == ColumnId::kStream) {
      for (const std::string& stream : predicate.texts) {
        FIRN_ASSIGN(const bool found, snapshot.may_contain_stream(chunk, stream));
        any = any || found;
      }
    } else if (predicate.kind == PredicateKind::kCategory &&
               predicate.column == ColumnId::kStream) {
      for (const std::string& category : predicate.texts) {
        FIRN_ASSIGN(const bool found, snapshot.may_contain_category(chunk, category));
        any = any || found;
      }
    } else {
      is_listed = false;
    }
    if (is_listed && !any) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> QueryCost::tier_names() const {
  std::vector<std::string> names;
  for (const auto& [name, cost] : tiers) names.push_back(name);
  return names;
}

void add_cost(const QueryCost& from, QueryCost* to) {
  to->chunks_pruned += from.chunks_pruned;
  for (const auto& [tier, cost] : from.tiers) {
    TierCost& sum = to->tiers[tier];
    sum.chunks += cost.chunks;
    sum.cost.rows_read += cost.cost.rows_read;
    sum.cost.bytes_read += cost.cost.bytes_read;
    sum.cost.blocks_read += cost.cost.blocks_read;
    sum.cost.blocks_pruned += cost.cost.blocks_pruned;
  }
}

std::optional<EventOrder> parse_event_order(std::string_view text) {
  if (text == "position" || text == "asc") return EventOrder::kPosition;
  if (text == "-position" || text == "desc") return EventOrder::kPositionDescending;
  if (text == "time") return EventOrder::kTime;
  if (text == "-time") return EventOrder::kTimeDescending;
  return std::nullopt;
}

std::string EventCursor::encode() const {
  return std::to_string(time) + "." + std::to_string(position);
}

std::optional<EventCursor> EventCursor::parse(std::string_view text) {
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  EventCursor cursor;
  const auto read = [](std::string_view part, auto* value) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), *value);
    return error == std::errc() && end == part.data() + part.size() && !part.empty();
  };
  if (!read(text.substr(0, dot), &cursor.time)) return std::nullopt;
  if (!read(text.substr(dot + 1), &cursor.position)) return std::nullopt;
  return cursor;
}

Result<EventPage> query_events(const Snapshot& snapshot, const EventQuery& query,
                               const QueryGuard& guard) {
  EventPage page;
  Filter filter = query.filter;
  apply_cursor(query, &filter);
  std::vector<SnapshotChunk> chunks = snapshot.chunks(query.dataset, filter);
  std::sort(chunks.begin(), chunks.end(), [&](const SnapshotChunk& a, const SnapshotChunk& b) {
    return best_key(query.order, a) < best_key(query.order, b);
  });
  // One more than asked for tells whether there is a next page.
  Best best(size_t{query.limit} + (query.wants_next ? 1 : 0), query.bytes_max);
  for (const SnapshotChunk& chunk : chunks) {
    bool is_needed = best.wants(best_key(query.order, chunk));
    if (is_needed) {
      FIRN_ASSIGN(is_needed, may_match(snapshot, chunk, filter));
    }
    if (!is_needed) {
      ++page.cost.chunks_pruned;
      continue;
    }
    FIRN_TRY(read_chunk(snapshot, query, chunk, filter, guard, &best, &page.cost));
  }
  std::vector<Candidate> found = best.take_sorted();
  const bool has_more = best.is_cut() || found.size() > query.limit;
  if (found.size() > query.limit) found.resize(query.limit);
  for (Candidate& candidate : found) page.events.push_back(std::move(candidate.event));
  if (has_more && !page.events.empty()) {
    const EventRef& last = page.events.back();
    page.next =
        EventCursor{last.batch->int64s(ColumnId::kTime)[last.row], last.batch->position(last.row)};
  }
  return page;
}

Result<EventRef> query_event_by_id(const Snapshot& snapshot, const Id& id, QueryCost* cost,
                                   const QueryGuard& guard) {
  EventQuery query;
  query.limit = 1;
  Predicate predicate;
  predicate.column = ColumnId::kId;
  predicate.ids = {id};
  query.filter.predicates.push_back(std::move(predicate));
  FIRN_ASSIGN(EventPage page, query_events(snapshot, query, guard));
  if (cost != nullptr) *cost = std::move(page.cost);
  return page.events.empty() ? EventRef{} : page.events.front();
}

Result<AggregateAnswer> query_aggregate(const Snapshot& snapshot, Dataset dataset,
                                        const AggregateSpec& spec, const QueryGuard& guard) {
  AggregateAnswer answer;
  const Filter& filter = spec.filter;
  const bool only_total = spec.window_ns == 0 && spec.group_by.empty() && spec.measures.empty() &&
                          filter.predicates.empty();
  for (const SnapshotChunk& chunk : snapshot.chunks(dataset, filter)) {
    if (guard) FIRN_TRY(guard());
    FIRN_ASSIGN(const bool is_needed, may_match(snapshot, chunk, filter));
    if (!is_needed) {
      ++answer.cost.chunks_pruned;
      continue;
    }
    TierCost& tier_cost = answer.cost.tiers[chunk.tier];
    ++tier_cost.chunks;
    const bool covered = chunk.stats_are_exact && filter.time.contains(chunk.stats.time_min) &&
                         filter.time.contains(chunk.stats.time_max) &&
                         filter.positions.contains(chunk.stats.position_min) &&
                         filter.positions.contains(chunk.stats.position_max);
    if (only_total && covered) {
      answer.states[GroupKey{}].count += chunk.stats.rows;
      continue;
    }
    FIRN_ASSIGN(const AggregateStates states, snapshot.aggregate(chunk, spec, &tier_cost.cost));
    merge_states(states, &answer.states);
  }
  return answer;
}

}  // namespace firn
