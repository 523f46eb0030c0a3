#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/record_batch.h"
#include "wire/json_events.h"
#include "wire/series_cache.h"
#include "wire/wanted_definitions.h"

namespace firn {

// Samples, and what their series are.
struct DecodedSamples {
  std::unique_ptr<RecordBatch> samples;
  // A row for each series of the samples, without a time; null when there is none. Those that
  // DecodeDefaults::knowledge had are left out.
  std::unique_ptr<RecordBatch> definitions;
  uint64_t known_epoch = 0;  // in which they were known; 0: all are there
};

// Where plain samples come from: what two doors were sent never means the same by accident.
enum class SampleDoor : uint8_t {
  kRemoteWrite1,
  kRemoteWrite2,
  kExposition,
  kLineProtocol,
  kSamplesJson,
  kChecksJson,
  kServersJson,
  kProgram,
};

// What the rows of a series are (docs/formats/samples.md, "Plain samples"). Those that are not
// samples have a series of their own, because a row is found by series and time alone.
enum class SeriesRole : uint8_t { kSamples, kExemplars, kMetadata };

struct Label {
  std::string_view name, value;
};

// What may be known of a series without being part of its identity.
struct SeriesNotes {
  std::string_view type{}, temporality{}, unit{}, description{};
  bool is_monotonic = false;
};

// A sample as Prometheus and line protocol have them.
struct PlainSample {
  TimeNs time = 0;
  Float64 value = kAbsentFloat64;  // by sample_value()
  bool is_integer = false;
  bool is_stale = false;  // a staleness marker
  int64_t start_time = kAbsentInt64;
  std::string_view data{}, metadata{};  // JSON objects or empty
};

// Turns samples of series that are a name and labels into rows (docs/formats/samples.md). Bad input
// is a Status that names series and sample; nothing of the request is to be stored then. For each
// series: knows_series() or begin_series(), describe() if there is something to tell, then add().
// Inside wire only. One thread.
class SampleRows {
 public:
  // `defaults` must outlive the object; its `now` is what times are compared with.
  SampleRows(const DecodeDefaults& defaults, SampleDoor door);

  // Whether the samples added from now on are of a series that the cache knows by these bytes, so
  // that begin_series() is not needed. Otherwise what begin_series() finds is kept under them.
  // `sent` must say all of name and labels; empty when that cannot be told.
  bool knows_series(std::string_view sent, SeriesRole role = SeriesRole::kSamples);
  // The samples added from now on are of this series. Sorts the labels; empty values are left out,
  // as if they had not been sent. kInvalidArgument, kTooLarge.
  Status begin_series(std::string_view name, std::span<Label> labels,
                      SeriesRole role = SeriesRole::kSamples);
  // Of the series begun; the first description in a batch counts. The views must live until the
  // next series.
  void describe(const SeriesNotes& notes) { notes_ = notes; }
  // kInvalidArgument, kTooLarge.
  Status add(const PlainSample& sample);
  // A Status that names the series begun, and for the second the sample that would come next, where
  // the door has samples by series.
  Status refuse_series(std::string_view what, StatusCode code = StatusCode::kInvalidArgument) const;
  Status refuse_sample(std::string_view what, StatusCode code = StatusCode::kInvalidArgument) const;
  // All rows: usually one part, none without samples, several when they exceed batch_events or
  // batch_bytes.
  std::vector<DecodedSamples> finish();

 private:
  void series_began(SeriesRole role);
  Status check_series(size_t labels) const;
  Status write_labels(std::span<const Label> labels);
  Status define_series();
  Status count_bytes(uint64_t bytes);
  void flush();

  const DecodeDefaults& defaults_;
  const SampleDoor door_;
  SeriesCache* const cache_;
  const TimeNs time_max_;
  SeriesCache::Hint cache_hint_;
  BatchBuilder samples_, definitions_;
  WantedDefinitions wanted_;
  std::vector<DecodedSamples> done_;
  uint64_t batch_bytes_ = 0;
  uint64_t total_bytes_ = 0;
  // Of the series begun.
  CachedSeries series_;
  std::string hex_;
  SeriesRole role_ = SeriesRole::kSamples;
  SeriesNotes notes_;
  uint64_t samples_of_series_ = 0;
  Id cache_key_{};  // zero: it does not get into the cache
  std::string form_, metadata_, buffer_;
};

}  // namespace firn
