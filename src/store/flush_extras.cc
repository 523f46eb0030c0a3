#include "store/flush_extras.h"

#include <algorithm>
#include <map>
#include <string>

namespace firn {

namespace {

using Heads = std::map<std::string, int64_t, std::less<>>;

void raise_heads(const BatchSlice& slice, Heads* heads) {
  if (!slice.batch->has_column(ColumnId::kStreamPosition)) return;
  const StringColumn streams = slice.batch->strings(ColumnId::kStream);
  const auto stream_positions = slice.batch->int64s(ColumnId::kStreamPosition);
  for (uint32_t i = 0; i < slice.rows(); ++i) {
    const uint32_t row = slice.row(i);
    if (stream_positions[row] == kAbsentInt64) continue;
    auto head = heads->find(streams[row]);
    if (head == heads->end()) head = heads->emplace(std::string(streams[row]), 0).first;
    head->second = std::max(head->second, stream_positions[row] + 1);
  }
}

}  // namespace

std::vector<std::pair<std::string, int64_t>> stream_heads_of(
    const std::vector<BatchSlice>& slices) {
  Heads heads;
  for (const BatchSlice& slice : slices) raise_heads(slice, &heads);
  return {heads.begin(), heads.end()};
}

FlushExtras extras_of(const std::vector<BatchSlice>& slices, const IdTagger& tagger) {
  FlushExtras extras;
  extras.stream_heads = stream_heads_of(slices);
  extras.ids = list_ids(slices, tagger);
  extras.streams = StreamList::build(slices);
  return extras;
}

}  // namespace firn
