#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/pod_buffer.h"
#include "model/schema.h"
#include "model/series_order.h"

// The packed form "decimal" of float64 columns (docs/formats/batch.md, "By series").
namespace firn {

// Appends the values, which stand by places of the order, to `out`. False, and nothing is appended,
// when so few of them are short decimals that their bytes should be shuffled instead.
bool encode_decimals(std::span<const Float64> values, const SeriesOrder& order,
                     PodBuffer<char>* out);

// Fills the values by places. False when `raw` is not what encode_decimals() makes of so many.
bool decode_decimals(std::string_view raw, const SeriesOrder& order, std::span<Float64> values);

}  // namespace firn
