#include "wire/otlp_load.h"

#include <gtest/gtest.h>

#include <set>

#include "model/record_batch.h"

namespace firn {
namespace {

constexpr TimeNs kNow = 1'767'225'600 * kSecondNs;

OtlpRecords decode(OtlpSignal signal, const OtlpLoad& load) {
  DecodeDefaults defaults;
  defaults.now = kNow;
  uint64_t made = 0;
  defaults.make_id = [made]() mutable { return make_uuid7(1, ++made, 2); };
  auto records = decode_otlp(signal, load.body, OtlpEncoding::kProtobuf, defaults);
  EXPECT_TRUE(records.ok()) << records.status().to_string();
  return std::move(records).value();
}

TEST(OtlpLoad, IsARequestWhoseRecordsAreAllTaken) {
  for (const OtlpSignal signal : {OtlpSignal::kLogs, OtlpSignal::kTraces}) {
    const OtlpRecords records = decode(signal, make_otlp_load(signal, 100, kNow, 3));
    EXPECT_EQ(records.rejected, 0u) << records.message;
    ASSERT_EQ(records.batches.size(), 1u);
    EXPECT_EQ(records.batches[0].batch->rows(), 100u);
  }
}

TEST(OtlpLoad, PointsAreThoseOfTheSameSeriesLater) {
  OtlpLoad load = make_otlp_load(OtlpSignal::kMetrics, 120, kNow, 3);
  std::set<std::string> series;
  for (const uint64_t turn : {0, 7}) {
    load.renew(turn);
    const OtlpRecords records = decode(OtlpSignal::kMetrics, load);
    EXPECT_EQ(records.rejected, 0u) << records.message;
    ASSERT_EQ(records.samples.size(), 1u);
    const RecordBatch& batch = *records.samples[0].samples;
    ASSERT_EQ(batch.rows(), 120u);
    EXPECT_EQ(batch.time_min(), kNow + static_cast<TimeNs>(turn) * kSecondNs);
    EXPECT_EQ(batch.time_max(), batch.time_min());
    EXPECT_EQ(batch.uint8s(ColumnId::kInteger)[60], 1);  // the second metric is a sum
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      series.insert(std::string(batch.strings(ColumnId::kSeries)[row]));
    }
  }
  EXPECT_EQ(series.size(), 120u);
}

TEST(OtlpLoad, IsTheSameForTheSameArguments) {
  EXPECT_EQ(make_otlp_load(OtlpSignal::kLogs, 10, kNow, 1).body,
            make_otlp_load(OtlpSignal::kLogs, 10, kNow, 1).body);
  EXPECT_NE(make_otlp_load(OtlpSignal::kLogs, 10, kNow, 1).body,
            make_otlp_load(OtlpSignal::kLogs, 10, kNow, 2).body);
}

TEST(OtlpLoad, NoSpanIsSentTwice) {
  std::set<std::string> ids;
  for (const uint64_t seed : {0, 1}) {
    OtlpLoad load = make_otlp_load(OtlpSignal::kTraces, 50, kNow, seed);
    EXPECT_EQ(load.identities.size(), 50u);
    for (uint64_t turn = 0; turn < 20; ++turn) {
      load.renew(turn);
      const OtlpRecords records = decode(OtlpSignal::kTraces, load);
      ASSERT_EQ(records.batches.size(), 1u);
      const RecordBatch& batch = *records.batches[0].batch;
      for (uint32_t row = 0; row < batch.rows(); ++row) {
        ids.insert(batch.ids(ColumnId::kId)[row].to_uuid());
      }
    }
  }
  EXPECT_EQ(ids.size(), 2u * 20 * 50);
}

}  // namespace
}  // namespace firn
