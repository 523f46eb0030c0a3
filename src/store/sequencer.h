#pragma once

#include <memory>
#include <vector>

#include "base/mutex.h"
#include "store/append.h"
#include "store/core.h"

namespace firn {

// The commit worker: decides order. See docs/commit-path.md.
class Sequencer {
 public:
  explicit Sequencer(std::shared_ptr<StoreCore> core);
  // REQUIRES: stopped, and the log is gone.
  ~Sequencer() = default;

  // Ends the worker and fails what is still queued with kCancelled. The log may go on answering
  // what it has; it must be destroyed before the sequencer.
  void stop();

  // Queues; `done` is called exactly once, on the commit or log worker, never inside submit().
  // Any thread.
  void submit(NamespacePtr name_space, AppendRequest request, AppendCallback done);

 private:
  struct Pending {
    NamespacePtr name_space;
    AppendRequest request;
    AppendCallback done;
    size_t bytes = 0;
  };
  struct Commit;
  struct Duplicates;
  struct Lookup;

  void step();
  void sequence(Pending pending);
  Result<Duplicates> find_duplicates(const NamespacePtr& ns, const AppendRequest& request);
  // The position of the stored event with the row's id; 0 when there is none; kConflict when it has
  // other content.
  Result<Position> find_original(const Lookup& lookup, const RecordBatch& batch, uint32_t row);
  void remember_ids(NamespaceState* ns, const std::vector<uint32_t>& rows_with_client_id,
                    const Duplicates& duplicates, const RecordBatch& batch);
  Result<std::vector<int64_t>> assign_stream_positions(NamespaceState* ns,
                                                       const RecordBatch& batch);
  void log(NamespacePtr name_space, std::unique_ptr<RecordBatch> batch,
           std::shared_ptr<Commit> commit);
  void on_durable(const std::shared_ptr<Commit>& commit, const Status& status, Lsn lsn);
  // Takes back what was given to batches that the log refused. True when sequencing may go on.
  bool resume_after_refusal();
  void prune_in_flight(NamespaceState* ns);

  std::shared_ptr<StoreCore> core_;
  IdTagger tagger_;
  Mutex mutex_;
  std::vector<Pending> queue_ GUARDED_BY(mutex_);
  std::atomic<uint64_t> outstanding_{0};  // handed to the log, not answered
  std::atomic<bool> refused_{false};      // the log refused one of them
  StoppableWorker worker_;
};

}  // namespace firn
