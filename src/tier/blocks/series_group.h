#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/status.h"
#include "model/record_batch.h"

namespace firn {

// The rows of samples that become a group of blocks (docs/formats/samples.md, "Groups of blocks").
// Thread rule: one thread.
class SeriesGroup {
 public:
  // REQUIRES: for each series, positions above those added before. Slices may overlap otherwise.
  void add(BatchSlice slice);
  uint32_t rows() const { return rows_; }
  // Of the rows before compression.
  uint64_t raw_bytes() const { return raw_bytes_; }

  // Divides the rows into blocks of at most `rows_max` rows, and about `bytes_max` bytes unless a
  // row alone has more: builds each with `builder` and calls `end_block`, which takes it from
  // there, until a call fails. The group is empty afterwards.
  Status divide(uint32_t rows_max, uint64_t bytes_max, BatchBuilder* builder,
                const std::function<Status()>& end_block);

 private:
  struct Division;
  void assign_blocks(uint32_t rows_max, uint64_t bytes_max, Division* division) const;
  Status build_blocks(std::vector<RowRef> rows, uint32_t rows_max, uint64_t bytes_max,
                      BatchBuilder* builder, const std::function<Status()>& end_block) const;

  std::vector<BatchSlice> slices_;
  uint32_t rows_ = 0;
  uint64_t raw_bytes_ = 0;
};

}  // namespace firn
