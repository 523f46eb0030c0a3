#include "server/services.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "views/metrics/rollup_keeper.h"
#include "views/subscriptions/subscriptions.h"

namespace firn {

OpenStore::OpenStore() = default;
OpenStore::~OpenStore() { closing.store(true); }

void OpenStore::keep_rollups(Env* env) {
  if (store->options().read_only) return;
  rollup_worker.start(env, "firn-rollups", [this] {
    const Status status = rollups->run_due(
        [this] { return closing.load() ? cancelled("the store is closing") : Status(); });
    if (!status.ok() && !closing.load()) spdlog::warn("{}", status.to_string());
    rollup_worker.notify_after(RollupKeeper::kRunInterval);
  });
  rollup_worker.notify_after(RollupKeeper::kRunInterval);
}

OpenStorePtr StoreGate::get() const {
  MutexLock lock(&mutex_);
  return store_;
}

Status StoreGate::why_not() const {
  MutexLock lock(&mutex_);
  return reason_;
}

void StoreGate::set_progress(uint64_t bytes_done, uint64_t bytes_total) {
  MutexLock lock(&mutex_);
  reason_ = unavailable("the server is starting: read back " + format_size(bytes_done) + " of " +
                        format_size(bytes_total) + " of the log");
}

void StoreGate::open(OpenStorePtr store) {
  MutexLock lock(&mutex_);
  store_ = std::move(store);
}

void StoreGate::fail(const Status& status) {
  MutexLock lock(&mutex_);
  reason_ = status;
}

OpenStorePtr StoreGate::close() {
  MutexLock lock(&mutex_);
  reason_ = unavailable("the server is stopping");
  return std::exchange(store_, nullptr);
}

}  // namespace firn
