#include "wire/sample_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "base/size.h"
#include "wire/json_text.h"
#include "wire/series_form.h"

namespace firn {
namespace {

constexpr uint64_t kExpansionMax = 4;   // rows over request_bytes; ordinary ones stay below 2
constexpr size_t kNamedBytesMax = 256;  // of a series in a message

std::string_view role_name(SeriesRole role) {
  switch (role) {
    case SeriesRole::kSamples:
      return "";
    case SeriesRole::kExemplars:
      return "exemplar";
    case SeriesRole::kMetadata:
      return "metadata";
  }
  FIRN_CHECK(false);
}

TimeNs latest_time(TimeNs now, DurationNs ahead) {
  return now > INT64_MAX - ahead ? INT64_MAX : now + ahead;
}

}  // namespace

SampleRows::SampleRows(const DecodeDefaults& defaults, SampleDoor door)
    : defaults_(defaults),
      door_(door),
      cache_(defaults.series_cache),
      time_max_(latest_time(defaults.now, defaults.limits.sample_ahead_ns)),
      samples_(Dataset::kSamples),
      definitions_(Dataset::kSeries),
      wanted_(defaults.knowledge) {}

bool SampleRows::knows_series(std::string_view sent, SeriesRole role) {
  constexpr size_t kSentMax = 2 * kKiB;  // greater ones are rare, and few would fill the cache
  cache_key_ = Id{};
  if (cache_ == nullptr || sent.empty() || sent.size() > kSentMax) return false;
  const auto form = (static_cast<uint64_t>(door_) << 8) | static_cast<uint64_t>(role);
  cache_key_ = hash_bytes_128(sent, cache_->seed() ^ form);
  if (!cache_->find(cache_key_, cache_key_, &cache_hint_, &series_)) return false;
  series_began(role);
  return true;
}

Status SampleRows::begin_series(std::string_view name, std::span<Label> labels, SeriesRole role) {
  series_.name = name;
  series_.labels.clear();
  series_.known_stamp = 0;
  std::sort(labels.begin(), labels.end(),
            [](const Label& a, const Label& b) { return a.name < b.name; });
  FIRN_TRY(check_series(labels.size()));
  FIRN_TRY(write_labels(labels));
  form_.clear();
  append_series_form({.name = name, .type = role_name(role)}, &form_);
  series_.series = series_identity(form_, series_.labels, &buffer_);
  if (!cache_key_.is_zero()) cache_->add(cache_key_, cache_key_, series_);
  series_began(role);
  return Status();
}

void SampleRows::series_began(SeriesRole role) {
  hex_ = series_.series.to_hex();
  role_ = role;
  notes_ = {};
  samples_of_series_ = 0;
}

Status SampleRows::check_series(size_t labels) const {
  const Limits& limits = defaults_.limits;
  if (series_.name.empty()) return refuse_series("it has no name");
  if (utf8_valid_prefix(series_.name) != series_.name.size()) {
    return refuse_series("its name is not UTF-8");
  }
  if (series_.name.size() > limits.type_bytes) {
    return refuse_series(fmt::format("its name takes {} bytes, the limit type_bytes is {}",
                                     series_.name.size(), limits.type_bytes),
                         StatusCode::kTooLarge);
  }
  if (labels > limits.attributes_per_event) {
    return refuse_series(fmt::format("it has {} labels, the limit attributes_per_event is {}",
                                     labels, limits.attributes_per_event),
                         StatusCode::kTooLarge);
  }
  return Status();
}

Status SampleRows::write_labels(std::span<const Label> labels) {
  const auto is_utf8 = [](std::string_view text) { return utf8_valid_prefix(text) == text.size(); };
  std::string_view before;
  JsonObjectWriter object(&series_.labels);
  for (const Label& label : labels) {
    if (label.name.empty()) return refuse_series("a label has no name");
    if (before == label.name) {
      return refuse_series(fmt::format("the label '{}' comes twice", before));
    }
    if (!is_utf8(label.name) || !is_utf8(label.value)) {
      return refuse_series("a label is not UTF-8");
    }
    before = label.name;
    if (!label.value.empty()) object.text(label.name, label.value);
  }
  object.close();
  if (object.empty()) series_.labels.clear();
  if (series_.labels.size() <= defaults_.limits.event_bytes) return Status();
  return refuse_series(fmt::format("its labels take more than the limit event_bytes of {}",
                                   defaults_.limits.event_bytes),
                       StatusCode::kTooLarge);
}

Status SampleRows::refuse_series(std::string_view what, StatusCode code) const {
  std::string series = series_.name + series_.labels;
  if (series.size() > kNamedBytesMax) {
    series.resize(utf8_cut(series, kNamedBytesMax).size());
    series += "...";
  }
  return {code, fmt::format("series '{}': {}", series, what)};
}

Status SampleRows::refuse_sample(std::string_view what, StatusCode code) const {
  // Most have a place for each sample, which they name themselves.
  const bool is_grouped = door_ == SampleDoor::kRemoteWrite1 ||
                          door_ == SampleDoor::kRemoteWrite2 || door_ == SampleDoor::kExposition;
  if (!is_grouped) return refuse_series(what, code);
  return refuse_series(fmt::format("sample {}: {}", samples_of_series_ + 1, what), code);
}

Status SampleRows::add(const PlainSample& sample) {
  const Limits& limits = defaults_.limits;
  if (sample.time > time_max_) {
    return refuse_sample(
        fmt::format("its time {} is more than {} ahead of the clock (sample_ahead)",
                    format_time(sample.time), format_duration(limits.sample_ahead_ns)));
  }
  constexpr uint64_t kFixedBytes = 36;  // time, value, start, flags, the index of the series
  const uint64_t bytes = kFixedBytes + sample.data.size() + sample.metadata.size();
  if (bytes > limits.event_bytes) {
    return refuse_sample(
        fmt::format("it takes {} bytes, the limit event_bytes is {}", bytes, limits.event_bytes),
        StatusCode::kTooLarge);
  }
  const bool is_full =
      samples_.rows() >= limits.batch_events || batch_bytes_ + bytes > limits.batch_bytes;
  if (samples_.rows() > 0 && is_full) flush();
  EventRow row;
  row.time = sample.time;
  row.series = hex_;
  row.value = sample.value;
  row.integer = sample.is_integer ? 1 : 0;
  row.start_time = sample.start_time;
  if (sample.is_stale) row.flags = kNoRecordedValue;
  row.data = sample.data;
  row.metadata = sample.metadata;
  const uint32_t series_before = samples_.series();
  samples_.add(row);
  ++samples_of_series_;
  const bool is_new = samples_.series() != series_before;
  uint64_t stamp = series_.known_stamp;
  if (wanted_.wants(series_.series, sample.time, is_new, &stamp)) FIRN_TRY(define_series());
  if (stamp != series_.known_stamp) {
    series_.known_stamp = stamp;
    if (!cache_key_.is_zero()) cache_->set_known(cache_key_, cache_key_, cache_hint_, stamp);
  }
  return count_bytes(bytes);
}

Status SampleRows::define_series() {
  const size_t bytes_max = defaults_.limits.type_bytes;
  std::string unit, description;
  EventRow definition;
  definition.series = hex_;
  definition.name = series_.name;
  definition.labels = series_.labels;
  definition.type = role_ == SeriesRole::kSamples ? notes_.type : role_name(role_);
  definition.temporality = notes_.temporality;
  definition.monotonic = notes_.is_monotonic ? 1 : 0;
  definition.unit = column_text(notes_.unit, bytes_max, &unit);
  definition.description = column_text(notes_.description, bytes_max, &description);
  // What the columns cut or replace is kept whole.
  metadata_.clear();
  if (definition.unit != notes_.unit || definition.description != notes_.description) {
    JsonObjectWriter metadata(&metadata_);
    if (definition.description != notes_.description) {
      metadata.text("description", notes_.description);
    }
    if (definition.unit != notes_.unit) metadata.text("unit", notes_.unit);
    metadata.close();
    definition.metadata = metadata_;
  }
  const uint64_t bytes =
      series_.name.size() + series_.labels.size() + 2 * bytes_max + metadata_.size();
  if (bytes > defaults_.limits.event_bytes) {
    return refuse_series(
        fmt::format("it takes more than the limit event_bytes of {}", defaults_.limits.event_bytes),
        StatusCode::kTooLarge);
  }
  definitions_.add_definition(definition);
  return count_bytes(series_.name.size() + series_.labels.size() + definition.description.size() +
                     definition.unit.size() + metadata_.size());
}

// A small request can become far more than was sent: a sample may take two bytes there.
Status SampleRows::count_bytes(uint64_t bytes) {
  batch_bytes_ += bytes;
  total_bytes_ += bytes;
  const uint64_t bytes_max = kExpansionMax * defaults_.limits.request_bytes;
  if (total_bytes_ <= bytes_max) return Status();
  return too_large(
      fmt::format("the request becomes more than {} times the limit request_bytes of {}",
                  kExpansionMax, defaults_.limits.request_bytes));
}

void SampleRows::flush() {
  done_.push_back({samples_.finish(), wanted_.finish(&definitions_), wanted_.epoch()});
  batch_bytes_ = 0;
}

std::vector<DecodedSamples> SampleRows::finish() {
  if (samples_.rows() > 0) flush();
  return std::move(done_);
}

}  // namespace firn
