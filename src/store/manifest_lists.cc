#include <utility>

#include "store/manifest.h"

// What the manifest holds besides its versions and is read on demand: heads and lists.

namespace firn {

namespace {

// Calls add(row) for each row of a chunk's lists, in order.
template <typename Add>
Status read_lists(SqliteDb* db, const char* sql, const ChunkKey& key, const Add& add) {
  FIRN_ASSIGN(SqliteStatement statement, db->prepare(sql));
  const int64_t values[] = {int64_t{key.namespace_id}, static_cast<int64_t>(key.dataset), key.start,
                            key.end, int64_t{key.generation}};
  int index = 1;
  for (const int64_t value : values) FIRN_TRY(statement.bind_int64(index++, value));
  while (true) {
    FIRN_ASSIGN(const bool row, statement.step());
    if (!row) return Status();
    FIRN_TRY(add(statement));
  }
}

}  // namespace

Result<int64_t> Manifest::stream_head(NamespaceId id, std::string_view stream) {
  MutexLock lock(&read_mutex_);
  FIRN_ASSIGN(SqliteStatement statement,
              read_db_->prepare("SELECT next_position FROM stream_heads WHERE namespace = ? AND "
                                "stream = ?"));
  FIRN_TRY(statement.bind_int64(1, id));
  FIRN_TRY(statement.bind_blob(2, stream));
  FIRN_ASSIGN(const bool row, statement.step());
  return row ? statement.column_int64(0) : 0;
}

Result<std::vector<std::pair<std::string, int64_t>>> Manifest::stream_heads(NamespaceId id,
                                                                            std::string_view prefix,
                                                                            std::string_view after,
                                                                            uint32_t limit) {
  MutexLock lock(&read_mutex_);
  FIRN_ASSIGN(
      SqliteStatement statement,
      read_db_->prepare("SELECT stream, next_position FROM stream_heads WHERE namespace = ? "
                        "AND stream >= ? AND stream > ? ORDER BY stream LIMIT ?"));
  FIRN_TRY(statement.bind_int64(1, id));
  FIRN_TRY(statement.bind_blob(2, prefix));
  FIRN_TRY(statement.bind_blob(3, after));
  FIRN_TRY(statement.bind_int64(4, limit));
  std::vector<std::pair<std::string, int64_t>> heads;
  while (true) {
    FIRN_ASSIGN(const bool row, statement.step());
    if (!row) return heads;
    std::string stream(statement.column_blob(0));
    if (!stream.starts_with(prefix)) return heads;
    heads.emplace_back(std::move(stream), statement.column_int64(1));
  }
}

// The write lock is held across reading and caching, so that a flush cannot invalidate in between.
Result<HashLists> Manifest::id_lists(const ChunkKey& key) {
  if (auto cached = ids_cache_.find(key); cached.has_value()) return std::move(*cached);
  HashLists lists;
  size_t bytes = 0;
  MutexLock write_lock(&write_mutex_);
  FIRN_TRY(read_lists(db_.get(),
                      "SELECT hashes FROM id_lists WHERE namespace = ? AND dataset = ? AND "
                      "start_ns = ? AND end_ns = ? AND generation = ? ORDER BY sequence",
                      key, [&](const SqliteStatement& row) -> Status {
                        FIRN_ASSIGN(HashList list, HashList::parse(row.column_blob(0)));
                        bytes += list.bytes();
                        lists.push_back(std::make_shared<const HashList>(std::move(list)));
                        return Status();
                      }));
  ids_cache_.put(key, lists, bytes);
  return lists;
}

Result<StreamLists> Manifest::stream_lists(const ChunkKey& key) {
  if (auto cached = streams_cache_.find(key); cached.has_value()) return std::move(*cached);
  StreamLists lists;
  size_t bytes = 0;
  MutexLock write_lock(&write_mutex_);
  FIRN_TRY(read_lists(db_.get(),
                      "SELECT is_complete, hashes FROM stream_lists WHERE namespace = ? AND "
                      "dataset = ? AND start_ns = ? AND end_ns = ? AND generation = ? "
                      "ORDER BY sequence",
                      key, [&](const SqliteStatement& row) -> Status {
                        auto list = std::make_shared<StreamList>();
                        list->is_complete = row.column_int64(0) != 0;
                        FIRN_ASSIGN(list->hashes, HashList::parse(row.column_blob(1)));
                        bytes += list->bytes();
                        lists.push_back(std::move(list));
                        return Status();
                      }));
  streams_cache_.put(key, lists, bytes);
  return lists;
}

}  // namespace firn
