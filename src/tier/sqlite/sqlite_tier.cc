#include "tier/sqlite/sqlite_tier.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/mutex.h"
#include "env/parallel_tasks.h"
#include "tier/slices.h"
#include "tier/sqlite/block_tables.h"
#include "tier/sqlite/chunk_file.h"
#include "tier/sqlite/row_layout.h"

namespace firn {

namespace {

class SqliteTier : public Tier {
 public:
  SqliteTier(Env* env, SqliteTierOptions options) : env_(env), options_(std::move(options)) {}

  std::string_view name() const override { return options_.name; }
  std::string_view backend() const override { return "sqlite"; }
  bool is_durable() const override { return true; }

  Result<ChunkStats> write(const ChunkKey& key, std::span<const BatchSlice> slices,
                           Position through) override;
  Result<ChunkStats> seal(const ChunkKey& key) override;
  Result<bool> is_compressed(const ChunkKey& key) override;
  Status create_compressed(const ChunkKey& key) override;
  Result<std::unique_ptr<BatchReader>> scan(const ChunkKey& key, const ScanSpec& spec,
                                            ScanCost* cost) override;
  Result<ChunkStats> verify(const ChunkKey& key) override;
  Status drop(const ChunkKey& key) override;
  Result<std::vector<ChunkKey>> list() override;
  TierStats stats() const override;
  std::vector<StoredFile> files(const ChunkKey& key) const override { return {{path_of(key)}}; }

 private:
  struct OpenFile {
    std::shared_ptr<ChunkFile> file;
    uint64_t used = 0;
  };

  std::string path_of(const ChunkKey& key) const {
    return join_path(options_.directory, key.name() + ".db");
  }
  // The chunk's file, open or not; closes the longest unused ones beyond the limits.
  std::shared_ptr<ChunkFile> file_of(const ChunkKey& key) const;
  void close_unused() const REQUIRES(mutex_);
  void note_stats(const ChunkKey& key, const ChunkStats& stats) const;
  Result<ChunkStats> write_file(ChunkFile* file, std::span<const BatchSlice> slices,
                                Position through);
  // The meta of a new chunk, whose tables are made. Inside a transaction.
  Result<ChunkMeta> create_chunk(SqliteDb* db, SqliteLayout layout);
  Status create_compressed_file(ChunkFile* file);
  Status add_slices(SqliteDb* db, const ChunkKey& key, std::span<const BatchSlice> slices,
                    ChunkMeta* meta);
  Result<std::vector<ChunkKey>> list_keys() const;

  Env* const env_;
  const SqliteTierOptions options_;
  ParallelTasks packing_{env_, "pack"};  // of write()
  mutable Mutex mutex_;
  mutable std::map<ChunkKey, OpenFile> open_ GUARDED_BY(mutex_);
  mutable uint64_t uses_ GUARDED_BY(mutex_) = 0;
  mutable std::map<ChunkKey, ChunkStats> known_ GUARDED_BY(mutex_);  // for stats()
};

std::shared_ptr<ChunkFile> SqliteTier::file_of(const ChunkKey& key) const {
  MutexLock lock(&mutex_);
  OpenFile& open = open_[key];
  if (open.file == nullptr) open.file = std::make_shared<ChunkFile>(env_, path_of(key), key);
  open.used = ++uses_;
  std::shared_ptr<ChunkFile> file = open.file;  // also keeps it from being closed here
  close_unused();
  return file;
}

void SqliteTier::close_unused() const {
  uint64_t cached = 0;
  for (const auto& [key, open] : open_) cached += open.file->cache_bytes();
  while (open_.size() > options_.open_files_max || cached > options_.cache_bytes_max) {
    // Nobody can get hold of a file while mutex_ is held: one user means only this map.
    auto oldest = open_.end();
    for (auto it = open_.begin(); it != open_.end(); ++it) {
      if (it->second.file.use_count() > 1) continue;
      if (oldest == open_.end() || it->second.used < oldest->second.used) oldest = it;
    }
    if (oldest == open_.end()) return;
    cached -= oldest->second.file->cache_bytes();
    open_.erase(oldest);
  }
}

void SqliteTier::note_stats(const ChunkKey& key, const ChunkStats& stats) const {
  MutexLock lock(&mutex_);
  known_[key] = stats;
}

Result<ChunkStats> SqliteTier::write(const ChunkKey& key, std::span<const BatchSlice> slices,
                                     Position through) {
  FIRN_TRY(check_slices(key, slices, through));
  const std::shared_ptr<ChunkFile> file = file_of(key);
  Result<ChunkStats> stats = write_file(file.get(), slices, through);
  if (!stats.ok()) {
    file->close_connections();
    return stats.status().with_context(file->path());
  }
  note_stats(key, *stats);
  return stats;
}

Result<ChunkStats> SqliteTier::write_file(ChunkFile* file, std::span<const BatchSlice> slices,
                                          Position through) {
  FIRN_ASSIGN(SqliteDb* const db, file->writer(true));
  SqliteTransaction transaction(db);
  FIRN_TRY(transaction.begin());
  FIRN_ASSIGN(std::optional<ChunkMeta> meta, load_meta(db, file->key()));
  if (!meta) {
    // Plain tables are for events.
    const bool are_events = file->key().dataset == Dataset::kEvents;
    FIRN_ASSIGN(meta, create_chunk(db, are_events ? options_.layout : SqliteLayout::kBlocks));
  } else if (through <= meta->stats.watermark) {
    return meta->stats;
  }
  std::vector<BatchSlice> fresh;
  for (const BatchSlice& slice : slices) {
    BatchSlice rest = rows_after(slice, meta->stats.watermark);
    if (rest.batch != nullptr) fresh.push_back(std::move(rest));
  }
  FIRN_TRY(add_slices(db, file->key(), fresh, &*meta));
  meta->stats.watermark = through;
  FIRN_TRY(store_meta(db, file->key(), *meta));
  FIRN_ASSIGN(meta->stats.bytes, database_bytes(db));
  FIRN_TRY(transaction.commit());
  return meta->stats;
}

Result<ChunkMeta> SqliteTier::create_chunk(SqliteDb* db, SqliteLayout layout) {
  ChunkMeta meta;
  meta.layout = layout;
  meta.attributes = options_.promoted_attributes;
  FIRN_TRY(create_chunk_tables(db, meta));
  return meta;
}

Status SqliteTier::create_compressed_file(ChunkFile* file) {
  FIRN_ASSIGN(SqliteDb* const db, file->writer(true));
  SqliteTransaction transaction(db);
  FIRN_TRY(transaction.begin());
  FIRN_ASSIGN(const std::optional<ChunkMeta> present, load_meta(db, file->key()));
  if (present) return Status();
  FIRN_ASSIGN(const ChunkMeta meta, create_chunk(db, SqliteLayout::kBlocks));
  FIRN_TRY(store_meta(db, file->key(), meta));
  return transaction.commit();
}

Status SqliteTier::create_compressed(const ChunkKey& key) {
  if (options_.layout == SqliteLayout::kBlocks) return Status();  // write() does
  const std::shared_ptr<ChunkFile> file = file_of(key);
  const Status status = create_compressed_file(file.get());
  if (!status.ok()) file->close_connections();
  return status.with_context(file->path());
}

Result<bool> SqliteTier::is_compressed(const ChunkKey& key) {
  FIRN_ASSIGN(const auto session, file_of(key)->begin_read());
  return session->meta().layout == SqliteLayout::kBlocks;
}

Status SqliteTier::add_slices(SqliteDb* db, const ChunkKey& key, std::span<const BatchSlice> slices,
                              ChunkMeta* meta) {
  if (slices.empty()) return Status();
  if (meta->layout == SqliteLayout::kRows) return write_rows(db, slices, meta);
  uint64_t rows = 0;
  for (const BatchSlice& slice : slices) rows += slice.rows();
  FIRN_ASSIGN(const auto sink, open_block_sink(db));
  BlockWriter writer(sink.get(), key.dataset, meta, &packing_);
  FIRN_TRY(writer.absorb_tail(key.namespace_id, rows));
  for (const BatchSlice& slice : slices) FIRN_TRY(writer.add(slice));
  return writer.finish();
}

Result<ChunkStats> SqliteTier::seal(const ChunkKey& key) {
  const std::shared_ptr<ChunkFile> file = file_of(key);
  {
    // Says whether there is anything, before writing would create a file.
    FIRN_TRY(file->begin_read().status());
  }
  const Status finished = file->finish();
  if (!finished.ok()) {
    file->close_connections();
    return finished.with_context(file->path());
  }
  FIRN_ASSIGN(const auto session, file->begin_read());
  note_stats(key, session->meta().stats);
  return session->meta().stats;
}

Result<std::unique_ptr<BatchReader>> SqliteTier::scan(const ChunkKey& key, const ScanSpec& spec,
                                                      ScanCost* cost) {
  const std::shared_ptr<ChunkFile> file = file_of(key);
  Result<std::unique_ptr<ChunkFile::Session>> begun = file->begin_read();
  const bool is_missing = begun.status().code() == StatusCode::kNotFound;
  if (!begun.ok() && !(is_missing && spec.complete_through > 0)) return begun.status();
  const Position watermark = is_missing ? 0 : (*begun)->meta().stats.watermark;
  const Status complete = check_complete_through(key, watermark, spec.complete_through);
  if (!complete.ok()) return complete.with_context(file->path());
  std::unique_ptr<ChunkFile::Session> session = std::move(*begun);
  if (session->meta().layout == SqliteLayout::kRows) {
    return read_rows(std::move(session), spec, cost);
  }
  return read_blocks(make_block_session(std::move(session)), spec, cost);
}

Result<ChunkStats> SqliteTier::verify(const ChunkKey& key) {
  const std::shared_ptr<ChunkFile> file = file_of(key);
  FIRN_ASSIGN(std::unique_ptr<ChunkFile::Session> session, file->begin_read());
  const ChunkStats stats = session->meta().stats;
  if (session->meta().layout == SqliteLayout::kRows) {
    const Status integrity = session->db()->check_integrity();
    if (!integrity.ok()) return integrity.with_context(file->path());
    FIRN_TRY(verify_rows(std::move(session)));
    return stats;
  }
  // Our own reading comes first: it can name the positions that are affected.
  SqliteDb* const db = session->db();
  const auto blocks = make_block_session(std::move(session));
  FIRN_TRY(verify_blocks(blocks.get()));
  const Status integrity = db->check_integrity();
  if (!integrity.ok()) return integrity.with_context(file->path());
  return stats;
}

Status SqliteTier::drop(const ChunkKey& key) {
  FIRN_TRY(file_of(key)->remove());
  MutexLock lock(&mutex_);
  known_.erase(key);
  const auto open = open_.find(key);
  if (open != open_.end() && open->second.file.use_count() == 1) open_.erase(open);
  return Status();
}

Result<std::vector<ChunkKey>> SqliteTier::list_keys() const {
  FIRN_ASSIGN(const std::vector<DirectoryEntry> entries, env_->list_directory(options_.directory));
  std::vector<ChunkKey> keys;
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory) continue;
    const std::string_view file_name = entry.name;
    // A file that SQLite keeps beside a database counts too: drop() must find what it left.
    for (const std::string_view ending : {".db", ".db-wal", ".db-journal"}) {
      if (!file_name.ends_with(ending)) continue;
      const auto key = ChunkKey::parse(file_name.substr(0, file_name.size() - ending.size()));
      if (key) keys.push_back(*key);
    }
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

Result<std::vector<ChunkKey>> SqliteTier::list() { return list_keys(); }

TierStats SqliteTier::stats() const {
  TierStats sum;
  const auto keys = list_keys();
  if (!keys.ok()) return sum;
  for (const ChunkKey& key : *keys) {
    ChunkStats stats;
    bool known = false;
    {
      MutexLock lock(&mutex_);
      const auto it = known_.find(key);
      known = it != known_.end();
      if (known) stats = it->second;
    }
    if (!known) {
      const auto session = file_of(key)->begin_read();
      if (!session.ok()) continue;  // damaged, or not a chunk yet: verification and reads tell
      stats = (*session)->meta().stats;
      note_stats(key, stats);
    }
    ++sum.chunks;
    sum.rows += stats.rows;
    sum.bytes += stats.bytes;
  }
  return sum;
}

}  // namespace

Result<std::unique_ptr<Tier>> open_sqlite_tier(Env* env, const SqliteTierOptions& options) {
  if (options.promoted_attributes.size() > kPromotedAttributesMax) {
    return invalid_argument("tier '" + options.name + "': more than " +
                            std::to_string(kPromotedAttributesMax) + " promoted attributes");
  }
  if (options.directory.empty()) {
    return invalid_argument("tier '" + options.name + "': a directory is needed");
  }
  FIRN_TRY(env->create_directories(options.directory));
  return std::unique_ptr<Tier>(std::make_unique<SqliteTier>(env, options));
}

}  // namespace firn
