#pragma once

#include <fmt/format.h>

#include <string>

#include "env/env.h"

namespace firn {

// For tests: a new empty directory of the operating system, removed with all its content at the
// end.
class TestDirectory {
 public:
  TestDirectory() : path_(fmt::format("/tmp/firn-test-{:016x}", posix_env()->random_u64())) {
    FIRN_CHECK(posix_env()->create_directories(path_).ok());
  }
  ~TestDirectory() { remove_tree(path_); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return join_path(path_, name); }

 private:
  static void remove_tree(const std::string& path) {
    const auto entries = posix_env()->list_directory(path);
    if (!entries.ok()) return;
    for (const DirectoryEntry& entry : *entries) {
      const std::string child = join_path(path, entry.name);
      if (entry.is_directory) {
        remove_tree(child);
      } else {
        (void)posix_env()->remove(child);
      }
    }
    (void)posix_env()->remove_directory(path);
  }

  const std::string path_;
};

}  // namespace firn
