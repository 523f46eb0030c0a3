// Power cuts while chunks of samples lose one of their series: no other series loses a sample, the
// rows that go are there or gone by whole chunks, what was answered stays so, and what is gone is
// known to be.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/crash/sim_store.h"

namespace firn {
namespace {

constexpr TimeNs kDay = 1'700'006'400 * kSecondNs;  // a midnight
constexpr uint64_t kStepsMax = 100'000;
constexpr int kSeriesCount = 3;
constexpr int kGoing = 2;  // the series that goes

std::string series_id(int number) { return std::string(31, '0') + std::to_string(number + 1); }

class PruneMachine {
 public:
  explicit PruneMachine(uint64_t seed) : machine(seed) { machine.options = sim_sqlite_options(); }

  void run() {
    if (!machine.boot()) return;
    write();
    write();
    machine.append(2, 0, true);  // events beside them
    machine.command(ChunkAction::kFlush);
    first_prune_call = machine.env.io_count();
    prune();
    write();
    machine.command(ChunkAction::kMove);
    write();
    prune();  // in both tiers, and rows in memory
    if (machine.has_crashed()) return;
    machine.shut_down();
    if (!machine.boot()) return;
    write();
    machine.command(ChunkAction::kFlush);
    machine.command(ChunkAction::kCompress);  // joins generations
    prune();
    write();
  }

  // A sample of each series on each of two days.
  void write() {
    if (machine.has_crashed() || machine.store() == nullptr) return;
    BatchBuilder samples(Dataset::kSamples);
    std::vector<std::pair<int, TimeNs>> sent;
    for (int i = 0; i < 2 * kSeriesCount; ++i) {
      const int series = i % kSeriesCount;
      const TimeNs time = kDay + (i % 2 == 0 ? -kDayNs : 0) + next_++ * kSecondNs;
      const std::string id = series_id(series);
      EventRow row;
      row.series = id;
      row.time = time;
      samples.add(row);
      sent.emplace_back(series, time);
    }
    bool done = false, acked = false;
    AppendRequest request;
    request.batch = samples.finish();
    machine.store()->append(space(), std::move(request), [&](const Result<AppendResult>& result) {
      done = true;
      acked = result.ok();
    });
    (void)machine.env.run_until([&] { return done || machine.has_crashed(); }, kStepsMax);
    for (const auto& sample : sent) samples_[sample] = {acked, false};
    if (!done) machine.shut_down();  // the answer would come after this frame is gone
  }

  void prune() {
    machine.command(ChunkAction::kFlush);
    if (machine.has_crashed() || machine.store() == nullptr) return;
    auto choice = std::make_shared<SeriesChoice>();
    choice->listed.insert(*Id::parse(series_id(kGoing)));
    ChunkCommand command;
    command.action = ChunkAction::kPrune;
    command.namespace_id = space();
    command.series = std::move(choice);
    const size_t first = pruned_.size();
    const SnapshotPtr snapshot = *machine.store()->snapshot(space());
    for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kSamples, Filter{})) {
      Pruned& pruned = pruned_.emplace_back();
      pruned.interval = chunk.key.start;
      if (!read(*snapshot, chunk, &pruned.rows).empty()) pruned_.pop_back();
    }
    for (auto& [sample, state] : samples_) {
      if (sample.first == kGoing) state.may_be_gone = true;
    }
    bool done = false;
    Status status;
    machine.store()->command(std::move(command), [&](const ChunkCommandResult& result) {
      status = result.status;
      done = true;
    });
    (void)machine.env.run_until([&] { return done || machine.has_crashed(); }, kStepsMax);
    for (size_t i = first; done && status.ok() && i < pruned_.size(); ++i)
      pruned_[i].is_done = true;
    if (done && !machine.has_crashed()) FIRN_CHECK(status.ok());
    if (!done) machine.shut_down();
  }

  // Empty when all is well.
  std::string check() {
    const SnapshotPtr snapshot = *machine.store()->snapshot(space());
    Rows rows;
    for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kSamples, Filter{})) {
      const std::string problem = read(*snapshot, chunk, &rows);
      if (!problem.empty()) return problem;
    }
    for (const auto& [sample, position] : rows) {
      if (!samples_.contains(sample)) return "never sent: " + name_of(sample);
    }
    for (const auto& [sample, state] : samples_) {
      if (state.is_acked && !state.may_be_gone && !rows.contains(sample)) {
        return "lost: " + name_of(sample);
      }
    }
    for (const Pruned& pruned : pruned_) {
      const std::string problem = check_pruned(*snapshot, pruned, rows);
      if (!problem.empty()) return problem;
    }
    const std::string damage = machine.verify();
    return damage.empty() ? machine.check() : damage;  // events, and that nothing is stray
  }

  SimStore machine;
  uint64_t first_prune_call = 0;

 private:
  using Sample = std::pair<int, TimeNs>;  // series and time, each once
  using Rows = std::map<Sample, Position>;
  struct State {
    bool is_acked = false, may_be_gone = false;
  };
  // A chunk that was to lose its rows of the series.
  struct Pruned {
    TimeNs interval = 0;
    Rows rows;  // of all series
    bool is_done = false;
  };

  NamespaceId space() { return machine.store()->find_namespace("default")->id; }
  static std::string name_of(const Sample& sample) {
    return "series " + std::to_string(sample.first) + " at " + std::to_string(sample.second);
  }

  static std::string read(const Snapshot& snapshot, const SnapshotChunk& chunk, Rows* rows) {
    Result<std::unique_ptr<BatchReader>> reader = snapshot.scan(chunk, ScanSpec{}, nullptr);
    if (!reader.ok()) return reader.status().to_string();
    BatchSlice slice;
    while (true) {
      const Result<bool> more = (*reader)->next(&slice);
      if (!more.ok()) return more.status().to_string();
      if (!*more) return "";
      for (uint32_t i = 0; i < slice.rows(); ++i) {
        const EventRow row = event_row(*slice.batch, slice.row(i));
        const Sample sample{row.series.back() - '1', row.time};
        const Position position = slice.batch->position(slice.row(i));
        if (!rows->emplace(sample, position).second) return "twice: " + name_of(sample);
      }
    }
  }

  static std::string check_pruned(const Snapshot& snapshot, const Pruned& pruned,
                                  const Rows& rows) {
    size_t going = 0, there = 0;
    Position last = 0;
    for (const auto& [sample, position] : pruned.rows) {
      if (sample.first != kGoing) continue;
      ++going;
      if (rows.contains(sample)) ++there;
      last = std::max(last, position);
    }
    if (there != 0 && there != going) return "torn: a part of a chunk's rows went";
    if (there != 0 && pruned.is_done) return "back: rows whose removal was answered";
    const bool is_known = snapshot.dropped_through(Dataset::kSamples, pruned.interval) >= last;
    if (going != 0 && there == 0 && !is_known) return "rows are gone and nobody knows";
    return "";
  }

  TimeNs next_ = 1;
  std::map<Sample, State> samples_;
  std::vector<Pruned> pruned_;
};

TEST(PruneCrash, APowerCutAnywhereTakesNoOtherSeriesAndNoPartOfAChunk) {
  uint64_t calls = 0, first_call = 0;
  {
    PruneMachine whole(1);
    whole.run();
    ASSERT_EQ(whole.check(), "");
    calls = whole.machine.env.io_count();
    first_call = whole.first_prune_call;
  }
  ASSERT_GT(calls, first_call + 100);
  for (const CrashMode mode : {CrashMode::kLoseAll, CrashMode::kKeepAll, CrashMode::kRandom}) {
    for (uint64_t call = first_call; call < calls; ++call) {
      PruneMachine pruned(1);
      pruned.machine.env.crash_at(call);
      pruned.run();
      pruned.machine.power_cut(mode, call);
      ASSERT_TRUE(pruned.machine.boot()) << "call " << call;
      ASSERT_EQ(pruned.check(), "") << "call " << call;
      if (call % 8 != 0) continue;
      pruned.write();
      pruned.prune();
      ASSERT_EQ(pruned.check(), "") << "call " << call << ", going on";
    }
  }
}

}  // namespace
}  // namespace firn
