#include <algorithm>
#include <deque>
#include <optional>

#include "tier/lookup.h"
#include "tier/memory/memory_snapshot.h"

namespace firn {

namespace {

using Runs = std::vector<std::shared_ptr<MemoryRun>>;

// Reads one run after the other, in the direction asked for: by row index where the filter has an
// equality that one answers, else slice by slice.
class MemoryReader : public BatchReader {
 public:
  MemoryReader(std::shared_ptr<const Runs> runs, const ScanSpec& spec, ScanCost* cost)
      : runs_(std::move(runs)),
        filter_(spec.filter),
        descending_(spec.order == ScanOrder::kPositionDescending),
        cost_(cost == nullptr ? &own_cost_ : cost) {
    for (const ColumnId column : kIndexedColumns) {
      for (const Predicate& predicate : filter_.predicates) {
        if (lookup_ || predicate.kind != PredicateKind::kEqual || predicate.column != column) {
          continue;
        }
        lookup_ = predicate_hashes(predicate);
        lookup_column_ = column;
      }
    }
  }

  Result<bool> next(BatchSlice* out) override {
    while (true) {
      if (!pending_.empty()) {
        *out = std::move(pending_.front());
        pending_.pop_front();
        return true;
      }
      if (slices_left_ > 0) {
        read_slice();
      } else if (next_run_ < runs_->size()) {
        begin_run();
      } else {
        return false;
      }
    }
  }

 private:
  bool zone_matches(const SliceZone& zone) const {
    return filter_.time.overlaps(zone.time_min, zone.time_max) &&
           filter_.positions.overlaps(zone.position_min, zone.position_max);
  }

  void begin_run() {
    const size_t at = next_run_++;
    run_ = (*runs_)[descending_ ? runs_->size() - 1 - at : at].get();
    // Closed is asked before the count: the count of a closed run is final.
    const RowIndex* index = lookup_ && run_->is_closed() ? run_->index(lookup_column_) : nullptr;
    slices_ = run_->published();
    if (slices_ == 0) return;
    if (!zone_matches(run_->entry(slices_ - 1).through.zone)) {
      ++cost_->blocks_pruned;
      return;
    }
    if (index == nullptr) {
      ++cost_->blocks_read;
      slices_left_ = slices_;
      return;
    }
    std::vector<uint32_t> rows;
    for (const uint64_t hash : *lookup_) index->find(hash, &rows);
    if (rows.empty()) {
      ++cost_->blocks_pruned;
      return;
    }
    ++cost_->blocks_read;
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    read_rows(rows);
  }

  void read_slice() {
    const uint32_t at = descending_ ? --slices_left_ : slices_ - slices_left_--;
    const MemoryRun::Entry& entry = run_->entry(at);
    if (!zone_matches(entry.zone)) return;
    cost_->bytes_read += entry.slice.size_bytes();
    const bool whole = filter_.predicates.empty() && filter_.time.contains(entry.zone.time_min) &&
                       filter_.time.contains(entry.zone.time_max) &&
                       filter_.positions.contains(entry.zone.position_min) &&
                       filter_.positions.contains(entry.zone.position_max);
    emit(entry.slice, whole);
  }

  // Numbers of rows in the run, ascending, to slices.
  void read_rows(const std::vector<uint32_t>& rows) {
    size_t next = 0;
    uint32_t slice = 0;
    while (next < rows.size()) {
      // The first slice whose rows end behind the row.
      uint32_t low = slice, high = slices_ - 1;
      while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (run_->entry(middle).through.rows > rows[next]) {
          high = middle;
        } else {
          low = middle + 1;
        }
      }
      slice = low;
      const MemoryRun::Entry& entry = run_->entry(slice);
      const uint64_t end = entry.through.rows;
      const uint64_t begin = end - entry.slice.rows();
      auto selection = std::make_shared<std::vector<uint32_t>>();
      for (; next < rows.size() && rows[next] < end; ++next) {
        selection->push_back(entry.slice.row(static_cast<uint32_t>(rows[next] - begin)));
      }
      const BatchSlice candidates{entry.slice.batch, std::move(selection)};
      cost_->bytes_read += candidates.size_bytes();
      emit(candidates, false);
    }
    if (descending_) std::reverse(pending_.begin(), pending_.end());
  }

  void emit(const BatchSlice& slice, bool whole) {
    cost_->rows_read += slice.rows();
    BatchSlice matching = whole ? slice : apply_filter(slice, filter_);
    if (matching.batch != nullptr) pending_.push_back(std::move(matching));
  }

  const std::shared_ptr<const Runs> runs_;
  const Filter filter_;
  const bool descending_;
  ScanCost own_cost_;
  ScanCost* const cost_;
  std::optional<std::vector<uint64_t>> lookup_;
  ColumnId lookup_column_ = ColumnId::kId;

  size_t next_run_ = 0;
  const MemoryRun* run_ = nullptr;
  uint32_t slices_ = 0;       // of the run, when it was begun
  uint32_t slices_left_ = 0;  // to be read one by one
  std::deque<BatchSlice> pending_;
};

}  // namespace

std::unique_ptr<BatchReader> read_runs(std::shared_ptr<const Runs> runs, const ScanSpec& spec,
                                       ScanCost* cost) {
  return std::make_unique<MemoryReader>(std::move(runs), spec, cost);
}

}  // namespace firn
