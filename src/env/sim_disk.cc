#include "env/sim_disk.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

namespace firn {
namespace {

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.emplace_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return parts;
}

Status failure(std::string_view action, const std::string& path, std::string_view reason) {
  return io_error(std::string(action) + " " + path + ": " + std::string(reason));
}

Status absent(std::string_view action, const std::string& path) {
  return not_found(std::string(action) + " " + path + ": No such file or directory");
}

void apply_change(SimBytes* content, const SimFileChange& change) {
  switch (change.kind) {
    case SimFileChange::Kind::kWrite:
      content->write(change.offset, change.bytes);
      return;
    case SimFileChange::Kind::kTruncate:
      content->resize(change.offset);
      return;
    case SimFileChange::Kind::kAllocate:
      if (content->size() < change.offset) content->resize(change.offset);
      return;
  }
}

void apply_change(std::map<std::string, SimInodePtr>* names, const SimNameChange& change) {
  if (!change.removed.empty()) names->erase(change.removed);
  if (!change.added.empty()) (*names)[change.added] = change.inode;
}

// Copies of inodes that refer to each other as the originals do.
class Cloner {
 public:
  SimInodePtr clone(const SimInodePtr& original) {
    if (original == nullptr) return nullptr;
    SimInodePtr& copy = copies_[original.get()];
    if (copy != nullptr) return copy;
    SimInodePtr made = copy = std::make_shared<SimInode>(original->is_directory);
    made->content = original->content;
    made->durable = original->durable;
    made->pending = original->pending;
    for (const auto& [name, inode] : original->names) made->names[name] = clone(inode);
    for (const auto& [name, inode] : original->durable_names) {
      made->durable_names[name] = clone(inode);
    }
    for (const SimNameChange& change : original->pending_names) {
      made->pending_names.push_back({change.removed, change.added, clone(change.inode), change.move,
                                     clone(change.moved_to.lock())});
    }
    return made;
  }

 private:
  std::unordered_map<const SimInode*, SimInodePtr> copies_;
};

}  // namespace

SimDisk::SimDisk() : root_(std::make_shared<SimInode>(true)) {}

SimDisk SimDisk::clone() const {
  SimDisk copy;
  copy.root_ = Cloner().clone(root_);
  copy.last_move_ = last_move_;
  return copy;
}

std::string SimDisk::canonical_path(std::string_view path) {
  std::string canonical;
  for (const std::string& part : split_path(path)) canonical.append("/").append(part);
  return canonical.empty() ? "/" : canonical;
}

Result<SimDisk::Place> SimDisk::find(const std::string& path) const {
  std::vector<std::string> parts = split_path(path);
  if (parts.empty()) return Place{root_, "", root_};
  Place place{root_, std::move(parts.back()), nullptr};
  parts.pop_back();
  for (const std::string& part : parts) {
    const auto found = place.directory->names.find(part);
    if (found == place.directory->names.end()) return absent("find", path);
    if (!found->second->is_directory) return failure("find", path, "Not a directory");
    place.directory = found->second;
  }
  const auto found = place.directory->names.find(place.name);
  if (found != place.directory->names.end()) place.inode = found->second;
  return place;
}

SimInodePtr SimDisk::create(const Place& place, bool directory) {
  auto inode = std::make_shared<SimInode>(directory);
  place.directory->names[place.name] = inode;
  place.directory->pending_names.push_back({"", place.name, inode, 0, {}});
  return inode;
}

void SimDisk::change(SimInode* file, SimFileChange change) {
  apply_change(&file->content, change);
  file->pending.push_back(std::move(change));
}

void SimDisk::sync(SimInode* file) {
  for (const SimFileChange& change : file->pending) apply_change(&file->durable, change);
  file->pending.clear();
}

void SimDisk::write_durably(SimInode* file, uint64_t offset, ByteView bytes) {
  file->content.write(offset, bytes);
  file->durable.write(offset, bytes);
}

Status SimDisk::remove(const std::string& path) {
  FIRN_ASSIGN(const Place place, find(path));
  if (place.inode == nullptr) return absent("remove", path);
  if (place.inode->is_directory) return failure("remove", path, "Is a directory");
  place.directory->names.erase(place.name);
  place.directory->pending_names.push_back({place.name, "", nullptr, 0, {}});
  return {};
}

Status SimDisk::remove_directory(const std::string& path) {
  FIRN_ASSIGN(const Place place, find(path));
  if (place.inode == nullptr) return absent("remove directory", path);
  if (!place.inode->is_directory) return failure("remove directory", path, "Not a directory");
  if (place.inode == root_) return failure("remove directory", path, "Device or resource busy");
  if (!place.inode->names.empty()) {
    return failure("remove directory", path, "Directory not empty");
  }
  place.directory->names.erase(place.name);
  place.directory->pending_names.push_back({place.name, "", nullptr, 0, {}});
  return {};
}

Status SimDisk::rename(const std::string& from, const std::string& to) {
  FIRN_ASSIGN(const Place source, find(from));
  FIRN_ASSIGN(const Place target, find(to));
  if (source.inode == nullptr) return absent("rename", from);
  if (source.inode == target.inode) return {};  // so POSIX says, for one file with two names
  if (source.name.empty() || target.name.empty() ||
      (source.inode->is_directory &&
       (canonical_path(to) + "/").starts_with(canonical_path(from) + "/"))) {
    return failure("rename", from, "Invalid argument");
  }
  if (target.inode != nullptr) {
    if (target.inode->is_directory && !source.inode->is_directory) {
      return failure("rename to", to, "Is a directory");
    }
    if (!target.inode->is_directory && source.inode->is_directory) {
      return failure("rename to", to, "Not a directory");
    }
    if (!target.inode->names.empty()) return failure("rename to", to, "Directory not empty");
  }
  source.directory->names.erase(source.name);
  target.directory->names[target.name] = source.inode;
  if (source.directory == target.directory) {
    source.directory->pending_names.push_back({source.name, target.name, source.inode, 0, {}});
    return {};
  }
  const uint64_t move = ++last_move_;
  target.directory->pending_names.push_back({"", target.name, source.inode, move, {}});
  source.directory->pending_names.push_back({source.name, "", nullptr, move, target.directory});
  return {};
}

// A file moved between directories is never in neither of them: before the half that removes the
// name, the half that adds it becomes durable.
void SimDisk::persist_names(SimInode* directory, size_t count) {
  std::vector<SimNameChange>& pending = directory->pending_names;
  const auto end = pending.begin() + static_cast<ptrdiff_t>(count);
  const std::vector<SimNameChange> changes(pending.begin(), end);
  pending.erase(pending.begin(), end);
  for (const SimNameChange& change : changes) {
    if (const SimInodePtr target = change.moved_to.lock()) {
      const auto other_half =
          std::find_if(target->pending_names.begin(), target->pending_names.end(),
                       [&](const SimNameChange& other) { return other.move == change.move; });
      if (other_half != target->pending_names.end()) {
        persist_names(target.get(),
                      static_cast<size_t>(other_half - target->pending_names.begin()) + 1);
      }
    }
    apply_change(&directory->durable_names, change);
  }
}

void SimDisk::sync_directory(SimInode* directory) {
  persist_names(directory, directory->pending_names.size());
}

void SimDisk::sync_name(SimInode* directory, const std::string& name) {
  std::vector<SimNameChange>& pending = directory->pending_names;
  size_t mentions = 0;
  for (const SimNameChange& change : pending) {
    if (change.removed == name || change.added == name) ++mentions;
  }
  if (mentions == 0) return;
  const SimNameChange last = pending.back();
  if (mentions > 1 || last.added != name || !last.removed.empty() || last.move != 0) {
    sync_directory(directory);
    return;
  }
  apply_change(&directory->durable_names, last);
  pending.pop_back();
}

std::vector<SimDisk::Entry> SimDisk::entries() const {
  std::vector<Entry> all{{"", root_}};
  for (size_t i = 0; i < all.size(); ++i) {
    const Entry parent = all[i];
    for (const auto& [name, inode] : parent.inode->names) {
      all.push_back({parent.path + "/" + name, inode});
    }
  }
  all.front().path = "/";
  std::sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
  return all;
}

uint64_t SimDisk::used_bytes() const {
  uint64_t sum = 0;
  std::set<const SimInode*> counted;
  for (const Entry& entry : entries()) {
    if (counted.insert(entry.inode.get()).second) sum += entry.inode->content.size();
  }
  return sum;
}

// All that any name, durable or pending, can lead to, in an order that depends on names only.
std::vector<SimInodePtr> SimDisk::directories() const {
  std::vector<SimInodePtr> all{root_};
  std::set<const SimInode*> known{root_.get()};
  const auto add = [&](const SimInodePtr& inode) {
    if (inode != nullptr && inode->is_directory && known.insert(inode.get()).second) {
      all.push_back(inode);
    }
  };
  for (size_t i = 0; i < all.size(); ++i) {
    const SimInodePtr directory = all[i];
    for (const auto& [name, inode] : directory->names) add(inode);
    for (const auto& [name, inode] : directory->durable_names) add(inode);
    for (const SimNameChange& change : directory->pending_names) add(change.inode);
  }
  return all;
}

void SimDisk::crash_names(CrashMode mode, SimRandom* random) {
  const std::vector<SimInodePtr> all = directories();
  std::vector<size_t> kept;
  kept.reserve(all.size());
  for (const SimInodePtr& directory : all) {
    const size_t count = directory->pending_names.size();
    kept.push_back(crash_prefix(count, mode, random));
  }
  // Counts first: persisting one directory may persist a part of another.
  std::vector<size_t> pending;
  pending.reserve(all.size());
  for (const SimInodePtr& directory : all) pending.push_back(directory->pending_names.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const size_t already = pending[i] - all[i]->pending_names.size();
    if (kept[i] > already) persist_names(all[i].get(), kept[i] - already);
  }
  for (const SimInodePtr& directory : all) {
    directory->names = directory->durable_names;
    directory->pending_names.clear();
  }
}

void SimDisk::crash(CrashMode mode, SimRandom random) {
  crash_names(mode, &random);
  std::set<const SimInode*> done;
  for (const Entry& entry : entries()) {
    SimInode* file = entry.inode.get();
    if (file->is_directory || !done.insert(file).second) continue;
    file->durable = crash_content(*file, mode, &random);
    file->content = file->durable;
    file->pending.clear();
  }
}

}  // namespace firn
