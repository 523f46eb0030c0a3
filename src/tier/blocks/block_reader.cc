#include "tier/blocks/block_reader.h"

#include <algorithm>
#include <bit>

#include "tier/blocks/key_filter.h"
#include "tier/blocks/position_merge.h"
#include "tier/lookup.h"
#include "tier/slices.h"

namespace firn {

namespace {

// Of fewer rows than one in so many, the others are not unpacked.
constexpr uint32_t kFewRowsShare = 4;

class BlockReader : public BatchReader {
 public:
  BlockReader(std::unique_ptr<BlockSession> session, std::vector<BlockHeader> blocks,
              const ScanSpec& spec, ScanCost* cost)
      : session_(std::move(session)),
        columns_(session_.get(), session_->key().dataset),
        blocks_(std::move(blocks)),
        filter_(spec.filter),
        filter_columns_(Projection::none().with(spec.filter)),
        projection_(spec.projection.with(spec.filter)),
        cost_(cost),
        is_ordered_(spec.order != ScanOrder::kAny),
        merge_(session_->key().dataset, spec.order == ScanOrder::kPositionDescending,
               block_rows_max(session_->key().dataset)) {
    if (spec.order == ScanOrder::kPositionDescending) std::reverse(blocks_.begin(), blocks_.end());
  }

  Result<bool> next(BatchSlice* out) override {
    while (true) {
      if (is_ordered_ && merge_.next(out)) return true;
      if (next_ == blocks_.size()) return false;
      const int64_t first_block = blocks_[next_].first_block;
      while (next_ < blocks_.size() && blocks_[next_].first_block == first_block) {
        const Status status = read_block(blocks_[next_++], out);
        if (!status.ok()) return status.with_context(session_->place());
        if (out->batch == nullptr) continue;
        if (!is_ordered_) return true;
        merge_.add(std::move(*out));
      }
    }
  }

 private:
  // Leaves a null batch when no row of the block satisfies the filter.
  Status read_block(const BlockHeader& header, BatchSlice* out) {
    const NamespaceId id = session_->key().namespace_id;
    *out = {};
    if (cost_ != nullptr) {
      ++cost_->blocks_read;
      cost_->rows_read += header.rows;
    }
    if (zone_is_inside(header, filter_)) {
      FIRN_ASSIGN(out->batch, columns_.load(header, id, projection_, cost_));
      return Status();
    }
    FIRN_ASSIGN(BatchPtr looked_at, columns_.load(header, id, filter_columns_, cost_));
    BatchSlice matching = apply_filter({looked_at, nullptr}, filter_);
    if (matching.batch == nullptr) return Status();
    // Row numbers stay the same when the other columns join.
    if (matching.rows() * kFewRowsShare < header.rows) {
      FIRN_ASSIGN(out->batch,
                  columns_.load_rows(header, id, projection_, *matching.selection, cost_));
      return Status();
    }
    FIRN_ASSIGN(matching.batch, columns_.load(header, id, projection_, cost_));
    *out = std::move(matching);
    return Status();
  }

  const std::unique_ptr<BlockSession> session_;
  ColumnReader columns_;
  std::vector<BlockHeader> blocks_;
  const Filter filter_;
  const Projection filter_columns_, projection_;
  ScanCost* const cost_;
  const bool is_ordered_;
  PositionMerge merge_;  // of the blocks of a group, when there is an order
  size_t next_ = 0;
};

// Removes the blocks of which a filter says that they hold none of the predicate's values.
Status prune_by_key(BlockSession* session, const Predicate& predicate,
                    std::vector<const BlockHeader*>* blocks) {
  const auto kind = filter_kind_of(predicate, session->counts().attributes);
  const auto hashes = predicate_hashes(predicate);
  if (!kind || !hashes) return Status();
  FIRN_ASSIGN(const auto filters, session->index()->filters(session, *kind, *blocks));
  size_t kept = 0;
  for (size_t i = 0; i < blocks->size(); ++i) {
    const bool may_match =
        filters[i] != nullptr && std::any_of(hashes->begin(), hashes->end(), [&](uint64_t hash) {
          return key_filter_may_contain(*filters[i], hash);
        });
    if (may_match) (*blocks)[kept++] = (*blocks)[i];
  }
  blocks->resize(kept);
  return Status();
}

// The identities in a block of a group that is divided by series.
struct SeriesRange {
  int64_t first_block = 0;
  std::string min, max;
};

// Blocks of a group follow each other by series.
Status check_series(const BlockHeader& stored, const RecordBatch& batch, SeriesRange* before) {
  const StringColumn series = batch.strings(ColumnId::kSeries);
  SeriesRange range;
  range.first_block = stored.first_block;
  range.min = range.max = series[0];
  for (uint32_t entry = 0; entry < series.entries(); ++entry) {
    if (series.entry(entry) < range.min) range.min = series.entry(entry);
    if (series.entry(entry) > range.max) range.max = series.entry(entry);
  }
  const bool is_first = before->first_block != stored.first_block;
  if (!is_first && range.min < before->max) {
    return corruption(stored.describe() + ": its series do not follow those of the block before");
  }
  *before = std::move(range);
  return Status();
}

Status verify_block(BlockSession* session, const BlockHeader& stored, ColumnReader* columns,
                    SeriesRange* series) {
  const ChunkKey& key = session->key();
  FIRN_ASSIGN(const BatchPtr batch,
              columns->load(stored, key.namespace_id, Projection::all(), nullptr));
  const BatchSlice slice{batch, nullptr};
  for (uint32_t row = 1; row < batch->rows(); ++row) {
    if (batch->position(row) <= batch->position(row - 1)) {
      return corruption(stored.describe() + ": positions do not ascend");
    }
  }
  const BlockHeader found = summarize_block(*batch);
  if (found.checksum != stored.checksum) {
    return corruption(stored.describe() + ": the rows do not fit the block's checksum");
  }
  if (found.time_min != stored.time_min || found.time_max != stored.time_max ||
      found.severity_max != stored.severity_max || found.kinds != stored.kinds ||
      !key.covers(stored.time_min, stored.time_max)) {
    return corruption(stored.describe() + ": its zone map does not fit its rows");
  }
  if (is_divided_by_series(key.dataset)) FIRN_TRY(check_series(stored, *batch, series));
  uint64_t kinds = 0;
  for (const auto& [kind, expected] : build_block_filters(*batch, session->counts().attributes)) {
    kinds |= uint64_t{1} << kind;
    const BlockHeader* block = &stored;
    if (((stored.filters >> kind) & 1) == 0) break;
    FIRN_ASSIGN(const auto filter, session->index()->filters(session, kind, {&block, 1}));
    if (*filter[0] != expected) {
      return corruption(stored.describe() + ": filter " + std::to_string(kind) +
                        " does not fit the rows");
    }
  }
  if (kinds != stored.filters) {
    return corruption(stored.describe() + ": its filters do not fit its rows");
  }
  return Status();
}

}  // namespace

Result<std::unique_ptr<BatchReader>> read_blocks(std::unique_ptr<BlockSession> session,
                                                 const ScanSpec& spec, ScanCost* cost) {
  const auto found = session->index()->headers(session.get(), session->counts());
  if (!found.ok()) return found.status().with_context(session->place());
  const BlockIndex::Headers& headers = *found;
  std::vector<const BlockHeader*> left;
  for (const BlockHeader& header : *headers) {
    if (zone_may_match(header, spec.filter)) left.push_back(&header);
  }
  for (const Predicate& predicate : spec.filter.predicates) {
    if (left.empty()) break;
    const Status pruned = prune_by_key(session.get(), predicate, &left);
    if (!pruned.ok()) return pruned.with_context(session->place());
  }
  if (cost != nullptr) cost->blocks_pruned += headers->size() - left.size();
  std::vector<BlockHeader> blocks;
  blocks.reserve(left.size());
  for (const BlockHeader* header : left) blocks.push_back(*header);
  return std::unique_ptr<BatchReader>(
      std::make_unique<BlockReader>(std::move(session), std::move(blocks), spec, cost));
}

Status verify_blocks(BlockSession* session) {
  session->index()->drop_filters();
  const BlockCounts& counts = session->counts();
  auto headers = session->load_headers(0, INT64_MAX);
  const std::string& place = session->place();
  if (!headers.ok()) return headers.status().with_context(place);
  ColumnReader columns(session, session->key().dataset);
  SeriesRange series;
  ChunkStats sums;
  uint64_t stored_columns = 0, stored_filters = 0;
  for (const BlockHeader& header : *headers) {
    const Status status = verify_block(session, header, &columns, &series);
    if (!status.ok()) return status.with_context(place);
    SliceZone zone;
    zone.time_min = header.time_min;
    zone.time_max = header.time_max;
    zone.position_min = header.position_min;
    zone.position_max = header.position_max;
    widen(&sums, zone);
    sums.rows += header.rows;
    sums.raw_bytes += header.raw_bytes;
    sums.checksum += header.checksum;
    stored_columns += static_cast<uint64_t>(std::popcount(header.columns));
    stored_filters += static_cast<uint64_t>(std::popcount(header.filters));
  }
  const ChunkStats& told = counts.stats;
  if (headers->size() != counts.blocks || sums.rows != told.rows ||
      sums.checksum != told.checksum || sums.raw_bytes != told.raw_bytes ||
      sums.time_min != told.time_min || sums.time_max != told.time_max ||
      sums.position_min != told.position_min || sums.position_max != told.position_max ||
      sums.position_max > told.watermark) {
    return corruption(place + ": the blocks together do not fit what meta says of the chunk");
  }
  return session->verify_parts(stored_columns, stored_filters).with_context(place);
}

}  // namespace firn
