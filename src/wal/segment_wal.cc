#include "wal/segment_wal.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "wal/format.h"
#include "wal/sync_probe.h"

namespace firn {

using wal::RecordType;

namespace {

// Of a segment, at most, that is left empty to keep a group in one.
constexpr uint64_t kGivenUpShare = 8;

}  // namespace

SegmentWal::SegmentWal(Env* env, const WalOptions& options)
    : GroupWal(env, options),
      files_(env, {.directory = options.directory,
                   .segment_bytes = options.segment_bytes,
                   .recycled_segments_max = options.recycled_segments_max,
                   .disk_reserve_bytes = options.disk_reserve_bytes}) {
  roller_.start(env, "wal roll", [this] {
    if (finish_roll()) roller_.notify();
  });
}

SegmentWal::~SegmentWal() {
  stop();
  roller_.stop();
  while (can_write() && finish_roll()) {
  }
  if (can_write() && roll_status().ok() && writer_ != nullptr && open_record_ &&
      writer_->fits_mark()) {
    // Nobody waits for it; without it the next start begins a new segment.
    (void)writer_->mark(RecordType::kClosed);
  }
}

Status SegmentWal::replay(Lsn from, const WalReplayVisitor& visit,
                          const std::function<void(uint64_t, uint64_t)>& progress) {
  FIRN_ASSIGN(const wal::SegmentListing listing, wal::list_segments(env(), options().directory));
  wal::LogReader reader(env(), options().directory, listing);
  FIRN_TRY(reader.replay(from, visit, progress, &files_, &end_));
  if (end_.header.segment_id == 0) {
    const uint64_t random[2] = {env()->random_u64(), env()->random_u64()};
    std::memcpy(end_.header.log_id.bytes.data(), random, sizeof(random));
  }
  accept_appends();
  return {};
}

Status SegmentWal::trim(Lsn lsn) { return files_.trim(lsn.segment); }

Lsn SegmentWal::begin() const {
  const uint64_t oldest = files_.begin();
  return {oldest == 0 ? 1 : oldest, wal::kSegmentHeaderBytes};
}

WalStats SegmentWal::stats() const {
  WalStats stats = group_stats();
  stats.segments = files_.count();
  stats.segment_bytes = files_.bytes();
  stats.sync = options().sync;
  return stats;
}

uint64_t SegmentWal::record_bytes(uint64_t payload_bytes) const {
  return wal::record_bytes(payload_bytes);
}

Lsn SegmentWal::reached() const {
  if (writer_ != nullptr) return {writer_->header().segment_id, writer_->offset()};
  return {std::max<uint64_t>(end_.header.segment_id, 1),
          std::max(end_.offset, wal::kSegmentHeaderBytes)};
}

uint64_t SegmentWal::group_bytes() const { return writer_ == nullptr ? 0 : writer_->group_bytes(); }

uint32_t SegmentWal::checksum(std::span<const ByteView> parts) const {
  uint32_t crc = 0;
  for (const ByteView part : parts) crc = crc32c(crc, part.data(), part.size());
  return crc;
}

Result<std::optional<Lsn>> SegmentWal::add(std::span<const ByteView> parts, uint32_t checksum) {
  uint64_t bytes = 0;
  for (const ByteView part : parts) bytes += part.size();
  if (writer_ == nullptr || !writer_->fits(bytes)) {
    if (group_bytes() > 0) return std::optional<Lsn>();  // the next group begins the next segment
    FIRN_TRY(make_room(bytes));
  } else if (should_roll()) {
    const Status rolled = roll(bytes);
    if (!rolled.ok() && rolled.code() != StatusCode::kNoSpace) return rolled;
  }
  const uint64_t offset = writer_->add(RecordType::kData, parts, checksum);
  return std::optional<Lsn>({writer_->header().segment_id, offset});
}

// A new segment gets its name when header and first group are synced, but before anybody who asked
// for no more than a write is answered: a process that starts over finds them under that name only.
Status SegmentWal::write() {
  FIRN_TRY(roll_status());
  FIRN_TRY(writer_->write());
  open_record_ = true;
  if (!unnamed_) return {};
  FIRN_TRY(writer_->sync());
  return files_.name(writer_->header().segment_id);
}

Status SegmentWal::sync() { return unnamed_ ? publish_segment() : writer_->sync(); }

Status SegmentWal::publish_segment() {
  FIRN_TRY(files_.publish(writer_->header()));
  unnamed_ = false;
  {
    const MutexLock lock(&rolls_mutex_);
    rolls_.push_back({writer_->header().segment_id, std::move(previous_)});
  }
  roller_.notify();
  return {};
}

bool SegmentWal::finish_roll() {
  Roll roll;
  {
    const MutexLock lock(&rolls_mutex_);
    if (rolls_.empty() || !roll_status_.ok()) return false;
    roll = std::move(rolls_.front());
    rolls_.pop_front();
  }
  const Status status = roll.previous != nullptr ? roll.previous->mark(RecordType::kEnd) : Status();
  if (!status.ok()) {
    const MutexLock lock(&rolls_mutex_);
    roll_status_ = status;
    return false;
  }
  files_.ended();
  files_.prepare_next(roll.segment_id + 1);
  return true;
}

Status SegmentWal::roll_status() const {
  const MutexLock lock(&rolls_mutex_);
  return roll_status_;
}

Status SegmentWal::mark_synced() {
  return writer_->fits_mark() ? writer_->mark(RecordType::kSynced) : Status();
}

// What waits together should be written together: otherwise those behind the end of the segment
// wait for one sync more than the others.
bool SegmentWal::should_roll() const {
  return group_bytes() == 0 && !writer_->fits(waiting_bytes_) &&
         waiting_bytes_ <= options().segment_bytes / kGivenUpShare;
}

Status SegmentWal::make_room(uint64_t payload_size) {
  const bool resumable = writer_ == nullptr && end_.closed &&
                         end_.offset + wal::kRecordHeaderBytes + wal::record_bytes(payload_size) +
                                 wal::kReservedBytes <=
                             end_.header.file_bytes;
  if (!resumable) return roll(payload_size);
  // A recovery on a full disk may have used the file made ahead: without one the next could fail.
  FIRN_TRY(files_.ensure_next(end_.header.segment_id + 1));
  return resume_segment();
}

// The closed record is overwritten, and that is synced before anything follows: as long as a closed
// record can be read, nothing lies behind it.
Status SegmentWal::resume_segment() {
  const wal::SegmentHeader& header = end_.header;
  const std::string path = wal::segment_path(options().directory, header.segment_id);
  FIRN_ASSIGN(std::unique_ptr<File> file, env()->open(path, open_mode()));
  writer_ = std::make_unique<wal::SegmentWriter>(std::move(file), header, end_.offset, end_.crc);
  Status status = writer_->mark(RecordType::kSynced);
  if (status.code() == StatusCode::kNoSpace) status = io_error(std::string(status.message()));
  return status;
}

OpenMode SegmentWal::open_mode() const {
  return options().sync == WalSync::kDirect ? OpenMode::kReadWriteDirect : OpenMode::kReadWrite;
}

Status SegmentWal::roll(uint64_t payload_size) {
  FIRN_CHECK(!unnamed_);
  const uint64_t needed =
      wal::kSegmentHeaderBytes + wal::record_bytes(payload_size) + wal::kReservedBytes;
  wal::SegmentHeader header;
  header.file_bytes = std::max(options().segment_bytes, align_up(needed, wal::kSegmentHeaderBytes));
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
  FIRN_ASSIGN(std::unique_ptr<File> file, files_.create(header, open_mode()));
  previous_ = std::move(writer_);
  writer_ = wal::SegmentWriter::begin(std::move(file), &header);
  unnamed_ = true;
  return {};
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
