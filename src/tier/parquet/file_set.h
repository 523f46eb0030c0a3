#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "engine/engine.h"
#include "env/env.h"
#include "tier/parquet/parquet_files.h"

namespace firn {

class FileSet;

// A file of the tier. Scans hold a reference, and so keep the file on disk when its chunk is
// dropped or merged meanwhile. Thread rule: any thread.
class ParquetFile {
 public:
  // What the footer says, read once and then remembered.
  struct Footer {
    ParquetFileStats stats;
    uint64_t row_groups = 0;
  };

  ParquetFile(std::shared_ptr<FileSet> set, ParquetFileName name, std::string path,
              uint64_t size_bytes);
  // Removes the file when it is obsolete and its path has not been used again.
  ~ParquetFile();
  ParquetFile(const ParquetFile&) = delete;
  ParquetFile& operator=(const ParquetFile&) = delete;

  // No other file of the set has it, nor will have it.
  uint64_t number() const { return number_; }
  const ParquetFileName& name() const { return name_; }
  const std::string& path() const { return path_; }
  uint64_t size_bytes() const { return size_bytes_; }

  // Nothing before load_footers().
  std::optional<Footer> footer() const EXCLUDES(mutex_);
  void set_footer(const Footer& footer) EXCLUDES(mutex_);
  // Read on first use. Errors of Engine::parquet_row_groups.
  Result<std::vector<ParquetRowGroup>> row_groups(Engine* engine) const EXCLUDES(mutex_);
  // The file belongs to no chunk any more: it goes with its last reference.
  void make_obsolete() EXCLUDES(mutex_);

 private:
  const std::shared_ptr<FileSet> set_;
  const uint64_t number_;
  const ParquetFileName name_;
  const std::string path_;
  const uint64_t size_bytes_;
  mutable Mutex mutex_;
  std::optional<Footer> footer_ GUARDED_BY(mutex_);
  mutable std::optional<std::vector<ParquetRowGroup>> row_groups_ GUARDED_BY(mutex_);
  bool obsolete_ GUARDED_BY(mutex_) = false;
};

using ParquetFilePtr = std::shared_ptr<ParquetFile>;

// Afterwards every file has its footer. kCorruption and what Engine::parquet_info returns, naming
// the file. Thread rule: any thread.
Status load_footers(Engine* engine, std::span<const ParquetFilePtr> files);

// Which paths belong to chunks, so that a late removal never hits a successor of the same name, and
// which should be gone but could not be removed. Thread rule: any thread.
class FileSet {
 public:
  explicit FileSet(Env* env) : env_(env) {}
  // Returns a number that no call returned before.
  uint64_t add(const std::string& path) EXCLUDES(mutex_);
  void forget(const std::string& path) EXCLUDES(mutex_);
  // Nobody refers to the file any more. A failure is remembered.
  void remove_unless_used(const std::string& path) EXCLUDES(mutex_);
  // Tries again what failed, for paths with this prefix. The first error, if it fails again.
  Status remove_leftovers(const std::string& prefix) EXCLUDES(mutex_);

 private:
  Env* const env_;
  Mutex mutex_;
  uint64_t added_ GUARDED_BY(mutex_) = 0;
  std::set<std::string> used_ GUARDED_BY(mutex_);
  std::set<std::string> leftovers_ GUARDED_BY(mutex_);
};

}  // namespace firn
