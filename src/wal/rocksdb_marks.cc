#include "wal/rocksdb_marks.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/size.h"

namespace firn::wal {
namespace {

// RocksDB's log is made of blocks, and each begins with the header of a fragment. Without these
// seven bytes a mark that crosses into the next block is in one piece.
constexpr uint64_t kLogBlockBytes = 32 * kKiB;
constexpr uint64_t kFragmentHeaderBytes = 7;
constexpr uint64_t kBlockContentBytes = kLogBlockBytes - kFragmentHeaderBytes;
constexpr uint64_t kReadBytes = 32 * kLogBlockBytes;

constexpr size_t kNumberBytes = sizeof(uint64_t);
constexpr size_t kMarkTailBytes = kNumberBytes + sizeof(uint32_t);

uint64_t file_offset(uint64_t content_offset) {
  return content_offset / kBlockContentBytes * kLogBlockBytes + kFragmentHeaderBytes +
         content_offset % kBlockContentBytes;
}

// Looks through content that begins at `begin` of all the file's content. Returns how many bytes
// at the end may hold the beginning of a mark.
size_t scan(std::string_view content, uint64_t begin, const std::string& path,
            std::string_view log_id, std::vector<Mark>* marks) {
  const size_t mark_bytes = log_id.size() + kMarkTailBytes;
  size_t at = 0;
  while ((at = content.find(log_id, at)) != std::string_view::npos &&
         at + mark_bytes <= content.size()) {
    const uint64_t number = load_le<uint64_t>(content.data() + at + log_id.size());
    if (content.substr(at, mark_bytes) == encode_mark(log_id, number)) {
      marks->push_back({number, path, file_offset(begin + at)});
    }
    ++at;
  }
  return std::min(content.size(), mark_bytes - 1);
}

Status scan_file(Env* env, const std::string& path, std::string_view log_id,
                 std::vector<Mark>* marks) {
  FIRN_ASSIGN(const std::unique_ptr<File> file, env->open(path, OpenMode::kRead));
  std::string buffer(kReadBytes, '\0');
  std::string content;
  uint64_t content_begin = 0;
  for (uint64_t offset = 0;; offset += kReadBytes) {
    FIRN_ASSIGN(const size_t size, file->read_at(offset, buffer.data(), kReadBytes));
    for (uint64_t block = 0; block < size; block += kLogBlockBytes) {
      const uint64_t end = std::min<uint64_t>(block + kLogBlockBytes, size);
      const uint64_t begin = std::min(block + kFragmentHeaderBytes, end);
      content.append(buffer, begin, end - begin);
    }
    const size_t kept = scan(content, content_begin, path, log_id, marks);
    content_begin += content.size() - kept;
    content.erase(0, content.size() - kept);
    if (size < kReadBytes) return {};
  }
}

}  // namespace

std::string encode_mark(std::string_view log_id, uint64_t next_number) {
  std::string mark(log_id);
  append_le(&mark, next_number);
  append_le(&mark, crc32c(mark));
  return mark;
}

Result<std::vector<Mark>> find_marks(Env* env, const std::string& directory,
                                     std::string_view log_id) {
  FIRN_ASSIGN(const std::vector<DirectoryEntry> entries, env->list_directory(directory));
  std::vector<Mark> marks;
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory || !entry.name.ends_with(".log")) continue;
    FIRN_TRY(scan_file(env, join_path(directory, entry.name), log_id, &marks));
  }
  std::stable_sort(marks.begin(), marks.end(),
                   [](const Mark& a, const Mark& b) { return a.next_number < b.next_number; });
  return marks;
}

}  // namespace firn::wal
