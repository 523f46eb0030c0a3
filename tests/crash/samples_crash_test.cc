// Power cuts while samples are written, flushed and moved: what was acknowledged is there, the last
// write of each (series, time), and every series that has a sample is defined.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "tests/crash/sim_store.h"
#include "views/metrics/metric_append.h"
#include "views/metrics/metric_reads.h"

namespace firn {
namespace {

constexpr TimeNs kDay = 1'700'006'400 * kSecondNs;  // a midnight
constexpr uint64_t kStepsMax = 100'000;
constexpr int kSeriesCount = 3;

std::string series_id(int number) { return std::string(31, '0') + std::to_string(number); }

class SampleMachine {
 public:
  explicit SampleMachine(uint64_t seed) : machine(seed) { machine.options = sim_sqlite_options(); }

  void run() {
    if (!machine.boot()) return;
    write();
    write();
    machine.command(ChunkAction::kFlush);
    machine.append(2, 0, true);  // events beside them
    write();
    machine.command(ChunkAction::kMove);
    write();
    machine.command(ChunkAction::kFlush);
    if (machine.has_crashed()) return;
    machine.shut_down();
    if (!machine.boot()) return;
    write();
    machine.command(ChunkAction::kFlush);
    machine.command(ChunkAction::kMove);
    write();
  }

  // Four samples of three series, some of them for times that were written before, over two days.
  void write() {
    if (machine.has_crashed() || machine.store() == nullptr) return;
    BatchBuilder samples(Dataset::kSamples), definitions(Dataset::kSeries);
    std::map<std::pair<int, TimeNs>, double> sent;
    for (int i = 0; i < 4; ++i, ++next_) {
      const int series = next_ % kSeriesCount;
      const TimeNs time = kDay + (next_ % 5 == 0 ? -kDayNs : 0) + next_ % 4 * kSecondNs;
      const std::string id = series_id(series);
      EventRow row;
      row.series = id;
      row.time = time;
      row.value = Float64::of(next_);
      samples.add(row);
      sent[{series, time}] = next_;
    }
    for (int series = 0; series < kSeriesCount; ++series) {
      const std::string id = series_id(series), name = "metric" + std::to_string(series);
      EventRow row;
      row.series = id;
      row.name = name;
      definitions.add(row);
    }
    bool done = false, acked = false;
    append_samples(machine.store(), machine.store()->find_namespace("default")->id,
                   {samples.finish(), definitions.finish()},
                   [&](const Result<AppendResult>& result) {
                     done = true;
                     acked = result.ok();
                   });
    (void)machine.env.run_until([&] { return done || machine.has_crashed(); }, kStepsMax);
    for (const auto& [key, value] : sent) {
      if (acked) expected_[key] = {true, {value}};
      if (!acked) expected_[key].values.insert(value);
    }
    if (!done) machine.shut_down();  // the answer would come after this frame is gone
  }

  // Empty when all is well.
  std::string check() {
    const NamespaceId id = machine.store()->find_namespace("default")->id;
    const SnapshotPtr snapshot = *machine.store()->snapshot(id);
    const auto found = find_series(*snapshot, {}, QueryGuard());
    if (!found.ok()) return found.status().to_string();
    std::set<std::string> defined;
    for (const Series& series : found->series) defined.insert(series.series + series.name);
    std::map<std::pair<int, TimeNs>, double> read;
    for (int series = 0; series < kSeriesCount; ++series) {
      PointQuery query;
      query.match.series = {series_id(series)};
      const auto page = read_points(*snapshot, query, QueryGuard());
      if (!page.ok()) return page.status().to_string();
      for (const Point& point : page->points) read[{series, point.time}] = point.value.value();
      const std::string definition = query.match.series[0] + "metric" + std::to_string(series);
      if (!page->points.empty() && !defined.contains(definition)) {
        return "series " + std::to_string(series) + " has samples and no definition";
      }
    }
    for (const auto& [key, wanted] : expected_) {
      const auto at = read.find(key);
      const std::string name = std::to_string(key.first) + " at " + std::to_string(key.second);
      if (at == read.end() && wanted.is_acked) return "lost: series " + name;
      if (at != read.end() && !wanted.values.contains(at->second)) {
        return "another value: series " + name + " is " + std::to_string(at->second);
      }
    }
    for (const auto& [key, value] : read) {
      if (!expected_.contains(key)) return "never sent: " + std::to_string(value);
    }
    return "";
  }

  SimStore machine;

 private:
  struct Expected {
    bool is_acked = false;
    std::set<double> values;  // any of them; one after an acknowledgement
  };
  int next_ = 1;
  std::map<std::pair<int, TimeNs>, Expected> expected_;
};

uint64_t count_calls() {
  SampleMachine samples(1);
  samples.run();
  EXPECT_EQ(samples.check(), "");
  return samples.machine.env.io_count();
}

TEST(SamplesCrash, APowerCutAnywhereLosesNothingAcknowledged) {
  const uint64_t calls = count_calls();
  ASSERT_GT(calls, 100u);
  for (const CrashMode mode : {CrashMode::kLoseAll, CrashMode::kKeepAll, CrashMode::kRandom}) {
    for (uint64_t call = 1 + static_cast<uint64_t>(mode); call < calls; call += 11) {
      SampleMachine samples(1);
      samples.machine.env.crash_at(call);
      samples.run();
      samples.machine.power_cut(mode, call);
      ASSERT_TRUE(samples.machine.boot()) << "call " << call;
      ASSERT_EQ(samples.check(), "") << "call " << call;
      ASSERT_EQ(samples.machine.check(), "") << "call " << call;  // events
      samples.write();
      samples.machine.command(ChunkAction::kFlush);
      samples.machine.command(ChunkAction::kMove);
      ASSERT_EQ(samples.check(), "") << "call " << call << ", going on";
    }
  }
}

}  // namespace
}  // namespace firn
