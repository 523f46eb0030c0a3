#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "env/env.h"
#include "wal/format.h"

namespace firn::wal {

inline constexpr std::string_view kSegmentSuffix = ".wal";
inline constexpr std::string_view kSpareSuffix = ".spare";
inline constexpr std::string_view kUnfinishedSuffix = ".new";

// "<directory>/00000000000000000001.wal"
std::string segment_path(const std::string& directory, uint64_t id,
                         std::string_view suffix = kSegmentSuffix);

struct SegmentFile {
  uint64_t id = 0;
  uint64_t bytes = 0;
};

// The files of a log, each list sorted by id.
struct SegmentListing {
  std::vector<SegmentFile> segments;
  std::vector<SegmentFile> spares;
  std::vector<SegmentFile> unfinished;
};

Result<SegmentListing> list_segments(Env* env, const std::string& directory);

// The files of an open log: which segments there are, making the next one, giving up the oldest.
// Thread rule: create() from one thread, trim() from one other; begin(), count() and bytes() from
// any. The Env must outlive it.
class SegmentFiles {
 public:
  struct Options {
    std::string directory;
    uint64_t segment_bytes = 0;
    uint64_t recycled_segments_max = 0;
    uint64_t disk_reserve_bytes = 0;
  };
  SegmentFiles(Env* env, Options options) : env_(env), options_(std::move(options)) {}

  // Takes over what is in the directory, and removes unfinished files and spares that cannot be
  // used again. Failing to remove one is not an error.
  void adopt(const SegmentListing& listing);

  // Makes the segment `header->segment_id` of `header->file_bytes`, from a spare if there is one,
  // and returns it open for writing. Its header and its name are durable then. kNoSpace: there is
  // no room without touching the reserve or the spare that is kept for recovery; nothing was made.
  // Any other failure: the file may or may not be there, and the log must not go on. Sets
  // header->crc.
  Result<std::unique_ptr<File>> create(SegmentHeader* header);

  // The same for recovery: the file may use the reserve, or a spare when nothing is free, and
  // `fill` writes and syncs the first records before the file gets its name. A failure leaves the
  // log as it was or with the whole segment.
  using Fill = std::function<Status(std::unique_ptr<File>)>;
  Status create_filled(SegmentHeader* header, const Fill& fill);

  // Makes the spare for recovery when there is none. kNoSpace: there is none, and no room for one.
  Status ensure_spare();

  // Gives up all segments before `segment_id`, except the newest one, from the oldest on. After a
  // failure the remaining ones are still kept, and a later call tries again.
  Status trim(uint64_t segment_id);

  // The oldest segment's id; 0 when there is none.
  uint64_t begin() const;
  uint64_t count() const;
  uint64_t bytes() const;

 private:
  std::string path_of(uint64_t id, std::string_view suffix) const {
    return segment_path(options_.directory, id, suffix);
  }
  bool is_reusable_spare(const SegmentFile& spare) const;
  // Nothing when there are no more than `kept`.
  std::optional<uint64_t> take_spare(size_t kept);
  void keep_spare();
  Status check_space(uint64_t file_bytes) const;
  Result<std::unique_ptr<File>> allocate(const std::string& path, uint64_t file_bytes);
  Result<std::unique_ptr<File>> prepare(SegmentHeader* header, std::string* path);
  Status publish(const SegmentHeader& header, const std::string& path);
  Status give_up(const SegmentFile& segment, bool recycle);

  Env* const env_;
  const Options options_;
  mutable Mutex mutex_;
  std::deque<SegmentFile> segments_ GUARDED_BY(mutex_);
  std::vector<uint64_t> spares_ GUARDED_BY(mutex_);
};

}  // namespace firn::wal
