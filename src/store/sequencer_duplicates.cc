#include <algorithm>
#include <unordered_map>

#include "base/mutant.h"
#include "store/sequencer.h"

// The commit worker's search for events that were stored before.

namespace firn {

namespace {

struct IdHash {
  size_t operator()(const Id& id) const { return hash_id(id); }
};

}  // namespace

void Sequencer::search_chunks(std::vector<Pending>* step) {
  std::vector<const NamespaceState*> searched;
  for (const Pending& pending : *step) {
    const NamespacePtr& ns = pending.name_space;
    if (std::find(searched.begin(), searched.end(), ns.get()) != searched.end()) continue;
    searched.push_back(ns.get());
    search_chunks(ns, step);
  }
}

void Sequencer::search_chunks(const NamespacePtr& ns, std::vector<Pending>* step) {
  // Before the snapshot, and only here: it shows everything that is forgotten now.
  prune_in_flight(ns.get());
  const auto is_searched = [&](const Pending& pending) {
    return pending.name_space == ns && !pending.request.rows_with_client_id.empty() &&
           pending.request.batch->dataset() == Dataset::kEvents;
  };
  if (std::none_of(step->begin(), step->end(), is_searched)) return;
  const Snapshot snapshot(core_, ns);
  DuplicateSearch search(&snapshot, &tagger_);
  for (Pending& pending : *step) {
    if (!is_searched(pending)) continue;
    const RecordBatch& batch = *pending.request.batch;
    const auto ids = batch.ids(ColumnId::kId);
    pending.stored.resize(pending.request.rows_with_client_id.size());
    for (size_t i = 0; i < pending.stored.size(); ++i) {
      const uint32_t row = pending.request.rows_with_client_id[i];
      search.add(&batch, row, ns->recent_ids.find(ids[row]), &pending.stored[i]);
    }
  }
  search.run();
}

Result<Sequencer::Duplicates> Sequencer::find_duplicates(NamespaceState* ns,
                                                         const Pending& pending) {
  Duplicates found;
  if (pending.stored.empty()) return found;
  const AppendRequest& request = pending.request;
  const RecordBatch& batch = *request.batch;
  const auto refuse = [&request](uint32_t row, const std::string& why, const char* advice = "") {
    if (request.details != nullptr) request.details->conflicting_row = row;
    return conflict("event " + std::to_string(row) + why + "; nothing was stored" + advice);
  };
  found.original.resize(batch.rows());
  const auto ids = batch.ids(ColumnId::kId);
  // Rows of the batch by id; a repeat inside the batch gets the position its first row will have.
  std::unordered_map<Id, uint32_t, IdHash> seen;
  seen.reserve(request.rows_with_client_id.size());
  for (size_t i = 0; i < pending.stored.size(); ++i) {
    const uint32_t row = request.rows_with_client_id[i];
    const auto [first, inserted] = seen.emplace(ids[row], row);
    if (!inserted) {
      const bool is_same = same_event(event_row(batch, row), event_row(batch, first->second));
      if (!is_same || request.must_be_new) {
        return refuse(row, " has the id " + ids[row].to_uuid() + " of event " +
                               std::to_string(first->second) + " of the same request" +
                               (is_same ? "" : ", but other content"));
      }
      found.repeats.emplace_back(row, first->second);
      ++found.count;
      continue;
    }
    const StoredEvent original = find_original(ns, batch, row, pending.stored[i]);
    FIRN_TRY(original.status);
    if (original.place.position == 0) continue;
    const auto where = [&] {
      return ": id " + ids[row].to_uuid() + " is stored at position " +
             std::to_string(original.place.position);
    };
    if (!original.is_same) {
      return refuse(row, where() + " with other content", ". Send another id for another event");
    }
    if (request.must_be_new) return refuse(row, where());
    found.original[row] = original.place;
    ++found.count;
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

StoredEvent Sequencer::find_original(NamespaceState* ns, const RecordBatch& batch, uint32_t row,
                                     const StoredEvent& stored) {
  if (mutant(8)) return StoredEvent();
  const EventRow wanted = event_row(batch, row);
  for (const Position position : ns->recent_ids.find(wanted.id)) {
    uint32_t at = 0;
    int64_t stream_position = kAbsentInt64;
    const RecordBatch* batch_there = find_unpublished(ns, position, &at, &stream_position);
    if (batch_there == nullptr || batch_there->ids(ColumnId::kId)[at] != wanted.id) continue;
    return {Status(), {position, stream_position}, same_event(event_row(*batch_there, at), wanted)};
  }
  return stored;
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
