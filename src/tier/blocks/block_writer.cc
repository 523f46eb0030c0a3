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
constexpr size_t kPackedTogetherMax = 4;
constexpr uint64_t kPackedTogetherRawBytes = 4 * kMiB;
// Looked at for absorption. The tail is about a dozen groups, each at most half of the one before.
constexpr size_t kTailBlocksMax = 256;

}  // namespace

size_t BlockWriter::tail_to_absorb(std::span<const BlockHeader> tail, uint64_t rows) const {
  uint64_t absorbed_rows = 0, absorbed_bytes = 0;
  while (!tail.empty()) {
    const BlockGroup group = last_group(tail);
    if (!group.is_whole || group.is_full(dataset_) || group.rows > 2 * rows) break;
    absorbed_rows += group.rows;
    absorbed_bytes += group.raw_bytes;
    // What overlaps cannot be cut at a position: it has to fit into one group.
    const bool fits = absorbed_rows <= group_rows_max(dataset_) &&
                      absorbed_bytes <= group_raw_bytes_max(dataset_);
    if (is_divided_by_series(dataset_) && !fits) break;
    rows += group.rows;
    tail = tail.first(group.begin);
  }
  return tail.size();
}

Status BlockWriter::absorb_tail(NamespaceId namespace_id, uint64_t rows) {
  // Ids may have gaps where blocks were removed, so the range is found from the end.
  FIRN_ASSIGN(const std::optional<int64_t> from, sink_->first_of_last(kTailBlocksMax));
  if (!from) return Status();
  FIRN_ASSIGN(const std::vector<BlockHeader> tail, sink_->load_headers(*from, counts_->next_block));
  size_t first = tail_to_absorb(tail, rows);
  if (first == tail.size()) return Status();
  ++counts_->epoch;
  ColumnReader reader(sink_, dataset_);
  for (; first < tail.size(); ++first) {
    FIRN_ASSIGN(const BatchPtr batch,
                reader.load(tail[first], namespace_id, Projection::all(), nullptr));
    FIRN_TRY(remove_block(tail[first]));
    if (is_divided_by_series(dataset_)) {
      group_.add({batch, nullptr});
    } else {
      FIRN_TRY(fill_blocks({batch, nullptr}));
    }
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
  return is_divided_by_series(dataset_) ? fill_groups(slice) : fill_blocks(slice);
}

Status BlockWriter::fill_groups(const BatchSlice& slice) {
  const uint32_t rows = slice.rows();
  uint32_t begin = 0;
  while (begin < rows) {
    const uint32_t end = begin + std::min(rows - begin, group_rows_max(dataset_) - group_.rows());
    if (end > begin) group_.add(slice_part(slice, begin, end));
    const bool is_full = group_.rows() >= group_rows_max(dataset_) ||
                         group_.raw_bytes() >= group_raw_bytes_max(dataset_);
    if (is_full) FIRN_TRY(end_group());
    begin = end;
  }
  return Status();
}

Status BlockWriter::end_group() {
  bool begins_group = true;
  return group_.divide(rows_max_, kBlockRawBytesMax, &builder_,
                       [&] { return end_block(std::exchange(begins_group, false)); });
}

Status BlockWriter::fill_blocks(const BatchSlice& slice) {
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
    if (builder_.rows() == rows_max_ || by_size) FIRN_TRY(end_block(true));
    begin = end;
  }
  return Status();
}

Status BlockWriter::finish() {
  if (group_.rows() > 0) FIRN_TRY(end_group());
  if (builder_.rows() > 0) FIRN_TRY(end_block(true));
  FIRN_TRY(pack_gathered());
  return pack_gathered();
}

Status BlockWriter::end_block(bool begins_group) {
  gathered_.emplace_back();
  gathered_.back().batch = builder_.finish();
  gathered_.back().begins_group = begins_group;
  gathered_bytes_ += gathered_.back().batch->size_bytes();
  const bool is_enough =
      gathered_.size() == kPackedTogetherMax || gathered_bytes_ >= kPackedTogetherRawBytes;
  return is_enough ? pack_gathered() : Status();
}

Status BlockWriter::pack_gathered() {
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
  if (block.begins_group) first_block_ = header.id;
  header.first_block = first_block_;
  builder_.reuse(std::move(block.batch));
  FIRN_TRY(sink_->insert(header, std::move(block.columns), std::move(block.filters)));
  ++counts_->blocks;
  counts_->stats.rows += header.rows;
  counts_->stats.raw_bytes += header.raw_bytes;
  counts_->stats.checksum += header.checksum;
  return Status();
}

}  // namespace firn
