#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "store/chunk_command.h"
#include "store/chunk_copy.h"
#include "store/clock_guard.h"
#include "store/core.h"
#include "store/leftovers.h"

namespace firn {

// Whether the chunk's interval ended at least so long ago.
bool ended_before(const ChunkKey& key, TimeNs now, DurationNs age);
// Of an interval's generations, by watermark: those that are wanted and follow each other, in one
// tier and for the same time.
std::vector<std::vector<ChunkRecordPtr>> neighbour_runs(
    const std::vector<ChunkRecordPtr>& generations,
    const std::function<bool(const ChunkRecord&)>& is_wanted);

// The background worker that carries chunks from tier to tier. Each method that changes ownership
// does so in the order of docs/commit-path.md; a crash after any step leaves the store right.
class Mover {
 public:
  explicit Mover(std::shared_ptr<StoreCore> core)
      : core_(std::move(core)),
        clock_(core_->env, core_->manifest.get(), &core_->condition),
        leftovers_(core_) {}

  // Starts the worker. Before that, recovery may call flush_largest() itself.
  void start();
  // Waits for the step at work, which ends at the next chance, and fails queued commands with
  // kCancelled. REQUIRED before the destructor.
  void stop();
  void wake();
  // Queues a command. `done` is called once, on the worker, or with kCancelled from stop().
  void submit(ChunkCommand command, ChunkCommandCallback done);
  // Queues a cut (docs/backup.md): what is published is flushed, and the manifest that says so is
  // copied to the file. `done` as that of submit(); gets what the copy says.
  void cut(std::string manifest_path, std::function<void(const Result<ManifestVersionPtr>&)> done);

  // See Leftovers::sweep(). Before start(); what could not be looked at then, the worker looks at.
  Status sweep_leftovers(bool may_remove) { return leftovers_.sweep(may_remove); }
  // Flushes of the memory chunk with the most bytes as much as gives memory back. False when there
  // is nothing to flush. From outside, before start() only.
  Result<bool> flush_largest();
  // Gives up log segments that no tier needs any more.
  Status trim_log();

 private:
  struct Queued {
    std::function<void()> run;
    std::function<void(const Status&)> refuse;
  };

  // Rows of a chunk in memory.
  struct Collected {
    std::vector<BatchSlice> slices;
    Position through = 0;  // every row of the chunk from the first to here is among them
  };

  struct FlushedPiece {
    bool more = false;   // rows of the chunk are left
    bool freed = false;  // memory was given up
  };

  // Rows of complete chunks on their way into a new generation of their interval.
  struct Rewrite {
    std::vector<ChunkRecordPtr> sources;  // neighbours, by watermark
    Tier* target;
    bool compresses;    // into the smallest form, else as the tier is configured
    TimeNs keep_until;  // as in ChunkRecord
    const SeriesChoice* without = nullptr;  // rows that go; not all of them
  };
  struct Execution;

  void queue(Queued queued);
  void step() EXCLUDES(work_);
  // Flushes when memory asks for it, while the other worker copies a chunk.
  void flush_beside_copy() EXCLUDES(work_);
  // Runs `copy`, which writes to the target and changes nothing of ours. Unless flushes write
  // there, too, they go on meanwhile: a copy may take longer than memory lasts.
  Status copy_beside_flushes(const Tier* target, const std::function<Status()>& copy);
  Status run_policies();
  // A log that only uses its segments again would go on while flushes use up the reserve.
  void check_reserve();
  Status relieve_pressure();
  Status flush_aged();
  // What depends on the wall clock.
  Status apply_policies();
  Status apply_keep();
  Status apply_keep_to_memory(TimeNs now);
  // Of all datasets, or one.
  Status apply_max_bytes(size_t index, std::optional<Dataset> dataset, uint64_t bytes_max);
  Status drop_oldest();
  ChunkRecordPtr oldest_in_data_dir() const;
  Status apply_compression();
  Status compress_interval(const ChunkKey& interval, TimeNs now);
  Status forget_deleted_namespaces();
  Status remove_unused();
  Status remove_unfinished();
  void update_flushed_through();
  // Chunks that failed are left alone for a while, so that one of them does not stop the others.
  bool must_wait(const ChunkKey& key);
  void settle_chunk(const ChunkKey& key, const Status& status, Status* first);

  // Whether the command can be begun.
  Status check_command(const ChunkCommand& command);
  ChunkCommandResult execute(const ChunkCommand& command);
  Status open_destination(Execution* work) const;
  void execute_in_memory(Execution* work);
  void execute_on_stored(Execution* work);
  void execute_compress(Execution* work);
  // Where the command brings the chunk, its own tier when it stays; nothing when it cannot be done.
  std::optional<size_t> target_of(const ChunkCommand& command, const ChunkRecord& record);
  void execute_on(const ChunkRecordPtr& record, size_t target, Execution* work);
  // Slices from the first on, until they have `bytes_max` or more.
  Status collect(const MemorySnapshot& memory, const ChunkKey& interval, PositionRange positions,
                 uint64_t bytes_max, Collected* found);
  // The record of a chunk that is still to be written.
  ChunkRecord new_generation(const ChunkKey& interval, const Tier& target) const;
  // Writes the interval's published rows of memory to its open generation in the second tier; to a
  // new one when there is none, or when the open one is damaged.
  Status flush_chunk(const NamespacePtr& ns, const ChunkKey& interval);
  Status flush_through(const NamespacePtr& ns, const ChunkKey& interval, Position through);
  Result<ManifestVersionPtr> make_cut(const std::string& manifest_path);
  // Of the rows up to `through`, the first ones, of about flush_piece_bytes.
  Result<FlushedPiece> flush_piece(const NamespacePtr& ns, const ChunkKey& interval,
                                   Position through);
  Result<std::vector<ChunkKey>> needless_tombstones(const ManifestVersion& version,
                                                    uint64_t segment);
  Status move_chunk(const ChunkRecordPtr& record, size_t target_index);
  ChunkCopy copy_of(const ChunkRecord& record, Tier* target, const ChunkKey& target_key);
  // The new chunk, which the manifest names in place of the sources.
  Result<ChunkKey> rewrite(Rewrite work);
  // Brings neighbours in one tier into one chunk of the smallest form, if they are not that.
  Result<ChunkKey> compress(std::vector<ChunkRecordPtr> run);
  // Takes the command's series out of the chunk. The chunk that has the others now, the same one
  // when none was in it; nothing when no other was.
  Result<std::optional<ChunkKey>> prune(ChunkRecordPtr record, const ChunkCommand& command);
  Status export_chunk(const ChunkRecordPtr& record, Tier* destination);
  // Leaves the record as it is afterwards, like the next one.
  Status seal_chunk(ChunkRecordPtr* record);
  // Whether definitions of series have to stay for samples of their interval.
  bool is_needed_by_samples(const ChunkKey& key) const;
  // Before definitions of the interval are dropped; kConflict when they may not be. Other datasets
  // need nothing.
  Status forget_series(const ChunkKey& key);
  // In a tier or in memory; the interval is that of a key of whatever dataset and generation.
  bool has_rows(const ChunkKey& interval, Dataset dataset) const;
  Status commit_changed(ChunkRecord changed, ChunkRecordPtr* record);
  Status drop_chunk(const ChunkRecordPtr& record, RowsGone gone = RowsGone::kAll);
  Status drop_from_memory(const NamespacePtr& ns, const ChunkKey& interval);
  std::vector<MemoryChunkInfo> memory_chunks(const NamespacePtr& ns) const;
  size_t tier_index(std::string_view name) const;

  std::shared_ptr<StoreCore> core_;
  StoppableWorker worker_, flusher_;
  Mutex mutex_;
  std::deque<Queued> queue_ GUARDED_BY(mutex_);
  // Whoever has it works: the worker but for the time of a copy, the flusher then. Before mutex_.
  Mutex work_;
  std::atomic<bool> is_copying_{false};
  // The rest belongs to who has it.
  ClockGuard clock_;
  Leftovers leftovers_;
  std::map<ChunkKey, TimeNs> failed_until_;  // monotonic
  // New generations whose first write or rewriting has no known outcome.
  std::map<ChunkKey, Tier*> unfinished_;
  // Of chunks that were dropped to make room and may still be read.
  std::vector<std::weak_ptr<ChunkLease>> dropped_for_space_;
  bool log_may_shrink_ = true;
};

}  // namespace firn
