#include "tier/postgres/chunk_row.h"

#include "base/crc32c.h"

namespace firn {

namespace {

constexpr const char* kColumns =
    "chunk, layout, attributes, watermark, row_count, raw_rows, raw_bytes, time_min, time_max, "
    "position_min, position_max, checksum, block_count, next_block, epoch, crc";

const char* layout_name(PostgresLayout layout) {
  return layout == PostgresLayout::kRows ? "rows" : "blocks";
}

// Of everything that reading relies on.
uint32_t chunk_crc(const PostgresChunk& chunk) {
  std::string text = "name=" + chunk.key.name() + "\nlayout=" + layout_name(chunk.layout) + "\n";
  for (const std::string& attribute : chunk.counts.attributes) {
    text += "attribute=" + attribute + "\n";
  }
  const auto add = [&](const char* name, auto value) {
    text.append(name).append("=").append(std::to_string(value)).append("\n");
  };
  const ChunkStats& stats = chunk.counts.stats;
  add("chunk", chunk.number);
  add("watermark", stats.watermark);
  add("row_count", stats.rows);
  add("raw_rows", chunk.raw_rows);
  add("raw_bytes", stats.raw_bytes);
  add("time_min", stats.time_min);
  add("time_max", stats.time_max);
  add("position_min", stats.position_min);
  add("position_max", stats.position_max);
  add("checksum", stats.checksum);
  add("block_count", chunk.counts.blocks);
  add("next_block", chunk.counts.next_block);
  add("epoch", chunk.counts.epoch);
  return crc32c(text);
}

// Adds the values from watermark to epoch.
void add_counts(const PostgresChunk& chunk, PostgresParameters* parameters) {
  const ChunkStats& stats = chunk.counts.stats;
  for (const uint64_t value :
       {stats.watermark, stats.rows, chunk.raw_rows, stats.raw_bytes,
        static_cast<uint64_t>(stats.time_min), static_cast<uint64_t>(stats.time_max),
        stats.position_min, stats.position_max, stats.checksum, chunk.counts.blocks,
        static_cast<uint64_t>(chunk.counts.next_block), chunk.counts.epoch,
        uint64_t{chunk_crc(chunk)}}) {
    parameters->add(static_cast<int64_t>(value));
  }
}

// Conditions by which the planner leaves the partition out: numbers and times, made by us.
std::string partition_check(const PostgresChunk& chunk) {
  const ChunkKey& key = chunk.key;
  std::string check = "chunk = " + std::to_string(chunk.number);
  if (chunk.layout == PostgresLayout::kBlocks) return check;
  const auto micros = [](TimeNs time) { return interval_start(time, kMicrosecondNs); };
  check += " AND namespace_id = " + std::to_string(key.namespace_id);
  if (key.start > INT64_MIN + kSecondNs) {
    check += " AND time >= '" + format_time(micros(key.start)) + "'::timestamptz";
  }
  if (key.end != INT64_MAX) {
    check += " AND time <= '" + format_time(micros(key.end - 1)) + "'::timestamptz";
  }
  return check;
}

}  // namespace

std::string PostgresChunk::table() const {
  return (layout == PostgresLayout::kRows ? "events_" : "blocks_") + std::to_string(number);
}

Result<std::optional<PostgresChunk>> load_chunk(PostgresConnection* connection,
                                                const SessionPool& pool, const ChunkKey& key,
                                                bool for_update) {
  FIRN_ASSIGN(const PostgresRows rows,
              connection->query(
                  pool.sql(std::string("SELECT ") + kColumns + " FROM @.chunks WHERE name = $1" +
                           (for_update ? " FOR UPDATE" : "")),
                  PostgresParameters().add(key.name())));
  if (rows.rows() == 0) return std::optional<PostgresChunk>();
  const auto number = [&](size_t column) { return static_cast<uint64_t>(rows.number(0, column)); };
  PostgresChunk chunk;
  chunk.key = key;
  chunk.number = static_cast<int32_t>(rows.number(0, 0));
  const std::string_view layout = rows.bytes(0, 1);
  chunk.layout = layout == "rows" ? PostgresLayout::kRows : PostgresLayout::kBlocks;
  chunk.counts.attributes = rows.texts(0, 2);
  ChunkStats& stats = chunk.counts.stats;
  stats.watermark = number(3);
  stats.rows = number(4);
  chunk.raw_rows = number(5);
  stats.raw_bytes = number(6);
  stats.time_min = rows.number(0, 7);
  stats.time_max = rows.number(0, 8);
  stats.position_min = number(9);
  stats.position_max = number(10);
  stats.checksum = number(11);
  chunk.counts.blocks = number(12);
  chunk.counts.next_block = rows.number(0, 13);
  chunk.counts.epoch = number(14);
  if (layout != layout_name(chunk.layout) || chunk_crc(chunk) != number(15) ||
      chunk.counts.attributes.size() > kPromotedAttributesMax) {
    return corruption("chunk " + key.name() + ": its row in " + pool.schema() +
                      ".chunks does not fit its crc");
  }
  return std::optional<PostgresChunk>(std::move(chunk));
}

Result<std::optional<PostgresChunk>> find_chunk(PostgresConnection* connection,
                                                const SessionPool& pool, const ChunkKey& key) {
  FIRN_ASSIGN(
      const PostgresRows rows,
      connection->query(pool.sql("SELECT chunk, layout FROM @.chunks WHERE name = $1 FOR UPDATE"),
                        PostgresParameters().add(key.name())));
  if (rows.rows() == 0) return std::optional<PostgresChunk>();
  PostgresChunk chunk;
  chunk.key = key;
  chunk.number = static_cast<int32_t>(rows.number(0, 0));
  chunk.layout = rows.bytes(0, 1) == "rows" ? PostgresLayout::kRows : PostgresLayout::kBlocks;
  return std::optional<PostgresChunk>(std::move(chunk));
}

Status create_chunk(PostgresConnection* connection, const SessionPool& pool, PostgresChunk* chunk) {
  const ChunkKey& key = chunk->key;
  PostgresParameters parameters;
  parameters.add(key.name())
      .add(int64_t{key.namespace_id})
      .add(dataset_name(key.dataset))
      .add(key.start)
      .add(key.end)
      .add(int64_t{key.generation})
      .add(layout_name(chunk->layout))
      .add(std::span<const std::string>(chunk->counts.attributes));
  add_counts(*chunk, &parameters);
  FIRN_ASSIGN(
      const PostgresRows rows,
      connection->query(
          pool.sql("INSERT INTO @.chunks (name, namespace_id, dataset, start_ns, end_ns, "
                   "generation, layout, attributes, watermark, row_count, raw_rows, raw_bytes, "
                   "time_min, time_max, position_min, position_max, checksum, block_count, "
                   "next_block, epoch, crc) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
                   "$12, $13, $14, $15, $16, $17, $18, $19, $20, $21) RETURNING chunk"),
          parameters));
  chunk->number = static_cast<int32_t>(rows.number(0, 0));
  const std::string parent =
      pool.sql(chunk->layout == PostgresLayout::kRows ? "@.events" : "@.blocks");
  const std::string table = pool.schema() + "." + chunk->table();
  // Created beside the table and attached: PARTITION OF would lock out everybody who reads it.
  return connection->exec("CREATE TABLE " + table + " (LIKE " + parent +
                          " INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING STORAGE, CONSTRAINT " +
                          chunk->table() + "_rows CHECK (" + partition_check(*chunk) + "));" +
                          "ALTER TABLE " + parent + " ATTACH PARTITION " + table +
                          " FOR VALUES IN (" + std::to_string(chunk->number) + ")");
}

Status store_chunk(PostgresConnection* connection, const SessionPool& pool,
                   const PostgresChunk& chunk) {
  PostgresParameters parameters;
  add_counts(chunk, &parameters);
  parameters.add(int64_t{chunk.number});
  FIRN_ASSIGN(const PostgresRows rows,
              connection->query(
                  pool.sql("UPDATE @.chunks SET watermark = $1, row_count = $2, raw_rows = $3, "
                           "raw_bytes = $4, time_min = $5, time_max = $6, position_min = $7, "
                           "position_max = $8, checksum = $9, block_count = $10, next_block = $11, "
                           "epoch = $12, crc = $13 WHERE chunk = $14"),
                  parameters));
  if (rows.changed() == 1) return Status();
  return internal_error("chunk " + chunk.key.name() + " has no row to be changed");
}

Result<uint64_t> partition_bytes(PostgresConnection* connection, const SessionPool& pool,
                                 const PostgresChunk& chunk) {
  FIRN_ASSIGN(const PostgresRows rows,
              connection->query("SELECT pg_total_relation_size(to_regclass($1))",
                                PostgresParameters().add(pool.schema() + "." + chunk.table())));
  return static_cast<uint64_t>(rows.number(0, 0));
}

}  // namespace firn
