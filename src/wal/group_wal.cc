#include "wal/group_wal.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "wal/format.h"

namespace firn {

namespace {

// How long the last group stays without a later record that names it as synced.
constexpr DurationNs kIdleMarkNs = 1 * kSecondNs;

uint64_t payload_bytes(const WalAppend& append) {
  uint64_t sum = 0;
  for (const ByteView part : append.parts) sum += part.size();
  return sum;
}

bool is_too_large(const WalAppend& append) { return payload_bytes(append) > wal::kPayloadBytesMax; }

}  // namespace

GroupWal::GroupWal(Env* env, const WalOptions& options) : env_(env), options_(options) {
  worker_.start(env, "wal", [this] { step(); });
}

void GroupWal::stop() { worker_.stop(); }

void GroupWal::accept_appends() {
  {
    const MutexLock lock(&stats_mutex_);
    stats_.end = stats_.durable = reached();
  }
  accepts_ = true;
}

uint64_t GroupWal::queued_bytes(const WalAppend& append) const {
  return append.parts.empty() ? 0 : record_bytes(payload_bytes(append));
}

void GroupWal::append(WalAppend record) {
  FIRN_CHECK(accepts_);
  pending_bytes_.fetch_add(queued_bytes(record), std::memory_order_relaxed);
  appended_.fetch_add(1);
  const uint32_t sum = is_too_large(record) ? 0 : checksum(record.parts);
  bool first = false;
  {
    const MutexLock lock(&queue_mutex_);
    first = queue_.empty();
    queue_.push_back({std::move(record), sum});
  }
  if (first) worker_.notify();
}

void GroupWal::resume() { refusing_.store(false); }

uint64_t GroupWal::pending_bytes() const { return pending_bytes_.load(std::memory_order_relaxed); }

bool GroupWal::next_group_begun() const {
  const uint64_t begun = begun_.load();
  return (begun > completed_.load() || marks_.load()) && appended_.load() > begun;
}

WalStats GroupWal::group_stats() const {
  const MutexLock lock(&stats_mutex_);
  WalStats stats = stats_;
  stats.disk_full = refusing_.load();
  return stats;
}

// One group a step, so that the simulation can put anything between two groups.
void GroupWal::step() {
  if (!take_waiting()) {
    mark_when_idle();
    return;
  }
  if (!fenced_.ok()) {
    refuse_waiting(fenced_);
  } else if (refusing_.load()) {
    refuse_waiting(refused_);
  } else {
    run_group();
  }
  bool more = done_ < waiting_.size();
  if (!more) {
    const MutexLock lock(&queue_mutex_);
    more = !queue_.empty();
  }
  if (more) {
    worker_.notify();
  } else if (unnamed_group_ && fenced_.ok()) {
    worker_.notify_after(kIdleMarkNs);
  }
}

bool GroupWal::take_waiting() {
  if (done_ < waiting_.size()) return true;
  waiting_.clear();
  done_ = 0;
  const MutexLock lock(&queue_mutex_);
  waiting_.swap(queue_);
  return !waiting_.empty();
}

void GroupWal::run_group() {
  lsns_.clear();
  // Until it is known where the group ends: gathering may have to wait for a new segment.
  begun_.store(completed_.load() + waiting_.size() - done_);
  const Status blocked = gather();
  begun_.store(completed_.load() + lsns_.size());
  // Whatever blocks an append leaves the group before it whole.
  const Status status = group_bytes() > 0 ? write_group() : Status();
  if (!status.ok() && !mutant(14)) {
    fence(status);
    return;
  }
  complete_group(status);
  if (blocked.code() == StatusCode::kNoSpace) {
    refused_ = blocked;
    refusing_.store(true);
    refuse_waiting(refused_);
  } else if (!blocked.ok()) {
    fence(blocked);
  }
}

// Of the next group.
uint64_t GroupWal::waiting_bytes() const {
  uint64_t sum = 0;
  for (size_t i = done_; i < waiting_.size() && sum <= options_.group_bytes_max; ++i) {
    const WalAppend& append = waiting_[i].append;
    if (!is_too_large(append)) sum += queued_bytes(append);
  }
  return std::min(sum, options_.group_bytes_max);
}

Status GroupWal::gather() {
  begin_group(waiting_bytes());
  for (size_t i = done_; i < waiting_.size(); ++i) {
    const WalAppend& append = waiting_[i].append;
    if (append.parts.empty() || is_too_large(append)) {
      lsns_.push_back(reached());
      continue;
    }
    const uint64_t gathered = group_bytes();
    if (gathered > 0 && gathered + queued_bytes(append) > options_.group_bytes_max) return {};
    FIRN_ASSIGN(const std::optional<Lsn> lsn, add(append.parts, waiting_[i].checksum));
    if (!lsn.has_value()) return {};
    lsns_.push_back(*lsn);
  }
  return {};
}

Status GroupWal::write_group() {
  const TimeNs begin = env_->monotonic();
  FIRN_TRY(write());
  for (size_t i = 0; i < lsns_.size(); ++i) {
    const WalAppend& append = waiting_[done_ + i].append;
    if (append.on_written && !is_too_large(append)) append.on_written(lsns_[i]);
  }
  FIRN_TRY(sync());
  last_group_at_ = env_->monotonic();
  unnamed_group_ = true;
  const MutexLock lock(&stats_mutex_);
  stats_.last_sync_ns = last_group_at_ - begin;
  stats_.max_sync_ns = std::max(stats_.max_sync_ns, stats_.last_sync_ns);
  stats_.end = stats_.durable = reached();
  ++stats_.syncs;
  return {};
}

void GroupWal::complete_group(const Status& status) {
  uint64_t records = 0;
  uint64_t bytes = 0;
  for (const Lsn lsn : lsns_) {
    const WalAppend& append = waiting_[done_].append;
    if (is_too_large(append)) {
      complete(too_large(fmt::format("a log record of {} bytes exceeds the limit of {} bytes",
                                     payload_bytes(append), wal::kPayloadBytesMax)),
               lsn);
      continue;
    }
    if (!append.parts.empty()) {
      ++records;
      bytes += queued_bytes(append);
    }
    complete(status, lsn);
  }
  const MutexLock lock(&stats_mutex_);
  stats_.records += records;
  stats_.bytes += bytes;
}

void GroupWal::complete(const Status& status, Lsn lsn) {
  WalAppend& append = waiting_[done_].append;
  pending_bytes_.fetch_sub(queued_bytes(append), std::memory_order_relaxed);
  if (append.on_durable) append.on_durable(status, lsn);
  append = WalAppend{};  // lets go of the owner now, not when the whole group is done
  ++done_;
  const uint64_t completed = completed_.fetch_add(1) + 1;
  if (completed > begun_.load()) begun_.store(completed);
}

// Barriers too: what they wait for may be among the refused.
void GroupWal::refuse_waiting(const Status& status) {
  while (done_ < waiting_.size()) complete(status, reached());
}

void GroupWal::fence(const Status& cause) {
  fenced_ = outcome_unknown(
      fmt::format("the log failed and accepts nothing more; restart firn to recover what was "
                  "synced ({})",
                  cause.to_string()));
  {
    const MutexLock lock(&stats_mutex_);
    stats_.fenced = true;
  }
  refuse_waiting(fenced_);
}

void GroupWal::mark_when_idle() {
  if (!unnamed_group_ || !fenced_.ok()) return;
  const DurationNs idle = env_->monotonic() - last_group_at_;
  if (idle < kIdleMarkNs) {
    worker_.notify_after(kIdleMarkNs - idle);
    return;
  }
  unnamed_group_ = false;
  marks_.store(true);
  const Status status = mark_synced();
  marks_.store(false);
  if (!status.ok()) {
    fence(status);
    return;
  }
  const MutexLock lock(&stats_mutex_);
  stats_.end = stats_.durable = reached();
}

}  // namespace firn
