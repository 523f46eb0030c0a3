#include "store/manifest_rows.h"

#include "store/manifest_schema.h"

namespace firn {

Status set_clock(const ClockRecord& clock, ManifestChange* change) {
  FIRN_TRY(change->set_meta("wall_clock_ns", std::to_string(clock.wall)));
  return change->set_meta("clock_suspect", clock.is_suspect ? "1" : "0");
}

std::array<ManifestValue, 5> key_values(const ChunkKey& key) {
  return {int64_t{key.namespace_id}, static_cast<int64_t>(key.dataset), key.start, key.end,
          int64_t{key.generation}};
}

Status write_chunk(ManifestChange* change, const ChunkRecord& record) {
  const ChunkStats& stats = record.stats;
  const ManifestValue values[] = {std::string_view(record.tier),
                                  static_cast<int64_t>(record.state),
                                  pattern(stats.rows),
                                  pattern(stats.bytes),
                                  pattern(stats.raw_bytes),
                                  stats.time_min,
                                  stats.time_max,
                                  pattern(stats.position_min),
                                  pattern(stats.position_max),
                                  pattern(stats.watermark),
                                  pattern(stats.checksum),
                                  record.created_at,
                                  record.changed_at,
                                  record.keep_until,
                                  record.exported_at};
  return change->run(kPutChunk, key_values(record.key), values);
}

Status set_wal_begin(Lsn begin, ManifestChange* change) {
  FIRN_TRY(change->set_meta("wal_begin_segment", std::to_string(begin.segment)));
  return change->set_meta("wal_begin_offset", std::to_string(begin.offset));
}

}  // namespace firn
