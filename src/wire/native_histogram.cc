#include "wire/native_histogram.h"

#include "wire/json_text.h"
#include "wire/otlp_value.h"
#include "wire/protobuf_fields.h"

namespace firn {
namespace {

class HistogramReader {
 public:
  explicit HistogramReader(const Limits& limits) : parts_max_(native_histogram_parts_max(limits)) {}

  NativeHistogram read(ByteView data) {
    for (ProtobufMessage message = reader_of(data); message.next();) {
      if (!read_number(&message) && !read_list(&message)) message.skip();
    }
    return std::move(histogram_);
  }

 private:
  bool read_number(ProtobufMessage* message) {
    NativeHistogram& histogram = histogram_;
    switch (message->tag_and_type()) {
      case varint_field(1):  // of a oneof the last member counts
        histogram.count = message->get_uint64();
        histogram.float_count.reset();
        return true;
      case fixed64_field(2):
        histogram.float_count = double_of(message);
        histogram.count.reset();
        return true;
      case fixed64_field(3):
        histogram.sum_bits = message->get_fixed64();
        return true;
      case varint_field(4):
        histogram.schema = message->get_sint32();
        return true;
      case fixed64_field(5):
        histogram.zero_threshold = double_of(message);
        return true;
      case varint_field(6):
        histogram.zero_count = message->get_uint64();
        histogram.float_zero_count.reset();
        return true;
      case fixed64_field(7):
        histogram.float_zero_count = double_of(message);
        histogram.zero_count.reset();
        return true;
      case varint_field(14):
        histogram.reset_hint = message->get_int64();
        return true;
      case varint_field(15):
        histogram.timestamp_ms = message->get_int64();
        return true;
      case varint_field(17):
        histogram.start_timestamp_ms = message->get_int64();
        return true;
      default:
        return false;
    }
  }

  bool read_list(ProtobufMessage* message) {
    switch (message->tag_and_type()) {
      case bytes_field(8):
        add(read_span(view_of(message)), &histogram_.negative.spans);
        return true;
      case bytes_field(9):
      case varint_field(9):
        deltas(message, &histogram_.negative.deltas);
        return true;
      case bytes_field(10):
      case fixed64_field(10):
        doubles(message, &histogram_.negative.counts);
        return true;
      case bytes_field(11):
        add(read_span(view_of(message)), &histogram_.positive.spans);
        return true;
      case bytes_field(12):
      case varint_field(12):
        deltas(message, &histogram_.positive.deltas);
        return true;
      case bytes_field(13):
      case fixed64_field(13):
        doubles(message, &histogram_.positive.counts);
        return true;
      case bytes_field(16):
      case fixed64_field(16):
        doubles(message, &histogram_.custom_values);
        return true;
      default:
        return false;
    }
  }

  static std::pair<int32_t, uint32_t> read_span(ByteView data) {
    std::pair<int32_t, uint32_t> span{0, 0};
    for (ProtobufMessage message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case varint_field(1):
          span.first = message.get_sint32();
          break;
        case varint_field(2):
          span.second = message.get_uint32();
          break;
        default:
          message.skip();
      }
    }
    return span;
  }

  template <typename T>
  void add(const T& part, std::vector<T>* list) {
    histogram_.overflowed |= list->size() >= parts_max_;
    if (!histogram_.overflowed) list->push_back(part);
  }
  // Packed or one by one.
  void deltas(ProtobufMessage* message, std::vector<int64_t>* list) {
    if (message->wire_type() == protozero::pbf_wire_type::varint) {
      return add(message->get_sint64(), list);
    }
    for (const int64_t delta : message->get_packed_sint64()) add(delta, list);
  }
  void doubles(ProtobufMessage* message, std::vector<double>* list) {
    if (message->wire_type() == protozero::pbf_wire_type::fixed64) {
      return add(double_of(message), list);
    }
    for (const uint64_t bits : message->get_packed_fixed64()) {
      add(std::bit_cast<double>(bits), list);
    }
  }

  const size_t parts_max_;
  NativeHistogram histogram_;
};

void append_number(std::string_view key, const std::optional<uint64_t>& integer,
                   const std::optional<double>& number, JsonObjectWriter* object,
                   std::string* out) {
  if (integer) object->unsigned_integer(key, *integer);
  if (!number) return;
  object->member(key);
  append_any_double(*number, out);
}

void append_buckets(std::string_view key, const NativeBuckets& buckets, JsonObjectWriter* object,
                    std::string* out) {
  if (buckets.spans.empty() && buckets.deltas.empty() && buckets.counts.empty()) return;
  object->member(key);
  JsonObjectWriter inner(out);
  inner.list("spans", buckets.spans, [out](const std::pair<int32_t, uint32_t>& span) {
    out->push_back('[');
    append_json_integer(span.first, out);
    out->push_back(',');
    append_json_unsigned(span.second, out);
    out->push_back(']');
  });
  inner.list("deltas", buckets.deltas, [out](int64_t delta) { append_json_integer(delta, out); });
  inner.list("counts", buckets.counts, [out](double count) { append_any_double(count, out); });
  inner.close();
}

}  // namespace

size_t native_histogram_parts_max(const Limits& limits) {
  constexpr uint64_t kBytesPerPartMin = 2;  // "0,"
  return limits.event_bytes / kBytesPerPartMin;
}

NativeHistogram read_native_histogram(ByteView message, const Limits& limits) {
  return HistogramReader(limits).read(message);
}

void append_native_histogram(const NativeHistogram& histogram, std::string* out) {
  JsonObjectWriter object(out);
  append_number("count", histogram.count, histogram.float_count, &object, out);
  object.integer("schema", histogram.schema);
  append_number("zero_count", histogram.zero_count, histogram.float_zero_count, &object, out);
  object.member("zero_threshold");
  append_any_double(histogram.zero_threshold, out);
  append_buckets("negative", histogram.negative, &object, out);
  append_buckets("positive", histogram.positive, &object, out);
  object.list("custom_values", histogram.custom_values,
              [out](double value) { append_any_double(value, out); });
  if (histogram.reset_hint != 0) object.integer("reset_hint", histogram.reset_hint);
  object.close();
}

}  // namespace firn
