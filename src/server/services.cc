#include "server/services.h"

#include <utility>

#include "views/subscriptions/subscriptions.h"

namespace firn {

OpenStore::OpenStore() = default;
OpenStore::~OpenStore() = default;

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
