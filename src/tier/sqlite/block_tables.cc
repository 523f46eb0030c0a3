#include "tier/sqlite/block_tables.h"

#include <bit>

#include "tier/blocks/key_filter.h"

namespace firn {

namespace {

constexpr const char* kHeaderColumns =
    "id, first_block, rows, position_min, position_max, time_min, time_max, severity_max, kinds, "
    "columns, "
    "filters, raw_bytes, packed_bytes, checksum, crc";

int64_t column_id(const BlockHeader& header, ColumnId column) {
  return header.id * kColumnSlots + static_cast<int64_t>(column);
}

// Reading, the same for sessions and sinks.
class BlockTables {
 public:
  explicit BlockTables(SqliteDb* db) : db_(db) {}

  Result<std::vector<BlockHeader>> load_headers(int64_t from, int64_t to) {
    std::vector<BlockHeader> headers;
    FIRN_ASSIGN(SqliteStatement select,
                db_->prepare(std::string("SELECT ") + kHeaderColumns +
                             " FROM blocks WHERE id >= ? AND id < ? ORDER BY id"));
    FIRN_TRY(select.bind_int64(1, from));
    FIRN_TRY(select.bind_int64(2, to));
    while (true) {
      FIRN_ASSIGN(const bool row, select.step());
      if (!row) return headers;
      BlockNumbers numbers;
      for (size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = static_cast<uint64_t>(select.column_int64(static_cast<int>(i)));
      }
      FIRN_TRY(append_header(numbers, &headers));
    }
  }

  Status load_columns(const BlockHeader& header, uint64_t columns, std::vector<PackedColumn>* out) {
    if (!has_select_) {
      FIRN_ASSIGN(select_column_, db_->prepare("SELECT data FROM columns WHERE id = ?"));
      has_select_ = true;
    }
    for (uint64_t left = columns; left != 0; left &= left - 1) {
      const auto column = static_cast<ColumnId>(std::countr_zero(left));
      FIRN_TRY(select_column_.bind_int64(1, column_id(header, column)));
      FIRN_ASSIGN(const bool row, select_column_.step());
      if (!row) {
        return corruption(header.describe() + ": column " +
                          std::to_string(static_cast<int>(column)) + " is missing");
      }
      out->push_back({column, std::string(select_column_.column_blob(0))});
      select_column_.reset();
    }
    return Status();
  }

  Status load_filters(uint32_t kind, std::span<const BlockHeader* const> blocks,
                      std::vector<FilterPtr>* out) {
    const int64_t base = int64_t{kind} << kFilterKindShift;
    // One pass over the filters of the kind, from the first to the last block wanted, with steps
    // over gaps too wide to read through.
    constexpr int64_t kGapMax = 16;
    FIRN_ASSIGN(SqliteStatement select,
                db_->prepare("SELECT id, data FROM filters WHERE id >= ? ORDER BY id"));
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

  SqliteDb* db() { return db_; }

 private:
  SqliteDb* const db_;
  bool has_select_ = false;
  SqliteStatement select_column_;
};

class SqliteBlockSession : public BlockSession {
 public:
  explicit SqliteBlockSession(std::unique_ptr<ChunkFile::Session> session)
      : session_(std::move(session)), tables_(session_->db()) {}

  Result<std::vector<BlockHeader>> load_headers(int64_t from, int64_t to) override {
    return tables_.load_headers(from, to);
  }
  Status load_columns(const BlockHeader& header, uint64_t columns,
                      std::vector<PackedColumn>* out) override {
    return tables_.load_columns(header, columns, out);
  }
  Status load_filters(uint32_t kind, std::span<const BlockHeader* const> blocks,
                      std::vector<FilterPtr>* out) override {
    return tables_.load_filters(kind, blocks, out);
  }
  const ChunkKey& key() const override { return session_->file()->key(); }
  const std::string& place() const override { return session_->file()->path(); }
  const BlockCounts& counts() const override { return session_->meta(); }
  BlockIndex* index() override { return session_->file()->index(); }

  Status verify_parts(uint64_t columns, uint64_t filters) override {
    FIRN_ASSIGN(const int64_t columns_found,
                query_integer(session_->db(), "SELECT count(*) FROM columns"));
    FIRN_ASSIGN(const int64_t filters_found,
                query_integer(session_->db(), "SELECT count(*) FROM filters"));
    if (static_cast<uint64_t>(columns_found) == columns &&
        static_cast<uint64_t>(filters_found) == filters) {
      return Status();
    }
    return corruption("columns or filters that belong to no block");
  }

 private:
  const std::unique_ptr<ChunkFile::Session> session_;
  BlockTables tables_;  // its statement goes before the session
};

class SqliteBlockSink : public BlockSink {
 public:
  explicit SqliteBlockSink(SqliteDb* db) : tables_(db) {}

  Status prepare() {
    SqliteDb* const db = tables_.db();
    FIRN_ASSIGN(insert_block_, db->prepare("INSERT INTO blocks VALUES "
                                           "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    FIRN_ASSIGN(insert_column_, db->prepare("INSERT INTO columns VALUES (?, ?)"));
    FIRN_ASSIGN(insert_filter_, db->prepare("INSERT INTO filters VALUES (?, ?)"));
    return Status();
  }

  Result<std::vector<BlockHeader>> load_headers(int64_t from, int64_t to) override {
    return tables_.load_headers(from, to);
  }
  Status load_columns(const BlockHeader& header, uint64_t columns,
                      std::vector<PackedColumn>* out) override {
    return tables_.load_columns(header, columns, out);
  }
  Status load_filters(uint32_t kind, std::span<const BlockHeader* const> blocks,
                      std::vector<FilterPtr>* out) override {
    return tables_.load_filters(kind, blocks, out);
  }

  Result<std::optional<int64_t>> first_of_last(size_t most) override {
    FIRN_ASSIGN(SqliteStatement last,
                tables_.db()->prepare("SELECT id FROM blocks ORDER BY id DESC LIMIT ?"));
    FIRN_TRY(last.bind_int64(1, static_cast<int64_t>(most)));
    std::optional<int64_t> first;
    while (true) {
      FIRN_ASSIGN(const bool row, last.step());
      if (!row) return first;
      first = last.column_int64(0);
    }
  }

  Status insert(const BlockHeader& header, std::vector<PackedColumn> columns,
                std::vector<std::pair<uint32_t, std::string>> filters) override {
    for (const PackedColumn& column : columns) {
      FIRN_TRY(insert_column_.bind_int64(1, column_id(header, column.id)));
      FIRN_TRY(insert_column_.bind_blob_static(2, column.bytes));
      FIRN_TRY(insert_column_.run());
      insert_column_.clear();
    }
    for (const auto& [kind, filter] : filters) {
      FIRN_TRY(insert_filter_.bind_int64(1, (int64_t{kind} << kFilterKindShift) + header.id));
      FIRN_TRY(insert_filter_.bind_blob_static(2, filter));
      FIRN_TRY(insert_filter_.run());
      insert_filter_.clear();
    }
    int index = 1;
    for (const uint64_t value : block_numbers(header)) {
      FIRN_TRY(insert_block_.bind_int64(index++, static_cast<int64_t>(value)));
    }
    return insert_block_.run();
  }

  Status remove(const BlockHeader& header) override {
    const std::string id = std::to_string(header.id);
    const std::string first = std::to_string(header.id * kColumnSlots);
    const std::string end = std::to_string((header.id + 1) * kColumnSlots);
    std::string sql = "DELETE FROM blocks WHERE id = " + id +
                      "; DELETE FROM columns WHERE id >= " + first + " AND id < " + end + ";";
    for (uint64_t left = header.filters; left != 0; left &= left - 1) {
      const int64_t kind = std::countr_zero(left);
      sql += "DELETE FROM filters WHERE id = " +
             std::to_string((kind << kFilterKindShift) + header.id) + ";";
    }
    return tables_.db()->exec(sql);
  }

 private:
  BlockTables tables_;
  SqliteStatement insert_block_, insert_column_, insert_filter_;
};

}  // namespace

std::unique_ptr<BlockSession> make_block_session(std::unique_ptr<ChunkFile::Session> session) {
  return std::make_unique<SqliteBlockSession>(std::move(session));
}

Result<std::unique_ptr<BlockSink>> open_block_sink(SqliteDb* db) {
  auto sink = std::make_unique<SqliteBlockSink>(db);
  FIRN_TRY(sink->prepare());
  return std::unique_ptr<BlockSink>(std::move(sink));
}

}  // namespace firn
