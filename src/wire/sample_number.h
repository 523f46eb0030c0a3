#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/schema.h"

namespace firn {

// A number as it was written, and what a sample keeps of it (docs/formats/samples.md).
struct SampleNumber {
  Float64 value = kAbsentFloat64;
  bool is_integer = false;
  // Of an integer that a float64 cannot hold, the document `data` of its sample; else empty.
  std::string data{};
};

// `text` is a number as JSON writes it. An integer is one without point and exponent; -0 is none,
// because integers have no sign of zero. Nothing when no float64 is near it.
std::optional<SampleNumber> read_sample_number(std::string_view text);

}  // namespace firn
