#include "wal/rocksdb_wal.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/size.h"
#include "wal/format.h"

namespace firn {

namespace {

// How long the last group stays without a later mark that names it as synced.
constexpr DurationNs kIdleMarkNs = 1 * kSecondNs;

uint64_t payload_bytes(const WalAppend& append) {
  uint64_t sum = 0;
  for (const ByteView part : append.parts) sum += part.size();
  return sum;
}

uint64_t queued_bytes(const WalAppend& append) {
  return append.parts.empty() ? 0 : wal::RocksdbLog::record_bytes(payload_bytes(append));
}

bool is_too_large(const WalAppend& append) { return payload_bytes(append) > wal::kPayloadBytesMax; }

}  // namespace

RocksdbWal::RocksdbWal(Env* env, const WalOptions& options)
    : env_(env), options_(options), log_(env, options.directory) {
  worker_.start(env, "wal", [this] { step(); });
}

RocksdbWal::~RocksdbWal() {
  worker_.stop();
  // Nobody waits for it; without it the next start takes damage to the last group for a torn write.
  if (fenced_.ok() && unnamed_group_) (void)log_.write_group();
}

Status RocksdbWal::replay(Lsn from, const WalReplayVisitor& visit,
                          const std::function<void(uint64_t, uint64_t)>& progress) {
  FIRN_CHECK(!replayed_);
  FIRN_TRY(log_.open(wal::RocksdbLog::Access::kWrite));
  Status status = log_.read(from, visit, progress);
  if (!status.ok() && status.code() != StatusCode::kCorruption) return status;
  if (const auto& damage = log_.damage(); damage.has_value()) {
    return corruption(
        fmt::format("{}: offset {}: {}", damage->file, damage->offset, damage->reason));
  }
  FIRN_TRY(status);
  {
    const MutexLock lock(&stats_mutex_);
    stats_.end = stats_.durable = log_.end();
  }
  replayed_ = true;
  return {};
}

void RocksdbWal::append(WalAppend record) {
  FIRN_CHECK(replayed_);
  pending_bytes_.fetch_add(queued_bytes(record), std::memory_order_relaxed);
  bool first = false;
  {
    const MutexLock lock(&queue_mutex_);
    first = queue_.empty();
    queue_.push_back(std::move(record));
  }
  if (first) worker_.notify();
}

void RocksdbWal::resume() { refusing_.store(false); }

uint64_t RocksdbWal::pending_bytes() const {
  return pending_bytes_.load(std::memory_order_relaxed);
}

Status RocksdbWal::trim(Lsn lsn) { return log_.trim(lsn.segment); }

Lsn RocksdbWal::begin() const { return log_.begin(); }

WalStats RocksdbWal::stats() const {
  WalStats stats;
  {
    const MutexLock lock(&stats_mutex_);
    stats = stats_;
  }
  stats.segments = log_.segments();
  stats.segment_bytes = log_.bytes();
  stats.disk_full = refusing_.load();
  return stats;
}

// One group a step, so that the simulation can put anything between two groups.
void RocksdbWal::step() {
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

bool RocksdbWal::take_waiting() {
  if (done_ < waiting_.size()) return true;
  waiting_.clear();
  done_ = 0;
  const MutexLock lock(&queue_mutex_);
  waiting_.swap(queue_);
  return !waiting_.empty();
}

void RocksdbWal::run_group() {
  lsns_.clear();
  const Status blocked = gather();
  // Whatever blocks an append leaves the group before it whole.
  const Status written = log_.group_bytes() > 0 ? write_group() : Status();
  if (!written.ok()) {
    fence(written);
    return;
  }
  complete_group();
  if (blocked.code() == StatusCode::kNoSpace) {
    refused_ = blocked;
    refusing_.store(true);
    refuse_waiting(refused_);
  } else if (!blocked.ok()) {
    fence(blocked);
  }
}

Status RocksdbWal::gather() {
  uint64_t free_bytes = 0;
  for (size_t i = done_; i < waiting_.size(); ++i) {
    const WalAppend& append = waiting_[i];
    if (append.parts.empty() || is_too_large(append)) {
      lsns_.push_back(log_.end());
      continue;
    }
    const uint64_t size = queued_bytes(append);
    const uint64_t gathered = log_.group_bytes();
    if (gathered > 0 && gathered + size > options_.group_bytes_max) return {};
    const std::optional<uint64_t> segment_bytes = log_.newest_segment_bytes();
    const bool is_full = segment_bytes.has_value() && *segment_bytes > 0 &&
                         *segment_bytes + size > options_.segment_bytes;
    if (is_full && gathered > 0) return {};  // the next step begins the next segment
    FIRN_TRY(check_space(gathered + size, &free_bytes));
    if (is_full || !segment_bytes.has_value()) {
      Status begun = log_.begin_segment();
      // RocksDB may have done half of it: no longer a refusal before anything was written.
      if (begun.code() == StatusCode::kNoSpace) begun = io_error(std::string(begun.message()));
      FIRN_TRY(begun);
    }
    lsns_.push_back(log_.add(append.parts));
  }
  return {};
}

// Asks once a group.
Status RocksdbWal::check_space(uint64_t bytes, uint64_t* free_bytes) const {
  if (log_.group_bytes() == 0) {
    FIRN_ASSIGN(*free_bytes, env_->free_space(options_.directory));
  }
  if (*free_bytes >= bytes && *free_bytes - bytes >= options_.disk_reserve_bytes) return {};
  return no_space(fmt::format(
      "{}: {} free, a record would use the reserve of {}; make space and retry", options_.directory,
      format_size(*free_bytes), format_size(options_.disk_reserve_bytes)));
}

Status RocksdbWal::write_group() {
  const TimeNs begin = env_->monotonic();
  FIRN_TRY(log_.write_group());
  last_group_at_ = env_->monotonic();
  unnamed_group_ = true;
  const MutexLock lock(&stats_mutex_);
  stats_.last_sync_ns = last_group_at_ - begin;
  stats_.max_sync_ns = std::max(stats_.max_sync_ns, stats_.last_sync_ns);
  stats_.end = stats_.durable = log_.end();
  ++stats_.syncs;
  return {};
}

void RocksdbWal::complete_group() {
  for (size_t i = 0; i < lsns_.size(); ++i) {
    const WalAppend& append = waiting_[done_ + i];
    if (append.on_written && !is_too_large(append)) append.on_written(lsns_[i]);
  }
  uint64_t records = 0;
  uint64_t bytes = 0;
  for (const Lsn lsn : lsns_) {
    const WalAppend& append = waiting_[done_];
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
    complete(Status(), lsn);
  }
  const MutexLock lock(&stats_mutex_);
  stats_.records += records;
  stats_.bytes += bytes;
}

void RocksdbWal::complete(const Status& status, Lsn lsn) {
  WalAppend& append = waiting_[done_];
  pending_bytes_.fetch_sub(queued_bytes(append), std::memory_order_relaxed);
  if (append.on_durable) append.on_durable(status, lsn);
  append = WalAppend{};  // lets go of the owner now, not when the whole group is done
  ++done_;
}

// Barriers too: what they wait for may be among the refused.
void RocksdbWal::refuse_waiting(const Status& status) {
  while (done_ < waiting_.size()) complete(status, log_.end());
}

void RocksdbWal::fence(const Status& cause) {
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

void RocksdbWal::mark_when_idle() {
  if (!unnamed_group_ || !fenced_.ok()) return;
  const DurationNs idle = env_->monotonic() - last_group_at_;
  if (idle < kIdleMarkNs) {
    worker_.notify_after(kIdleMarkNs - idle);
    return;
  }
  unnamed_group_ = false;
  if (const Status status = log_.write_group(); !status.ok()) fence(status);
}

Result<std::unique_ptr<Wal>> open_rocksdb_wal(Env* env, const WalOptions& options) {
  if (options.segment_bytes < wal::kSegmentBytesMin ||
      options.segment_bytes > wal::kSegmentBytesMax || options.group_bytes_max == 0) {
    return invalid_argument(
        fmt::format("a log needs segments of {} to {} bytes and groups of at least one, not {} "
                    "and {}",
                    wal::kSegmentBytesMin, wal::kSegmentBytesMax, options.segment_bytes,
                    options.group_bytes_max));
  }
  FIRN_TRY(env->create_directories(options.directory));
  return std::unique_ptr<Wal>(new RocksdbWal(env, options));
}

Result<std::vector<WalDamage>> verify_rocksdb_wal(Env* env, const std::string& directory) {
  wal::RocksdbLog log(env, directory);
  FIRN_TRY(log.open(wal::RocksdbLog::Access::kRead));
  std::vector<WalDamage> damage;
  if (log.damage().has_value()) damage.push_back(*log.damage());
  log.verify(&damage);
  return damage;
}

}  // namespace firn
