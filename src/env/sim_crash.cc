#include <algorithm>

#include "env/sim_disk.h"
#include "env/sim_env.h"

// The dice of a power cut: which unsynced changes reach the disk, and how much of each.

namespace firn {
namespace {

constexpr uint64_t kSectorBytes = 512;

// What is found where a torn write did not get to.
enum class Rest : uint8_t { kOld, kZeros, kGarbage };

void write_rest(SimBytes* content, uint64_t offset, uint64_t size, Rest rest, SimRandom* random) {
  if (rest == Rest::kOld || size == 0) return;
  std::string bytes(size, '\0');
  if (rest == Rest::kGarbage) {
    for (char& byte : bytes) byte = static_cast<char>(random->next());
  }
  content->write(offset, bytes);
}

// The file is as long as the write would have made it.
void extend(SimBytes* content, const SimFileChange& write) {
  const uint64_t end = write.offset + write.bytes.size();
  if (content->size() < end) content->resize(end);
}

void keep_some_sectors(SimBytes* content, const SimFileChange& write, Rest rest,
                       SimRandom* random) {
  const ByteView bytes = write.bytes;
  for (size_t done = 0; done < bytes.size();) {
    const uint64_t at = write.offset + done;
    const size_t count = std::min<uint64_t>(bytes.size() - done, kSectorBytes - at % kSectorBytes);
    if (random->one_in(2)) {
      content->write(at, bytes.substr(done, count));
    } else {
      write_rest(content, at, count, rest, random);
    }
    done += count;
  }
}

void tear(SimBytes* content, const SimFileChange& write, SimRandom* random) {
  const ByteView bytes = write.bytes;
  if (bytes.empty()) return;
  const uint64_t rest_dice = random->below(4);
  const Rest rest = rest_dice < 2 ? Rest::kOld : rest_dice == 2 ? Rest::kZeros : Rest::kGarbage;
  const bool extended = random->one_in(2);
  const uint64_t style = random->below(4);
  if (style == 0) {
    keep_some_sectors(content, write, rest, random);
  } else {
    uint64_t kept = random->below(bytes.size());
    if (style != 1) {
      const uint64_t end = write.offset + kept;
      kept -= std::min(kept, end % kSectorBytes);
    }
    content->write(write.offset, bytes.substr(0, kept));
    write_rest(content, write.offset + kept, bytes.size() - kept, rest, random);
  }
  if (extended) extend(content, write);
}

enum class Fate : uint8_t { kKept, kLost, kTorn };

void apply(SimBytes* content, const SimFileChange& change, Fate fate, SimRandom* random) {
  switch (change.kind) {
    case SimFileChange::Kind::kWrite:
      if (fate == Fate::kKept) content->write(change.offset, change.bytes);
      if (fate == Fate::kTorn) tear(content, change, random);
      if (fate == Fate::kLost && random->one_in(4)) extend(content, change);
      return;
    case SimFileChange::Kind::kTruncate:
      if (fate == Fate::kKept) content->resize(change.offset);
      return;
    case SimFileChange::Kind::kAllocate:
      if (fate == Fate::kKept && content->size() < change.offset) content->resize(change.offset);
      return;
  }
}

Fate random_fate(SimRandom* random) {
  const uint64_t dice = random->below(4);
  return dice < 2 ? Fate::kKept : dice == 2 ? Fate::kLost : Fate::kTorn;
}

}  // namespace

size_t crash_prefix(size_t count, CrashMode mode, SimRandom* random) {
  switch (mode) {
    case CrashMode::kLoseAll:
      return 0;
    case CrashMode::kKeepAll:
      return count;
    case CrashMode::kRandom:
      break;
  }
  // The ends are the commonest cases of a real machine and must not become rare in long lists.
  const uint64_t dice = random->below(4);
  return dice == 0 ? 0 : dice == 1 ? count : random->below(count + 1);
}

SimBytes crash_content(const SimInode& file, CrashMode mode, SimRandom* random) {
  SimBytes content = file.durable;
  const std::vector<SimFileChange>& pending = file.pending;
  if (mode != CrashMode::kRandom) {
    if (mode == CrashMode::kLoseAll) return content;
    for (const SimFileChange& change : pending) apply(&content, change, Fate::kKept, random);
    return content;
  }
  // Half of the time the disk worked in order and stopped somewhere, else every change has a fate
  // of its own.
  if (random->one_in(2)) {
    const size_t kept = crash_prefix(pending.size(), mode, random);
    for (size_t i = 0; i < kept; ++i) apply(&content, pending[i], Fate::kKept, random);
    if (kept < pending.size() && random->one_in(2)) {
      apply(&content, pending[kept], Fate::kTorn, random);
    }
    return content;
  }
  for (const SimFileChange& change : pending) {
    apply(&content, change, random_fate(random), random);
  }
  return content;
}

}  // namespace firn
