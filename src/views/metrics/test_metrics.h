#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/test_store.h"
#include "views/metrics/metric_append.h"
#include "views/metrics/metric_reads.h"

namespace firn {

inline const std::string kCpu = "0000000000000000000000000000000a";   // name cpu, host a
inline const std::string kDisk = "0000000000000000000000000000000b";  // name disk, host b

// A store with samples in its namespace.
class MetricsStoreTest : public StoreTest {
 protected:
  struct Sample {
    std::string series;
    TimeNs time = 0;
    double value = 0;
    int64_t flags = kAbsentInt64;
  };

  // Series other than kCpu and kDisk are "temperature" of host <the last two digits>.
  static NewSamples batches(const std::vector<Sample>& samples) {
    BatchBuilder rows(Dataset::kSamples), definitions(Dataset::kSeries);
    std::set<std::string> known;
    for (const Sample& sample : samples) {
      EventRow row;
      row.series = sample.series;
      row.time = sample.time;
      row.value = Float64::of(sample.value);
      row.flags = sample.flags;
      rows.add(row);
      if (!known.insert(sample.series).second) continue;
      const std::string host = sample.series == kCpu    ? "a"
                               : sample.series == kDisk ? "b"
                                                        : sample.series.substr(30);
      const std::string labels = R"({"host":")" + host + R"("})";
      EventRow definition;
      definition.series = sample.series;
      definition.name = sample.series == kCpu    ? "cpu"
                        : sample.series == kDisk ? "disk"
                                                 : "temperature";
      definition.type = "gauge";
      definition.labels = labels;
      definitions.add(definition);
    }
    return {rows.finish(), definitions.finish()};
  }

  Status write(const std::vector<Sample>& samples) { return write_batches(batches(samples)); }
  Status write_batches(NewSamples samples) {
    return append_samples_and_wait(store_.get(), space_, std::move(samples)).status();
  }

  SnapshotPtr snapshot() { return *store_->snapshot(space_); }
  static TimeNs at(int64_t seconds) { return kDay + seconds * kSecondNs; }
};

}  // namespace firn
