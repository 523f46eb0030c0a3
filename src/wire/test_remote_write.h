#pragma once

// Remote write requests, put together by hand. Never part of the product.

#include <bit>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/otlp_test_request.h"

namespace firn {

using TestLabels = std::vector<std::pair<std::string_view, std::string_view>>;

inline TestProto test_label(std::string_view name, std::string_view value) {
  return TestProto().text(1, name).text(2, value);
}
inline TestProto test_sample(uint64_t bits, int64_t time_ms) {
  return TestProto().fixed64(1, bits).number(2, static_cast<uint64_t>(time_ms));
}
inline TestProto test_sample(double value, int64_t time_ms) {
  return test_sample(std::bit_cast<uint64_t>(value), time_ms);
}

// prometheus.WriteRequest
inline TestProto test_series1(const TestLabels& labels, const std::vector<TestProto>& samples) {
  TestProto series;
  for (const auto& [name, value] : labels) series.message(1, test_label(name, value));
  for (const TestProto& sample : samples) series.message(2, sample);
  return series;
}
inline std::string test_request1(const std::vector<TestProto>& series) {
  TestProto request;
  for (const TestProto& one : series) request.message(1, one);
  return request.bytes;
}

// io.prometheus.write.v2.Request
class TestRequest2 {
 public:
  TestRequest2() { symbol(""); }

  uint32_t symbol(std::string_view text) {
    for (size_t i = 0; i < symbols_.size(); ++i) {
      if (symbols_[i] == text) return static_cast<uint32_t>(i);
    }
    symbols_.emplace_back(text);
    return static_cast<uint32_t>(symbols_.size() - 1);
  }
  // Packed references of labels.
  std::string references(const TestLabels& labels) {
    std::string packed;
    for (const auto& [name, value] : labels) {
      TestProto::varint(symbol(name), &packed);
      TestProto::varint(symbol(value), &packed);
    }
    return packed;
  }
  TestProto series(const TestLabels& labels, const std::vector<TestProto>& samples) {
    TestProto series;
    series.text(1, references(labels));
    for (const TestProto& sample : samples) series.message(2, sample);
    return series;
  }
  void add(const TestProto& series) { series_.push_back(series); }
  std::string bytes() const {
    TestProto request;
    for (const std::string& symbol : symbols_) request.text(4, symbol);
    for (const TestProto& one : series_) request.message(5, one);
    return request.bytes;
  }

 private:
  std::vector<std::string> symbols_;
  std::vector<TestProto> series_;
};

// A native histogram with integer counts, sum 4.5, in both versions the same.
inline TestProto test_histogram(int64_t time_ms) {
  std::string deltas;
  for (const uint64_t zigzag : {2, 4, 1}) TestProto::varint(zigzag, &deltas);  // 1, 2, -1
  return TestProto()
      .number(1, 7)
      .fixed64(3, std::bit_cast<uint64_t>(4.5))
      .number(4, 6)  // schema 3
      .fixed64(5, std::bit_cast<uint64_t>(0.001))
      .number(6, 2)
      .message(11, TestProto().number(1, 3).number(2, 2))  // offset -2, length 2
      .message(11, TestProto().number(2, 1))
      .text(12, deltas)
      .number(14, 2)
      .number(15, static_cast<uint64_t>(time_ms));
}
inline constexpr std::string_view kTestHistogramJson =
    R"({"count":7,"schema":3,"zero_count":2,"zero_threshold":0.001,)"
    R"("positive":{"spans":[[-2,2],[0,1]],"deltas":[1,2,-1]},"reset_hint":2})";

}  // namespace firn
