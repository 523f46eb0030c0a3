#include "wal/segment_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/mutant.h"
#include "base/size.h"
#include "wal/segment_reader.h"

namespace firn::wal {
namespace {

constexpr size_t kIdDigits = 20;
constexpr uint64_t kIdMax = INT64_MAX;  // a log never gets there, and the next id never overflows

std::optional<uint64_t> id_of(std::string_view name, std::string_view suffix) {
  if (name.size() != kIdDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  uint64_t id = 0;
  const char* end = name.data() + kIdDigits;
  const auto [stopped, error] = std::from_chars(name.data(), end, id);
  if (error != std::errc() || stopped != end || id == 0 || id > kIdMax) return std::nullopt;
  return id;
}

}  // namespace

std::string segment_path(const std::string& directory, uint64_t id, std::string_view suffix) {
  return join_path(directory, fmt::format("{:020}{}", id, suffix));
}

Result<SegmentListing> list_segments(Env* env, const std::string& directory) {
  FIRN_ASSIGN(const std::vector<DirectoryEntry> entries, env->list_directory(directory));
  SegmentListing listing;
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory) continue;
    if (const auto id = id_of(entry.name, kSegmentSuffix)) {
      listing.segments.push_back({*id, entry.size_bytes});
    } else if (const auto spare = id_of(entry.name, kSpareSuffix)) {
      listing.spares.push_back({*spare, entry.size_bytes});
    } else if (const auto unfinished = id_of(entry.name, kUnfinishedSuffix)) {
      listing.unfinished.push_back({*unfinished, entry.size_bytes});
    }
  }
  const auto by_id = [](const SegmentFile& a, const SegmentFile& b) { return a.id < b.id; };
  std::sort(listing.segments.begin(), listing.segments.end(), by_id);
  std::sort(listing.spares.begin(), listing.spares.end(), by_id);
  std::sort(listing.unfinished.begin(), listing.unfinished.end(), by_id);
  return listing;
}

// A spare whose header names another segment was about to become that one when the machine went
// down. On a file system that can show both names of an interrupted rename, writing to it would
// write into the log.
bool SegmentFiles::is_reusable_spare(const SegmentFile& spare) const {
  if (spare.bytes != options_.segment_bytes) return false;
  return read_segment_header(env_, path_of(spare.id, kSpareSuffix), spare.id).ok();
}

void SegmentFiles::adopt(const SegmentListing& listing) {
  std::vector<uint64_t> spares;
  for (const SegmentFile& spare : listing.spares) {
    if (spares.size() < options_.recycled_segments_max && is_reusable_spare(spare)) {
      spares.push_back(spare.id);
    } else {
      (void)env_->remove(path_of(spare.id, kSpareSuffix));
    }
  }
  const uint64_t next = listing.segments.empty() ? 1 : listing.segments.back().id + 1;
  const MutexLock making(&making_mutex_);
  for (const SegmentFile& file : listing.unfinished) {
    if (file.id == next && file.bytes == options_.segment_bytes) {
      left_over_ = next;
    } else {
      (void)env_->remove(path_of(file.id, kUnfinishedSuffix));
    }
  }
  const MutexLock lock(&mutex_);
  segments_.assign(listing.segments.begin(), listing.segments.end());
  spares_ = std::move(spares);
}

size_t SegmentFiles::spare_count() const {
  const MutexLock lock(&mutex_);
  return spares_.size();
}

std::optional<uint64_t> SegmentFiles::take_spare() {
  const MutexLock lock(&mutex_);
  if (spares_.empty()) return std::nullopt;
  const uint64_t id = spares_.back();
  spares_.pop_back();
  return id;
}

// Durably, before anything is written to it: after a power cut a spare that holds records of a
// segment that never got its name would look like any other, be used for the segment that has the
// same id then, and bring those records back.
Result<bool> SegmentFiles::use_spare(const std::string& path) {
  while (const std::optional<uint64_t> spare = take_spare()) {
    const Status renamed = env_->rename(path_of(*spare, kSpareSuffix), path);
    if (renamed.code() == StatusCode::kNotFound) continue;
    FIRN_TRY(renamed);
    FIRN_TRY(env_->sync_directory(options_.directory));
    return true;
  }
  return false;
}

Status SegmentFiles::check_space(uint64_t file_bytes) const {
  FIRN_ASSIGN(const uint64_t free_bytes, env_->free_space(options_.directory));
  if (free_bytes >= file_bytes && free_bytes - file_bytes >= options_.disk_reserve_bytes) return {};
  return no_space(fmt::format(
      "{}: {} free, a log segment of {} would use the reserve of {}; make space and retry",
      options_.directory, format_size(free_bytes), format_size(file_bytes),
      format_size(options_.disk_reserve_bytes)));
}

Status SegmentFiles::allocate(const std::string& path, uint64_t file_bytes, bool durable) {
  Status removed = env_->remove(path);
  if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
  FIRN_ASSIGN(const std::unique_ptr<File> file, env_->open(path, OpenMode::kCreateNew));
  Status status = file->allocate(file_bytes);
  if (status.ok() && durable) status = file->sync();
  if (status.ok() && durable) status = env_->sync_directory(options_.directory);
  // Best effort: a file left behind is removed by the next attempt or the next start.
  if (status.code() == StatusCode::kNoSpace) (void)env_->remove(path);
  return status;
}

Status SegmentFiles::make(const SegmentHeader& header) {
  const std::string path = path_of(header.segment_id, kUnfinishedSuffix);
  // Before there is asked for room.
  if (std::exchange(left_over_, 0) != 0) (void)env_->remove(path);
  const bool prepared = prepared_ == header.segment_id;
  const bool usual = header.file_bytes == options_.segment_bytes;
  Status room = check_space(header.file_bytes);
  if (!room.ok()) {
    if (room.code() != StatusCode::kNoSpace) return room;
    // The last one is recovery's, unless another can be made.
    if (!usual || spare_count() + (prepared ? 1 : 0) <= 1) return room;
  }
  prepared_ = 0;
  created_ = header.segment_id;
  if (usual) {
    if (prepared) return {};
    FIRN_ASSIGN(const bool spare, use_spare(path));
    if (spare) return {};
  }
  FIRN_TRY(room);
  return allocate(path, header.file_bytes, /*durable=*/false);
}

Result<std::unique_ptr<File>> SegmentFiles::create(const SegmentHeader& header, OpenMode mode) {
  const MutexLock lock(&making_mutex_);
  FIRN_TRY(make(header));
  return env_->open(path_of(header.segment_id, kUnfinishedSuffix), mode);
}

Status SegmentFiles::name(uint64_t segment_id) {
  return env_->rename(path_of(segment_id, kUnfinishedSuffix), path_of(segment_id, kSegmentSuffix));
}

Status SegmentFiles::publish(const SegmentHeader& header) {
  if (!mutant(3)) FIRN_TRY(env_->sync_directory(options_.directory));
  const MutexLock lock(&mutex_);
  unended_.push_back(header.previous_segment);
  segments_.push_back({header.segment_id, header.file_bytes});
  return {};
}

void SegmentFiles::ended() {
  const MutexLock lock(&mutex_);
  unended_.pop_front();
}

void SegmentFiles::prepare_next(uint64_t segment_id) {
  if (options_.recycled_segments_max == 0) return;
  const MutexLock lock(&making_mutex_);
  if (prepared_ == segment_id || created_ >= segment_id) return;
  const std::string path = path_of(segment_id, kUnfinishedSuffix);
  Result<bool> made = use_spare(path);
  if (made.ok() && !*made) {
    if (!check_space(2 * options_.segment_bytes).ok()) return;
    const Status allocated = allocate(path, options_.segment_bytes, /*durable=*/true);
    if (!allocated.ok()) made = allocated;
  }
  if (made.ok()) {
    prepared_ = segment_id;
  } else {
    (void)env_->remove(path);
  }
}

Status SegmentFiles::ensure_next(uint64_t segment_id) {
  if (options_.recycled_segments_max == 0) return {};
  {
    const MutexLock lock(&making_mutex_);
    if (std::exchange(left_over_, 0) == segment_id) prepared_ = segment_id;
  }
  prepare_next(segment_id);
  {
    const MutexLock lock(&making_mutex_);
    if (prepared_ == segment_id) return {};
  }
  return check_space(options_.segment_bytes);
}

Status SegmentFiles::create_filled(SegmentHeader* header, const Fill& fill) {
  const std::string path = path_of(header->segment_id, kUnfinishedSuffix);
  const MutexLock lock(&making_mutex_);
  const bool small = header->file_bytes <= options_.segment_bytes;
  bool found = std::exchange(left_over_, 0) == header->segment_id && small;
  if (!found) {
    const Status made = allocate(path, header->file_bytes, /*durable=*/false);
    if (made.code() == StatusCode::kNoSpace && small) {
      FIRN_ASSIGN(found, use_spare(path));
    }
    if (!found) FIRN_TRY(made);
  }
  if (found) header->file_bytes = options_.segment_bytes;
  FIRN_ASSIGN(std::unique_ptr<File> file, env_->open(path, OpenMode::kReadWrite));
  FIRN_TRY(fill(std::move(file)));
  FIRN_TRY(name(header->segment_id));
  FIRN_TRY(publish(*header));
  ended();  // its header seals the one before; nothing writes to that again
  return {};
}

Status SegmentFiles::give_up(const SegmentFile& segment, bool recycle) {
  const std::string path = path_of(segment.id, kSegmentSuffix);
  Status status =
      recycle ? env_->rename(path, path_of(segment.id, kSpareSuffix)) : env_->remove(path);
  // Not found: an earlier attempt got this far and then failed to sync the directory.
  if (!status.ok() && status.code() != StatusCode::kNotFound) return status;
  // One by one, because a crash may undo any of several unsynced changes and leave a gap.
  return env_->sync_directory(options_.directory);
}

Status SegmentFiles::trim(uint64_t segment_id) {
  while (true) {
    SegmentFile oldest;
    bool recycle = false;
    {
      const MutexLock lock(&mutex_);
      if (segments_.size() <= 1 || segments_.front().id >= segment_id) return {};
      if (!unended_.empty() && segments_.front().id >= unended_.front()) return {};
      oldest = segments_.front();
      recycle =
          oldest.bytes == options_.segment_bytes && spares_.size() < options_.recycled_segments_max;
    }
    FIRN_TRY(give_up(oldest, recycle));
    const MutexLock lock(&mutex_);
    segments_.pop_front();
    if (recycle) spares_.push_back(oldest.id);
  }
}

uint64_t SegmentFiles::begin() const {
  const MutexLock lock(&mutex_);
  return segments_.empty() ? 0 : segments_.front().id;
}

uint64_t SegmentFiles::count() const {
  const MutexLock lock(&mutex_);
  return segments_.size();
}

uint64_t SegmentFiles::bytes() const {
  const MutexLock lock(&mutex_);
  uint64_t sum = 0;
  for (const SegmentFile& segment : segments_) sum += segment.bytes;
  return sum;
}

}  // namespace firn::wal
