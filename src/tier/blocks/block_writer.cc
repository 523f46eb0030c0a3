#include "tier/sqlite/block_writer.h"

#include <algorithm>
#include <bit>

#include "model/packed.h"
#include "tier/slices.h"
#include "tier/sqlite/key_filter.h"

namespace firn {

namespace {

constexpr int kZstdLevel = 1;
constexpr size_t kTailBlocksMax = 64;  // looked at for absorption; the tail is about a dozen

}  // namespace

Result<std::unique_ptr<BlockWriter>> BlockWriter::open(SqliteDb* db, ChunkMeta* meta) {
  std::unique_ptr<BlockWriter> writer(new BlockWriter(db, meta));
  FIRN_ASSIGN(writer->insert_block_,
              db->prepare("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  FIRN_ASSIGN(writer->insert_column_, db->prepare("INSERT INTO columns VALUES (?, ?)"));
  FIRN_ASSIGN(writer->insert_filter_, db->prepare("INSERT INTO filters VALUES (?, ?)"));
  return writer;
}

Status BlockWriter::absorb_tail(NamespaceId namespace_id, uint64_t rows) {
  // Ids may have gaps where blocks were removed, so the range is found from the end.
  int64_t from = meta_->next_block;
  {
    FIRN_ASSIGN(SqliteStatement last,
                db_->prepare("SELECT id FROM blocks ORDER BY id DESC LIMIT ?"));
    FIRN_TRY(last.bind_int64(1, kTailBlocksMax));
    while (true) {
      FIRN_ASSIGN(const bool row, last.step());
      if (!row) break;
      from = last.column_int64(0);
    }
  }
  FIRN_ASSIGN(const std::vector<BlockHeader> tail, load_headers(db_, from, meta_->next_block));
  size_t first = tail.size();
  while (first > 0 && !tail[first - 1].is_full() && tail[first - 1].rows <= 2 * rows) {
    rows += tail[--first].rows;
  }
  if (first == tail.size()) return Status();
  ++meta_->epoch;
  FIRN_ASSIGN(ColumnReader reader, ColumnReader::open(db_));
  for (; first < tail.size(); ++first) {
    FIRN_ASSIGN(const BatchPtr batch,
                reader.load(tail[first], namespace_id, Projection::all(), nullptr));
    FIRN_TRY(remove_block(tail[first]));
    FIRN_TRY(pack_rows({batch, nullptr}));
  }
  return Status();
}

Status BlockWriter::remove_block(const BlockHeader& header) {
  const std::string id = std::to_string(header.id);
  const std::string first = std::to_string(header.id * kColumnSlots);
  const std::string end = std::to_string((header.id + 1) * kColumnSlots);
  std::string sql = "DELETE FROM blocks WHERE id = " + id +
                    "; DELETE FROM columns WHERE id >= " + first + " AND id < " + end + ";";
  for (uint64_t left = header.filters; left != 0; left &= left - 1) {
    const int64_t kind = std::countr_zero(left);
    sql +=
        "DELETE FROM filters WHERE id = " + std::to_string((kind << kFilterKindShift) + header.id) +
        ";";
  }
  FIRN_TRY(db_->exec(sql));
  --meta_->blocks;
  meta_->stats.rows -= header.rows;
  meta_->stats.raw_bytes -= header.raw_bytes;
  meta_->stats.checksum -= header.checksum;
  return Status();
}

Status BlockWriter::add(const BatchSlice& slice) {
  widen(&meta_->stats, slice_zone(slice));
  return pack_rows(slice);
}

Status BlockWriter::pack_rows(const BatchSlice& slice) {
  const RecordBatch& batch = *slice.batch;
  const uint32_t rows = slice.rows();
  uint32_t begin = 0;
  while (begin < rows) {
    uint32_t end = begin + std::min(rows - begin, kBlockRowsMax - builder_.rows());
    // Only where the batch is large enough to pass the limit is it worth adding up its rows.
    if (builder_.size_bytes() + batch.size_bytes() > kBlockRawBytesMax) {
      uint64_t bytes = builder_.size_bytes();
      for (uint32_t i = begin; i < end; ++i) {
        bytes += batch.row_bytes(slice.row(i));
        if (bytes > kBlockRawBytesMax && builder_.rows() + (i - begin) > 0) end = i;
      }
    }
    if (end > begin) builder_.add_rows(slice, begin, end);
    const bool by_size = end < rows && builder_.rows() < kBlockRowsMax;
    if (builder_.rows() == kBlockRowsMax || by_size) FIRN_TRY(write_block());
    begin = end;
  }
  return Status();
}

Status BlockWriter::finish() { return builder_.rows() > 0 ? write_block() : Status(); }

Status BlockWriter::write_block() {
  const std::unique_ptr<RecordBatch> batch = builder_.finish();
  BlockHeader header = summarize_block(*batch);
  header.id = meta_->next_block++;
  for (const PackedColumn& column : pack_columns(*batch, kZstdLevel)) {
    header.columns |= uint64_t{1} << static_cast<unsigned>(column.id);
    header.packed_bytes += column.bytes.size();
    const int64_t id = header.id * kColumnSlots + static_cast<int64_t>(column.id);
    FIRN_TRY(insert_column_.bind_int64(1, id));
    FIRN_TRY(insert_column_.bind_blob_static(2, column.bytes));
    FIRN_TRY(insert_column_.run());
    insert_column_.clear();
  }
  for (const auto& [kind, filter] : build_block_filters(*batch, meta_->attributes)) {
    header.filters |= uint64_t{1} << kind;
    FIRN_TRY(insert_filter_.bind_int64(1, (int64_t{kind} << kFilterKindShift) + header.id));
    FIRN_TRY(insert_filter_.bind_blob_static(2, filter));
    FIRN_TRY(insert_filter_.run());
    insert_filter_.clear();
  }
  int index = 1;
  for (const uint64_t value :
       {static_cast<uint64_t>(header.id), uint64_t{header.rows}, header.position_min,
        header.position_max, static_cast<uint64_t>(header.time_min),
        static_cast<uint64_t>(header.time_max), uint64_t{header.severity_max}, header.kinds,
        header.columns, header.filters, header.raw_bytes, header.packed_bytes, header.checksum,
        uint64_t{header.crc()}}) {
    FIRN_TRY(insert_block_.bind_int64(index++, static_cast<int64_t>(value)));
  }
  FIRN_TRY(insert_block_.run());
  ++meta_->blocks;
  meta_->stats.rows += header.rows;
  meta_->stats.raw_bytes += header.raw_bytes;
  meta_->stats.checksum += header.checksum;
  return Status();
}

}  // namespace firn
