#include "wire/remote_write_load.h"

#include <gtest/gtest.h>

#include <set>

#include "wire/remote_write.h"

namespace firn {
namespace {

constexpr TimeNs kFirst = 1'767'225'600 * kSecondNs;

TEST(RemoteWriteLoad, IsTheSameSeriesLater) {
  RemoteWriteLoad load = make_remote_write_load(120, kFirst, 3);
  std::set<std::string> series;
  for (const uint64_t turn : {0, 7}) {
    load.renew(turn);
    DecodeDefaults defaults;
    defaults.now = kFirst;
    const auto records = decode_remote_write(load.body, RemoteWriteVersion::k1, defaults);
    ASSERT_TRUE(records.ok()) << records.status().to_string();
    const RecordBatch& samples = *records->parts.at(0).samples;
    ASSERT_EQ(samples.rows(), 120u);
    EXPECT_EQ(samples.time_min(), kFirst + static_cast<TimeNs>(turn) * 15 * kSecondNs);
    EXPECT_EQ(samples.time_max(), samples.time_min());
    EXPECT_EQ(event_row(samples, 50).value,
              Float64::of(static_cast<double>(turn * 150 +
                                              ((turn + 50) * 0x9e37'79b9'7f4a'7c15u >> 56) % 8)));
    for (uint32_t i = 0; i < 120; ++i) series.emplace(event_row(samples, i).series);
  }
  EXPECT_EQ(series.size(), 120u);
}

}  // namespace
}  // namespace firn
