#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "base/time.h"
#include "env/env.h"

namespace firn {

// Where a record begins in the log.
struct Lsn {
  uint64_t segment = 0;
  uint64_t offset = 0;
  auto operator<=>(const Lsn&) const = default;
};

// One record to append. The payload is opaque: `parts` one behind the other. The caller keeps the
// bytes valid and unchanged until `on_durable` was called (`owner` is a place to hold them).
struct WalAppend {
  std::vector<ByteView> parts;  // empty: nothing is written; a barrier behind earlier appends
  std::shared_ptr<const void> owner;
  // Called exactly once, on the log's worker, in append order. Ok: the record and all before it are
  // durable. kNoSpace: refused before anything was written; this and every later append is refused
  // until resume(). kOutcomeUnknown: a write or sync failed, the log is fenced and the record may
  // or may not be there after recovery. kTooLarge: more than 64 MiB; only this one is refused.
  std::function<void(const Status&, Lsn)> on_durable;
  // Called before on_durable, on the log's worker, once the record was handed to the operating
  // system (ack level `os`); may be null. Not called when the write fails.
  std::function<void(Lsn)> on_written;
};

// Which log there is in a directory.
enum class WalType : uint8_t {
  kSegment,  // segment files of our own (segment_wal.h), the default
  kRocksdb,  // a RocksDB database (rocksdb_wal.h)
};

// How a segment log's writes become durable.
enum class WalSync : uint8_t {
  kAuto,      // whichever a short probe finds faster (sync_probe.h)
  kBuffered,  // a write into the page cache, then fdatasync
  kDirect,    // one call past the page cache (O_DIRECT, RWF_DSYNC)
};

struct WalOptions {
  std::string directory;
  WalType type = WalType::kSegment;  // for open_wal()
  WalSync sync = WalSync::kAuto;     // of a segment log; RocksDB has its own
  uint64_t segment_bytes = 64ull << 20;
  uint64_t recycled_segments_max = 3;      // one of them is kept for recovery on a full disk
  uint64_t group_bytes_max = 16ull << 20;  // one write call's worth; a larger record goes alone
  // Appends are refused with kNoSpace while the file system has fewer free bytes than this.
  uint64_t disk_reserve_bytes = 256ull << 20;
};

struct WalStats {
  uint64_t records = 0, bytes = 0, syncs = 0, segments = 0, segment_bytes = 0;
  WalSync sync = WalSync::kBuffered;  // how it is done, never kAuto
  // A group's write and sync together.
  DurationNs last_sync_ns = 0, max_sync_ns = 0;
  Lsn end;      // where the next record goes
  Lsn durable;  // everything before is synced
  bool fenced = false;
  bool disk_full = false;
};

// Called for each intact record in order. A non-ok Status stops the replay and is returned.
using WalReplayVisitor = std::function<Status(Lsn, ByteView payload)>;

// Damage found in the log. Below the synced position it is corruption, above it an unacknowledged
// tail that is ignored.
struct WalDamage {
  std::string file;
  uint64_t offset = 0;
  std::string reason;
  bool acknowledged = false;  // true: bytes that had been synced are damaged
};

// A log: durable before acknowledged. Implementations: SegmentWal (segment_wal.h) and RocksdbWal
// (rocksdb_wal.h); open_wal() (open_wal.h) chooses.
// Thread rule: append() from one thread (the commit thread); stats() from any; replay() once,
// before the first append. Destroying it completes nothing more: pending appends are dropped
// without a call.
class Wal {
 public:
  virtual ~Wal() = default;

  // Visits every record at or after `from` that survived, in order. A record is durable when it is
  // visited; nothing that was read is changed. On damage at or below the synced position:
  // kCorruption naming file and offset, after visiting what lies before it. An ok replay is
  // REQUIRED before append(). `progress` (may be null) gets bytes done and total.
  virtual Status replay(Lsn from, const WalReplayVisitor& visit,
                        const std::function<void(uint64_t, uint64_t)>& progress) = 0;
  // Queues the record; returns at once.
  virtual void append(WalAppend record) = 0;
  // After a kNoSpace refusal, when every append made before got its call: appends are tried again.
  // (Refusing everything in between lets the caller take back the positions it had given out.)
  // Same thread as append().
  virtual void resume() = 0;
  // Bytes queued and not yet durable.
  virtual uint64_t pending_bytes() const = 0;
  // Whether a group is being written and an append waits behind it for the next one. Another append
  // would become durable with that one, and no sooner when it comes later. Any thread.
  virtual bool next_group_begun() const = 0;
  // Gives up segments that lie wholly before `lsn` (recycles or removes them). The caller has made
  // sure, durably, that no record before it is needed.
  virtual Status trim(Lsn lsn) = 0;
  // Where the oldest record that was kept begins.
  virtual Lsn begin() const = 0;
  virtual WalStats stats() const = 0;
};

}  // namespace firn
