#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/sample_rows.h"

// What the doors of Prometheus share (docs/prometheus.md). Inside wire only.
namespace firn {

inline constexpr std::string_view kNameLabel = "__name__";
// The NaN that says: the series ends here.
inline constexpr uint64_t kStaleNan = 0x7ff0000000000002;

// Of a series whose type Prometheus calls `type`; empty when it is not known.
SeriesNotes prometheus_notes(std::string_view type, std::string_view unit, std::string_view help);

struct PrometheusExemplar {
  std::vector<Label> labels;
  double value = 0;
  std::optional<TimeNs> time;
};
// `data` of a row of exemplars.
void append_exemplars(std::span<const PrometheusExemplar> exemplars, std::string* out);

}  // namespace firn
