#include "store/chunk_copy.h"

#include <string>
#include <vector>

#include "model/checksum.h"

namespace firn {

Result<ChunkStats> copy_chunk(const ChunkCopy& copy) {
  const ChunkRecord& record = *copy.record;
  ScanSpec spec;
  spec.order = ScanOrder::kPositionAscending;
  spec.filter.positions = {copy.above == 0 ? 0 : copy.above + 1, record.stats.watermark + 1};
  spec.complete_through = record.stats.watermark;
  FIRN_ASSIGN(const auto reader, copy.source->scan(record.key, spec, nullptr));
  std::vector<BatchSlice> slices;
  uint64_t bytes = 0, rows = 0, checksum = 0;
  while (true) {
    BatchSlice slice;
    if (copy.stopping->load()) return cancelled("the store is closing");
    FIRN_ASSIGN(const bool more, reader->next(&slice));
    if (!more) break;
    bytes += slice.batch->size_bytes();
    rows += slice.rows();
    checksum += rows_checksum(slice);
    slices.push_back(std::move(slice));
    if (bytes < copy.piece_bytes) continue;
    const BatchSlice& last = slices.back();
    const Position through = last.batch->position(last.row(last.rows() - 1));
    FIRN_TRY(copy.target->write(copy.target_key, slices, through).status());
    slices.clear();
    bytes = 0;
  }
  const bool is_all = copy.above == 0;
  if (is_all && (rows != record.stats.rows || checksum != record.stats.checksum)) {
    return corruption("chunk " + record.key.name() + " in tier " + record.tier + " has " +
                      std::to_string(rows) + " rows, the manifest says " +
                      std::to_string(record.stats.rows) +
                      ", or their checksum differs; it was not copied. Run firn verify");
  }
  return copy.target->write(copy.target_key, slices, record.stats.watermark);
}

Result<ChunkStats> finish_copy(Tier* target, const ChunkKey& key, const ChunkStats& expected,
                               bool is_complete) {
  if (is_complete) FIRN_TRY(target->seal(key).status());
  FIRN_ASSIGN(ChunkStats stored, target->verify(key));
  if (stored.rows != expected.rows || stored.checksum != expected.checksum) {
    return corruption("chunk " + key.name() + " reads back differently from '" +
                      std::string(target->name()) + "'; the chunk it was made from stays as it is");
  }
  stored.watermark = expected.watermark;
  return stored;
}

}  // namespace firn
