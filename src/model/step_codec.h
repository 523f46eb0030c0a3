#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/pod_buffer.h"
#include "model/series_order.h"

// The packed forms "steps" and "series gaps" of int64 columns (docs/formats/batch.md, "By series").
namespace firn {

// Appends the values, which stand by places of the order, to `out`. The number of bytes in it that
// are not zero, which is what compression leaves of them, more or less.
uint64_t encode_steps(std::span<const int64_t> values, const SeriesOrder& order,
                      PodBuffer<char>* out);

// What encode_steps() appends.
uint64_t steps_bytes(uint64_t rows, uint32_t entries);

// Fills the values by places. False when `raw`, of steps_bytes(), is not what encode_steps() makes.
bool decode_steps(std::string_view raw, const SeriesOrder& order, std::span<uint64_t> values);

// Replaces values that stand row by row with what remains of each when the step that last led from
// the series before it to its own is expected again. `series` has the entry of each row.
void to_series_gaps(std::span<const uint32_t> series, std::span<uint64_t> values);
// The other way round.
void from_series_gaps(std::span<const uint32_t> series, std::span<uint64_t> values);

}  // namespace firn
