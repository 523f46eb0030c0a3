#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "env/env.h"

namespace firn {

// Env on the operating system; posix_env() returns the one there is. Files are created with mode
// 0600 and directories with 0700. No state of its own, all methods from any thread.
class PosixEnv final : public Env {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status remove(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  // Also syncs the parents of directories that existed already, wherever this process could have
  // created them: an earlier run may have been killed between creating and syncing.
  Status create_directories(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  // Follows symbolic links. An entry that goes away meanwhile may be left out.
  Result<std::vector<DirectoryEntry>> list_directory(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock_file(const std::string& path) override;
  Result<uint64_t> free_space(const std::string& path) override;
  bool has_real_paths() const override { return true; }

  TimeNs now() override;
  TimeNs monotonic() override;
  // From the kernel's generator, by way of a small buffer per thread; good enough for secrets.
  uint64_t random_u64() override;
  std::optional<std::string> environment_variable(const std::string& name) override;

  std::unique_ptr<Worker> start_worker(std::string name, std::function<void()> step) override;
};

}  // namespace firn
