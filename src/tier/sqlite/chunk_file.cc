#include "tier/sqlite/chunk_file.h"

#include <algorithm>

#include "tier/sqlite/key_filter.h"

namespace firn {

ChunkFile::Session::~Session() {
  transaction_.reset();
  if (file_ != nullptr) file_->give_back(std::move(db_));
}

Result<std::unique_ptr<SqliteDb>> ChunkFile::take_connection() {
  MutexLock lock(&mutex_);
  if (!idle_.empty()) {
    std::unique_ptr<SqliteDb> db = std::move(idle_.back());
    idle_.pop_back();
    sessions_.fetch_add(1);
    return db;
  }
  FIRN_ASSIGN(const bool exists, env_->exists(path_));
  if (!exists) return not_found("chunk " + key_.name() + " has no file " + path_);
  FIRN_TRY(recover());
  FIRN_ASSIGN(std::unique_ptr<SqliteDb> db, SqliteDb::open(env_, path_, {.read_only = true}));
  sessions_.fetch_add(1);
  return db;
}

Status ChunkFile::recover() {
  // A rollback journal only exists while the journal mode changes, which happens under mutex_. One
  // that is found here was left by a crash, and a connection for reading may not roll it back.
  FIRN_ASSIGN(const bool interrupted, env_->exists(path_ + "-journal"));
  if (!interrupted) return Status();
  return SqliteDb::open(env_, path_, {}).status();
}

void ChunkFile::give_back(std::unique_ptr<SqliteDb> db) {
  MutexLock lock(&mutex_);
  if (db != nullptr && idle_.size() < kIdleConnectionsMax) {
    idle_.push_back(std::move(db));
  } else {
    db.reset();  // before the count says that nobody reads
  }
  sessions_.fetch_sub(1);
}

Result<std::unique_ptr<ChunkFile::Session>> ChunkFile::begin_read() {
  FIRN_ASSIGN(std::unique_ptr<SqliteDb> db, take_connection());
  std::unique_ptr<Session> session(new Session());
  session->file_ = shared_from_this();
  session->db_ = std::move(db);
  session->transaction_.emplace(session->db());
  FIRN_TRY(session->transaction_->begin_read());
  auto meta = load_meta(session->db(), key_);
  if (!meta.ok()) return meta.status().with_context(path_);
  if (!*meta) return not_found("chunk " + key_.name() + ": nothing was committed to " + path_);
  session->meta_ = std::move(**meta);
  return session;
}

Result<ChunkFile::Headers> ChunkFile::headers(Session* session) {
  const ChunkMeta& meta = session->meta();
  Headers known;
  int64_t known_end = 0;
  {
    MutexLock lock(&mutex_);
    if (headers_ != nullptr && headers_epoch_ == meta.epoch && headers_end_ <= meta.next_block) {
      if (headers_end_ == meta.next_block) return headers_;
      known = headers_;
      known_end = headers_end_;
    }
  }
  auto loaded = load_headers(session->db(), known_end, meta.next_block);
  if (!loaded.ok()) return loaded.status().with_context(path_);
  auto all = std::make_shared<std::vector<BlockHeader>>();
  if (known != nullptr) *all = *known;
  all->insert(all->end(), loaded->begin(), loaded->end());
  uint64_t rows = 0;
  for (const BlockHeader& header : *all) rows += header.rows;
  if (all->size() != meta.blocks || rows != meta.stats.rows) {
    return corruption(path_ + ": " + std::to_string(all->size()) + " blocks with " +
                      std::to_string(rows) + " rows, but meta counts " +
                      std::to_string(meta.blocks) + " with " + std::to_string(meta.stats.rows));
  }
  MutexLock lock(&mutex_);
  // A session that began earlier must not put its older view in place of a newer one.
  if (headers_ == nullptr || meta.epoch > headers_epoch_ ||
      (meta.epoch == headers_epoch_ && meta.next_block > headers_end_)) {
    headers_ = all;
    headers_epoch_ = meta.epoch;
    headers_end_ = meta.next_block;
  }
  return Headers(std::move(all));
}

Result<std::vector<ChunkFile::FilterPtr>> ChunkFile::filters(
    Session* session, uint32_t kind, std::span<const BlockHeader* const> blocks) {
  std::vector<FilterPtr> found(blocks.size());
  std::vector<const BlockHeader*> missing;
  const int64_t base = int64_t{kind} << kFilterKindShift;
  {
    MutexLock lock(&mutex_);
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (((blocks[i]->filters >> kind) & 1) == 0) continue;
      const auto it = filters_.find(base + blocks[i]->id);
      if (it != filters_.end()) {
        found[i] = it->second;
      } else {
        missing.push_back(blocks[i]);
      }
    }
  }
  if (missing.empty()) return found;
  std::vector<FilterPtr> loaded;
  const Status status = load_filters(session, kind, missing, &loaded);
  if (!status.ok()) return status.with_context(path_);
  {
    MutexLock lock(&mutex_);
    for (size_t i = 0; i < missing.size(); ++i) {
      if (filters_.emplace(base + missing[i]->id, loaded[i]).second) {
        cache_bytes_.fetch_add(loaded[i]->size() + 96);  // with what the map and pointers take
      }
    }
  }
  size_t next = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (next < missing.size() && blocks[i] == missing[next]) found[i] = loaded[next++];
  }
  return found;
}

Status ChunkFile::load_filters(Session* session, uint32_t kind,
                               std::span<const BlockHeader* const> blocks,
                               std::vector<FilterPtr>* out) {
  const int64_t base = int64_t{kind} << kFilterKindShift;
  // One pass over the filters of the kind, from the first to the last block wanted, with steps over
  // gaps too wide to read through.
  constexpr int64_t kGapMax = 16;
  FIRN_ASSIGN(SqliteStatement select,
              session->db()->prepare("SELECT id, data FROM filters WHERE id >= ? ORDER BY id"));
  int64_t at = -1;  // the block whose filter the statement stands on
  for (const BlockHeader* block : blocks) {
    if (at < 0 || block->id - at > kGapMax) {
      select.reset();
      FIRN_TRY(select.bind_int64(1, base + block->id));
      at = -1;
    }
    while (at < block->id) {
      FIRN_ASSIGN(const bool row, select.step());
      if (!row) break;
      at = select.column_int64(0) - base;
    }
    if (at != block->id || !key_filter_is_intact(select.column_blob(1))) {
      return corruption(block->describe() + ": filter " + std::to_string(kind) +
                        (at == block->id ? " does not fit its crc" : " is missing"));
    }
    out->push_back(std::make_shared<const std::string>(select.column_blob(1)));
  }
  return Status();
}

Result<SqliteDb*> ChunkFile::writer(bool create) {
  MutexLock lock(&mutex_);
  FIRN_TRY(open_writer(create));
  return writer_.get();
}

Status ChunkFile::open_writer(bool create) {
  if (writer_ != nullptr) return Status();
  FIRN_ASSIGN(writer_, SqliteDb::open(env_, path_, {.create = create}));
  return Status();
}

void ChunkFile::close_connections() {
  writer_.reset();
  MutexLock lock(&mutex_);
  idle_.clear();
}

Status ChunkFile::finish() {
  // New readers wait for the moment this takes.
  MutexLock lock(&mutex_);
  idle_.clear();
  if (is_being_read()) return Status();
  FIRN_TRY(open_writer(false));
  const Status status = writer_->finish();
  writer_.reset();
  return status.code() == StatusCode::kUnavailable ? Status() : status;
}

Status ChunkFile::remove() {
  MutexLock lock(&mutex_);
  idle_.clear();
  if (is_being_read()) return unavailable("chunk " + key_.name() + " is being read; drop it later");
  writer_.reset();
  headers_.reset();
  filters_.clear();
  cache_bytes_.store(0);
  return remove_sqlite_db(env_, path_);
}

void ChunkFile::drop_caches() {
  MutexLock lock(&mutex_);
  filters_.clear();
  cache_bytes_.store(0);
}

}  // namespace firn
