#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "env/env.h"
#include "wal/format.h"
#include "wal/segment_files.h"
#include "wal/segment_reader.h"
#include "wal/segment_writer.h"
#include "wal/wal.h"

namespace firn::wal {

// How a log ends: what the next segment's header has to say about the one before, and whether
// writing may go on in the last segment.
struct LogEnd {
  SegmentHeader header;  // of the last segment; segment_id 0: the log has no segment
  uint64_t offset = 0;   // everything before was synced, and nothing behind it is needed
  uint32_t crc = 0;      // of the record before `offset`, or of the header
  bool closed = false;   // a closed record stands there, and nothing behind it
};

// Reads a log as docs/formats/wal.md, "Reading", says. Used once; the Env must outlive it.
class LogReader {
 public:
  using Progress = std::function<void(uint64_t, uint64_t)>;

  LogReader(Env* env, std::string directory, SegmentListing listing)
      : env_(env), directory_(std::move(directory)), listing_(std::move(listing)) {}

  // Visits every data record from `from` on. Before any record of the last group is visited, it is
  // copied to a new segment, made through `files`, which adopt the log's files. kCorruption after
  // visiting what lies before the damage; no file was touched then. Sets *end when ok.
  Status replay(Lsn from, const WalReplayVisitor& visit, const Progress& progress,
                SegmentFiles* files, LogEnd* end);

  // All damage there is; reads everything and writes nothing.
  Result<std::vector<WalDamage>> verify();

 private:
  // A place between two records.
  struct Place {
    uint64_t offset = 0;
    uint32_t crc = 0;  // of the record before, or of the header
  };
  struct Tail {
    SegmentHeader header;
    Place intact;                // behind the last intact record
    Place synced;                // where the last group begins: everything before was synced
    uint64_t group_bytes = 0;    // what the data records of the last group at or after `from` take
    bool closed = false;         // the last record is a closed record
    bool ended = false;          // the last record is an end record
    bool torn = false;           // remains of an unsynced group lie behind the last intact record
    uint64_t proven = 0;         // a record there says all below this had been synced
    uint64_t missing_bytes = 0;  // the file is that much shorter than it was made
    const char* reason = "";     // why no intact record follows
  };
  // A segment to visit, and where it ends.
  struct Part {
    SegmentHeader header;
    Place end;
  };

  std::string path_of(uint64_t id) const { return segment_path(directory_, id); }
  Result<size_t> find_start(Lsn from) const;
  // Headers of listing_.segments[start..] up to the first that is missing or damaged. Ok when all
  // are there, kCorruption or kUnsupported for the first that is not; another code: cannot read.
  Status read_headers(size_t start, std::vector<SegmentHeader>* headers) const;
  static Status check_link(const SegmentHeader& previous, const SegmentHeader& header);
  Result<Tail> scan_tail(const SegmentHeader& header, Lsn from) const;
  static Status search_behind(SegmentReader* reader, Tail* tail);
  Status judge_tail(const Tail& tail, Lsn from) const;
  // Copies the last group's records at or after `from` to the segment part->header, and sets the
  // rest of *part.
  Status copy_last_group(const Tail& tail, Lsn from, SegmentFiles* files, Part* part) const;
  Status copy_records(const Tail& tail, Lsn from, SegmentWriter* writer) const;

  struct Visit {
    Lsn from;
    const WalReplayVisitor* visit;
    const Progress* progress;
    uint64_t done = 0;
    uint64_t total = 0;
  };
  // Visits one segment, which must be intact up to its end.
  Status visit_part(const Part& part, Visit* visit) const;

  // Damage between the reader's place and `end`; goes on behind each damaged stretch.
  static Status verify_records(SegmentReader* reader, const Place& end,
                               std::vector<WalDamage>* damage);
  Status verify_tail(const SegmentHeader& header, std::vector<WalDamage>* damage) const;

  Env* const env_;
  const std::string directory_;
  const SegmentListing listing_;
};

}  // namespace firn::wal
