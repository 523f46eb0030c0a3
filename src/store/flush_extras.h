#pragma once

#include <string>
#include <utility>
#include <vector>

#include "store/id_index.h"
#include "store/manifest.h"

namespace firn {

// The next stream position of each stream of the rows, ascending by name.
std::vector<std::pair<std::string, int64_t>> stream_heads_of(const std::vector<BatchSlice>& slices);

// What is committed along with rows that a tier got: the heads of their streams, their ids as far
// as clients made them, and which streams they belong to.
FlushExtras extras_of(const std::vector<BatchSlice>& slices, const IdTagger& tagger);

}  // namespace firn
