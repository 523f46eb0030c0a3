#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "env/sim_bytes.h"
#include "env/sim_random.h"

namespace firn {

enum class CrashMode : uint8_t;

struct SimInode;
using SimInodePtr = std::shared_ptr<SimInode>;

// An unsynced change of a file.
struct SimFileChange {
  enum class Kind : uint8_t { kWrite, kTruncate, kAllocate };
  Kind kind;
  uint64_t offset;    // kWrite: where; else the size
  std::string bytes;  // kWrite only
};

// An unsynced change of a directory: a name goes, a name comes, or (a rename) both at once.
struct SimNameChange {
  std::string removed;  // empty: none
  std::string added;    // empty: none
  SimInodePtr inode;    // what `added` stands for
  // A rename between directories is two changes with this number in common, else 0.
  uint64_t move = 0;
  std::weak_ptr<SimInode> moved_to;  // in the half that removes: the directory with the other half
};

struct SimInode {
  explicit SimInode(bool directory) : is_directory(directory) {}

  const bool is_directory;
  // A file. What is durable, with `pending` on top, is what a crash chooses from; `content` is what
  // reads see.
  SimBytes content;
  SimBytes durable;
  std::vector<SimFileChange> pending;
  // A directory.
  std::map<std::string, SimInodePtr> names;
  std::map<std::string, SimInodePtr> durable_names;
  std::vector<SimNameChange> pending_names;
};

// The file system of SimEnv (sim_env.h says how it behaves), without power, clock or locks. Paths
// are split at '/', with "." and "" left out and ".." going up; they start at the root in any case.
// Thread rule: as a plain object.
class SimDisk {
 public:
  SimDisk();
  // A copy that shares no inode with this one.
  SimDisk clone() const;
  SimDisk(SimDisk&&) = default;
  SimDisk& operator=(SimDisk&&) = default;

  // Where a path leads: `inode` is null when there is nothing. kNotFound when the directory is
  // missing too, kIoError when something on the way is a file. The root has an empty name.
  struct Place {
    SimInodePtr directory;
    std::string name;
    SimInodePtr inode;
  };
  Result<Place> find(const std::string& path) const;
  // As one spelling: "/a/b".
  static std::string canonical_path(std::string_view path);

  // Files.
  SimInodePtr create(const Place& place, bool directory);
  static void change(SimInode* file, SimFileChange change);
  static void sync(SimInode* file);
  static void write_durably(SimInode* file, uint64_t offset, ByteView bytes);

  // Names. Errors name `path`.
  Status remove(const std::string& path);
  Status remove_directory(const std::string& path);
  Status rename(const std::string& from, const std::string& to);
  static void sync_directory(SimInode* directory);
  // Makes one name durable, as a directory that was just made needs it.
  static void sync_name(SimInode* directory, const std::string& name);

  // Sum of the sizes of all files with a name.
  uint64_t used_bytes() const;
  struct Entry {
    std::string path;
    SimInodePtr inode;
  };
  // All files and directories that have a name, sorted by path.
  std::vector<Entry> entries() const;

  // Loses unsynced changes. Inodes that are left out of the new state are left alone: they belong
  // to nobody but dead handles.
  void crash(CrashMode mode, SimRandom random);

 private:
  static void persist_names(SimInode* directory, size_t count);
  std::vector<SimInodePtr> directories() const;
  void crash_names(CrashMode mode, SimRandom* random);

  SimInodePtr root_;
  uint64_t last_move_ = 0;
};

// The dice of a power cut (sim_crash.cc): how many of `count` pending names survive, and what is
// left of a file with its unsynced changes.
size_t crash_prefix(size_t count, CrashMode mode, SimRandom* random);
SimBytes crash_content(const SimInode& file, CrashMode mode, SimRandom* random);

}  // namespace firn
