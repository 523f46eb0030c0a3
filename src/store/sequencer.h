#pragma once

#include <memory>
#include <vector>

#include "base/mutex.h"
#include "store/append.h"
#include "store/core.h"
#include "store/duplicate_search.h"

namespace firn {

// The commit worker: decides order. See docs/commit-path.md.
//
// Requests of a few rows that wait together become one batch and one record of the log; while the
// log is busy they wait for it, so that more can join, unless others wait in the log already. A
// larger request goes to the log at once and as it came.
class Sequencer {
 public:
  explicit Sequencer(std::shared_ptr<StoreCore> core);
  // REQUIRES: stopped, and the log is gone.
  ~Sequencer() = default;

  // Ends the worker and fails what is still queued with kCancelled. The log may go on answering
  // what it has; it must be destroyed before the sequencer.
  void stop();

  // Queues; `done` is called exactly once, on the commit or log worker; inside submit() only after
  // stop(), with kCancelled.
  // Any thread.
  void submit(NamespacePtr name_space, AppendRequest request, AppendCallback done);
  // Gives memory back that a flush made needless. Any thread, at any time before stop().
  void prune();

 private:
  struct Pending {
    NamespacePtr name_space;
    AppendRequest request;
    AppendCallback done;
    size_t bytes = 0;
    // What chunks hold under the ids of request.rows_with_client_id, in their order.
    std::vector<StoredEvent> stored;
  };
  struct Commit;
  // What the search for duplicates of one request found.
  struct Duplicates {
    // Per row of the request; position 0: new. Empty: all are new.
    std::vector<RowPosition> original;
    // Rows with the id of an earlier row of the request, and that row.
    std::vector<std::pair<uint32_t, uint32_t>> repeats;
    uint32_t count = 0;
  };
  // A request's rows that have positions and go to the log with the next record.
  struct Part {
    std::unique_ptr<RecordBatch> batch;  // unstamped
    Position first_position = 0;
    std::vector<int64_t> stream_positions;  // empty: the batch has no streams
  };
  // The record that is being gathered for a namespace and dataset.
  struct Group {
    NamespacePtr name_space;
    Dataset dataset = Dataset::kEvents;
    std::vector<Part> parts;
    std::shared_ptr<Commit> commit;
    uint32_t rows = 0;
  };

  static bool may_join(const AppendRequest& request);
  // Whether what is queued may wait for the log.
  bool may_wait() const REQUIRES(mutex_);
  void step();
  // Whether the worker must be woken: whoever finds the queue empty does it, the others' work is
  // taken with it.
  bool add_to_queue(Pending pending) REQUIRES(mutex_);
  void cancel(Pending* pending);
  std::vector<Pending> take_queue();
  void sequence(Pending pending);
  // Queues a request's answer behind everything sequenced so far.
  void answer_when_durable(Group* group, Pending* pending, const AppendResult& result,
                           const Status& refusal);
  // Gives positions to the rows of a request and adds them to the namespace's group. `duplicates`
  // is about all rows of the request, `batch` holds those that are new.
  Status give_positions(Group* group, std::unique_ptr<RecordBatch> batch,
                        const AppendRequest& request, const Duplicates& duplicates,
                        AppendResult* result);
  static std::vector<RowPosition> row_positions(const Duplicates& duplicates, const Part& part,
                                                uint32_t count);
  Group* group_of(const NamespacePtr& ns, Dataset dataset);
  void close_group(Group* group);
  void close_groups();
  // Looks in the chunks for the ids of all requests of a step, and forgets what a snapshot shows.
  // REQUIRES: no group is open.
  void search_chunks(std::vector<Pending>* step);
  void search_chunks(const NamespacePtr& ns, std::vector<Pending>* step);
  Result<Duplicates> find_duplicates(NamespaceState* ns, const Pending& pending);
  // What there is under the row's id, on its way or in the chunks; `stored` is what they hold.
  StoredEvent find_original(NamespaceState* ns, const RecordBatch& batch, uint32_t row,
                            const StoredEvent& stored);
  void remember_ids(NamespaceState* ns, const std::vector<uint32_t>& rows_with_client_id,
                    const Duplicates& duplicates, const RecordBatch& batch,
                    Position first_position);
  // kConflict with its details when a stream has another version, counting what has positions but
  // is not durable yet.
  Status check_versions(NamespaceState* ns, const AppendRequest& request);
  // For a request of so many rows. Null when the stream has no event, unless `insert`.
  Result<int64_t*> find_head(NamespaceState* ns, std::string_view stream, uint32_t rows,
                             bool insert);
  Result<std::vector<int64_t>> assign_stream_positions(NamespaceState* ns,
                                                       const RecordBatch& batch);
  // A batch that has a position but is not known to be published, and the row of it with this one.
  // `stream_position` is that of the row.
  const RecordBatch* find_unpublished(NamespaceState* ns, Position position, uint32_t* row,
                                      int64_t* stream_position);
  void log(const NamespacePtr& name_space, std::unique_ptr<RecordBatch> batch,
           std::shared_ptr<Commit> commit);
  void on_durable(const std::shared_ptr<Commit>& commit, const Status& status, Lsn lsn);
  // Takes back what was given to batches that the log refused. True when sequencing may go on.
  bool resume_after_refusal();
  void prune_in_flight(NamespaceState* ns);
  void take_back(NamespaceState* ns);

  std::shared_ptr<StoreCore> core_;
  IdTagger tagger_;
  Mutex mutex_;
  std::vector<Pending> queue_ GUARDED_BY(mutex_);
  uint64_t queued_rows_ GUARDED_BY(mutex_) = 0;
  bool is_stopped_ GUARDED_BY(mutex_) = false;
  bool queue_is_urgent_ GUARDED_BY(mutex_) = false;  // something in it may not wait for others
  bool holds_queue_ GUARDED_BY(mutex_) = false;      // the worker left it until the log is idle
  std::vector<Group> groups_;                        // the worker's own; closed after each step
  std::atomic<bool> prunes_{false};                  // a flush has been
  std::atomic<uint64_t> outstanding_{0};             // handed to the log, not answered
  std::atomic<bool> refused_{false};                 // the log refused one of them
  StoppableWorker worker_;
};

}  // namespace firn
