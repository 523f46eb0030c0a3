#include "tier/postgres/block_table.h"

#include <algorithm>
#include <bit>

#include "tier/blocks/key_filter.h"

namespace firn {

namespace {

constexpr size_t kFiltersAtOnce = 512;  // blocks whose filters are asked for together
constexpr const char* kHeaderColumns =
    "block, first_block, row_count, position_min, position_max, time_min, time_max, severity_max, "
    "kinds, "
    "column_bits, filter_bits, raw_bytes, packed_bytes, checksum, crc";

// The filters of promoted attributes, one behind the other: kind, length, bytes.
void append_attribute_filter(uint32_t kind, ByteView filter, std::string* out) {
  out->push_back(static_cast<char>(kind));
  append_le<uint32_t>(out, static_cast<uint32_t>(filter.size()));
  out->append(filter);
}

// Nothing when the kind is not there or the encoding does not hold.
std::optional<ByteView> find_attribute_filter(uint32_t kind, ByteView all) {
  while (all.size() >= 5) {
    const auto found = static_cast<uint8_t>(all[0]);
    const uint32_t size = load_le<uint32_t>(all.data() + 1);
    all.remove_prefix(5);
    if (size > all.size()) return std::nullopt;
    if (found == kind) return all.substr(0, size);
    all.remove_prefix(size);
  }
  return std::nullopt;
}

std::string numbered(char letter, size_t count) {
  std::string names;
  for (size_t i = 0; i < count; ++i) {
    names += (i == 0 ? "" : ", ") + std::string(1, letter) + std::to_string(i);
  }
  return names;
}

// Reading, the same for sessions and sinks.
class BlockPartition {
 public:
  BlockPartition(PostgresConnection* connection, const SessionPool& pool,
                 const PostgresChunk& chunk)
      : connection_(connection),
        table_(pool.schema() + "." + chunk.table()),
        where_(" WHERE chunk = " + std::to_string(chunk.number)) {}

  PostgresConnection* connection() { return connection_; }
  const std::string& table() const { return table_; }
  const std::string& where() const { return where_; }

  Result<std::vector<BlockHeader>> load_headers(int64_t from, int64_t to) {
    FIRN_ASSIGN(const PostgresRows rows,
                connection_->query(std::string("SELECT ") + kHeaderColumns + " FROM " + table_ +
                                       where_ + " AND block >= $1 AND block < $2 ORDER BY block",
                                   PostgresParameters().add(from).add(to)));
    std::vector<BlockHeader> headers;
    headers.reserve(rows.rows());
    for (size_t row = 0; row < rows.rows(); ++row) {
      BlockNumbers numbers;
      for (size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = static_cast<uint64_t>(rows.number(row, i));
      }
      FIRN_TRY(append_header(numbers, &headers));
    }
    return headers;
  }

  Status load_columns(const BlockHeader& header, uint64_t columns, std::vector<PackedColumn>* out) {
    std::string names;
    std::vector<ColumnId> ids;
    for (uint64_t left = columns; left != 0; left &= left - 1) {
      const int column = std::countr_zero(left);
      if (static_cast<size_t>(column) >= kColumnIdCount) {
        return corruption(header.describe() + ": column " + std::to_string(column) +
                          " is not known");
      }
      ids.push_back(static_cast<ColumnId>(column));
      names += (names.empty() ? "c" : ", c") + std::to_string(column);
    }
    FIRN_ASSIGN(const PostgresRows rows, connection_->query("SELECT " + names + " FROM " + table_ +
                                                                where_ + " AND block = $1",
                                                            PostgresParameters().add(header.id)));
    for (size_t i = 0; i < ids.size(); ++i) {
      if (rows.rows() != 1 || rows.is_null(0, i)) {
        return corruption(header.describe() + ": column " +
                          std::to_string(static_cast<int>(ids[i])) + " is missing");
      }
      out->push_back({ids[i], std::string(rows.bytes(0, i))});
    }
    return Status();
  }

  Status load_filters(uint32_t kind, std::span<const BlockHeader* const> blocks,
                      std::vector<FilterPtr>* out) {
    for (size_t begin = 0; begin < blocks.size(); begin += kFiltersAtOnce) {
      const size_t count = std::min(kFiltersAtOnce, blocks.size() - begin);
      FIRN_TRY(load_some_filters(kind, blocks.subspan(begin, count), out));
    }
    return Status();
  }

 private:
  Status load_some_filters(uint32_t kind, std::span<const BlockHeader* const> blocks,
                           std::vector<FilterPtr>* out) {
    const bool by_column = kind < kAttributeFilterKind;
    std::vector<int64_t> ids;
    for (const BlockHeader* block : blocks) ids.push_back(block->id);
    FIRN_ASSIGN(
        const PostgresRows rows,
        connection_->query(
            "SELECT block, " +
                (by_column ? "f" + std::to_string(kind) : std::string("attribute_filters")) +
                " FROM " + table_ + where_ + " AND block = ANY ($1) ORDER BY block",
            PostgresParameters().add(std::span<const int64_t>(ids))));
    size_t row = 0;
    for (const BlockHeader* block : blocks) {
      while (row < rows.rows() && rows.number(row, 0) < block->id) ++row;
      const bool present =
          row < rows.rows() && rows.number(row, 0) == block->id && !rows.is_null(row, 1);
      std::optional<ByteView> filter;
      if (present) {
        filter = by_column ? std::optional<ByteView>(rows.bytes(row, 1))
                           : find_attribute_filter(kind, rows.bytes(row, 1));
      }
      if (!filter || !key_filter_is_intact(*filter)) {
        return corruption(block->describe() + ": filter " + std::to_string(kind) +
                          (filter ? " does not fit its crc" : " is missing"));
      }
      out->push_back(std::make_shared<const std::string>(*filter));
    }
    return Status();
  }

  PostgresConnection* const connection_;
  const std::string table_, where_;
};

class PostgresBlockSession : public BlockSession {
 public:
  PostgresBlockSession(std::unique_ptr<SessionPool::ReadSession> session, PostgresChunk chunk,
                       std::shared_ptr<BlockIndex> index)
      : session_(std::move(session)),
        chunk_(std::move(chunk)),
        index_(std::move(index)),
        partition_(session_->connection(), *session_->pool(), chunk_) {}

  Result<std::vector<BlockHeader>> load_headers(int64_t from, int64_t to) override {
    return partition_.load_headers(from, to);
  }
  Status load_columns(const BlockHeader& header, uint64_t columns,
                      std::vector<PackedColumn>* out) override {
    return partition_.load_columns(header, columns, out);
  }
  Status load_filters(uint32_t kind, std::span<const BlockHeader* const> blocks,
                      std::vector<FilterPtr>* out) override {
    return partition_.load_filters(kind, blocks, out);
  }
  const ChunkKey& key() const override { return chunk_.key; }
  const std::string& place() const override { return partition_.table(); }
  const BlockCounts& counts() const override { return chunk_.counts; }
  BlockIndex* index() override { return index_.get(); }

  Status verify_parts(uint64_t columns, uint64_t filters) override {
    FIRN_ASSIGN(
        const PostgresRows rows,
        partition_.connection()->query(
            "SELECT coalesce(sum(num_nonnulls(" + numbered('c', kColumnIdCount) +
            ")), 0)::bigint, coalesce(sum(num_nonnulls(" + numbered('f', kAttributeFilterKind) +
            ")), 0)::bigint, coalesce(sum(bit_count(filter_bits::bit(64) >> 32)), 0)::bigint, "
            "count(*) FILTER (WHERE (attribute_filters IS NULL) <> "
            "(bit_count(filter_bits::bit(64) >> 32) = 0)) FROM " +
            partition_.table() + partition_.where()));
    const int64_t found_filters = rows.number(0, 1) + rows.number(0, 2);
    if (static_cast<uint64_t>(rows.number(0, 0)) == columns &&
        static_cast<uint64_t>(found_filters) == filters && rows.number(0, 3) == 0) {
      return Status();
    }
    return corruption("columns or filters that belong to no block");
  }

 private:
  const std::unique_ptr<SessionPool::ReadSession> session_;
  const PostgresChunk chunk_;
  const std::shared_ptr<BlockIndex> index_;
  BlockPartition partition_;
};

class PostgresBlockSink : public BlockSink {
 public:
  PostgresBlockSink(PostgresConnection* connection, const SessionPool& pool,
                    const PostgresChunk& chunk)
      : partition_(connection, pool, chunk) {
    insert_ = "INSERT INTO " + partition_.table() + " (chunk, " + kHeaderColumns + ", " +
              numbered('c', kColumnIdCount) + ", " + numbered('f', kAttributeFilterKind) +
              ", attribute_filters) VALUES (" + std::to_string(chunk.number);
    const size_t parameters =
        std::tuple_size_v<BlockNumbers> + kColumnIdCount + kAttributeFilterKind + 1;
    for (size_t i = 1; i <= parameters; ++i) insert_ += ", $" + std::to_string(i);
    insert_ += ")";
  }

  Result<std::vector<BlockHeader>> load_headers(int64_t from, int64_t to) override {
    return partition_.load_headers(from, to);
  }
  Status load_columns(const BlockHeader& header, uint64_t columns,
                      std::vector<PackedColumn>* out) override {
    return partition_.load_columns(header, columns, out);
  }
  Status load_filters(uint32_t kind, std::span<const BlockHeader* const> blocks,
                      std::vector<FilterPtr>* out) override {
    return partition_.load_filters(kind, blocks, out);
  }

  Result<std::optional<int64_t>> first_of_last(size_t most) override {
    FIRN_ASSIGN(const PostgresRows rows,
                partition_.connection()->query(
                    "SELECT min(block) FROM (SELECT block FROM " + partition_.table() +
                        partition_.where() + " ORDER BY block DESC LIMIT $1) AS last",
                    PostgresParameters().add(static_cast<int64_t>(most))));
    if (rows.is_null(0, 0)) return std::optional<int64_t>();
    return std::optional<int64_t>(rows.number(0, 0));
  }

  // The server stores the block while the next one is packed.
  Status insert(const BlockHeader& header, std::vector<PackedColumn> columns,
                std::vector<std::pair<uint32_t, std::string>> filters) override {
    PostgresParameters parameters;
    for (const uint64_t number : block_numbers(header)) {
      parameters.add(static_cast<int64_t>(number));
    }
    std::array<std::optional<ByteView>, kColumnIdCount> packed;
    std::array<std::optional<ByteView>, kAttributeFilterKind> by_column;
    std::string attribute_filters;
    for (const PackedColumn& column : columns) {
      packed[static_cast<size_t>(column.id)] = column.bytes;
    }
    for (const auto& [kind, filter] : filters) {
      if (kind < kAttributeFilterKind) {
        by_column[kind] = filter;
      } else {
        append_attribute_filter(kind, filter, &attribute_filters);
      }
    }
    for (const auto& bytes : packed) parameters.add_bytes_or_null(bytes);
    for (const auto& bytes : by_column) parameters.add_bytes_or_null(bytes);
    parameters.add_bytes_or_null(
        attribute_filters.empty() ? std::nullopt : std::optional<ByteView>(attribute_filters));
    return partition_.connection()->send(insert_, parameters);
  }

  Status remove(const BlockHeader& header) override {
    return partition_.connection()
        ->query("DELETE FROM " + partition_.table() + partition_.where() + " AND block = $1",
                PostgresParameters().add(header.id))
        .status();
  }

 private:
  BlockPartition partition_;
  std::string insert_;
};

}  // namespace

std::unique_ptr<BlockSession> make_block_session(std::unique_ptr<SessionPool::ReadSession> session,
                                                 PostgresChunk chunk,
                                                 std::shared_ptr<BlockIndex> index) {
  return std::make_unique<PostgresBlockSession>(std::move(session), std::move(chunk),
                                                std::move(index));
}

Status write_blocks(PostgresConnection* connection, const SessionPool& pool, ParallelTasks* packing,
                    std::span<const BatchSlice> slices, PostgresChunk* chunk) {
  if (slices.empty()) return Status();
  uint64_t rows = 0;
  for (const BatchSlice& slice : slices) rows += slice.rows();
  PostgresBlockSink sink(connection, pool, *chunk);
  BlockWriter writer(&sink, chunk->key.dataset, &chunk->counts, packing);
  FIRN_TRY(writer.absorb_tail(chunk->key.namespace_id, rows));
  for (const BatchSlice& slice : slices) FIRN_TRY(writer.add(slice));
  FIRN_TRY(writer.finish());
  return connection->finish();
}

}  // namespace firn
