#include "wire/otlp_metric_rows.h"

#include <bit>

#include "base/hash.h"
#include "base/size.h"
#include "wire/json_text.h"
#include "wire/series_form.h"

namespace firn {
namespace {

constexpr std::array<std::string_view, 6> kTypes = {
    "", "gauge", "sum", "histogram", "exponential_histogram", "summary"};

// Summaries are always cumulative, and gauges neither.
std::string_view temporality_name(const OtlpMetric& metric) {
  if (metric.type == OtlpMetricType::kGauge || metric.type == OtlpMetricType::kSummary) return "";
  return metric.temporality == 1 ? "delta" : metric.temporality == 2 ? "cumulative" : "";
}

void append_number_member(std::string_view key, double number, JsonObjectWriter* object,
                          std::string* out) {
  object->member(key);
  append_any_double(number, out);
}

void append_counts(std::string_view key, const std::vector<uint64_t>& counts,
                   JsonObjectWriter* object, std::string* out) {
  object->list(key, counts, [out](uint64_t count) { append_json_unsigned(count, out); });
}

void append_buckets(std::string_view key, const OtlpBuckets& buckets, JsonObjectWriter* object,
                    std::string* out) {
  if (!buckets.is_set) return;
  object->member(key);
  JsonObjectWriter inner(out);
  inner.integer("offset", buckets.offset);
  append_counts("bucket_counts", buckets.counts, &inner, out);
  inner.close();
}

void append_exemplar(const OtlpExemplar& exemplar, const AnyTree& tree, std::string* out) {
  JsonObjectWriter object(out);
  if (exemplar.time_unix_nano != 0) {
    object.unsigned_integer("time_unix_nano", exemplar.time_unix_nano);
  }
  if (exemplar.value.kind == OtlpNumber::Kind::kInt) {
    object.integer("value", exemplar.value.integer);
  } else if (exemplar.value.kind == OtlpNumber::Kind::kDouble) {
    append_number_member("value", exemplar.value.number, &object, out);
  }
  append_attributes_member(tree, exemplar.attributes, KeyOrder::kAsSent, &object, out);
  if (!exemplar.trace_id.is_zero()) object.text("trace_id", exemplar.trace_id.to_hex());
  if (exemplar.span_id != SpanId{}) {
    object.text("span_id", hex_encode({reinterpret_cast<const char*>(exemplar.span_id.data()),
                                       exemplar.span_id.size()}));
  }
  object.close();
}

Float64 value_of(double number) { return sample_value(std::bit_cast<uint64_t>(number)); }

bool is_exact(int64_t integer) {
  const auto number = static_cast<double>(integer);
  return number < 0x1p63 && static_cast<int64_t>(number) == integer;
}

void set_value(const OtlpPoint& point, OtlpMetricType type, EventRow* row) {
  if (type != OtlpMetricType::kGauge && type != OtlpMetricType::kSum) {
    if (point.sum) row->value = value_of(*point.sum);
  } else if (point.value.kind == OtlpNumber::Kind::kInt) {
    row->value = value_of(static_cast<double>(point.value.integer));
    row->integer = 1;
  } else if (point.value.kind == OtlpNumber::Kind::kDouble) {
    row->value = value_of(point.value.number);
  }
}

}  // namespace

size_t otlp_point_parts_max(const Limits& limits) {
  constexpr uint64_t kBytesPerPartMin = 2;  // "0,"
  return limits.event_bytes / kBytesPerPartMin;
}

void OtlpMetricRows::scope_began(const OtlpResource& resource, const AnyTree& resource_tree,
                                 const OtlpScope& scope, const AnyTree& scope_tree) {
  resource_.clear();
  JsonObjectWriter of_resource(&resource_);
  append_attributes_member(resource_tree, resource.attributes, KeyOrder::kSorted, &of_resource,
                           &resource_);
  of_resource.close();
  scope_.clear();
  JsonObjectWriter of_scope(&scope_);
  append_attributes_member(scope_tree, scope.attributes, KeyOrder::kSorted, &of_scope, &scope_);
  if (!scope.name.empty()) of_scope.text("name", scope.name);
  if (!scope.version.empty()) of_scope.text("version", scope.version);
  of_scope.close();
}

void OtlpMetricRows::begin_metric(const OtlpMetric& metric, const AnyTree& tree) {
  metric_ = metric;
  std::string buffer;
  name_ = column_text(metric.name, &buffer);
  unit_ = column_text(metric.unit, &buffer);
  description_ = column_text(metric.description, &buffer);
  metric_metadata_.clear();
  JsonObjectWriter metadata(&metric_metadata_);
  append_attributes_member(tree, metric.metadata, KeyOrder::kSorted, &metadata, &metric_metadata_);
  // What the columns cut or replace is kept whole.
  if (metric.name != name_) metadata.text("name", metric.name);
  if (metric.unit != unit_) metadata.text("unit", metric.unit);
  if (metric.description != description_) metadata.text("description", metric.description);
  metadata.close();
  if (metadata.empty()) metric_metadata_.clear();

  metric_form_.clear();
  append_series_form({.is_monotonic = metric.is_monotonic,
                      .name = metric.name,
                      .resource = resource_,
                      .scope = scope_,
                      .temporality = temporality_name(metric),
                      .type = kTypes[static_cast<size_t>(metric.type)],
                      .unit = metric.unit},
                     &metric_form_);
  metric_hash_ = hash_bytes_128(metric_form_);
  cache_hint_ = {};
}

bool OtlpMetricRows::accepts_point(const OtlpPoint& point, const AnyTree& tree) {
  if (metric_.name.empty() || metric_.type == OtlpMetricType::kNone) {
    reject("a metric has no name or no data");
    return false;
  }
  if (point.time_unix_nano == 0 || point.time_unix_nano > static_cast<uint64_t>(INT64_MAX)) {
    reject("a data point has no time, or one after the year 2262");
    return false;
  }
  const bool is_number =
      metric_.type == OtlpMetricType::kGauge || metric_.type == OtlpMetricType::kSum;
  const bool is_marker = (point.flags & kNoRecordedValue) != 0;
  if (is_number && !is_marker && point.value.kind == OtlpNumber::Kind::kNone) {
    reject("a data point has no value");
    return false;
  }
  const size_t text_bytes = metric_.name.size() + metric_.description.size() + metric_.unit.size();
  return accepts(tree, point.attributes, point.overflowed ? SIZE_MAX / 2 : text_bytes);
}

void OtlpMetricRows::add(const OtlpPoint& point, const AnyTree& tree) {
  if (!accepts_point(point, tree)) return;
  write_data(point, tree);
  if (data_.size() > limits().event_bytes) {
    reject("a data point takes more than the limit event_bytes");
    return;
  }
  const bool is_full = samples_.rows() >= limits().batch_events ||
                       batch_bytes_ + data_.size() > limits().batch_bytes;
  if (samples_.rows() > 0 && is_full) flush();
  EventRow row;
  row.time = static_cast<TimeNs>(point.time_unix_nano);
  if (!is_series_known_) work_out_series(point, tree);
  const std::string hex = series_.series.to_hex();
  row.series = hex;
  const TimeNs start = known_time(point.start_time_unix_nano);
  if (start != 0) row.start_time = start;
  if (point.flags != 0) row.flags = point.flags;
  set_value(point, metric_.type, &row);
  row.data = data_;
  constexpr uint64_t kFixedBytes = 36;  // time, value, start, flags, the index of the series
  const uint32_t series_before = samples_.series();
  samples_.add(row);
  const bool is_new = samples_.series() != series_before;
  uint64_t stamp = series_.known_stamp;
  if (wanted_.wants(series_.series, row.time, is_new, &stamp)) define_series(hex);
  if (stamp != series_.known_stamp && !cache_key_.is_zero()) {
    cache_->set_known(metric_hash_, cache_key_, cache_hint_, stamp);
  }
  batch_bytes_ += kFixedBytes + data_.size();
  count_bytes(kFixedBytes + data_.size());
}

bool OtlpMetricRows::knows_series(std::string_view sent) {
  constexpr size_t kSentMax = 2 * kKiB;  // greater ones are rare, and few would fill the cache
  is_series_known_ = false;
  cache_key_ = Id{};
  if (cache_ == nullptr || sent.empty() || sent.size() > kSentMax) return false;
  buffer_.assign(reinterpret_cast<const char*>(metric_hash_.bytes.data()), sizeof(Id));
  buffer_.append(sent);
  cache_key_ = hash_bytes_128(buffer_);
  is_series_known_ = cache_->find(metric_hash_, cache_key_, &cache_hint_, &series_);
  return is_series_known_;
}

void OtlpMetricRows::work_out_series(const OtlpPoint& point, const AnyTree& tree) {
  series_.labels.clear();
  series_.known_stamp = 0;
  if (tree.has_children(point.attributes)) {
    // {"attributes":{...}} without its outer object.
    buffer_.clear();
    JsonObjectWriter object(&buffer_);
    append_attributes_member(tree, point.attributes, KeyOrder::kSorted, &object, &buffer_);
    constexpr std::string_view kBefore = R"({"attributes":)";
    series_.labels.assign(buffer_, kBefore.size());
  }
  series_.series = series_identity(metric_form_, series_.labels, &buffer_);
  if (!cache_key_.is_zero()) cache_->add(metric_hash_, cache_key_, series_);
}

void OtlpMetricRows::define_series(std::string_view hex) {
  EventRow definition;
  definition.series = hex;
  definition.name = name_;
  definition.type = kTypes[static_cast<size_t>(metric_.type)];
  definition.labels = series_.labels;
  definition.unit = unit_;
  definition.temporality = temporality_name(metric_);
  definition.monotonic = metric_.is_monotonic ? 1 : 0;
  definition.description = description_;
  definition.metadata = metric_metadata_;
  definition.context = context();
  definitions_.add_definition(definition);
  const uint64_t bytes = metric_form_.size() + 2 * series_.labels.size() + description_.size();
  batch_bytes_ += bytes;
  count_bytes(bytes);
}

void OtlpMetricRows::write_data(const OtlpPoint& point, const AnyTree& tree) {
  data_.clear();
  JsonObjectWriter object(&data_);
  if (point.value.kind == OtlpNumber::Kind::kInt && !is_exact(point.value.integer)) {
    object.integer("asInt", point.value.integer);
  }
  if (metric_.type == OtlpMetricType::kHistogram ||
      metric_.type == OtlpMetricType::kExponentialHistogram ||
      metric_.type == OtlpMetricType::kSummary) {
    object.unsigned_integer("count", point.count);
  }
  if (point.min) append_number_member("min", *point.min, &object, &data_);
  if (point.max) append_number_member("max", *point.max, &object, &data_);
  append_counts("bucket_counts", point.bucket_counts, &object, &data_);
  object.list("explicit_bounds", point.explicit_bounds,
              [this](double bound) { append_any_double(bound, &data_); });
  if (metric_.type == OtlpMetricType::kExponentialHistogram) {
    object.integer("scale", point.scale);
    object.unsigned_integer("zero_count", point.zero_count);
    if (std::bit_cast<uint64_t>(point.zero_threshold) != 0) {
      append_number_member("zero_threshold", point.zero_threshold, &object, &data_);
    }
    append_buckets("positive", point.positive, &object, &data_);
    append_buckets("negative", point.negative, &object, &data_);
  }
  object.list("quantiles", point.quantiles, [this](const std::pair<double, double>& quantile) {
    JsonObjectWriter inner(&data_);
    append_number_member("quantile", quantile.first, &inner, &data_);
    append_number_member("value", quantile.second, &inner, &data_);
    inner.close();
  });
  object.list("exemplars", point.exemplars,
              [&](const OtlpExemplar& exemplar) { append_exemplar(exemplar, tree, &data_); });
  object.close();
  if (object.empty()) data_.clear();
}

void OtlpMetricRows::flush() {
  done_.push_back({samples_.finish(), wanted_.finish(&definitions_), wanted_.epoch()});
  batch_bytes_ = 0;
}

Result<OtlpRecords> OtlpMetricRows::finish_samples() {
  FIRN_ASSIGN(OtlpRecords records, finish());
  if (samples_.rows() > 0) flush();
  records.samples = std::move(done_);
  return records;
}

}  // namespace firn
