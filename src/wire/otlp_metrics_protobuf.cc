#include <bit>

#include "wire/otlp_protobuf.h"
#include "wire/otlp_readers.h"

namespace firn {
namespace {

class MetricsReader final : public OtlpProtobufReader {
 public:
  MetricsReader(const Limits& limits, OtlpMetricRows* rows)
      : OtlpProtobufReader(limits, rows),
        rows_(rows),
        parts_max_(otlp_point_parts_max(limits)),
        metric_tree_(otlp_values_max(limits)) {}

 private:
  // A metric: its name and kind may stand behind its points, so the points come in a second walk.
  void record(ByteView data) override {
    OtlpMetric metric;
    metric_tree_.clear();
    ByteView points;
    for (Message message = reader_of(data); message.next();) {
      if (!read_text(&message, &metric)) read_data(&message, &metric, &points);
    }
    read_kind(points, &metric);
    rows_->begin_metric(metric, metric_tree_);
    for (Message message = reader_of(points); message.next();) {
      if (message.tag_and_type() == bytes_field(1)) {
        point(metric.type, view_of(&message));
      } else {
        message.skip();
      }
    }
  }

  bool read_text(Message* message, OtlpMetric* metric) {
    switch (message->tag_and_type()) {
      case bytes_field(1):
        metric->name = view_of(message);
        return true;
      case bytes_field(2):
        metric->description = view_of(message);
        return true;
      case bytes_field(3):
        metric->unit = view_of(message);
        return true;
      case bytes_field(12):
        if (metric->metadata == 0) metric->metadata = metric_tree_.add(AnyNode::Kind::kMap);
        key_value(view_of(message), metric->metadata, 0, &metric_tree_);
        return true;
      default:
        return false;
    }
  }

  // The last member of a oneof counts.
  void read_data(Message* message, OtlpMetric* metric, ByteView* points) {
    switch (message->tag_and_type()) {
      case bytes_field(5):
        metric->type = OtlpMetricType::kGauge;
        break;
      case bytes_field(7):
        metric->type = OtlpMetricType::kSum;
        break;
      case bytes_field(9):
        metric->type = OtlpMetricType::kHistogram;
        break;
      case bytes_field(10):
        metric->type = OtlpMetricType::kExponentialHistogram;
        break;
      case bytes_field(11):
        metric->type = OtlpMetricType::kSummary;
        break;
      default:
        return message->skip();
    }
    *points = view_of(message);
  }

  static void read_kind(ByteView data, OtlpMetric* metric) {
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case varint_field(2):
          metric->temporality = message.get_int32();
          break;
        case varint_field(3):
          metric->is_monotonic = metric->type == OtlpMetricType::kSum && message.get_bool();
          break;
        default:
          message.skip();
      }
    }
  }

  void point(OtlpMetricType type, ByteView data) {
    point_.clear();
    tree_.clear();
    sent_ = SentAttributes();
    Message message = reader_of(data);
    for (const char* field = data.data(); message.next(); field = message.data().data()) {
      sent_.next_field = field;
      bool is_read = false;
      switch (type) {
        case OtlpMetricType::kHistogram:
          is_read = read_common(&message) || read_histogram(&message);
          break;
        case OtlpMetricType::kExponentialHistogram:
          is_read = read_exponential(&message);
          break;
        case OtlpMetricType::kSummary:
          is_read = read_common(&message) || read_summary(&message);
          break;
        default:
          is_read = read_common(&message) || read_number(&message);
      }
      if (!is_read) message.skip();
    }
    if (!rows_->knows_series(sent_.is_together ? sent_.fields : ByteView())) read_attributes();
    // Then the request is refused, and nothing of it may be remembered.
    if (!too_deep()) rows_->add(point_, tree_);
  }

  // The attributes of a point, which are read only when nobody knows what they become.
  struct SentAttributes {
    const char* next_field = nullptr;
    ByteView fields;  // from the first to the last
    uint32_t tag_and_type = 0;
    bool is_together = true;  // no other field between them
  };
  void see_attribute(Message* message) {
    sent_.tag_and_type = message->tag_and_type();
    const ByteView attribute = view_of(message);
    const char* const end = attribute.data() + attribute.size();
    const char* begin = sent_.fields.empty() ? sent_.next_field : sent_.fields.data();
    if (begin + sent_.fields.size() != sent_.next_field) sent_.is_together = false;
    sent_.fields = ByteView(begin, static_cast<size_t>(end - begin));
  }
  void read_attributes() {
    for (Message message = reader_of(sent_.fields); message.next();) {
      if (message.tag_and_type() == sent_.tag_and_type) {
        attribute(view_of(&message), &point_.attributes);
      } else {
        message.skip();
      }
    }
  }

  bool read_common(Message* message) {
    switch (message->tag_and_type()) {
      case fixed64_field(2):
        point_.start_time_unix_nano = message->get_fixed64();
        return true;
      case fixed64_field(3):
        point_.time_unix_nano = message->get_fixed64();
        return true;
      default:
        return false;
    }
  }

  bool read_number(Message* message) {
    switch (message->tag_and_type()) {
      case fixed64_field(4):
        point_.value = {.kind = OtlpNumber::Kind::kDouble, .number = double_of(message)};
        return true;
      case fixed64_field(6):
        point_.value = {.kind = OtlpNumber::Kind::kInt, .integer = message->get_sfixed64()};
        return true;
      case bytes_field(5):
        exemplar(view_of(message));
        return true;
      case bytes_field(7):
        see_attribute(message);
        return true;
      case varint_field(8):
        point_.flags = message->get_uint32();
        return true;
      default:
        return false;
    }
  }

  bool read_histogram(Message* message) {
    switch (message->tag_and_type()) {
      case fixed64_field(4):
        point_.count = message->get_fixed64();
        return true;
      case fixed64_field(5):
        point_.sum = double_of(message);
        return true;
      case bytes_field(6):
      case fixed64_field(6):
        fixed64s(message, &point_.bucket_counts);
        return true;
      case bytes_field(7):
      case fixed64_field(7):
        bounds(message);
        return true;
      case bytes_field(8):
        exemplar(view_of(message));
        return true;
      case bytes_field(9):
        see_attribute(message);
        return true;
      case varint_field(10):
        point_.flags = message->get_uint32();
        return true;
      case fixed64_field(11):
        point_.min = double_of(message);
        return true;
      case fixed64_field(12):
        point_.max = double_of(message);
        return true;
      default:
        return false;
    }
  }

  bool read_exponential(Message* message) {
    switch (message->tag_and_type()) {
      case bytes_field(1):
        see_attribute(message);
        return true;
      case fixed64_field(4):
        point_.count = message->get_fixed64();
        return true;
      case fixed64_field(5):
        point_.sum = double_of(message);
        return true;
      case varint_field(6):
        point_.scale = message->get_sint32();
        return true;
      case fixed64_field(7):
        point_.zero_count = message->get_fixed64();
        return true;
      case bytes_field(8):
        buckets(view_of(message), &point_.positive);
        return true;
      case bytes_field(9):
        buckets(view_of(message), &point_.negative);
        return true;
      case varint_field(10):
        point_.flags = message->get_uint32();
        return true;
      case bytes_field(11):
        exemplar(view_of(message));
        return true;
      case fixed64_field(12):
        point_.min = double_of(message);
        return true;
      case fixed64_field(13):
        point_.max = double_of(message);
        return true;
      case fixed64_field(14):
        point_.zero_threshold = double_of(message);
        return true;
      default:
        return read_common(message);
    }
  }

  bool read_summary(Message* message) {
    switch (message->tag_and_type()) {
      case fixed64_field(4):
        point_.count = message->get_fixed64();
        return true;
      case fixed64_field(5):
        point_.sum = double_of(message);
        return true;
      case bytes_field(6):
        quantile(view_of(message));
        return true;
      case bytes_field(7):
        see_attribute(message);
        return true;
      case varint_field(8):
        point_.flags = message->get_uint32();
        return true;
      default:
        return false;
    }
  }

  template <typename T>
  void add_part(std::vector<T>* list, const T& part) {
    point_.overflowed |= list->size() >= parts_max_;
    if (!point_.overflowed) list->push_back(part);
  }

  // Packed or one by one.
  void fixed64s(Message* message, std::vector<uint64_t>* list) {
    if (message->wire_type() == protozero::pbf_wire_type::fixed64) {
      return add_part(list, message->get_fixed64());
    }
    for (const uint64_t value : message->get_packed_fixed64()) add_part(list, value);
  }
  void bounds(Message* message) {
    if (message->wire_type() == protozero::pbf_wire_type::fixed64) {
      return add_part(&point_.explicit_bounds, double_of(message));
    }
    for (const uint64_t bits : message->get_packed_fixed64()) {
      add_part(&point_.explicit_bounds, std::bit_cast<double>(bits));
    }
  }

  void attribute(ByteView data, uint32_t* map) {
    if (*map == 0) *map = tree_.add(AnyNode::Kind::kMap);
    key_value(data, *map, 0, &tree_);
  }

  // Messages that come in two parts are joined.
  void buckets(ByteView data, OtlpBuckets* buckets) {
    buckets->is_set = true;
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case varint_field(1):
          buckets->offset = message.get_sint32();
          break;
        case varint_field(2):
          add_part(&buckets->counts, message.get_uint64());
          break;
        case bytes_field(2):
          for (const uint64_t count : message.get_packed_uint64()) {
            add_part(&buckets->counts, count);
          }
          break;
        default:
          message.skip();
      }
    }
  }

  void quantile(ByteView data) {
    std::pair<double, double> quantile{0, 0};
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case fixed64_field(1):
          quantile.first = double_of(&message);
          break;
        case fixed64_field(2):
          quantile.second = double_of(&message);
          break;
        default:
          message.skip();
      }
    }
    add_part(&point_.quantiles, quantile);
  }

  void exemplar(ByteView data) {
    if (point_.overflowed) return;
    OtlpExemplar exemplar;
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case fixed64_field(2):
          exemplar.time_unix_nano = message.get_fixed64();
          break;
        case fixed64_field(3):
          exemplar.value = {.kind = OtlpNumber::Kind::kDouble, .number = double_of(&message)};
          break;
        case bytes_field(4):
          copy_id(view_of(&message), &exemplar.span_id);
          break;
        case bytes_field(5):
          copy_id(view_of(&message), &exemplar.trace_id.bytes);
          break;
        case fixed64_field(6):
          exemplar.value = {.kind = OtlpNumber::Kind::kInt, .integer = message.get_sfixed64()};
          break;
        case bytes_field(7):
          attribute(view_of(&message), &exemplar.attributes);
          break;
        default:
          message.skip();
      }
    }
    add_part(&point_.exemplars, exemplar);
  }

  OtlpMetricRows* const rows_;
  const size_t parts_max_;
  AnyTree metric_tree_;
  OtlpPoint point_;
  SentAttributes sent_;
};

}  // namespace

Status read_otlp_metrics_protobuf(ByteView body, const Limits& limits, OtlpMetricRows* rows) {
  return MetricsReader(limits, rows).read(body, "metrics");
}

}  // namespace firn
