#include "env/sqlite_locks.h"

#include "base/status.h"

namespace firn {
namespace {

constexpr uint32_t slot_mask(int first, int count) { return ((uint32_t{1} << count) - 1) << first; }

}  // namespace

bool SqliteShared::lock_outside(bool read_only) {
  MutexLock lock(&mutex_);
  return outside_.acquire(path_, read_only);
}

bool SqliteShared::lock(Holder* holder, SqliteLockLevel level) {
  MutexLock lock(&mutex_);
  if (holder->level >= level) return true;
  const bool other_writer = writer_ != nullptr && writer_ != holder;
  if (level == SqliteLockLevel::kShared) {
    if (other_writer && writer_->level >= SqliteLockLevel::kPending) return false;
    ++shared_;
    holder->level = SqliteLockLevel::kShared;
    return true;
  }
  // SQLite never asks for pending itself, and always passes through shared.
  FIRN_CHECK(holder->level >= SqliteLockLevel::kShared && level != SqliteLockLevel::kPending);
  if (other_writer) return false;
  if (level == SqliteLockLevel::kExclusive && shared_ > 1) {
    // From shared (to roll back a journal that a crash left) it stays there: two connections that
    // both want to do so would otherwise keep each other out for ever.
    if (holder->level >= SqliteLockLevel::kReserved) holder->level = SqliteLockLevel::kPending;
    return false;
  }
  writer_ = holder;
  holder->level = level;
  return true;
}

void SqliteShared::unlock(Holder* holder, SqliteLockLevel level) {
  MutexLock lock(&mutex_);
  FIRN_CHECK(level <= SqliteLockLevel::kShared);
  if (holder->level <= level) return;
  if (writer_ == holder) writer_ = nullptr;
  if (level == SqliteLockLevel::kNone) --shared_;
  holder->level = level;
}

bool SqliteShared::reserved() const {
  MutexLock lock(&mutex_);
  return writer_ != nullptr;
}

void* SqliteShared::index_region(Holder* holder, size_t region, size_t region_bytes, bool extend) {
  MutexLock lock(&mutex_);
  if (!holder->uses_index) {
    holder->uses_index = true;
    ++index_users_;
  }
  if (region >= index_.size() && !extend) return nullptr;
  while (index_.size() <= region) index_.push_back(std::make_unique<char[]>(region_bytes));
  return index_[region].get();
}

bool SqliteShared::lock_slots(Holder* holder, int first, int count, bool exclusive) {
  MutexLock lock(&mutex_);
  FIRN_CHECK(first >= 0 && count >= 1 && first + count <= kSlots && (exclusive || count == 1));
  const uint32_t mask = slot_mask(first, count);
  if (!exclusive) {
    if ((holder->shared_slots & mask) != 0) return true;
    Slot& slot = slots_[static_cast<size_t>(first)];
    if (slot.exclusive) return false;
    ++slot.shared;
    holder->shared_slots |= mask;
    return true;
  }
  for (int i = first; i < first + count; ++i) {
    const Slot& slot = slots_[static_cast<size_t>(i)];
    const bool own = (holder->exclusive_slots & slot_mask(i, 1)) != 0;
    if (slot.shared > 0 || (slot.exclusive && !own)) return false;
  }
  for (int i = first; i < first + count; ++i) slots_[static_cast<size_t>(i)].exclusive = true;
  holder->exclusive_slots |= mask;
  return true;
}

void SqliteShared::unlock_slots(Holder* holder, int first, int count) {
  MutexLock lock(&mutex_);
  FIRN_CHECK(first >= 0 && count >= 1 && first + count <= kSlots);
  for (int i = first; i < first + count; ++i) {
    Slot& slot = slots_[static_cast<size_t>(i)];
    if ((holder->shared_slots & slot_mask(i, 1)) != 0) --slot.shared;
    if ((holder->exclusive_slots & slot_mask(i, 1)) != 0) slot.exclusive = false;
  }
  holder->shared_slots &= ~slot_mask(first, count);
  holder->exclusive_slots &= ~slot_mask(first, count);
}

void SqliteShared::index_barrier() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  MutexLock lock(&mutex_);  // orders the threads for the compiler and for race detectors too
}

void SqliteShared::leave_index(Holder* holder) {
  if (!holder->uses_index) return;
  unlock_slots(holder, 0, kSlots);
  MutexLock lock(&mutex_);
  holder->uses_index = false;
  if (--index_users_ == 0) index_.clear();
}

Status SqliteShared::prepare_log(const std::function<Status()>& restore,
                                 const std::function<Status()>& settle) {
  MutexLock lock(&prepare_mutex_);
  if (!is_restored_) FIRN_TRY(restore());
  is_restored_ = true;
  if (is_settled_ || !may_write_.load()) return Status();  // who only reads changes nothing
  FIRN_TRY(settle());
  is_settled_ = true;
  return Status();
}

bool SqliteShared::log_is_settled() {
  MutexLock lock(&prepare_mutex_);
  return is_settled_ && !fenced_.load();
}

}  // namespace firn
