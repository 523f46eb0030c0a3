#include "store/duplicate_search.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"

namespace firn {

namespace {

// Recent positions that are so close to each other are read together.
constexpr Position kRecentGapMax = 256;
// So many ids are looked up by one reading: the backends use their indexes for no more.
constexpr size_t kIdsPerScanMax = 500;

}  // namespace

bool same_event(const EventRow& a, const EventRow& b) {
  if (mutant(16)) return true;
  return a.kind == b.kind && a.type == b.type && a.source == b.source && a.subject == b.subject &&
         a.severity == b.severity && a.stream == b.stream && a.correlation_id == b.correlation_id &&
         a.trace_id == b.trace_id && a.span_id == b.span_id && a.parent_id == b.parent_id &&
         a.duration == b.duration && a.data == b.data && a.metadata == b.metadata &&
         a.context == b.context;
}

const Id& DuplicateSearch::Wanted::id() const { return batch->ids(ColumnId::kId)[row]; }

DuplicateSearch::DuplicateSearch(const Snapshot* snapshot, const IdTagger* tagger)
    : snapshot_(*snapshot), tagger_(*tagger) {}

void DuplicateSearch::add(const RecordBatch* batch, uint32_t row, std::vector<Position> recent,
                          StoredEvent* out) {
  *out = StoredEvent();
  wanted_.push_back({batch, row, std::move(recent), out});
}

void DuplicateSearch::run() {
  if (wanted_.empty() || mutant(8)) return;
  for (const SnapshotChunk& chunk : snapshot_.chunks(Dataset::kEvents, Filter{})) look_into(chunk);
}

void DuplicateSearch::look_into(const SnapshotChunk& chunk) {
  look_at_recent(chunk);
  WantedList listed;
  for (Wanted& wanted : wanted_) {
    if (!wanted.is_open()) continue;
    const bool is_listed = !tagger_.has_tag(wanted.id());
    if (is_listed && chunk.in_memory) continue;  // then it was among the recent ones
    const Result<bool> may_be_there = snapshot_.may_contain_id(chunk, wanted.id());
    if (!may_be_there.ok()) {
      wanted.out->status = may_be_there.status();
    } else if (*may_be_there) {
      listed.push_back(&wanted);
    }
  }
  scan(chunk, chunk.owned, std::move(listed));
}

void DuplicateSearch::look_at_recent(const SnapshotChunk& chunk) {
  std::vector<std::pair<Position, Wanted*>> places;
  for (Wanted& wanted : wanted_) {
    if (!wanted.is_open()) continue;
    for (const Position position : wanted.recent) {
      if (chunk.owned.contains(position)) places.emplace_back(position, &wanted);
    }
  }
  std::sort(places.begin(), places.end());
  for (size_t begin = 0; begin < places.size();) {
    WantedList together;
    size_t end = begin;
    do {
      together.push_back(places[end].second);
      ++end;
    } while (end < places.size() && places[end].first - places[end - 1].first <= kRecentGapMax);
    scan(chunk, {places[begin].first, places[end - 1].first + 1}, std::move(together));
    begin = end;
  }
}

void DuplicateSearch::scan(const SnapshotChunk& chunk, PositionRange positions, WantedList wanted) {
  std::erase_if(wanted, [](const Wanted* one) { return !one->is_open(); });
  if (wanted.empty()) return;
  std::sort(wanted.begin(), wanted.end(),
            [](const Wanted* a, const Wanted* b) { return a->id() < b->id(); });
  for (size_t begin = 0; begin < wanted.size(); begin += kIdsPerScanMax) {
    const size_t end = std::min(begin + kIdsPerScanMax, wanted.size());
    const std::span<Wanted* const> piece = std::span(wanted).subspan(begin, end - begin);
    const Status status = read(chunk, positions, piece);
    if (status.ok()) continue;
    for (Wanted* one : piece) {
      if (one->is_open()) one->out->status = status;
    }
  }
}

Status DuplicateSearch::read(const SnapshotChunk& chunk, PositionRange positions,
                             std::span<Wanted* const> wanted) {
  ScanSpec spec;
  spec.filter.positions = positions;
  Predicate predicate;
  predicate.column = ColumnId::kId;
  for (const Wanted* one : wanted) {
    if (predicate.ids.empty() || predicate.ids.back() != one->id()) {
      predicate.ids.push_back(one->id());
    }
  }
  spec.filter.predicates.push_back(std::move(predicate));
  FIRN_ASSIGN(const auto reader, snapshot_.scan(chunk, std::move(spec), nullptr));
  BatchSlice slice;
  while (true) {
    FIRN_ASSIGN(const bool found, reader->next(&slice));
    if (!found) return Status();
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      const EventRow stored = event_row(*slice.batch, slice.row(i));
      auto at = std::lower_bound(wanted.begin(), wanted.end(), stored.id,
                                 [](const Wanted* one, const Id& id) { return one->id() < id; });
      for (; at != wanted.end() && (*at)->id() == stored.id; ++at) {
        if (!(*at)->is_open()) continue;
        (*at)->out->place = {slice.batch->position(slice.row(i)), stored.stream_position};
        (*at)->out->is_same = same_event(stored, event_row(*(*at)->batch, (*at)->row));
      }
    }
  }
}

}  // namespace firn
