#include "env/env.h"

#include <fmt/format.h>

#include "base/size.h"

namespace firn {

namespace {

constexpr size_t kGeneratedPieceBytes = 64 * kKiB;

}  // namespace

std::string join_path(std::string_view directory, std::string_view name) {
  while (!name.empty() && name.front() == '/') name.remove_prefix(1);
  if (directory.empty()) return std::string(name);
  while (!directory.empty() && directory.back() == '/') directory.remove_suffix(1);
  std::string path;
  path.reserve(directory.size() + 1 + name.size());
  path.append(directory).append("/").append(name);
  return path;
}

std::string parent_path(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

Result<std::string> read_file(Env* env, const std::string& path, uint64_t limit_bytes) {
  FIRN_ASSIGN(const auto file, env->open(path, OpenMode::kRead));
  FIRN_ASSIGN(const uint64_t size, file->size());
  if (size > limit_bytes) {
    return too_large(
        fmt::format("{} has {} bytes, more than the limit of {}", path, size, limit_bytes));
  }
  std::string content(size, '\0');
  FIRN_ASSIGN(const size_t count, file->read_at(0, content.data(), content.size()));
  content.resize(count);
  return content;
}

Result<std::string> read_generated_file(Env* env, const std::string& path, uint64_t limit_bytes) {
  FIRN_ASSIGN(const auto file, env->open(path, OpenMode::kRead));
  std::string content;
  while (true) {
    const size_t begin = content.size();
    content.resize(begin + kGeneratedPieceBytes);
    FIRN_ASSIGN(const size_t count,
                file->read_at(begin, content.data() + begin, kGeneratedPieceBytes));
    content.resize(begin + count);
    if (content.size() > limit_bytes) {
      return too_large(fmt::format("{} has more than the limit of {} bytes", path, limit_bytes));
    }
    if (count < kGeneratedPieceBytes) return content;
  }
}

namespace {

constexpr size_t kCopyPieceBytes = size_t{1} << 20;

// Gives `path` the content that `fill` writes into an empty file.
Status replace_file_by(Env* env, const std::string& path,
                       const std::function<Status(File* file)>& fill) {
  const std::string temporary = path + ".tmp";
  const auto write = [&]() -> Status {
    FIRN_ASSIGN(const auto file, env->open(temporary, OpenMode::kCreate));
    // A crash may have left a longer one.
    FIRN_TRY(file->truncate(0));
    FIRN_TRY(fill(file.get()));
    return file->sync();
  };
  Status status = write();
  if (status.ok()) status = env->rename(temporary, path);
  if (!status.ok()) {
    // The old content is untouched; what is left of the new one is of no use to anybody, and the
    // failure itself says more than one of this removal would.
    (void)env->remove(temporary);
    return status;
  }
  return env->sync_directory(parent_path(path));
}

}  // namespace

Status replace_file(Env* env, const std::string& path, ByteView content) {
  return replace_file_by(env, path, [&](File* file) { return file->write_at(0, content); });
}

Status replace_file(Env* env, const std::string& path, Env* source_env, const std::string& source) {
  FIRN_ASSIGN(const auto from, source_env->open(source, OpenMode::kRead));
  return replace_file_by(env, path, [&](File* file) -> Status {
    std::string piece(kCopyPieceBytes, 0);
    for (uint64_t offset = 0;;) {
      FIRN_ASSIGN(const size_t read, from->read_at(offset, piece.data(), piece.size()));
      if (read == 0) return Status();
      FIRN_TRY(file->write_at(offset, ByteView(piece.data(), read)));
      offset += read;
    }
  });
}

}  // namespace firn
