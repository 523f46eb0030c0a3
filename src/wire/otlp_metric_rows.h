#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/otlp_rows.h"
#include "wire/otlp_span_rows.h"
#include "wire/series_cache.h"
#include "wire/wanted_definitions.h"

namespace firn {

enum class OtlpMetricType : uint8_t {
  kNone,
  kGauge,
  kSum,
  kHistogram,
  kExponentialHistogram,
  kSummary
};

// A metric without its points. Views point to the request, or to what its reader keeps.
struct OtlpMetric {
  std::string_view name, description, unit;
  OtlpMetricType type = OtlpMetricType::kNone;
  int64_t temporality = 0;
  bool is_monotonic = false;
  uint32_t metadata = 0;  // a map of the metric's own tree; 0: none
};

// A number as it was sent.
struct OtlpNumber {
  enum class Kind : uint8_t { kNone, kInt, kDouble };
  Kind kind = Kind::kNone;
  int64_t integer = 0;
  double number = 0;
};

struct OtlpExemplar {
  uint64_t time_unix_nano = 0;
  OtlpNumber value;
  uint32_t attributes = 0;  // a map of the point's tree
  SpanId span_id{};
  Id trace_id{};
};

struct OtlpBuckets {
  int32_t offset = 0;
  std::vector<uint64_t> counts;
  bool is_set = false;
};

// A data point of any type; members of other types stay empty.
struct OtlpPoint {
  uint32_t attributes = 0;  // a map of the point's tree
  uint64_t start_time_unix_nano = 0, time_unix_nano = 0;
  uint32_t flags = 0;
  OtlpNumber value;
  uint64_t count = 0;
  std::optional<double> sum, min, max;
  std::vector<uint64_t> bucket_counts;
  std::vector<double> explicit_bounds;
  int32_t scale = 0;
  uint64_t zero_count = 0;
  double zero_threshold = 0;
  OtlpBuckets positive, negative;
  std::vector<std::pair<double, double>> quantiles;  // quantile, value
  std::vector<OtlpExemplar> exemplars;
  bool overflowed = false;  // more parts than it can have

  void clear() { *this = {}; }
};

// Parts (buckets, bounds, quantiles, exemplars) of one list of a point.
size_t otlp_point_parts_max(const Limits& limits);

// Turns decoded points into samples, and their series into definitions (docs/formats/samples.md).
// Inside wire only. One thread.
class OtlpMetricRows final : public OtlpRows {
 public:
  explicit OtlpMetricRows(const DecodeDefaults& defaults)
      : OtlpRows(defaults, "data point"),
        cache_(defaults.series_cache),
        samples_(Dataset::kSamples),
        definitions_(Dataset::kSeries),
        wanted_(defaults.knowledge) {}

  // The points added from now on are of this metric of the scope. `tree` holds its metadata.
  void begin_metric(const OtlpMetric& metric, const AnyTree& tree);
  // Whether the next point of add() needs no attributes, because a point of the metric had the same
  // before. `sent` is what they were sent as, all their fields one behind the other; empty when
  // that cannot be told.
  bool knows_series(std::string_view sent);
  void add(const OtlpPoint& point, const AnyTree& tree);
  Result<OtlpRecords> finish_samples();

 private:
  void scope_began(const OtlpResource& resource, const AnyTree& resource_tree,
                   const OtlpScope& scope, const AnyTree& scope_tree) override;
  bool accepts_point(const OtlpPoint& point, const AnyTree& tree);
  // Finds out series_, unless knows_series() did.
  void work_out_series(const OtlpPoint& point, const AnyTree& tree);
  // Adds the point's series to the definitions. `hex` is its identity.
  void define_series(std::string_view hex);
  void write_data(const OtlpPoint& point, const AnyTree& tree);
  void flush();

  SeriesCache* const cache_;
  BatchBuilder samples_, definitions_;
  WantedDefinitions wanted_;
  std::vector<DecodedSamples> done_;
  uint64_t batch_bytes_ = 0;
  // Canonical forms of what points share.
  std::string resource_, scope_, metric_form_;
  std::string name_, unit_, description_, metric_metadata_;
  OtlpMetric metric_;
  Id metric_hash_{};
  SeriesCache::Hint cache_hint_;
  // Of the point that is being added.
  Id cache_key_{};  // zero: it does not get into the cache
  bool is_series_known_ = false;
  CachedSeries series_;  // without its name
  std::string data_, buffer_;
};

}  // namespace firn
