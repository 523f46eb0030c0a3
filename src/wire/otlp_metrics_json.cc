#include "wire/otlp_json.h"
#include "wire/otlp_readers.h"

namespace firn {
namespace {

std::optional<int64_t> temporality_from_name(std::string_view name) {
  if (name == "AGGREGATION_TEMPORALITY_UNSPECIFIED") return 0;
  if (name == "AGGREGATION_TEMPORALITY_DELTA") return 1;
  if (name == "AGGREGATION_TEMPORALITY_CUMULATIVE") return 2;
  return std::nullopt;
}

OtlpMetricType type_from_member(std::string_view key) {
  if (key == "gauge") return OtlpMetricType::kGauge;
  if (key == "sum") return OtlpMetricType::kSum;
  if (key == "histogram") return OtlpMetricType::kHistogram;
  if (OtlpJsonName{"exponentialHistogram", "exponential_histogram"} == key) {
    return OtlpMetricType::kExponentialHistogram;
  }
  if (key == "summary") return OtlpMetricType::kSummary;
  return OtlpMetricType::kNone;
}

bool read_optional(JsonReader* json, bool (*read)(JsonReader*, double*),
                   std::optional<double>* out) {
  if (json->skip_null()) return true;
  double value = 0;
  if (!read(json, &value)) return false;
  *out = value;
  return true;
}

class MetricsReader final : public OtlpJsonReader {
 public:
  MetricsReader(ByteView body, const Limits& limits, OtlpMetricRows* rows)
      : OtlpJsonReader(body, limits,
                       {{"resourceMetrics", "resource_metrics"},
                        {"scopeMetrics", "scope_metrics"},
                        {"metrics", "metrics"}},
                       rows),
        rows_(rows),
        parts_max_(otlp_point_parts_max(limits)),
        metric_tree_(otlp_values_max(limits)) {}

 private:
  // A metric. Its name may stand behind its points, and "dataPoints" before what else its kind
  // says, so both are first stepped over.
  void record(JsonReader* json) override {
    OtlpMetric metric;
    metric_tree_.clear();
    metric_pool_.reset();
    std::string_view data, key;
    json->enter_object();
    while (json->next_member(&key)) {
      const OtlpMetricType type = type_from_member(key);
      if (key == "name") {
        read_text(json, &metric.name);
      } else if (key == "description") {
        read_text(json, &metric.description);
      } else if (key == "unit") {
        read_text(json, &metric.unit);
      } else if (key == "metadata") {
        if (metric.metadata == 0) metric.metadata = metric_tree_.add(AnyNode::Kind::kMap);
        attributes(json, metric.metadata, 0, &metric_tree_, &metric_pool_);
      } else if (type == OtlpMetricType::kNone) {
        json->skip_value();
      } else if (!json->skip_null()) {
        metric.type = type;
        json->read_raw(&data);
      }
    }
    if (!json->ok()) return;
    if (data.empty()) {
      metric.type = OtlpMetricType::kNone;
      return rows_->begin_metric(metric, metric_tree_);
    }
    JsonReader kind = part(data, &metric_pool_);
    std::string_view points;
    read_kind(&kind, &metric, &points);
    rows_->begin_metric(metric, metric_tree_);
    check_part(kind);
    if (!kind.ok() || points.empty()) return;
    JsonReader list = part(points, &point_pool_);
    read_points(&list, metric.type);
    check_part(list);
  }

  static void read_kind(JsonReader* json, OtlpMetric* metric, std::string_view* points) {
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (OtlpJsonName{"dataPoints", "data_points"} == key) {
        if (!json->skip_null()) json->read_raw(points);
      } else if (OtlpJsonName{"aggregationTemporality", "aggregation_temporality"} == key) {
        read_enum(json, temporality_from_name, &metric->temporality);
      } else if (OtlpJsonName{"isMonotonic", "is_monotonic"} == key) {
        if (!json->skip_null()) json->read_bool(&metric->is_monotonic);
      } else {
        json->skip_value();
      }
    }
    metric->is_monotonic &= metric->type == OtlpMetricType::kSum;
  }

  void read_points(JsonReader* json, OtlpMetricType type) {
    json->enter_array();
    while (json->next_element()) {
      if (json->skip_null()) continue;
      point_.clear();
      tree_.clear();
      std::string_view key;
      json->enter_object();
      while (json->next_member(&key)) {
        if (!read_common(json, key) && !read_counts(json, key) && !read_value(json, key, type)) {
          json->skip_value();
        }
      }
      if (json->ok()) rows_->add(point_, tree_);
      point_pool_.reset();
    }
  }

  // Each of these: whether the member was one of its. Failures stay in `json`.
  bool read_common(JsonReader* json, std::string_view key) {
    if (key == "attributes") {
      attributes_of(json, &point_.attributes);
    } else if (OtlpJsonName{"startTimeUnixNano", "start_time_unix_nano"} == key) {
      read_unsigned(json, &point_.start_time_unix_nano);
    } else if (OtlpJsonName{"timeUnixNano", "time_unix_nano"} == key) {
      read_unsigned(json, &point_.time_unix_nano);
    } else if (key == "flags") {
      read_unsigned(json, &point_.flags);
    } else if (key == "exemplars") {
      each(json, [this, json] { exemplar(json); });
    } else {
      return false;
    }
    return true;
  }

  bool read_counts(JsonReader* json, std::string_view key) {
    if (key == "count") {
      read_unsigned(json, &point_.count);
    } else if (key == "sum") {
      read_optional(json, read_double, &point_.sum);
    } else if (key == "min") {
      read_optional(json, read_double, &point_.min);
    } else if (key == "max") {
      read_optional(json, read_double, &point_.max);
    } else if (OtlpJsonName{"bucketCounts", "bucket_counts"} == key) {
      counts(json, &point_.bucket_counts);
    } else if (OtlpJsonName{"explicitBounds", "explicit_bounds"} == key) {
      each(json, [this, json] {
        double bound = 0;
        read_double(json, &bound);
        add_part(&point_.explicit_bounds, bound);
      });
    } else if (OtlpJsonName{"quantileValues", "quantile_values"} == key) {
      each(json, [this, json] { quantile(json); });
    } else {
      return false;
    }
    return true;
  }

  bool read_value(JsonReader* json, std::string_view key, OtlpMetricType type) {
    if (type == OtlpMetricType::kGauge || type == OtlpMetricType::kSum) {
      return read_number(json, key, &point_.value);
    }
    if (key == "scale") {
      read_signed(json, &point_.scale);
    } else if (OtlpJsonName{"zeroCount", "zero_count"} == key) {
      read_unsigned(json, &point_.zero_count);
    } else if (OtlpJsonName{"zeroThreshold", "zero_threshold"} == key) {
      read_double(json, &point_.zero_threshold);
    } else if (key == "positive") {
      buckets(json, &point_.positive);
    } else if (key == "negative") {
      buckets(json, &point_.negative);
    } else {
      return false;
    }
    return true;
  }

  // JavaScript senders write numbers without a fraction as integers, of any size.
  static bool read_number(JsonReader* json, std::string_view key, OtlpNumber* out) {
    if (OtlpJsonName{"asDouble", "as_double"} == key) {
      if (json->skip_null()) return true;
      out->kind = OtlpNumber::Kind::kDouble;
      read_double(json, &out->number);
      return true;
    }
    if (!(OtlpJsonName{"asInt", "as_int"} == key)) return false;
    AnyNode value;
    read_integer(json, &value);
    if (value.kind == AnyNode::Kind::kInt) {
      *out = {.kind = OtlpNumber::Kind::kInt, .integer = value.integer};
    } else if (value.kind == AnyNode::Kind::kDouble) {
      *out = {.kind = OtlpNumber::Kind::kDouble, .number = value.number};
    }
    return true;
  }

  template <typename T>
  void add_part(std::vector<T>* list, const T& part) {
    point_.overflowed |= list->size() >= parts_max_;
    if (!point_.overflowed) list->push_back(part);
  }

  template <typename Element>
  void each(JsonReader* json, const Element& element) {
    if (json->skip_null()) return;
    json->enter_array();
    while (json->next_element()) {
      if (json->skip_null()) continue;
      if (point_.overflowed) {
        json->skip_value();
      } else {
        element();
      }
    }
  }

  void counts(JsonReader* json, std::vector<uint64_t>* list) {
    each(json, [this, json, list] {
      uint64_t count = 0;
      read_unsigned(json, &count);
      add_part(list, count);
    });
  }

  void attributes_of(JsonReader* json, uint32_t* map) {
    if (*map == 0) *map = tree_.add(AnyNode::Kind::kMap);
    attributes(json, *map, 0, &tree_, &point_pool_);
  }

  void buckets(JsonReader* json, OtlpBuckets* buckets) {
    if (json->skip_null()) return;
    buckets->is_set = true;
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (key == "offset") {
        read_signed(json, &buckets->offset);
      } else if (OtlpJsonName{"bucketCounts", "bucket_counts"} == key) {
        counts(json, &buckets->counts);
      } else {
        json->skip_value();
      }
    }
  }

  void quantile(JsonReader* json) {
    std::pair<double, double> quantile{0, 0};
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (key == "quantile") {
        read_double(json, &quantile.first);
      } else if (key == "value") {
        read_double(json, &quantile.second);
      } else {
        json->skip_value();
      }
    }
    add_part(&point_.quantiles, quantile);
  }

  void exemplar(JsonReader* json) {
    OtlpExemplar exemplar;
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (OtlpJsonName{"filteredAttributes", "filtered_attributes"} == key) {
        attributes_of(json, &exemplar.attributes);
      } else if (OtlpJsonName{"timeUnixNano", "time_unix_nano"} == key) {
        read_unsigned(json, &exemplar.time_unix_nano);
      } else if (OtlpJsonName{"spanId", "span_id"} == key) {
        read_id(json, exemplar.span_id.data(), exemplar.span_id.size());
      } else if (OtlpJsonName{"traceId", "trace_id"} == key) {
        read_id(json, exemplar.trace_id.bytes.data(), exemplar.trace_id.bytes.size());
      } else if (!read_number(json, key, &exemplar.value)) {
        json->skip_value();
      }
    }
    add_part(&point_.exemplars, exemplar);
  }

  OtlpMetricRows* const rows_;
  const size_t parts_max_;
  AnyTree metric_tree_;
  StringPool metric_pool_, point_pool_;
  OtlpPoint point_;
};

}  // namespace

Status read_otlp_metrics_json(ByteView body, const Limits& limits, OtlpMetricRows* rows) {
  return MetricsReader(body, limits, rows).read("metrics");
}

}  // namespace firn
