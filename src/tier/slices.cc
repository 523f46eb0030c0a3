#include "tier/slices.h"

#include <algorithm>

namespace firn {

SliceZone slice_zone(const BatchSlice& slice) {
  const RecordBatch& batch = *slice.batch;
  const uint32_t rows = slice.rows();
  SliceZone zone;
  zone.position_min = batch.position(slice.row(0));
  zone.position_max = batch.position(slice.row(rows - 1));
  if (!slice.selection) {
    zone.time_min = batch.time_min();
    zone.time_max = batch.time_max();
    return zone;
  }
  const auto times = batch.int64s(ColumnId::kTime);
  for (uint32_t i = 0; i < rows; ++i) {
    const TimeNs time = times[slice.row(i)];
    zone.time_min = std::min(zone.time_min, time);
    zone.time_max = std::max(zone.time_max, time);
  }
  return zone;
}

BatchSlice rows_after(const BatchSlice& slice, Position watermark) {
  const RecordBatch& batch = *slice.batch;
  const uint32_t rows = slice.rows();
  if (batch.position(slice.row(0)) > watermark) return slice;
  if (batch.position(slice.row(rows - 1)) <= watermark) return {};
  uint32_t first = 0, last = rows - 1;  // the first row above lies in (first, last]
  while (last - first > 1) {
    const uint32_t middle = first + (last - first) / 2;
    (batch.position(slice.row(middle)) > watermark ? last : first) = middle;
  }
  return slice_part(slice, last, rows);
}

BatchSlice slice_part(const BatchSlice& slice, uint32_t begin, uint32_t end) {
  if (begin == 0 && end == slice.rows()) return slice;
  auto selection = std::make_shared<std::vector<uint32_t>>();
  selection->reserve(end - begin);
  for (uint32_t i = begin; i < end; ++i) selection->push_back(slice.row(i));
  return {slice.batch, std::move(selection)};
}

Status check_slices(const ChunkKey& key, std::span<const BatchSlice> slices, Position through) {
  Position before = 0;
  for (const BatchSlice& slice : slices) {
    if (slice.rows() == 0) return internal_error("a slice without rows");
    if (slice.batch->dataset() != key.dataset || slice.batch->namespace_id() != key.namespace_id) {
      return internal_error("a slice of another namespace or dataset for chunk " + key.name());
    }
    const SliceZone zone = slice_zone(slice);
    if (!key.covers(zone.time_min, zone.time_max)) {
      return internal_error("a slice outside the time range of chunk " + key.name());
    }
    if (zone.position_min <= before || zone.position_max > through) {
      return internal_error("slices out of order for chunk " + key.name());
    }
    before = zone.position_max;
  }
  return Status();
}

Status check_complete_through(const ChunkKey& key, Position watermark, Position complete_through) {
  if (watermark >= complete_through) return Status();
  return corruption("chunk " + key.name() + " is complete up to position " +
                    std::to_string(watermark) + ", but must be up to " +
                    std::to_string(complete_through) +
                    ": it lost its end, or is an older copy; restore it from a backup");
}

void widen(ChunkStats* stats, const SliceZone& zone) {
  stats->time_min = std::min(stats->time_min, zone.time_min);
  stats->time_max = std::max(stats->time_max, zone.time_max);
  stats->position_min = std::min(stats->position_min, zone.position_min);
  stats->position_max = std::max(stats->position_max, zone.position_max);
}

}  // namespace firn
