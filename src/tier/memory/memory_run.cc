#include "tier/memory/memory_run.h"

#include <algorithm>

namespace firn {

MemoryRun::MemoryRun(uint32_t capacity, uint64_t arrival, TimeNs arrived_at, MemoryCounter counter)
    : capacity_(capacity),
      arrival_(arrival),
      arrived_at_(arrived_at),
      counter_(std::move(counter)),
      entries_(std::make_unique<Entry[]>(capacity)) {
  counter_->fetch_add(sizeof(*this) + capacity_ * sizeof(Entry), std::memory_order_relaxed);
}

MemoryRun::~MemoryRun() {
  for (auto& index : indexes_) delete index.load(std::memory_order_acquire);
  counter_->fetch_sub(sizeof(*this) + capacity_ * sizeof(Entry) + totals().bytes +
                          index_bytes_.load(std::memory_order_relaxed),
                      std::memory_order_relaxed);
}

void MemoryRun::append(BatchSlice slice, const SliceZone& zone) {
  const uint32_t at = published_.load(std::memory_order_relaxed);
  FIRN_CHECK(at < capacity_ && !is_closed());
  Entry& entry = entries_[at];
  if (at > 0) {
    entry.through = entries_[at - 1].through;
    FIRN_CHECK(zone.position_min > entry.through.zone.position_max);
  }
  const uint64_t raw = slice.size_bytes();
  const uint64_t bytes = raw + (slice.selection ? slice.selection->capacity() * 4 : 0);
  RunTotals& through = entry.through;
  through.rows += slice.rows();
  through.bytes += bytes;
  through.raw_bytes += raw;
  through.zone.time_min = std::min(through.zone.time_min, zone.time_min);
  through.zone.time_max = std::max(through.zone.time_max, zone.time_max);
  through.zone.position_min = std::min(through.zone.position_min, zone.position_min);
  through.zone.position_max = zone.position_max;
  entry.zone = zone;
  entry.slice = std::move(slice);
  counter_->fetch_add(bytes, std::memory_order_relaxed);
  // Readers that see the new count see the entry.
  published_.store(at + 1, std::memory_order_release);
}

bool MemoryRun::is_full() const { return published() == capacity_ || totals().rows >= kRowsMax; }

RunTotals MemoryRun::totals() const {
  const uint32_t slices = published();
  return slices == 0 ? RunTotals() : entries_[slices - 1].through;
}

const RowIndex* MemoryRun::index(ColumnId column) const {
  const auto found = std::find(kIndexedColumns.begin(), kIndexedColumns.end(), column);
  if (found == kIndexedColumns.end() || !is_closed() || published() == 0) return nullptr;
  auto& slot = indexes_[static_cast<size_t>(found - kIndexedColumns.begin())];
  const RowIndex* present = slot.load(std::memory_order_acquire);
  if (present != nullptr) return present;
  const ColumnSchema* schema = find_column(entries_[0].slice.batch->dataset(), column);
  if (schema == nullptr) return nullptr;
  // Two readers may build it at once; the second one's work is thrown away.
  std::unique_ptr<RowIndex> built = RowIndex::build(*this, *schema);
  if (!slot.compare_exchange_strong(present, built.get(), std::memory_order_acq_rel)) {
    return present;
  }
  const size_t bytes = built->size_bytes();
  index_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  counter_->fetch_add(bytes, std::memory_order_relaxed);
  return built.release();
}

}  // namespace firn
