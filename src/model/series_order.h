#pragma once

#include <cstdint>
#include <vector>

namespace firn {

// The rows of a batch series by series (docs/formats/batch.md, "By series"): those with the first
// entry of the dictionary of series, then those with the second, each in their order. What is
// written by places is what a series says one after the other.
class SeriesOrder {
 public:
  // All rows are one series, in their order.
  explicit SeriesOrder(uint32_t rows) : ends_{rows} {}
  // `indexes`: the entry of each row, below `entries`.
  SeriesOrder(const uint32_t* indexes, uint32_t rows, uint32_t entries)
      : entries_(entries), ends_(entries + 1, 0), rows_(rows) {
    for (uint32_t row = 0; row < rows; ++row) ++ends_[indexes[row] + 1];
    for (uint32_t entry = 0; entry < entries; ++entry) ends_[entry + 1] += ends_[entry];
    // Each place taken moves the beginning of its series to its end.
    for (uint32_t row = 0; row < rows; ++row) rows_[ends_[indexes[row]]++] = row;
    ends_.pop_back();
  }

  // Of the dictionary; 0: there is none.
  uint32_t entries() const { return entries_; }
  // Where each series ends; the next one begins there. Some may be empty.
  const std::vector<uint32_t>& ends() const { return ends_; }
  uint32_t row(uint32_t place) const { return rows_.empty() ? place : rows_[place]; }

 private:
  uint32_t entries_ = 0;
  std::vector<uint32_t> ends_;
  std::vector<uint32_t> rows_;
};

}  // namespace firn
