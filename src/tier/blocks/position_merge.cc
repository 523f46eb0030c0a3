#include "tier/blocks/position_merge.h"

#include <algorithm>
#include <utility>

namespace firn {

void PositionMerge::add(BatchSlice slice) {
  const uint32_t rows = slice.rows();
  batches_.push_back(slice.batch);
  rests_.push_back({std::move(slice), 0, rows});
  push(static_cast<uint32_t>(rests_.size()) - 1);
}

void PositionMerge::push(uint32_t rest) {
  const auto& [slice, begin, end] = rests_[rest];
  const Position position = slice.batch->position(slice.row(descending_ ? end - 1 : begin));
  heap_.push_back({position, rest});
  std::push_heap(heap_.begin(), heap_.end(), Later{descending_});
}

PositionMerge::Next PositionMerge::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), Later{descending_});
  const Next next = heap_.back();
  heap_.pop_back();
  return next;
}

bool PositionMerge::next(BatchSlice* out) {
  if (rests_.size() == 1 && !heap_.empty()) {
    *out = std::move(rests_[0].slice);
    heap_.clear();
    return true;
  }
  std::vector<RowRef> rows;
  while (!heap_.empty() && rows.size() < rows_max_) {
    const uint32_t number = pop().rest;
    Rest& rest = rests_[number];
    rows.push_back({number, rest.slice.row(descending_ ? --rest.end : rest.begin++)});
    if (rest.begin != rest.end) push(number);
  }
  if (rows.empty()) {
    rests_.clear();
    batches_.clear();
    return false;
  }
  if (descending_) std::reverse(rows.begin(), rows.end());
  builder_.add_rows(batches_, rows);
  *out = {builder_.finish(), nullptr};
  return true;
}

}  // namespace firn
