#pragma once

#include <cstdint>
#include <string_view>

#include "base/id_set.h"
#include "model/record_batch.h"

namespace firn {

// Which series a kPrune takes out of chunks of samples and rollups. Thread rule: one writer, or any
// number of readers.
struct SeriesChoice {
  IdSet listed;
  bool listed_stay = false;  // and all others go; else those that are listed go

  // A text that is no identity, as marks of rollups have one, always stays.
  bool removes(std::string_view series) const;
};

// Rows of a chunk, by what becomes of them.
struct ChosenRows {
  uint64_t going = 0, staying = 0;
};

// The rows of the slice that stay: the slice itself when all do, a null batch when none does.
// REQUIRES: the batch has series.
BatchSlice staying_rows(const BatchSlice& slice, const SeriesChoice& choice);

}  // namespace firn
