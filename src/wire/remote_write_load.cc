#include "wire/remote_write_load.h"

#include <fmt/format.h>

#include <bit>
#include <protozero/pbf_writer.hpp>

#include "base/bytes.h"

namespace firn {

namespace {

using protozero::pbf_writer;

// Numbers of fields in prometheus/prompb.
constexpr uint32_t kTimeSeries = 1, kLabels = 1, kSamples = 2;
constexpr uint32_t kName = 1, kText = 2, kValue = 1, kTimestamp = 2;
constexpr DurationNs kInterval = 15 * kSecondNs;
constexpr uint32_t kSeriesPerMetric = 50;
// A time of milliseconds in this century takes six bytes as a varint.
constexpr size_t kTimeBytes = 6;
constexpr size_t kSampleBytes = 1 + sizeof(double) + 1 + kTimeBytes;

constexpr const char* kHandlers[] = {"/cart", "/cart/items", "/checkout", "/orders", "/login"};
constexpr const char* kCodes[] = {"200", "204", "404", "500"};

void add_label(pbf_writer* series, std::string_view name, std::string_view text) {
  std::string bytes;
  pbf_writer label(bytes);
  label.add_string(kName, name.data(), name.size());
  label.add_string(kText, text.data(), text.size());
  series->add_message(kLabels, bytes);
}

void add_series(pbf_writer* request, uint32_t index, TimeNs first, uint64_t seed) {
  std::string bytes;
  pbf_writer series(bytes);
  const uint32_t number = index % kSeriesPerMetric;
  add_label(&series, "__name__",
            fmt::format("shop_http_metric_{}_total", index / kSeriesPerMetric));
  add_label(&series, "cluster", "production-eu-1");
  add_label(&series, "code", kCodes[number % std::size(kCodes)]);
  add_label(&series, "handler", kHandlers[number % std::size(kHandlers)]);
  add_label(&series, "instance", fmt::format("10.0.{}.{}:9090", seed / 250, seed % 250));
  add_label(&series, "job", fmt::format("shop-{}", seed % 12));
  add_label(&series, "namespace", "retail");
  add_label(&series, "pod", fmt::format("shop-{:06}-{:03}", seed, number));
  std::string sample_bytes;
  pbf_writer sample(sample_bytes);
  sample.add_double(kValue, 0);
  sample.add_int64(kTimestamp, first / kMillisecondNs);
  series.add_message(kSamples, sample_bytes);
  request->add_message(kTimeSeries, bytes);
}

void store_varint(uint64_t value, char* to) {
  for (size_t i = 0; i < kTimeBytes; ++i) {
    const bool is_last = i + 1 == kTimeBytes;
    to[i] = static_cast<char>((value & 0x7f) | (is_last ? 0 : 0x80));
    value >>= 7;
  }
}

}  // namespace

void RemoteWriteLoad::renew(uint64_t turn) {
  const TimeNs time = first + static_cast<TimeNs>(turn) * kInterval;
  for (size_t i = 0; i < samples.size(); ++i) {
    char* value = body.data() + samples[i];
    // Half are counters with rates of their own, half gauges with two decimals.
    const uint64_t noise = (turn + i) * 0x9e37'79b9'7f4a'7c15u >> 56;
    const auto whole = static_cast<double>(turn * (100 + i) + noise % 8);
    const auto hundredths = static_cast<double>(1000 * (i % 90) + noise);
    store_le<uint64_t>(value, std::bit_cast<uint64_t>(i % 2 == 0 ? whole : hundredths / 100));
    store_varint(static_cast<uint64_t>(time / kMillisecondNs), value + sizeof(double) + 1);
  }
}

RemoteWriteLoad make_remote_write_load(uint32_t samples, TimeNs first, uint64_t seed) {
  RemoteWriteLoad load{first, {}, {}};
  pbf_writer request(load.body);
  for (uint32_t i = 0; i < samples; ++i) {
    add_series(&request, i, first, seed);
    // The sample is the last of the series.
    load.samples.push_back(load.body.size() - kSampleBytes + 1);
  }
  load.renew(0);
  return load;
}

}  // namespace firn
