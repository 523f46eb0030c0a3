#include "wal/segment_wal.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "wal/format.h"
#include "wal/sync_probe.h"

namespace firn {

using wal::RecordType;

namespace {

// How long the last group stays without a later record that names it as synced.
constexpr DurationNs kIdleMarkNs = 1 * kSecondNs;

uint64_t payload_bytes(const WalAppend& append) {
  uint64_t sum = 0;
  for (const ByteView part : append.parts) sum += part.size();
  return sum;
}

uint64_t queued_bytes(const WalAppend& append) {
  return append.parts.empty() ? 0 : wal::record_bytes(payload_bytes(append));
}

}  // namespace

SegmentWal::SegmentWal(Env* env, const WalOptions& options)
    : env_(env),
      options_(options),
      files_(env, {.directory = options.directory,
                   .segment_bytes = options.segment_bytes,
                   .recycled_segments_max = options.recycled_segments_max,
                   .disk_reserve_bytes = options.disk_reserve_bytes}) {
  worker_.start(env, "wal", [this] { step(); });
}

SegmentWal::~SegmentWal() {
  worker_.stop();
  if (fenced_.ok() && writer_ != nullptr && open_record_ && writer_->fits_mark()) {
    // Nobody waits for it; without it the next start begins a new segment.
    (void)writer_->mark(RecordType::kClosed);
  }
}

Status SegmentWal::replay(Lsn from, const WalReplayVisitor& visit,
                          const std::function<void(uint64_t, uint64_t)>& progress) {
  FIRN_CHECK(!replayed_);
  FIRN_ASSIGN(const wal::SegmentListing listing, wal::list_segments(env_, options_.directory));
  wal::LogReader reader(env_, options_.directory, listing);
  FIRN_TRY(reader.replay(from, visit, progress, &files_, &end_));
  if (end_.header.segment_id == 0) {
    const uint64_t random[2] = {env_->random_u64(), env_->random_u64()};
    std::memcpy(end_.header.log_id.bytes.data(), random, sizeof(random));
  }
  {
    const MutexLock lock(&stats_mutex_);
    stats_.end = stats_.durable = reached();
  }
  replayed_ = true;
  return {};
}

void SegmentWal::append(WalAppend record) {
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

void SegmentWal::resume() { refusing_.store(false); }

uint64_t SegmentWal::pending_bytes() const {
  return pending_bytes_.load(std::memory_order_relaxed);
}

Status SegmentWal::trim(Lsn lsn) { return files_.trim(lsn.segment); }

Lsn SegmentWal::begin() const {
  const uint64_t oldest = files_.begin();
  return {oldest == 0 ? 1 : oldest, wal::kSegmentHeaderBytes};
}

WalStats SegmentWal::stats() const {
  WalStats stats;
  {
    const MutexLock lock(&stats_mutex_);
    stats = stats_;
  }
  stats.segments = files_.count();
  stats.segment_bytes = files_.bytes();
  stats.disk_full = refusing_.load();
  stats.sync = options_.sync;
  return stats;
}

uint64_t SegmentWal::reached_segment() const {
  if (writer_ != nullptr) return writer_->header().segment_id;
  return std::max<uint64_t>(end_.header.segment_id, 1);
}

uint64_t SegmentWal::reached_offset() const {
  if (writer_ != nullptr) return writer_->offset();
  return std::max(end_.offset, wal::kSegmentHeaderBytes);
}

// One group a step, so that the simulation can put anything between two groups.
void SegmentWal::step() {
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

bool SegmentWal::take_waiting() {
  if (done_ < waiting_.size()) return true;
  waiting_.clear();
  done_ = 0;
  const MutexLock lock(&queue_mutex_);
  waiting_.swap(queue_);
  return !waiting_.empty();
}

void SegmentWal::run_group() {
  outcomes_.clear();
  const Status blocked = gather();
  // Whatever blocks an append blocks it before the group has a record.
  const bool has_records = blocked.ok() && writer_ != nullptr && writer_->group_bytes() > 0;
  const Status status = has_records ? write_group() : Status();
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

Status SegmentWal::gather() {
  uint64_t gathered = 0;
  for (size_t i = done_; i < waiting_.size(); ++i) {
    const WalAppend& append = waiting_[i];
    if (append.parts.empty()) {
      outcomes_.push_back({reached()});
      continue;
    }
    const uint64_t bytes = payload_bytes(append);
    if (bytes > wal::kPayloadBytesMax) {
      outcomes_.push_back({reached(), true});
      continue;
    }
    const uint64_t size = wal::record_bytes(bytes);
    if (gathered > 0 && gathered + size > options_.group_bytes_max) return {};
    if (writer_ == nullptr || !writer_->fits(bytes)) {
      if (gathered > 0) return {};  // the next step begins the next segment
      FIRN_TRY(make_room(bytes));
    }
    gathered += size;
    const uint64_t offset = writer_->add(RecordType::kData, append.parts);
    outcomes_.push_back({{writer_->header().segment_id, offset}});
  }
  return {};
}

Status SegmentWal::make_room(uint64_t payload_size) {
  const bool resumable = writer_ == nullptr && end_.closed &&
                         end_.offset + wal::kRecordHeaderBytes + wal::record_bytes(payload_size) +
                                 wal::kReservedBytes <=
                             end_.header.file_bytes;
  if (!resumable) return roll(payload_size);
  // A recovery on a full disk may have used the spare: without it the next one could fail.
  FIRN_TRY(files_.ensure_spare());
  return resume_segment();
}

// The closed record is overwritten, and that is synced before anything follows: as long as a closed
// record can be read, nothing lies behind it.
Status SegmentWal::resume_segment() {
  const wal::SegmentHeader& header = end_.header;
  FIRN_ASSIGN(std::unique_ptr<File> file, open_segment(header.segment_id));
  writer_ = std::make_unique<wal::SegmentWriter>(std::move(file), header, end_.offset, end_.crc);
  Status status = writer_->mark(RecordType::kSynced);
  if (status.code() == StatusCode::kNoSpace) status = io_error(std::string(status.message()));
  return status;
}

Result<std::unique_ptr<File>> SegmentWal::open_segment(uint64_t segment_id) const {
  return env_->open(
      wal::segment_path(options_.directory, segment_id),
      options_.sync == WalSync::kDirect ? OpenMode::kReadWriteDirect : OpenMode::kReadWrite);
}

Status SegmentWal::roll(uint64_t payload_size) {
  const uint64_t needed =
      wal::kSegmentHeaderBytes + wal::record_bytes(payload_size) + wal::kReservedBytes;
  wal::SegmentHeader header;
  header.file_bytes = std::max(options_.segment_bytes, align_up(needed, wal::kSegmentHeaderBytes));
  header.log_id = end_.header.log_id;
  if (writer_ != nullptr) {
    header.previous_segment = writer_->header().segment_id;
    header.previous_end = writer_->offset();
    header.previous_crc = writer_->last_crc();
  } else {
    header.previous_segment = end_.header.segment_id;
    header.previous_end = end_.offset;
    header.previous_crc = end_.crc;
  }
  header.segment_id = header.previous_segment + 1;
  FIRN_ASSIGN(std::unique_ptr<File> file, files_.create(&header));
  if (options_.sync == WalSync::kDirect) {
    FIRN_ASSIGN(file, open_segment(header.segment_id));
  }
  if (writer_ != nullptr) {
    Status status = writer_->mark(RecordType::kEnd);
    if (status.code() == StatusCode::kNoSpace) status = io_error(std::string(status.message()));
    FIRN_TRY(status);
  }
  writer_ = std::make_unique<wal::SegmentWriter>(std::move(file), header, wal::kSegmentHeaderBytes,
                                                 header.crc);
  return {};
}

Status SegmentWal::write_group() {
  const TimeNs begin = env_->monotonic();
  FIRN_TRY(writer_->write());
  for (size_t i = 0; i < outcomes_.size(); ++i) {
    WalAppend& append = waiting_[done_ + i];
    if (append.on_written && !outcomes_[i].too_large) append.on_written(outcomes_[i].lsn);
  }
  FIRN_TRY(writer_->sync());
  last_group_at_ = env_->monotonic();
  unnamed_group_ = true;
  open_record_ = true;
  const MutexLock lock(&stats_mutex_);
  stats_.last_sync_ns = last_group_at_ - begin;
  stats_.max_sync_ns = std::max(stats_.max_sync_ns, stats_.last_sync_ns);
  stats_.end = stats_.durable = reached();
  ++stats_.syncs;
  return {};
}

void SegmentWal::complete_group(const Status& status) {
  uint64_t records = 0;
  uint64_t bytes = 0;
  for (const Outcome& outcome : outcomes_) {
    WalAppend& append = waiting_[done_];
    if (outcome.too_large) {
      complete(&append,
               too_large(fmt::format("a log record of {} bytes exceeds the limit of {} bytes",
                                     payload_bytes(append), wal::kPayloadBytesMax)),
               outcome.lsn);
      continue;
    }
    if (!append.parts.empty()) {
      ++records;
      bytes += queued_bytes(append);
    }
    complete(&append, status, outcome.lsn);
  }
  const MutexLock lock(&stats_mutex_);
  stats_.records += records;
  stats_.bytes += bytes;
}

void SegmentWal::complete(WalAppend* append, const Status& status, Lsn lsn) {
  pending_bytes_.fetch_sub(queued_bytes(*append), std::memory_order_relaxed);
  if (append->on_durable) append->on_durable(status, lsn);
  *append = WalAppend{};  // lets go of the owner now, not when the whole group is done
  ++done_;
}

// Barriers too: what they wait for may be among the refused.
void SegmentWal::refuse_waiting(const Status& status) {
  while (done_ < waiting_.size()) complete(&waiting_[done_], status, reached());
}

void SegmentWal::fence(const Status& cause) {
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

void SegmentWal::mark_when_idle() {
  if (!unnamed_group_ || !fenced_.ok()) return;
  const DurationNs idle = env_->monotonic() - last_group_at_;
  if (idle < kIdleMarkNs) {
    worker_.notify_after(kIdleMarkNs - idle);
    return;
  }
  unnamed_group_ = false;
  if (!writer_->fits_mark()) return;
  const Status status = writer_->mark(RecordType::kSynced);
  if (!status.ok()) {
    fence(status);
    return;
  }
  const MutexLock lock(&stats_mutex_);
  stats_.end = stats_.durable = reached();
}

Result<std::unique_ptr<Wal>> open_segment_wal(Env* env, const WalOptions& options) {
  if (options.segment_bytes < wal::kSegmentBytesMin ||
      options.segment_bytes > wal::kSegmentBytesMax) {
    return invalid_argument(fmt::format("a log segment must have {} to {} bytes, not {}",
                                        wal::kSegmentBytesMin, wal::kSegmentBytesMax,
                                        options.segment_bytes));
  }
  if (options.group_bytes_max == 0) {
    return invalid_argument("the log's largest group must have at least one byte");
  }
  WalOptions rounded = options;
  rounded.segment_bytes = align_up(options.segment_bytes, wal::kSegmentHeaderBytes);
  FIRN_TRY(env->create_directories(options.directory));
  FIRN_ASSIGN(rounded.sync, choose_sync(env, options.directory, options.sync));
  return std::unique_ptr<Wal>(new SegmentWal(env, rounded));
}

Result<std::vector<WalDamage>> verify_segment_wal(Env* env, const std::string& directory) {
  FIRN_ASSIGN(wal::SegmentListing listing, wal::list_segments(env, directory));
  return wal::LogReader(env, directory, std::move(listing)).verify();
}

}  // namespace firn
