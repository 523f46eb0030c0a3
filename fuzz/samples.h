#pragma once

// What every decoder of samples owes to the rooms above.

#include <string_view>
#include <vector>

#include "base/size.h"
#include "base/status.h"
#include "wire/json_reader.h"
#include "wire/sample_rows.h"

namespace firn {

inline void check_document(std::string_view json) {
  FIRN_CHECK(json.empty() || check_json(json, kLimits.json_depth).ok());
}

inline void check_samples(const std::vector<DecodedSamples>& parts) {
  for (const auto& [samples, definitions, known_epoch] : parts) {
    FIRN_CHECK(known_epoch == 0);  // so all definitions are there
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

// What is decoded with a cache of series must be what is decoded without: `decode` takes the
// defaults and answers a Result with the parts.
template <typename Decode>
void check_with_and_without_cache(const Decode& decode) {
  static SeriesCache cache(16 * kMiB, 1);
  DecodeDefaults defaults;
  defaults.now = 1;
  const auto plain = decode(defaults);
  defaults.series_cache = &cache;
  const auto cached = decode(defaults);
  FIRN_CHECK(plain.ok() == cached.ok());
  if (!plain.ok()) return;
  check_samples(plain->parts);
  FIRN_CHECK(plain->parts.size() == cached->parts.size());
  for (size_t i = 0; i < plain->parts.size(); ++i) {
    FIRN_CHECK(plain->parts[i].samples->encoded() == cached->parts[i].samples->encoded());
    FIRN_CHECK(plain->parts[i].definitions->encoded() == cached->parts[i].definitions->encoded());
  }
}

}  // namespace firn
