#include "tier/sqlite/chunk_meta.h"

#include <charconv>
#include <cstdio>
#include <map>

#include "base/crc32c.h"
#include "tier/sqlite/row_format.h"

namespace firn {

namespace {

using Pairs = std::map<std::string, std::string>;

// Of all pairs but "crc" itself.
std::string pairs_crc(const Pairs& pairs) {
  uint32_t crc = 0;
  for (const auto& [key, value] : pairs) {
    if (key == "crc") continue;
    std::string line = key;
    line.append("=").append(value).append("\n");
    crc = crc32c(crc, line.data(), line.size());
  }
  return std::to_string(crc);
}

std::string attribute_key(size_t index) {
  char text[32];
  std::snprintf(text, sizeof(text), "attribute_%02u", static_cast<unsigned>(index));
  return text;
}

Result<Pairs> read_pairs(SqliteDb* db) {
  Pairs pairs;
  FIRN_ASSIGN(SqliteStatement statement, db->prepare("SELECT key, value FROM meta"));
  while (true) {
    FIRN_ASSIGN(const bool row, statement.step());
    if (!row) return pairs;
    pairs.emplace(statement.column_text(0), statement.column_text(1));
  }
}

// Takes values out of the pairs; remembers the first that is missing or malformed.
class PairReader {
 public:
  explicit PairReader(const Pairs& pairs) : pairs_(pairs) {}

  std::string text(const std::string& key) {
    const auto found = pairs_.find(key);
    if (found == pairs_.end()) {
      fail("meta '" + key + "' is missing");
      return {};
    }
    return found->second;
  }
  template <typename T>
  void number(const std::string& key, T* out) {
    const std::string value = text(key);
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *out);
    if (error != std::errc() || end != value.data() + value.size() || value.empty()) {
      fail("meta '" + key + "' is not a number");
    }
  }
  Status status() const { return status_; }

 private:
  void fail(std::string reason) {
    if (status_.ok()) status_ = corruption(std::move(reason));
  }
  const Pairs& pairs_;
  Status status_;
};

}  // namespace

Result<std::optional<ChunkMeta>> load_meta(SqliteDb* db, const ChunkKey& key) {
  FIRN_ASSIGN(const int64_t tables,
              query_integer(db, "SELECT count(*) FROM sqlite_master WHERE name = 'meta'"));
  if (tables == 0) return std::optional<ChunkMeta>();
  FIRN_ASSIGN(const Pairs pairs, read_pairs(db));
  PairReader reader(pairs);
  uint64_t version = 0;
  reader.number("format_version", &version);
  FIRN_TRY(reader.status());
  if (version != kSqliteChunkVersion) {
    return unsupported(std::string("written by ") +
                       (version > kSqliteChunkVersion ? "a newer" : "an unreleased") +
                       " Firn: chunk format version " + std::to_string(version) +
                       ", this one reads " + std::to_string(kSqliteChunkVersion));
  }
  if (reader.text("crc") != pairs_crc(pairs)) {
    return corruption("the values in meta do not fit their crc");
  }
  if (reader.text("chunk") != key.name()) {
    return corruption("the file holds chunk " + reader.text("chunk") + ", not " + key.name());
  }
  ChunkMeta meta;
  const std::string layout = reader.text("layout");
  if (layout != "blocks" && layout != "rows") return unsupported("layout '" + layout + "'");
  meta.layout = layout == "rows" ? SqliteLayout::kRows : SqliteLayout::kBlocks;
  for (size_t i = 0; pairs.contains(attribute_key(i)); ++i) {
    meta.attributes.push_back(pairs.at(attribute_key(i)));
  }
  if (meta.attributes.size() > kPromotedAttributesMax) {
    return corruption("meta names too many attributes");
  }
  reader.number("watermark", &meta.stats.watermark);
  reader.number("rows", &meta.stats.rows);
  reader.number("raw_bytes", &meta.stats.raw_bytes);
  reader.number("time_min", &meta.stats.time_min);
  reader.number("time_max", &meta.stats.time_max);
  reader.number("position_min", &meta.stats.position_min);
  reader.number("position_max", &meta.stats.position_max);
  reader.number("checksum", &meta.stats.checksum);
  reader.number("blocks", &meta.blocks);
  reader.number("next_block", &meta.next_block);
  reader.number("epoch", &meta.epoch);
  FIRN_TRY(reader.status());
  FIRN_ASSIGN(meta.stats.bytes, database_bytes(db));
  return std::optional<ChunkMeta>(std::move(meta));
}

Status create_chunk_tables(SqliteDb* db, const ChunkMeta& meta) {
  FIRN_TRY(db->exec(kMetaSchema));
  return db->exec(meta.layout == SqliteLayout::kRows ? kRowsSchema : kBlocksSchema);
}

Status store_meta(SqliteDb* db, const ChunkKey& key, const ChunkMeta& meta) {
  Pairs pairs;
  pairs["format_version"] = std::to_string(kSqliteChunkVersion);
  pairs["layout"] = meta.layout == SqliteLayout::kRows ? "rows" : "blocks";
  pairs["chunk"] = key.name();
  for (size_t i = 0; i < meta.attributes.size(); ++i) pairs[attribute_key(i)] = meta.attributes[i];
  pairs["watermark"] = std::to_string(meta.stats.watermark);
  pairs["rows"] = std::to_string(meta.stats.rows);
  pairs["raw_bytes"] = std::to_string(meta.stats.raw_bytes);
  pairs["time_min"] = std::to_string(meta.stats.time_min);
  pairs["time_max"] = std::to_string(meta.stats.time_max);
  pairs["position_min"] = std::to_string(meta.stats.position_min);
  pairs["position_max"] = std::to_string(meta.stats.position_max);
  pairs["checksum"] = std::to_string(meta.stats.checksum);
  pairs["blocks"] = std::to_string(meta.blocks);
  pairs["next_block"] = std::to_string(meta.next_block);
  pairs["epoch"] = std::to_string(meta.epoch);
  pairs["crc"] = pairs_crc(pairs);
  FIRN_ASSIGN(SqliteStatement statement,
              db->prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"));
  for (const auto& [name, value] : pairs) {
    FIRN_TRY(statement.bind_text(1, name));
    FIRN_TRY(statement.bind_text(2, value));
    FIRN_TRY(statement.run());
  }
  return Status();
}

Result<uint64_t> database_bytes(SqliteDb* db) {
  FIRN_ASSIGN(const int64_t pages, query_integer(db, "PRAGMA page_count"));
  FIRN_ASSIGN(const int64_t page_bytes, query_integer(db, "PRAGMA page_size"));
  return static_cast<uint64_t>(pages * page_bytes);
}

Result<int64_t> query_integer(SqliteDb* db, const std::string& sql) {
  FIRN_ASSIGN(SqliteStatement statement, db->prepare(sql));
  FIRN_ASSIGN(const bool row, statement.step());
  if (!row) return corruption("no answer to: " + sql);
  return statement.column_int64(0);
}

}  // namespace firn
