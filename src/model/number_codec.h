#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/pod_buffer.h"
#include "model/series_order.h"

// The packed form "numbers" of text columns (docs/formats/batch.md, "By series"): texts that differ
// in their numbers only, as documents do that one program wrote.
namespace firn {

// Appends the texts, which stand by places of the order, to `out`. False, and nothing is appended,
// when they have no numbers or when too many of them differ in more than that.
bool encode_numbers(std::span<const std::string_view> texts, const SeriesOrder& order,
                    PodBuffer<char>* out);

// Fills `plain` with the texts row by row, as the form "plain" has them: lengths as four planes,
// then bytes. False when `raw` is not what encode_numbers() makes of so many, or when they do not
// fill it.
bool decode_numbers(std::string_view raw, const SeriesOrder& order, uint32_t rows,
                    std::span<char> plain);

}  // namespace firn
