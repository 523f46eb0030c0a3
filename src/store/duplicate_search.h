#pragma once

#include <span>
#include <vector>

#include "store/append.h"
#include "store/id_index.h"
#include "store/snapshot.h"

namespace firn {

// Whether two events with one id are the same event. Times are left out: a client that leaves them
// to us gets others on its second try.
bool same_event(const EventRow& a, const EventRow& b);

// What is stored under the id of a row.
struct StoredEvent {
  Status status;      // other than ok: it could not be looked up
  RowPosition place;  // position 0: nothing is
  bool is_same = false;
};

// Looks for the ids of many rows in what a snapshot shows, with one reading of each chunk that may
// hold some of them, however many they are. Thread rule: one thread.
class DuplicateSearch {
 public:
  // All must outlive the search.
  DuplicateSearch(const Snapshot* snapshot, const IdTagger* tagger);

  // Adds the id of a row of `batch`; `recent` is where it may be according to RecentIds. The batch
  // and `out` must outlive run().
  void add(const RecordBatch* batch, uint32_t row, std::vector<Position> recent, StoredEvent* out);
  // Fills in what was added. When several rows have the id, that of the first chunk counts.
  void run();

 private:
  struct Wanted {
    const RecordBatch* batch;
    uint32_t row;
    std::vector<Position> recent;
    StoredEvent* out;

    const Id& id() const;
    bool is_open() const { return out->status.ok() && out->place.position == 0; }
  };
  using WantedList = std::vector<Wanted*>;

  void look_into(const SnapshotChunk& chunk);
  // Those that may be at a recent position.
  void look_at_recent(const SnapshotChunk& chunk);
  // Looks among these positions for those of `wanted` that were not found yet.
  void scan(const SnapshotChunk& chunk, PositionRange positions, WantedList wanted);
  // Reads the rows with their ids, and judges them. `wanted` ascends by id.
  Status read(const SnapshotChunk& chunk, PositionRange positions, std::span<Wanted* const> wanted);

  const Snapshot& snapshot_;
  const IdTagger& tagger_;
  std::vector<Wanted> wanted_;
};

}  // namespace firn
