#include "tier/blocks/block_writer.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/size.h"
#include "model/packed.h"
#include "tier/blocks/key_filter.h"
#include "tier/slices.h"

namespace firn {

namespace {

constexpr int kZstdLevel = 1;
// What is packed at a time: enough for two threads to share, little enough to have in memory.
constexpr size_t kGroupBlocksMax = 4;
constexpr uint64_t kGroupRawBytes = 4 * kMiB;
constexpr size_t kTailBlocksMax = 64;  // looked at for absorption; the tail is about a dozen

}  // namespace

Status BlockWriter::absorb_tail(NamespaceId namespace_id, uint64_t rows) {
  // Ids may have gaps where blocks were removed, so the range is found from the end.
  FIRN_ASSIGN(const std::optional<int64_t> from, sink_->first_of_last(kTailBlocksMax));
  if (!from) return Status();
  FIRN_ASSIGN(const std::vector<BlockHeader> tail, sink_->load_headers(*from, counts_->next_block));
  size_t first = tail.size();
  while (first > 0 && !tail[first - 1].is_full(dataset_) && tail[first - 1].rows <= 2 * rows) {
    rows += tail[--first].rows;
  }
  if (first == tail.size()) return Status();
  ++counts_->epoch;
  ColumnReader reader(sink_, dataset_);
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
    uint32_t end = begin + std::min(rows - begin, rows_max_ - builder_.rows());
    // Only where the batch is large enough to pass the limit is it worth adding up its rows.
    if (builder_.size_bytes() + batch.size_bytes() > kBlockRawBytesMax) {
      uint64_t bytes = builder_.size_bytes();
      for (uint32_t i = begin; i < end; ++i) {
        bytes += batch.row_bytes(slice.row(i));
        if (bytes > kBlockRawBytesMax && builder_.rows() + (i - begin) > 0) end = i;
      }
    }
    if (end > begin) builder_.add_rows(slice, begin, end);
    const bool by_size = end < rows && builder_.rows() < rows_max_;
    if (builder_.rows() == rows_max_ || by_size) FIRN_TRY(end_block());
    begin = end;
  }
  return Status();
}

Status BlockWriter::finish() {
  if (builder_.rows() > 0) FIRN_TRY(end_block());
  FIRN_TRY(next_group());
  return next_group();
}

Status BlockWriter::end_block() {
  gathered_.emplace_back();
  gathered_.back().batch = builder_.finish();
  gathered_bytes_ += gathered_.back().batch->size_bytes();
  const bool is_group = gathered_.size() == kGroupBlocksMax || gathered_bytes_ >= kGroupRawBytes;
  return is_group ? next_group() : Status();
}

Status BlockWriter::next_group() {
  packing_->finish();
  std::vector<Block> packed = std::exchange(in_work_, std::exchange(gathered_, {}));
  gathered_bytes_ = 0;
  if (in_work_.size() == 1 && packed.empty()) {
    // Done sooner than anybody else would begin.
    pack_block(counts_->attributes, in_work_.data());
    return Status();
  }
  std::vector<std::function<void()>> tasks;
  for (Block& block : in_work_) {
    tasks.emplace_back(
        [&attributes = counts_->attributes, &block] { pack_block(attributes, &block); });
  }
  packing_->begin(std::move(tasks));
  for (Block& block : packed) FIRN_TRY(insert_block(std::move(block)));
  return Status();
}

void BlockWriter::pack_block(const std::vector<std::string>& attributes, Block* block) {
  block->header = summarize_block(*block->batch);
  block->columns = pack_columns(*block->batch, kZstdLevel);
  block->filters = build_block_filters(*block->batch, attributes);
  for (const PackedColumn& column : block->columns) {
    block->header.columns |= uint64_t{1} << static_cast<unsigned>(column.id);
    block->header.packed_bytes += column.bytes.size();
  }
  for (const auto& [kind, filter] : block->filters) block->header.filters |= uint64_t{1} << kind;
}

Status BlockWriter::insert_block(Block block) {
  BlockHeader& header = block.header;
  header.id = counts_->next_block++;
  builder_.reuse(std::move(block.batch));
  FIRN_TRY(sink_->insert(header, std::move(block.columns), std::move(block.filters)));
  ++counts_->blocks;
  counts_->stats.rows += header.rows;
  counts_->stats.raw_bytes += header.raw_bytes;
  counts_->stats.checksum += header.checksum;
  return Status();
}

}  // namespace firn
