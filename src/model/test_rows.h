#pragma once

// Rows and batches for the tests of every room. Header-only; never part of the product.

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "model/record_batch.h"

namespace firn {

// 2026-01-01T00:00:00Z, where test data begins.
inline constexpr TimeNs kTestTime = 1'767'225'600 * kSecondNs;

inline std::unique_ptr<RecordBatch> make_unstamped_batch(const std::vector<EventRow>& rows,
                                                         Dataset dataset = Dataset::kEvents) {
  BatchBuilder builder(dataset);
  for (const EventRow& row : rows) builder.add(row);
  return builder.finish();
}

// Stamps the batch as a commit would; stream positions stay as they were given.
inline BatchPtr stamped(std::unique_ptr<RecordBatch> batch, Position first_position = 1,
                        NamespaceId namespace_id = 1) {
  std::vector<int64_t> stream_positions;
  if (batch->has_column(ColumnId::kStream)) {
    const auto given = batch->int64s(ColumnId::kStreamPosition);
    for (uint32_t row = 0; row < batch->rows(); ++row) stream_positions.push_back(given[row]);
  }
  batch->stamp(namespace_id, first_position, stream_positions);
  return batch;
}

inline BatchPtr make_batch(const std::vector<EventRow>& rows, Position first_position = 1,
                           NamespaceId namespace_id = 1, Dataset dataset = Dataset::kEvents) {
  return stamped(make_unstamped_batch(rows, dataset), first_position, namespace_id);
}

inline std::vector<Float64> floats(const std::vector<double>& values) {
  std::vector<Float64> all;
  for (const double value : values) all.push_back(Float64::of(value));
  return all;
}
inline BatchSlice slice_of(BatchPtr batch) { return {std::move(batch), nullptr}; }
inline BatchSlice slice_of(BatchPtr batch, std::vector<uint32_t> rows) {
  return {std::move(batch), std::make_shared<const std::vector<uint32_t>>(std::move(rows))};
}

// Events of every shape: columns that are empty, the same in all rows, repeating, or different in
// each; JSON documents, empty strings and strings with a zero byte. The same for the same seed.
// Rows stay valid as long as the generator lives.
class RandomRows {
 public:
  explicit RandomRows(uint64_t seed, Dataset dataset = Dataset::kEvents)
      : dataset_(dataset), random_(seed) {
    for (Shape& shape : shapes_) shape = static_cast<Shape>(random_() % 4);
  }

  EventRow next() {
    EventRow row;
    time_ += static_cast<int64_t>(random_() % kSecondNs) - kSecondNs / 4;
    row.time = shape(1) == Shape::kConstant ? kTestTime : time_;
    row.observed_time = number(2, kTestTime);
    row.id = id(3);
    row.kind = static_cast<EventKind>(small(4, 5));
    row.type = text(5, "type");
    row.source = text(6, "source");
    row.subject = text(7, "subject");
    row.severity = static_cast<uint8_t>(small(8, 25));
    row.stream = text(9, "stream");
    if (!row.stream.empty()) row.stream_position = static_cast<int64_t>(random_() % 1000);
    row.correlation_id = text(11, "correlation");
    row.trace_id = id(12);
    const Id span = id(13);
    std::copy_n(span.bytes.begin(), row.span_id.size(), row.span_id.begin());
    row.parent_id = id(14);
    row.duration = number(15, 0);
    row.data = document(16);
    row.metadata = document(17);
    row.context = context(18);
    if (dataset_ != Dataset::kEvents) add_metric(&row);
    return row;
  }

  uint64_t random(uint64_t limit) { return random_() % limit; }

 private:
  enum class Shape { kDefault, kConstant, kRepeating, kDifferent };

  Shape shape(size_t column) const { return shapes_[column]; }
  std::string_view keep(std::string value) { return texts_.emplace_back(std::move(value)); }

  // Samples and series. Samples of a series follow each other at a steady pace, most of the time.
  void add_metric(EventRow* row) {
    const uint64_t number = shape(19) == Shape::kConstant ? 3 : random_() % 40;
    row->series = keep("00112233445566778899aabbccddee" + std::to_string(10 + number));
    row->value = float64(20);
    row->integer = static_cast<uint8_t>(small(21, 2));
    row->start_time = number_or_time(22);
    row->flags = this->number(23, 0);
    row->name = text(24, "name");
    row->labels = document(25);
    row->unit = text(26, "unit");
    row->temporality = text(27, "temporality");
    row->monotonic = static_cast<uint8_t>(small(28, 2));
    row->description = text(29, "description");
    row->count = this->number(30, 0);
    row->through = this->number(31, 0);
    row->min = float64(32);
    row->max = float64(33);
    row->first = float64(34);
    row->first_time = number_or_time(35);
    row->last = float64(36);
    row->last_time = number_or_time(37);
    row->sum_low = float64(38);
  }
  int64_t number_or_time(size_t column) {
    return shape(column) == Shape::kDifferent ? time_ / kSecondNs * kSecondNs
                                              : number(column, kTestTime);
  }
  Float64 float64(size_t column) {
    if (shape(column) == Shape::kDefault) return kAbsentFloat64;
    if (shape(column) == Shape::kConstant) return Float64::of(-0.0);
    switch (random_() % 16) {
      case 0:
        return {random_()};  // any bits: NaNs, infinities, the smallest numbers
      case 1:
        return random_() % 2 == 0 ? kAbsentFloat64 : Float64{0x7ff0000000000002};
      case 2:
        return Float64::of(-0.0);
      case 3:
        return Float64::of(static_cast<double>(static_cast<float>(random_() % 1000) / 10.0F));
      default:
        break;
    }
    if (shape(column) == Shape::kDifferent)
      return Float64::of(1.0 / static_cast<double>(random_()));
    return Float64::of(static_cast<double>(random_() % 10'000) / 100.0);
  }

  uint64_t small(size_t column, uint64_t limit) {
    if (shape(column) == Shape::kDefault) return 0;
    return shape(column) == Shape::kConstant ? 3 : random_() % limit;
  }
  int64_t number(size_t column, int64_t base) {
    if (shape(column) == Shape::kDefault) return kAbsentInt64;
    if (shape(column) == Shape::kConstant) return base + 7;
    if (random_() % 8 == 0) return kAbsentInt64;
    if (random_() % 64 == 0) return random_() % 2 == 0 ? INT64_MAX : INT64_MIN + 1;
    return base + static_cast<int64_t>(random_() % 1'000'000);
  }
  Id id(size_t column) {
    if (shape(column) == Shape::kDefault) return {};
    if (shape(column) == Shape::kConstant) return make_uuid7(1, 2, 3);
    if (random_() % 8 == 0) return {};
    if (shape(column) == Shape::kRepeating) return make_uuid7(random_() % 4, 1, 1);
    return make_uuid7(static_cast<uint64_t>(time_ / kMillisecondNs), random_(), random_());
  }
  std::string_view text(size_t column, const char* word) {
    switch (shape(column)) {
      case Shape::kDefault:
        return {};
      case Shape::kConstant:
        return keep(word);
      case Shape::kRepeating:
        return random_() % 5 == 0 ? "" : keep(word + std::to_string(random_() % 12));
      case Shape::kDifferent:
        break;
    }
    if (random_() % 10 == 0) return keep(std::string("zero\0inside", 11));
    return keep(word + std::to_string(random_() % 1'000'000));
  }
  std::string_view document(size_t column) {
    switch (shape(column)) {
      case Shape::kDefault:
        return {};
      case Shape::kConstant:
        return R"({"http.status":200})";
      default:
        break;
    }
    const std::string host = "host" + std::to_string(random_() % 6);
    const std::string status = std::to_string(200 + random_() % 4);
    switch (random_() % 6) {
      case 0:
        return {};
      case 1:
        return keep("not json " + host);
      case 2:
        return keep(R"({"attributes":{"host":")" + host + R"(","http.status":)" + status + "}}");
      case 3:
        return keep(R"({"host":")" + host + R"(","http":{"status":)" + status + "}}");
      case 4:
        return keep(R"({"msg":"line\n)" + host + R"(","n":)" + status + R"(,"host":null})");
      default:
        return keep(R"({"h\u006fst":")" + host + R"(","deep":{"http":{"status":1}}})");
    }
  }
  std::string_view context(size_t column) {
    if (shape(column) == Shape::kDefault) return {};
    const uint64_t pod = shape(column) == Shape::kConstant ? 1 : random_() % 7;
    return keep(R"({"resource":{"attributes":{"host":"host)" + std::to_string(pod) +
                R"(","k8s.pod":"p)" + std::to_string(pod) +
                R"("}},"scope":{"attributes":{"lib":1}}})");
  }

  const Dataset dataset_;
  std::mt19937_64 random_;
  std::array<Shape, kColumnIdCount> shapes_{};
  std::deque<std::string> texts_;
  TimeNs time_ = kTestTime;
};

inline std::unique_ptr<RecordBatch> random_unstamped_batch(uint64_t seed, uint32_t rows,
                                                           Dataset dataset = Dataset::kEvents) {
  RandomRows generator(seed, dataset);
  BatchBuilder builder(dataset);
  for (uint32_t row = 0; row < rows; ++row) builder.add(generator.next());
  return builder.finish();
}

inline BatchPtr random_batch(uint64_t seed, uint32_t rows, Position first_position = 1,
                             NamespaceId namespace_id = 1, Dataset dataset = Dataset::kEvents) {
  return stamped(random_unstamped_batch(seed, rows, dataset), first_position, namespace_id);
}

// About one row in `one_in`, in order; at least one.
inline std::vector<uint32_t> random_selection(uint64_t seed, uint32_t rows, uint32_t one_in) {
  std::mt19937_64 random(seed);
  std::vector<uint32_t> selection;
  for (uint32_t row = 0; row < rows; ++row) {
    if (random() % one_in == 0) selection.push_back(row);
  }
  if (selection.empty()) selection.push_back(rows - 1);
  return selection;
}

// Some rows of a random batch as a batch of their own, so that positions have gaps.
inline BatchPtr random_batch_with_gaps(uint64_t seed, uint32_t rows, Position first_position = 1,
                                       Dataset dataset = Dataset::kEvents) {
  BatchBuilder builder(dataset);
  builder.add_rows(slice_of(random_batch(seed, rows, first_position, 1, dataset),
                            random_selection(seed + 1, rows, 2)));
  return builder.finish();
}

inline bool operator==(const EventRow& a, const EventRow& b) {
  return a.time == b.time && a.observed_time == b.observed_time && a.id == b.id &&
         a.kind == b.kind && a.type == b.type && a.source == b.source && a.subject == b.subject &&
         a.severity == b.severity && a.stream == b.stream &&
         a.stream_position == b.stream_position && a.correlation_id == b.correlation_id &&
         a.trace_id == b.trace_id && a.span_id == b.span_id && a.parent_id == b.parent_id &&
         a.duration == b.duration && a.data == b.data && a.metadata == b.metadata &&
         a.context == b.context && a.series == b.series && a.value == b.value &&
         a.integer == b.integer && a.start_time == b.start_time && a.flags == b.flags &&
         a.name == b.name && a.labels == b.labels && a.unit == b.unit &&
         a.temporality == b.temporality && a.monotonic == b.monotonic &&
         a.description == b.description;
}

// Fails the test at the first row that differs, position included.
inline void expect_same_rows(const BatchSlice& actual, const BatchSlice& expected) {
  ASSERT_EQ(actual.rows(), expected.rows());
  for (uint32_t i = 0; i < actual.rows(); ++i) {
    ASSERT_EQ(actual.batch->position(actual.row(i)), expected.batch->position(expected.row(i)))
        << "row " << i;
    ASSERT_TRUE(event_row(*actual.batch, actual.row(i)) ==
                event_row(*expected.batch, expected.row(i)))
        << "row " << i;
  }
}

}  // namespace firn
