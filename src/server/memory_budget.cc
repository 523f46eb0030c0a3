#include "server/memory_budget.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"

namespace firn {

namespace {

// Whoever waits looks this often whether it still wants to.
constexpr DurationNs kLookInterval = 50 * kMillisecondNs;

}  // namespace

struct MemoryBudget::Share::State {
  explicit State(uint64_t most) : bytes_max(most) {}
  const uint64_t bytes_max;
  Mutex mutex;
  CondVar returned;
  uint64_t used GUARDED_BY(mutex) = 0;

  bool try_change(uint64_t from, uint64_t to) REQUIRES(mutex) {
    if (to > from && to - from > bytes_max - used) return false;
    used = used - from + to;
    return true;
  }
};

MemoryBudget::Share::~Share() { FIRN_CHECK(state_ == nullptr || resize(0)); }

bool MemoryBudget::Share::resize(uint64_t bytes) {
  if (bytes == bytes_) return true;
  FIRN_CHECK(state_ != nullptr);
  MutexLock lock(&state_->mutex);
  if (!state_->try_change(bytes_, bytes)) return false;
  if (bytes < bytes_) state_->returned.notify_all();
  bytes_ = bytes;
  return true;
}

void MemoryBudget::Share::add(Share&& other) {
  if (state_ == nullptr) return swap(other);
  if (other.state_ == nullptr) return;
  FIRN_CHECK(state_ == other.state_);
  bytes_ += std::exchange(other.bytes_, 0);
}

MemoryBudget::MemoryBudget(uint64_t bytes_max)
    : state_(std::make_shared<Share::State>(bytes_max)) {}

std::optional<MemoryBudget::Share> MemoryBudget::take(uint64_t bytes, DurationNs patience,
                                                      const std::function<bool()>& gives_up) {
  bytes = std::min(bytes, state_->bytes_max);
  MutexLock lock(&state_->mutex);
  while (!state_->try_change(0, bytes)) {
    if (patience <= 0 || (gives_up && gives_up())) return std::nullopt;
    const DurationNs wait = std::min(patience, kLookInterval);
    if (!state_->returned.wait_for(&state_->mutex, std::chrono::nanoseconds(wait))) {
      patience -= wait;
    }
  }
  Share share;
  share.state_ = state_;
  share.bytes_ = bytes;
  return share;
}

uint64_t MemoryBudget::bytes_max() const { return state_->bytes_max; }

uint64_t MemoryBudget::bytes_used() const {
  MutexLock lock(&state_->mutex);
  return state_->used;
}

}  // namespace firn
