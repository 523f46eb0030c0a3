#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "env/env.h"
#include "wal/wal.h"

namespace firn {

// "auto", "buffered", "direct": as in the configuration.
std::string_view wal_sync_name(WalSync sync);
// Nothing when there is none of that name.
std::optional<WalSync> parse_wal_sync(std::string_view name);

// How long a small durable append takes in a directory, in each of the two ways.
struct SyncProbe {
  DurationNs buffered_ns = 0;
  DurationNs direct_ns = 0;  // 0: the file system cannot do it

  // kBuffered or kDirect: direct writes unless they are clearly slower.
  WalSync faster() const;
  // "direct: 0.13 ms a sync, buffered 0.17 ms"
  std::string to_string() const;
};

// Appends some 4 KiB blocks to a file of its own in the directory, which must exist, in both ways
// in turn, and gives the medians; takes about 0.1 s at most, or nine syncs. The file is removed;
// one that a crash left behind is overwritten.
Result<SyncProbe> probe_sync(Env* env, const std::string& directory);

// What `wanted` means for a log in this directory: kAuto becomes what the probe found faster, and
// kBuffered where paths are not the system's, so that simulations are repeatable. kUnsupported when
// direct writes are wanted and the file system cannot do them.
Result<WalSync> choose_sync(Env* env, const std::string& directory, WalSync wanted);

}  // namespace firn
