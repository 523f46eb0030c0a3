#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/schema.h"

// Numbers that are whole multiples of a step that is no decimal: percentages of a capacity, bytes
// told in other units, counts divided by a number of seconds (docs/formats/batch.md, "By series").
namespace firn {

// A step of which most of the values are multiples, but for the rounding of what computed them.
// Nothing when there is none, or when multiples of it would be as long as the values.
std::optional<double> find_float_step(std::span<const Float64> values);

// The value as `number` steps, moved by `units` in its last place, which are from -4 to 3. False
// when it is not that. from_multiple() of the three is the value bit by bit.
bool as_multiple(Float64 value, double step, int64_t* number, int* units);
Float64 from_multiple(int64_t number, double step, int units);

}  // namespace firn
