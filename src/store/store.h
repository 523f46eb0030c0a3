#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "env/env.h"
#include "model/known_series.h"
#include "store/append.h"
#include "store/chunk_command.h"
#include "store/options.h"
#include "store/snapshot.h"

namespace firn {

class SeriesLimit;

struct NamespaceInfo {
  NamespaceId id = 0;
  std::string name;
  Position last_position = 0;
  DurationNs retention_ns = kForever;
  TimeNs created_at = 0;
  uint64_t series_limit = 0;                        // its own; 0: the store's (StoreOptions)
  std::shared_ptr<const NamespaceProfile> profile;  // never null
};

// What health and metrics tell.
struct StoreHealth {
  bool accepts_writes = true;
  bool fenced = false;         // a write or sync of the log failed; restart to recover
  bool disk_full = false;      // appends are refused until space is back; resumes by itself
  bool clock_suspect = false;  // retention waits for confirm_clock()
  Status write_refusal;        // why appends are refused
  Status mover_error;          // what the mover failed at last; it tries again
  // Chunks in the tiers that the manifest does not know; kept, not shown. A sentence for each.
  std::vector<std::string> stray_chunks;
  WalStats wal;
  uint64_t memory_bytes = 0, memory_bytes_max = 0, queued_bytes = 0;
  std::vector<TierInfo> tiers;
};

struct VerifyFinding {
  std::string file;  // or the name of a chunk
  Status status;     // kCorruption with offset or block and positions
};
struct VerifyReport {
  uint64_t chunks = 0, rows = 0, log_records = 0;
  std::vector<VerifyFinding> findings;  // empty: everything is sound
};

// What a backup holds, or a restore brought back; what of it was not there before.
struct BackupReport {
  uint64_t chunks = 0, rows = 0;
  uint64_t copied_chunks = 0, copied_rows = 0;
};
using BackupCallback = std::function<void(const Result<BackupReport>&)>;

// What subscribers hear when the namespace is no more. Emptied, it goes on under another id.
inline constexpr Position kNamespaceGone = UINT64_MAX;

// A store: a log, a list of tiers and the manifest, in one data directory. The promise is in
// docs/guarantees.md, the order of work in docs/commit-path.md.
//
// Thread rule: every method from any thread. Lives until nothing uses it; snapshots may outlive it.
class Store {
 public:
  using Progress = std::function<void(uint64_t bytes_done, uint64_t bytes_total)>;

  // Opens the directory, creating it when missing, and recovers. kConflict when another process has
  // it, kInvalidArgument for options that cannot be applied, kCorruption for a manifest that cannot
  // be trusted. A damaged log opens for reading only: see health().
  static Result<std::unique_ptr<Store>> open(Env* env, StoreOptions options,
                                             const Progress& progress = nullptr);
  // Drops what was not sequenced yet (kCancelled) or not durable (kOutcomeUnknown). Everything
  // acknowledged is durable already, so this is quick.
  ~Store();

  // Appends a batch, all or nothing. Returns at once; `done` is called exactly once, from a worker
  // (it must be quick and not block), or before the return when the request is refused right away.
  void append(NamespaceId namespace_id, AppendRequest request, AppendCallback done);
  // What append() refuses whatever is stored and whatever there is room for.
  Status check_request(const AppendRequest& request) const;
  // The same for a thread that may wait. Not in a simulation: nothing would run meanwhile.
  Result<AppendResult> append_and_wait(NamespaceId namespace_id, AppendRequest request);
  // Makes the ids of one request's rows: time-ordered, ascending, and known to the duplicate search
  // as fresh. For one thread; the store must outlive it.
  std::function<Id()> id_source() const;

  // kNotFound when there is no such namespace.
  Result<NamespaceInfo> find_namespace(std::string_view name) const;
  std::vector<NamespaceInfo> namespaces() const;
  // Names are [a-z0-9][a-z0-9_-]{0,62}. Creates, or changes the retention of an existing one.
  Result<NamespaceInfo> put_namespace(const std::string& name, DurationNs retention_ns);
  // How many series it may define for one chunk interval; 0: as the store's options say.
  // kInvalidArgument for more than memory allows, kNotFound when there is no such namespace.
  Result<NamespaceInfo> set_series_limit(const std::string& name, uint64_t limit);
  // Creates one with a profile; kConflict when it exists.
  Result<NamespaceInfo> create_namespace(const std::string& name, const NamespaceProfile& profile);
  // Changes what is known of it besides its data. kNotFound when there is none.
  Status set_namespace_profile(const std::string& name, NamespaceProfile profile);
  // Deletes everything in it and lets it begin again at position 1, under the same name, retention
  // and profile, and another id: in one step, also when a crash interrupts it. kNotFound when there
  // is none.
  Status clear_namespace(const std::string& name);
  // Deletes it with everything in it. Its id is never used again.
  Status delete_namespace(const std::string& name);

  Result<SnapshotPtr> snapshot(NamespaceId namespace_id) const;

  // Runs on the mover; `done` is called once, from there.
  void command(ChunkCommand command, ChunkCommandCallback done);
  ChunkCommandResult command_and_wait(ChunkCommand command);

  // Copies everything published by now to a destination of the options (docs/backup.md). `done` is
  // called once, from a worker, or before the return when it is refused right away: kNotFound
  // without such a destination, kConflict while another backup is at work.
  void backup(const std::string& destination, BackupCallback done);
  Result<BackupReport> backup_and_wait(const std::string& destination);

  // Calls back, from the log's worker, with each new published position of the dataset, and from
  // the thread that removes or empties the namespace with kNamespaceGone. The function must be
  // quick, and must not subscribe or unsubscribe itself.
  uint64_t subscribe(NamespaceId namespace_id, std::function<void(Position)> on_published,
                     Dataset dataset = Dataset::kEvents);
  // Afterwards the function is not running and will not be called.
  void unsubscribe(uint64_t subscription);

  // Which series are defined where; whoever appends samples keeps it (docs/formats/samples.md).
  KnownSeries& known_series() const;
  // How many series the namespace may define for one chunk interval.
  uint64_t series_limit_of(const NamespaceInfo& info) const {
    return info.series_limit != 0 ? info.series_limit : options().series_limit_or_default();
  }
  // Whoever appends definitions asks it first.
  SeriesLimit& series_limit() const;

  StoreHealth health() const;
  const StoreOptions& options() const;
  // The operator says that the wall clock is right; retention may run again.
  void confirm_clock();
  // Reads everything back and checks it. Slow. `progress` gets chunks done and total.
  VerifyReport verify(const Progress& progress = nullptr);

 private:
  Store();
  Status open_parts(Env* env, StoreOptions options, const Progress& progress);
  Status open_tiers();
  Status recover(const Progress& progress);
  // With the admin mutex held.
  Result<NamespaceInfo> add_namespace(const std::string& name, DurationNs retention_ns,
                                      const NamespaceProfile& profile);
  // Makes a namespace of the manifest visible; in place of one that has its name.
  NamespaceInfo show_namespace(const NamespaceRecord& record);
  // Stops whatever is done for a namespace that the manifest has no more.
  void forget_namespace(const NamespacePtr& ns);

  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firn
