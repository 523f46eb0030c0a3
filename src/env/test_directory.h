#pragma once

#include <fmt/format.h>

#include <string>

#include "env/env.h"
#include "env/remove_tree.h"

namespace firn {

// For tests: a new empty directory of the operating system, removed with all its content at the
// end.
class TestDirectory {
 public:
  TestDirectory() : path_(fmt::format("/tmp/firn-test-{:016x}", posix_env()->random_u64())) {
    FIRN_CHECK(posix_env()->create_directories(path_).ok());
  }
  ~TestDirectory() { (void)remove_tree(posix_env(), path_); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return join_path(path_, name); }

 private:
  const std::string path_;
};

}  // namespace firn
