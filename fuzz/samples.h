#pragma once

// What every decoder of samples owes to the rooms above.

#include <string_view>
#include <vector>

#include "base/status.h"
#include "wire/json_reader.h"
#include "wire/sample_rows.h"

namespace firn {

inline void check_document(std::string_view json) {
  FIRN_CHECK(json.empty() || check_json(json, kLimits.json_depth).ok());
}

inline void check_samples(const std::vector<DecodedSamples>& parts) {
  for (const auto& [samples, definitions] : parts) {
    FIRN_CHECK(definitions->rows() <= samples->rows());
    for (uint32_t i = 0; i < samples->rows(); ++i) {
      const EventRow row = event_row(*samples, i);
      FIRN_CHECK(row.time != kAbsentInt64 && Id::parse(row.series).has_value());
      check_document(row.data);
      check_document(row.metadata);
    }
    for (uint32_t i = 0; i < definitions->rows(); ++i) {
      const EventRow row = event_row(*definitions, i);
      FIRN_CHECK(!row.name.empty() && check_utf8(row.name).ok() && check_utf8(row.unit).ok());
      FIRN_CHECK(check_utf8(row.description).ok());
      check_document(row.labels);
      check_document(row.metadata);
      check_document(row.context);
    }
  }
}

}  // namespace firn
