#include <unordered_map>

#include "base/mutant.h"
#include "store/sequencer.h"

// The commit worker's search for events that were stored before.

namespace firn {

namespace {

// Whether a repeated id names the same event. Times are left out: a client that leaves them to us
// gets others on its second try.
bool same_content(const EventRow& a, const EventRow& b) {
  if (mutant(16)) return true;
  return a.kind == b.kind && a.type == b.type && a.source == b.source && a.subject == b.subject &&
         a.severity == b.severity && a.stream == b.stream && a.correlation_id == b.correlation_id &&
         a.trace_id == b.trace_id && a.span_id == b.span_id && a.parent_id == b.parent_id &&
         a.duration == b.duration && a.data == b.data && a.metadata == b.metadata &&
         a.context == b.context;
}

// The stored row with this id, or a null batch.
Result<BatchSlice> find_by_id(const Snapshot& snapshot, const SnapshotChunk& chunk, const Id& id,
                              PositionRange positions) {
  ScanSpec spec;
  spec.filter.positions = positions;
  Predicate predicate;
  predicate.column = ColumnId::kId;
  predicate.ids = {id};
  spec.filter.predicates.push_back(std::move(predicate));
  FIRN_ASSIGN(const auto reader, snapshot.scan(chunk, std::move(spec), nullptr));
  BatchSlice slice;
  FIRN_ASSIGN(const bool found, reader->next(&slice));
  return found ? slice : BatchSlice{};
}

struct IdHash {
  size_t operator()(const Id& id) const { return hash_id(id); }
};

}  // namespace

Result<Sequencer::Duplicates> Sequencer::find_duplicates(Group* group,
                                                         const AppendRequest& request) {
  Duplicates found;
  if (request.rows_with_client_id.empty()) return found;
  const RecordBatch& batch = *request.batch;
  const NamespacePtr& ns = group->name_space;
  if (group->lookup == nullptr) {
    Snapshot snapshot(core_, ns);
    std::vector<SnapshotChunk> chunks = snapshot.chunks(batch.dataset(), Filter{});
    group->lookup =
        std::shared_ptr<const Lookup>(new Lookup{ns, std::move(snapshot), std::move(chunks)});
  }
  const Lookup& lookup = *group->lookup;
  found.original.resize(batch.rows());
  const auto ids = batch.ids(ColumnId::kId);
  // Rows of the batch by id; a repeat inside the batch gets the position its first row will have.
  std::unordered_map<Id, uint32_t, IdHash> seen;
  seen.reserve(request.rows_with_client_id.size());
  for (const uint32_t row : request.rows_with_client_id) {
    const auto [first, inserted] = seen.emplace(ids[row], row);
    if (!inserted) {
      if (!same_content(event_row(batch, row), event_row(batch, first->second))) {
        return conflict("event " + std::to_string(row) + " has the id " + ids[row].to_uuid() +
                        " of event " + std::to_string(first->second) +
                        " of the same request, but other content; nothing was stored");
      }
      found.repeats.emplace_back(row, first->second);
      ++found.count;
      continue;
    }
    FIRN_ASSIGN(found.original[row], find_original(lookup, batch, row));
    if (found.original[row].position != 0) ++found.count;
  }
  if (found.repeats.empty()) return found;
  // Positions of new rows are given out in row order, so they are known before they are stamped.
  std::vector<bool> is_repeat(batch.rows(), false);
  for (const auto& [row, first_row] : found.repeats) is_repeat[row] = true;
  std::vector<Position> will_have(batch.rows(), 0);
  Position next = ns->positions(Dataset::kEvents).next;
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    if (is_repeat[row]) continue;
    const Position original = found.original[row].position;
    will_have[row] = original != 0 ? original : next++;
  }
  for (const auto& [row, first_row] : found.repeats) {
    found.original[row].position = will_have[first_row];
  }
  return found;
}

Result<RowPosition> Sequencer::find_original(const Lookup& lookup, const RecordBatch& batch,
                                             uint32_t row) {
  if (mutant(8)) return RowPosition{};
  NamespaceState* ns = lookup.name_space.get();
  const EventRow wanted = event_row(batch, row);
  const auto judge = [&](const EventRow& stored, RowPosition place) -> Result<RowPosition> {
    if (same_content(stored, wanted)) return place;
    return conflict("event " + std::to_string(row) + ": id " + wanted.id.to_uuid() +
                    " is stored at position " + std::to_string(place.position) +
                    " with other content; nothing was stored. Send another id for another event");
  };
  const auto judge_stored = [&](const SnapshotChunk& chunk,
                                PositionRange positions) -> Result<RowPosition> {
    FIRN_ASSIGN(const BatchSlice found, find_by_id(lookup.snapshot, chunk, wanted.id, positions));
    if (found.batch == nullptr) return RowPosition{};
    const EventRow stored = event_row(*found.batch, found.row(0));
    return judge(stored, {found.batch->position(found.row(0)), stored.stream_position});
  };
  const std::vector<Position> recent = ns->recent_ids.find(wanted.id);
  for (const Position position : recent) {
    uint32_t at = 0;
    int64_t stream_position = kAbsentInt64;
    const RecordBatch* batch_there = find_unpublished(ns, position, &at, &stream_position);
    if (batch_there != nullptr && batch_there->ids(ColumnId::kId)[at] == wanted.id) {
      return judge(event_row(*batch_there, at), {position, stream_position});
    }
  }
  const bool is_listed = !tagger_.has_tag(wanted.id);
  for (const SnapshotChunk& chunk : lookup.chunks) {
    for (const Position position : recent) {
      if (!chunk.owned.contains(position)) continue;
      FIRN_ASSIGN(const RowPosition original, judge_stored(chunk, {position, position + 1}));
      if (original.position != 0) return original;
    }
    if (is_listed && chunk.in_memory) continue;  // then it was among the recent ones
    FIRN_ASSIGN(const bool may_be_there, lookup.snapshot.may_contain_id(chunk, wanted.id));
    if (!may_be_there) continue;
    FIRN_ASSIGN(const RowPosition original, judge_stored(chunk, chunk.owned));
    if (original.position != 0) return original;
  }
  return RowPosition{};
}

const RecordBatch* Sequencer::find_unpublished(NamespaceState* ns, Position position, uint32_t* row,
                                               int64_t* stream_position) {
  const auto holds = [&](const RecordBatch& batch, Position first) {
    *row = static_cast<uint32_t>(position - first);
    return position >= first && position - first < batch.rows();
  };
  for (const BatchPtr& flying : ns->positions(Dataset::kEvents).in_flight) {
    if (!holds(*flying, flying->first_position())) continue;
    *stream_position = flying->int64s(ColumnId::kStreamPosition)[*row];
    return flying.get();
  }
  for (const Group& group : groups_) {
    if (group.name_space.get() != ns || group.dataset != Dataset::kEvents) continue;
    for (const Part& part : group.parts) {
      if (!holds(*part.batch, part.first_position)) continue;
      *stream_position = part.stream_positions.empty() ? kAbsentInt64 : part.stream_positions[*row];
      return part.batch.get();
    }
  }
  return nullptr;
}

}  // namespace firn
