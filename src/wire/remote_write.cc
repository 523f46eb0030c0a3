#include "wire/remote_write.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <exception>
#include <optional>
#include <string>

#include "wire/json_text.h"
#include "wire/native_histogram.h"
#include "wire/prometheus_rows.h"
#include "wire/protobuf_fields.h"
#include "wire/series_form.h"

namespace firn {
namespace {

using Message = ProtobufMessage;

constexpr std::array<std::string_view, 8> kTypes = {
    "", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"};

std::string_view type_name(int64_t type) {
  return type > 0 && static_cast<size_t>(type) < kTypes.size() ? kTypes[static_cast<size_t>(type)]
                                                               : "";
}

std::optional<TimeNs> time_of(int64_t milliseconds) {
  TimeNs time = 0;
  if (__builtin_mul_overflow(milliseconds, kMillisecondNs, &time) || time == kAbsentInt64) {
    return std::nullopt;
  }
  return time;
}

// What both versions share: a time series is labels, then samples, exemplars and histograms, under
// other numbers.
struct SeriesFields {
  uint32_t samples, exemplars, histograms;
};

class RemoteWriteReader {
 public:
  // nullptr: ok
  Result<RemoteWriteRecords> read(ByteView body) {
    try {
      request(body);
    } catch (const std::exception& error) {  // protozero's errors about malformed input
      return invalid_argument(
          fmt::format("the remote write request is malformed: {}, after {} "
                      "series",
                      error.what(), series_));
    }
    FIRN_TRY(status_);
    records_.parts = rows_.finish();
    return std::move(records_);
  }

 protected:
  RemoteWriteReader(const DecodeDefaults& defaults, SampleDoor door, SeriesFields fields)
      : defaults_(defaults), fields_(fields), rows_(defaults, door) {}
  ~RemoteWriteReader() = default;

  virtual void request(ByteView data) = 0;
  virtual void exemplar_labels(ByteView exemplar, std::vector<Label>* labels) = 0;
  // Makes the series that was found last the present one, in the role.
  virtual void begin_series(SeriesRole role) = 0;

  // The series with the labels that labels_ has.
  void begin_with_labels(SeriesRole role) {
    std::string_view name;
    size_t kept = 0;
    for (const Label& label : labels_) {
      if (label.name == kNameLabel && name.empty()) {
        name = label.value;
      } else {
        labels_[kept++] = label;
      }
    }
    labels_.resize(kept);
    keep(rows_.begin_series(name, labels_, role));
  }

  // Samples, histograms and exemplars of the series; `start_ms` for those without their own, 0 when
  // there is none.
  void series_rows(ByteView data, int64_t start_ms) {
    exemplars_.clear();
    for (Message message = reader_of(data); status_.ok() && message.next();) {
      const uint32_t field = message.tag_and_type();
      if (field == bytes_field(fields_.samples)) {
        sample(view_of(&message), start_ms);
      } else if (field == bytes_field(fields_.histograms)) {
        histogram(view_of(&message), start_ms);
      } else if (field == bytes_field(fields_.exemplars)) {
        exemplar(view_of(&message));
      } else {
        message.skip();
      }
    }
    if (status_.ok() && !exemplars_.empty()) add_exemplars();
  }

  // A label takes two bytes there and many here, so somebody has to stop.
  void add_label(const Label& label, std::vector<Label>* labels) {
    const uint64_t labels_max = defaults_.limits.attributes_per_event + 1;  // and the name
    if (labels->size() < labels_max) return labels->push_back(label);
    keep(
        too_large(fmt::format("series {} of the request has more than {} labels, the limit "
                              "attributes_per_event",
                              series_, defaults_.limits.attributes_per_event)));
  }

  bool is_ok() const { return status_.ok(); }
  void keep(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  const DecodeDefaults& defaults_;
  const SeriesFields fields_;
  SampleRows rows_;
  std::vector<Label> labels_;
  uint64_t series_ = 0;

 private:
  void sample(ByteView data, int64_t start_ms) {
    uint64_t bits = 0;
    int64_t timestamp_ms = 0;
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case fixed64_field(1):
          bits = message.get_fixed64();
          break;
        case varint_field(2):
          timestamp_ms = message.get_int64();
          break;
        case varint_field(3):
          start_ms = message.get_int64();
          break;
        default:
          message.skip();
      }
    }
    add_sample(bits, timestamp_ms, start_ms, {});
    ++records_.samples;
  }

  void histogram(ByteView data, int64_t start_ms) {
    const NativeHistogram histogram = read_native_histogram(data, defaults_.limits);
    if (histogram.overflowed) {
      return keep(rows_.refuse_sample("its histogram takes more than the limit event_bytes",
                                      StatusCode::kTooLarge));
    }
    data_.clear();
    append_native_histogram(histogram, &data_);
    if (histogram.start_timestamp_ms != 0) start_ms = histogram.start_timestamp_ms;
    add_sample(histogram.sum_bits, histogram.timestamp_ms, start_ms, data_);
    ++records_.histograms;
  }

  void add_sample(uint64_t bits, int64_t timestamp_ms, int64_t start_ms, std::string_view data) {
    const auto time = time_of(timestamp_ms);
    const auto start = time_of(start_ms);
    if (!time || !start) return refuse_time(time ? start_ms : timestamp_ms);
    PlainSample sample{.time = *time, .value = sample_value(bits), .is_stale = bits == kStaleNan};
    if (start_ms != 0) sample.start_time = *start;
    sample.data = data;
    keep(rows_.add(sample));
  }

  void exemplar(ByteView data) {
    PrometheusExemplar exemplar;
    int64_t timestamp_ms = 0;
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case fixed64_field(2):
          exemplar.value = double_of(&message);
          break;
        case varint_field(3):
          timestamp_ms = message.get_int64();
          break;
        default:
          message.skip();
      }
    }
    exemplar_labels(data, &exemplar.labels);
    if (exemplars_.size() == native_histogram_parts_max(defaults_.limits)) {
      return keep(rows_.refuse_series("its exemplars take more than the limit event_bytes",
                                      StatusCode::kTooLarge));
    }
    if (timestamp_ms != 0) {
      exemplar.time = time_of(timestamp_ms);
      if (!exemplar.time) return refuse_time(timestamp_ms);
    }
    exemplars_.push_back(std::move(exemplar));
    ++records_.exemplars;
  }

  // Those of one time become one row.
  void add_exemplars() {
    begin_series(SeriesRole::kExemplars);
    for (size_t begin = 0; begin < exemplars_.size() && is_ok();) {
      const std::optional<TimeNs> time = exemplars_[begin].time;
      size_t end = begin;
      while (end < exemplars_.size() && exemplars_[end].time == time) ++end;
      data_.clear();
      append_exemplars(std::span(exemplars_).subspan(begin, end - begin), &data_);
      keep(rows_.add({.time = time.value_or(defaults_.now), .data = data_}));
      begin = end;
    }
  }

  void refuse_time(int64_t timestamp_ms) {
    keep(rows_.refuse_sample(
        fmt::format("its time of {} ms is not between the years 1677 and 2262", timestamp_ms)));
  }

  RemoteWriteRecords records_;
  Status status_;
  std::vector<PrometheusExemplar> exemplars_;
  std::string data_;
};

// prometheus.WriteRequest
class Reader1 final : public RemoteWriteReader {
 public:
  explicit Reader1(const DecodeDefaults& defaults)
      : RemoteWriteReader(defaults, SampleDoor::kRemoteWrite1,
                          {.samples = 2, .exemplars = 3, .histograms = 4}) {}

 private:
  void request(ByteView data) override {
    for (Message message = reader_of(data); is_ok() && message.next();) {
      switch (message.tag_and_type()) {
        case bytes_field(1):
          ++series_;
          time_series(view_of(&message));
          break;
        case bytes_field(3):
          metadata(view_of(&message));
          break;
        default:
          message.skip();
      }
    }
  }

  void time_series(ByteView data) {
    series_data_ = data;
    // Labels come first, and one behind the other, unless somebody wants to know.
    Message message = reader_of(data);
    const char* labels_end = data.data();
    bool is_together = true;
    for (const char* field = data.data(); message.next(); field = message.data().data()) {
      const bool is_label = message.tag_and_type() == bytes_field(1);
      message.skip();
      if (!is_label) continue;
      is_together &= field == labels_end;
      labels_end = message.data().data();
    }
    const auto size = static_cast<size_t>(labels_end - data.data());
    sent_ = is_together ? data.substr(0, size) : ByteView();
    begin_series(SeriesRole::kSamples);
    if (is_ok()) series_rows(is_together ? data.substr(size) : data, 0);
  }

  void begin_series(SeriesRole role) override {
    if (rows_.knows_series(sent_, role)) return;
    labels_.clear();
    read_labels(series_data_, &labels_);
    if (is_ok()) begin_with_labels(role);
  }

  void exemplar_labels(ByteView exemplar, std::vector<Label>* labels) override {
    read_labels(exemplar, labels);
  }

  // Of a series or an exemplar.
  void read_labels(ByteView data, std::vector<Label>* labels) {
    for (Message message = reader_of(data);
         message.next(1, protozero::pbf_wire_type::length_delimited);) {
      add_label(label(view_of(&message)), labels);
    }
  }

  static Label label(ByteView data) {
    Label label;
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case bytes_field(1):
          label.name = view_of(&message);
          break;
        case bytes_field(2):
          label.value = view_of(&message);
          break;
        default:
          message.skip();
      }
    }
    return label;
  }

  // What is told of a family. Senders repeat it every minute, so it has one row an hour.
  void metadata(ByteView data) {
    int64_t type = 0;
    std::string_view family, help, unit;
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case varint_field(1):
          type = message.get_int64();
          break;
        case bytes_field(2):
          family = view_of(&message);
          break;
        case bytes_field(4):
          help = view_of(&message);
          break;
        case bytes_field(5):
          unit = view_of(&message);
          break;
        default:
          message.skip();
      }
    }
    if (!rows_.knows_series(family, SeriesRole::kMetadata)) {
      keep(rows_.begin_series(family, {}, SeriesRole::kMetadata));
    }
    if (!is_ok()) return;
    rows_.describe(prometheus_notes(type_name(type), unit, help));
    std::string text;
    JsonObjectWriter object(&text);
    if (!help.empty()) object.text("help", help);
    if (!type_name(type).empty()) object.text("type", type_name(type));
    if (!unit.empty()) object.text("unit", unit);
    object.close();
    keep(rows_.add({.time = interval_start(defaults_.now, kHourNs), .metadata = text}));
  }

  ByteView series_data_, sent_;
};

// io.prometheus.write.v2.Request
class Reader2 final : public RemoteWriteReader {
 public:
  explicit Reader2(const DecodeDefaults& defaults)
      : RemoteWriteReader(defaults, SampleDoor::kRemoteWrite2,
                          {.samples = 2, .exemplars = 4, .histograms = 3}) {}

 private:
  void request(ByteView data) override {
    constexpr size_t kBytesPerSymbolMin = 16;  // of a request that is as large as it may be
    const size_t symbols_max = defaults_.limits.request_bytes / kBytesPerSymbolMin;
    for (Message message = reader_of(data);
         message.next(4, protozero::pbf_wire_type::length_delimited);) {
      if (symbols_.size() == symbols_max) {
        return keep(too_large(fmt::format("the request has more than {} symbols", symbols_max)));
      }
      symbols_.push_back(view_of(&message));
    }
    for (Message message = reader_of(data);
         is_ok() && message.next(5, protozero::pbf_wire_type::length_delimited);) {
      ++series_;
      time_series(view_of(&message));
    }
  }

  void time_series(ByteView data) {
    references_.clear();
    SeriesNotes notes;
    int64_t created_ms = 0;
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case bytes_field(1):
        case varint_field(1):
          read_references(&message, &references_);
          break;
        case bytes_field(5):
          notes = metadata(view_of(&message));
          break;
        case varint_field(6):
          created_ms = message.get_int64();
          break;
        default:
          message.skip();
      }
    }
    if (!is_ok()) return;
    begin_series(SeriesRole::kSamples);
    if (!is_ok()) return;
    rows_.describe(notes);
    series_rows(data, created_ms);
  }

  void begin_series(SeriesRole role) override {
    resolve(references_, &labels_);
    if (!is_ok()) return;
    sent_.clear();
    for (const Label& label : labels_) {
      append_le(&sent_, static_cast<uint32_t>(label.name.size()));
      append_le(&sent_, static_cast<uint32_t>(label.value.size()));
      sent_.append(label.name).append(label.value);
    }
    if (!rows_.knows_series(sent_, role)) begin_with_labels(role);
  }

  SeriesNotes metadata(ByteView data) {
    int64_t type = 0;
    uint32_t help = 0, unit = 0;
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case varint_field(1):
          type = message.get_int64();
          break;
        case varint_field(3):
          help = message.get_uint32();
          break;
        case varint_field(4):
          unit = message.get_uint32();
          break;
        default:
          message.skip();
      }
    }
    return prometheus_notes(type_name(type), unit == 0 ? "" : symbol(unit),
                            help == 0 ? "" : symbol(help));
  }

  void exemplar_labels(ByteView exemplar, std::vector<Label>* labels) override {
    exemplar_references_.clear();
    for (Message message = reader_of(exemplar); message.next();) {
      if (message.tag() == 1) {
        read_references(&message, &exemplar_references_);
      } else {
        message.skip();
      }
    }
    resolve(exemplar_references_, labels);
  }

  // Packed or one by one.
  static void read_references(Message* message, std::vector<uint32_t>* references) {
    if (message->wire_type() == protozero::pbf_wire_type::varint) {
      references->push_back(message->get_uint32());
    } else if (message->wire_type() == protozero::pbf_wire_type::length_delimited) {
      for (const uint32_t reference : message->get_packed_uint32()) {
        references->push_back(reference);
      }
    } else {
      message->skip();
    }
  }

  void resolve(const std::vector<uint32_t>& references, std::vector<Label>* labels) {
    labels->clear();
    if (references.size() % 2 != 0) {
      return keep(invalid_argument(
          fmt::format("series {} of the request has a label without a value", series_)));
    }
    for (size_t i = 0; i < references.size() && is_ok(); i += 2) {
      add_label({symbol(references[i]), symbol(references[i + 1])}, labels);
    }
  }

  std::string_view symbol(uint32_t reference) {
    if (reference < symbols_.size()) return symbols_[reference];
    keep(invalid_argument(fmt::format("series {} of the request refers to symbol {}, there are {}",
                                      series_, reference, symbols_.size())));
    return "";
  }

  std::vector<std::string_view> symbols_;
  std::vector<uint32_t> references_, exemplar_references_;
  std::string sent_;
};

}  // namespace

Result<RemoteWriteRecords> decode_remote_write(ByteView body, RemoteWriteVersion version,
                                               const DecodeDefaults& defaults) {
  return version == RemoteWriteVersion::k1 ? Reader1(defaults).read(body)
                                           : Reader2(defaults).read(body);
}

}  // namespace firn
