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
// Thread rule: create(), name() and publish() from one thread, prepare_next() and ended() from one
// other, trim() from a third; begin(), count() and bytes() from any. The Env must outlive it.
class SegmentFiles {
 public:
  struct Options {
    std::string directory;
    uint64_t segment_bytes = 0;
    uint64_t recycled_segments_max = 0;
    uint64_t disk_reserve_bytes = 0;
  };
  SegmentFiles(Env* env, Options options) : env_(env), options_(std::move(options)) {}

  // Takes over what is in the directory, and removes spares that cannot be used again and all
  // unfinished files but that of the next segment. Failing to remove one is not an error.
  void adopt(const SegmentListing& listing);

  // A file for the segment `header.segment_id` of `header.file_bytes`, open for writing and still
  // under a name without meaning: the one that was made ahead, else a spare, else a new one.
  // Nothing is written or synced. kNoSpace: there is no room without touching the reserve or the
  // file that is kept for recovery; nothing was made. Any other failure: the log must not go on.
  Result<std::unique_ptr<File>> create(const SegmentHeader& header, OpenMode mode);
  // Gives the file its name, when header and first records are synced. With publish() the name is
  // durable and the segment one of the log's; the one before stays until ended() is called.
  // After a failure of either the name may be there or not, and the log must not go on.
  Status name(uint64_t segment_id);
  Status publish(const SegmentHeader& header);
  // The segment's end record was written: it may be trimmed. In the order of publish().
  void ended();

  // For recovery: all of that at once. The file may be the unfinished one, use the reserve, or be a
  // spare when nothing is free, which sets header->file_bytes to that of the file, and `fill`
  // writes and syncs header and records before the file gets its name. A failure leaves the log as
  // it was or with the whole segment.
  using Fill = std::function<Status(std::unique_ptr<File>)>;
  Status create_filled(SegmentHeader* header, const Fill& fill);

  // Makes the file of a segment ahead, so that create() has nothing to wait for, and recovery
  // something to give up when the disk is full. Best effort: as long as there is room for another
  // besides. May wait for create(), and create() for it.
  void prepare_next(uint64_t segment_id);
  // The same for a log that was closed in order, whose unfinished file nobody wrote to. kNoSpace:
  // there is none, and no room for one.
  Status ensure_next(uint64_t segment_id);

  // Gives up all segments before `segment_id` that have ended, except the newest one, from the
  // oldest on. After a failure the remaining ones are still kept, and a later call tries again.
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
  size_t spare_count() const;
  std::optional<uint64_t> take_spare();
  // Whether there was a spare and it has the name `path` now, durably.
  Result<bool> use_spare(const std::string& path);
  Status check_space(uint64_t file_bytes) const;
  Status allocate(const std::string& path, uint64_t file_bytes, bool durable);
  Status make(const SegmentHeader& header) REQUIRES(making_mutex_);
  Status give_up(const SegmentFile& segment, bool recycle);

  Env* const env_;
  const Options options_;
  // Held while a file is made, so that nobody makes the same one twice. Taken before mutex_.
  Mutex making_mutex_;
  uint64_t prepared_ GUARDED_BY(making_mutex_) = 0;  // the segment made ahead; 0: none
  uint64_t created_ GUARDED_BY(making_mutex_) = 0;   // the newest one that was asked for
  // The segment for which a process before made a file; it may hold records of that attempt.
  uint64_t left_over_ GUARDED_BY(making_mutex_) = 0;
  mutable Mutex mutex_;
  std::deque<SegmentFile> segments_ GUARDED_BY(mutex_);
  std::deque<uint64_t> unended_ GUARDED_BY(mutex_);
  std::vector<uint64_t> spares_ GUARDED_BY(mutex_);
};

}  // namespace firn::wal
