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
  for (const SegmentFile& file : listing.unfinished) {
    (void)env_->remove(path_of(file.id, kUnfinishedSuffix));
  }
  const MutexLock lock(&mutex_);
  segments_.assign(listing.segments.begin(), listing.segments.end());
  spares_ = std::move(spares);
}

std::optional<uint64_t> SegmentFiles::take_spare(size_t kept) {
  const MutexLock lock(&mutex_);
  if (spares_.size() <= kept) return std::nullopt;
  const uint64_t id = spares_.back();
  spares_.pop_back();
  return id;
}

Status SegmentFiles::check_space(uint64_t file_bytes) const {
  FIRN_ASSIGN(const uint64_t free_bytes, env_->free_space(options_.directory));
  if (free_bytes >= file_bytes && free_bytes - file_bytes >= options_.disk_reserve_bytes) return {};
  return no_space(fmt::format(
      "{}: {} free, a log segment of {} would use the reserve of {}; make space and retry",
      options_.directory, format_size(free_bytes), format_size(file_bytes),
      format_size(options_.disk_reserve_bytes)));
}

Result<std::unique_ptr<File>> SegmentFiles::allocate(const std::string& path, uint64_t file_bytes) {
  const Status removed = env_->remove(path);
  if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
  FIRN_ASSIGN(std::unique_ptr<File> file, env_->open(path, OpenMode::kCreateNew));
  FIRN_TRY(file->allocate(file_bytes));
  return file;
}

// A file with the new header, synced, still under a name without meaning.
Result<std::unique_ptr<File>> SegmentFiles::prepare(SegmentHeader* header, std::string* path) {
  std::unique_ptr<File> file;
  if (header->file_bytes == options_.segment_bytes) {
    // The last one is recovery's, unless another can be made.
    const Status room = check_space(options_.segment_bytes);
    if (!room.ok() && room.code() != StatusCode::kNoSpace) return room;
    const size_t kept = room.ok() ? 0 : 1;
    while (const std::optional<uint64_t> spare = take_spare(kept)) {
      *path = path_of(*spare, kSpareSuffix);
      Result<std::unique_ptr<File>> opened = env_->open(*path, OpenMode::kReadWrite);
      if (opened.ok()) {
        file = std::move(*opened);
        break;
      }
      if (opened.status().code() != StatusCode::kNotFound) return opened.status();
    }
  }
  if (file == nullptr) {
    *path = path_of(header->segment_id, kUnfinishedSuffix);
    FIRN_TRY(check_space(header->file_bytes));
    FIRN_ASSIGN(file, allocate(*path, header->file_bytes));
  }
  std::string block(kSegmentHeaderBytes, '\0');
  encode_segment_header(header, block.data());
  FIRN_TRY(file->write_at(0, block));
  FIRN_TRY(file->sync());
  return file;
}

Status SegmentFiles::publish(const SegmentHeader& header, const std::string& path) {
  FIRN_TRY(env_->rename(path, path_of(header.segment_id, kSegmentSuffix)));
  if (!mutant(3)) FIRN_TRY(env_->sync_directory(options_.directory));
  const MutexLock lock(&mutex_);
  segments_.push_back({header.segment_id, header.file_bytes});
  return {};
}

Result<std::unique_ptr<File>> SegmentFiles::create(SegmentHeader* header) {
  std::string path;
  Result<std::unique_ptr<File>> file = prepare(header, &path);
  if (!file.ok()) {
    // Best effort: a file left behind is removed by the next attempt or the next start.
    if (file.status().code() == StatusCode::kNoSpace) (void)env_->remove(path);
    return file.status();
  }
  Status status = publish(*header, path);
  // The name may be there or not: no longer a refusal before anything was done.
  if (status.code() == StatusCode::kNoSpace) status = io_error(std::string(status.message()));
  if (!status.ok()) return status;
  keep_spare();
  return file;
}

// Recovery copies the last group to a new file, also when the disk is full by then. Best effort:
// as long as there is room for the next segment besides.
void SegmentFiles::keep_spare() {
  if (options_.recycled_segments_max == 0) return;
  {
    const MutexLock lock(&mutex_);
    if (!spares_.empty()) return;
  }
  if (!check_space(2 * options_.segment_bytes).ok()) return;
  const std::string path = path_of(kIdMax, kUnfinishedSuffix);
  SegmentHeader header;
  header.segment_id = kIdMax;
  header.file_bytes = options_.segment_bytes;
  std::string block(kSegmentHeaderBytes, '\0');
  encode_segment_header(&header, block.data());
  Result<std::unique_ptr<File>> file = allocate(path, header.file_bytes);
  Status status = file.status();
  if (status.ok()) status = (*file)->write_at(0, block);
  if (status.ok()) status = (*file)->sync();
  if (status.ok()) status = env_->rename(path, path_of(kIdMax, kSpareSuffix));
  if (status.ok()) status = env_->sync_directory(options_.directory);
  if (!status.ok()) {
    (void)env_->remove(path);
    return;
  }
  const MutexLock lock(&mutex_);
  spares_.push_back(kIdMax);
}

Status SegmentFiles::ensure_spare() {
  if (options_.recycled_segments_max == 0) return {};
  keep_spare();
  {
    const MutexLock lock(&mutex_);
    if (!spares_.empty()) return {};
  }
  return check_space(options_.segment_bytes);
}

Status SegmentFiles::create_filled(SegmentHeader* header, const Fill& fill) {
  std::string path = path_of(header->segment_id, kUnfinishedSuffix);
  Result<std::unique_ptr<File>> file = allocate(path, header->file_bytes);
  if (file.status().code() == StatusCode::kNoSpace) {
    (void)env_->remove(path);
    const bool fits = header->file_bytes <= options_.segment_bytes;
    const std::optional<uint64_t> spare = fits ? take_spare(0) : std::nullopt;
    if (!spare) return file.status();
    path = path_of(*spare, kSpareSuffix);
    file = env_->open(path, OpenMode::kReadWrite);
  }
  FIRN_TRY(file.status());
  std::string block(kSegmentHeaderBytes, '\0');
  encode_segment_header(header, block.data());
  FIRN_TRY((*file)->write_at(0, block));
  FIRN_TRY(fill(std::move(*file)));
  return publish(*header, path);
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
