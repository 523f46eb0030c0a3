#include "wal/sync_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/size.h"

namespace firn {

namespace {

constexpr std::string_view kProbeFile = "probe.tmp";
constexpr uint64_t kBlockBytes = 4 * kKiB;
constexpr size_t kRoundsMax = 16;
constexpr size_t kRoundsMin = 4;
constexpr DurationNs kProbeNs = 100 * kMillisecondNs;

// Large groups and new segments gain most from direct writes (docs/performance.md), so small
// appends may be a little slower.
constexpr double kDirectAllowance = 1.1;

Result<DurationNs> time_append(Env* env, File* file, size_t round) {
  const std::string block(kBlockBytes, static_cast<char>('a' + round % 26));
  const TimeNs begin = env->monotonic();
  FIRN_TRY(file->write_at(round * kBlockBytes, block));
  FIRN_TRY(file->sync());
  return std::max<DurationNs>(1, env->monotonic() - begin);
}

DurationNs median(std::vector<DurationNs> times) {
  if (times.empty()) return 0;
  std::nth_element(times.begin(), times.begin() + static_cast<ptrdiff_t>(times.size() / 2),
                   times.end());
  return times[times.size() / 2];
}

Result<SyncProbe> measure(Env* env, const std::string& path) {
  FIRN_ASSIGN(const std::unique_ptr<File> buffered, env->open(path, OpenMode::kCreate));
  // Written once beforehand, as recycled segments are.
  FIRN_TRY(buffered->write_at(0, std::string(kRoundsMax * kBlockBytes, '\0')));
  FIRN_TRY(buffered->sync());
  Result<std::unique_ptr<File>> direct = env->open(path, OpenMode::kReadWriteDirect);
  bool can_direct = direct.ok();
  if (!can_direct && direct.status().code() != StatusCode::kUnsupported) return direct.status();
  std::vector<DurationNs> buffered_times, direct_times;
  buffered_times.reserve(kRoundsMax);
  direct_times.reserve(kRoundsMax);
  const TimeNs begin = env->monotonic();
  for (size_t round = 0; round < kRoundsMax; ++round) {
    if (round >= kRoundsMin && env->monotonic() - begin > kProbeNs) break;
    FIRN_ASSIGN(const DurationNs taken, time_append(env, buffered.get(), round));
    buffered_times.push_back(taken);
    if (!can_direct) continue;
    const Result<DurationNs> directly = time_append(env, direct->get(), round);
    can_direct = directly.ok();
    if (can_direct) {
      direct_times.push_back(*directly);
    } else if (directly.status().code() != StatusCode::kUnsupported) {
      return directly.status();
    }
  }
  return SyncProbe{median(std::move(buffered_times)),
                   can_direct ? median(std::move(direct_times)) : 0};
}

}  // namespace

std::string_view wal_sync_name(WalSync sync) {
  switch (sync) {
    case WalSync::kAuto:
      return "auto";
    case WalSync::kBuffered:
      return "buffered";
    case WalSync::kDirect:
      return "direct";
  }
  return "?";
}

std::optional<WalSync> parse_wal_sync(std::string_view name) {
  for (const WalSync sync : {WalSync::kAuto, WalSync::kBuffered, WalSync::kDirect}) {
    if (name == wal_sync_name(sync)) return sync;
  }
  return std::nullopt;
}

WalSync SyncProbe::faster() const {
  const bool wins = direct_ns > 0 && static_cast<double>(direct_ns) <=
                                         kDirectAllowance * static_cast<double>(buffered_ns);
  return wins ? WalSync::kDirect : WalSync::kBuffered;
}

std::string SyncProbe::to_string() const {
  const auto ms = [](DurationNs ns) { return static_cast<double>(ns) / 1e6; };
  if (direct_ns == 0) {
    return fmt::format("buffered: {:.2f} ms a sync, the file system cannot write directly",
                       ms(buffered_ns));
  }
  const bool direct = faster() == WalSync::kDirect;
  return fmt::format("{}: {:.2f} ms a sync, {} {:.2f} ms", direct ? "direct" : "buffered",
                     ms(direct ? direct_ns : buffered_ns), direct ? "buffered" : "direct",
                     ms(direct ? buffered_ns : direct_ns));
}

Result<SyncProbe> probe_sync(Env* env, const std::string& directory) {
  const std::string path = join_path(directory, kProbeFile);
  Result<SyncProbe> probe = measure(env, path);
  const Status removed = env->remove(path);
  if (probe.ok() && !removed.ok()) return removed;
  return probe;
}

Result<WalSync> choose_sync(Env* env, const std::string& directory, WalSync wanted) {
  if (wanted == WalSync::kBuffered) return wanted;
  if (!env->has_real_paths()) return wanted == WalSync::kAuto ? WalSync::kBuffered : wanted;
  Result<SyncProbe> probe = probe_sync(env, directory);
  // A full disk must not keep the store from opening: it is read from, and resumes later.
  if (probe.status().code() == StatusCode::kNoSpace) return WalSync::kBuffered;
  FIRN_ASSIGN(const SyncProbe measured, std::move(probe));
  if (wanted == WalSync::kAuto) return measured.faster();
  if (measured.direct_ns > 0) return wanted;
  return unsupported("wal.sync is direct, but the file system of " + directory +
                     " cannot write past the page cache; set wal.sync to buffered or auto");
}

}  // namespace firn
