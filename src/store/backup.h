#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/mutex.h"
#include "store/core.h"
#include "store/mover.h"
#include "store/places.h"
#include "store/store.h"

namespace firn {

// Makes backups (docs/backup.md), one at a time, on a worker of its own.
class BackupMaker {
 public:
  BackupMaker(std::shared_ptr<StoreCore> core, Mover* mover)
      : core_(std::move(core)), mover_(mover) {}
  // REQUIRES: stopped, and the mover is too. A backup that was never run fails with kCancelled.
  ~BackupMaker();

  void start();
  // Ends the one at work at the next chance.
  void stop();
  // Queues; `done` is called once, from a worker; at once with kConflict while another is at work.
  void submit(const std::string& destination, BackupCallback done);

 private:
  struct Job {
    std::string destination;
    BackupCallback done;
    std::optional<Result<ManifestVersionPtr>> cut;  // once the mover has made it
  };

  void step();
  void set_cut(const Result<ManifestVersionPtr>& cut);
  std::string cut_path() const;
  Status run(const std::string& destination, const ManifestVersion& cut, BackupReport* report);
  Status check_owner(const BackupPlace& place, const std::string& store_id) const;
  // Brings what the record counts to the place, behind what is there.
  Status store_chunk(const ChunkRecord& record, bool is_present, Tier* target,
                     BackupReport* report);

  const std::shared_ptr<StoreCore> core_;
  Mover* const mover_;
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  std::optional<Job> job_ GUARDED_BY(mutex_);
  StoppableWorker worker_;
};

}  // namespace firn
