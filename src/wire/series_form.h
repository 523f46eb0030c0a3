#pragma once

#include <string>
#include <string_view>

#include "base/id.h"
#include "model/sample_flags.h"
#include "model/schema.h"

// What series have in common, however their samples came (docs/formats/samples.md).
namespace firn {

// What the identity of a series says besides its labels. Members that are empty are left out of it.
struct SeriesForm {
  bool is_monotonic = false;
  std::string_view name{};
  std::string_view resource{}, scope{};  // canonical JSON objects
  std::string_view temporality{}, type{}, unit{};
};

// Appends the canonical form of a series without labels, a JSON object.
void append_series_form(const SeriesForm& form, std::string* out);
// The identity of the series with that canonical form and these labels, a canonical JSON object or
// empty. `buffer` is scratch.
Id series_identity(std::string_view form, std::string_view labels, std::string* buffer);

// A value as it is stored: bit by bit, but for the one NaN that stands for "absent", which is sent
// by nobody who means it.
constexpr Float64 sample_value(uint64_t bits) {
  constexpr Float64 kQuietNan{0x7ff8000000000000};
  return Float64{bits} == kAbsentFloat64 ? kQuietNan : Float64{bits};
}

// `text` as a text column may hold it: UTF-8, at most `bytes_max`. A view of `text` or of `out`.
std::string_view column_text(std::string_view text, size_t bytes_max, std::string* out);

}  // namespace firn
