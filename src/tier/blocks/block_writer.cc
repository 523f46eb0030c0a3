#include "tier/blocks/block_writer.h"

#include <algorithm>

#include "model/packed.h"
#include "tier/blocks/key_filter.h"
#include "tier/slices.h"

namespace firn {

namespace {

constexpr int kZstdLevel = 1;
constexpr size_t kTailBlocksMax = 64;  // looked at for absorption; the tail is about a dozen

}  // namespace

Status BlockWriter::absorb_tail(NamespaceId namespace_id, uint64_t rows) {
  // Ids may have gaps where blocks were removed, so the range is found from the end.
  FIRN_ASSIGN(const std::optional<int64_t> from, sink_->first_of_last(kTailBlocksMax));
  if (!from) return Status();
  FIRN_ASSIGN(const std::vector<BlockHeader> tail, sink_->load_headers(*from, counts_->next_block));
  size_t first = tail.size();
  while (first > 0 && !tail[first - 1].is_full() && tail[first - 1].rows <= 2 * rows) {
    rows += tail[--first].rows;
  }
  if (first == tail.size()) return Status();
  ++counts_->epoch;
  ColumnReader reader(sink_);
  for (; first < tail.size(); ++first) {
    FIRN_ASSIGN(const BatchPtr batch,
                reader.load(tail[first], namespace_id, Projection::all(), nullptr));
    FIRN_TRY(remove_block(tail[first]));
    FIRN_TRY(pack_rows({batch, nullptr}));
  }
  return Status();
}

Status BlockWriter::remove_block(const BlockHeader& header) {
  FIRN_TRY(sink_->remove(header));
  --counts_->blocks;
  counts_->stats.rows -= header.rows;
  counts_->stats.raw_bytes -= header.raw_bytes;
  counts_->stats.checksum -= header.checksum;
  return Status();
}

Status BlockWriter::add(const BatchSlice& slice) {
  widen(&counts_->stats, slice_zone(slice));
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
  header.id = counts_->next_block++;
  std::vector<PackedColumn> columns = pack_columns(*batch, kZstdLevel);
  for (const PackedColumn& column : columns) {
    header.columns |= uint64_t{1} << static_cast<unsigned>(column.id);
    header.packed_bytes += column.bytes.size();
  }
  auto filters = build_block_filters(*batch, counts_->attributes);
  for (const auto& [kind, filter] : filters) header.filters |= uint64_t{1} << kind;
  FIRN_TRY(sink_->insert(header, std::move(columns), std::move(filters)));
  ++counts_->blocks;
  counts_->stats.rows += header.rows;
  counts_->stats.raw_bytes += header.raw_bytes;
  counts_->stats.checksum += header.checksum;
  return Status();
}

}  // namespace firn
