#include "tier/parquet/file_set.h"

namespace firn {

ParquetFile::ParquetFile(std::shared_ptr<FileSet> set, ParquetFileName name, std::string path,
                         uint64_t size_bytes)
    : set_(std::move(set)),
      number_(set_->add(path)),
      name_(name),
      path_(std::move(path)),
      size_bytes_(size_bytes) {}

ParquetFile::~ParquetFile() {
  MutexLock lock(&mutex_);
  if (obsolete_) set_->remove_unless_used(path_);
}

std::optional<ParquetFile::Footer> ParquetFile::footer() const {
  MutexLock lock(&mutex_);
  return footer_;
}

void ParquetFile::set_footer(const Footer& footer) {
  MutexLock lock(&mutex_);
  footer_ = footer;
}

Result<std::vector<ParquetRowGroup>> ParquetFile::row_groups(Engine* engine) const {
  MutexLock lock(&mutex_);
  if (!row_groups_) {
    FIRN_ASSIGN(row_groups_, engine->parquet_row_groups(path_));
  }
  return *row_groups_;
}

Status load_footers(Engine* engine, std::span<const ParquetFilePtr> files) {
  std::vector<ParquetFilePtr> missing;
  std::vector<std::string> paths;
  for (const ParquetFilePtr& file : files) {
    if (file->footer()) continue;
    missing.push_back(file);
    paths.push_back(file->path());
  }
  FIRN_ASSIGN(const std::vector<ParquetInfo> infos, engine->parquet_info(paths));
  for (size_t i = 0; i < missing.size(); ++i) {
    Result<ParquetFileStats> stats = parse_parquet_metadata(missing[i]->name(), infos[i]);
    if (!stats.ok()) return stats.status().with_context(paths[i]);
    missing[i]->set_footer({*stats, infos[i].row_groups});
  }
  return {};
}

void ParquetFile::make_obsolete() {
  set_->forget(path_);
  MutexLock lock(&mutex_);
  obsolete_ = true;
}

uint64_t FileSet::add(const std::string& path) {
  MutexLock lock(&mutex_);
  used_.insert(path);
  leftovers_.erase(path);
  return ++added_;
}

void FileSet::forget(const std::string& path) {
  MutexLock lock(&mutex_);
  used_.erase(path);
}

void FileSet::remove_unless_used(const std::string& path) {
  MutexLock lock(&mutex_);
  if (used_.contains(path)) return;
  const Status status = env_->remove(path);
  if (!status.ok() && status.code() != StatusCode::kNotFound) leftovers_.insert(path);
}

Status FileSet::remove_leftovers(const std::string& prefix) {
  MutexLock lock(&mutex_);
  for (auto path = leftovers_.lower_bound(prefix);
       path != leftovers_.end() && path->starts_with(prefix);) {
    Status status = env_->remove(*path);
    if (!status.ok() && status.code() != StatusCode::kNotFound) return status;
    path = leftovers_.erase(path);
  }
  return {};
}

}  // namespace firn
