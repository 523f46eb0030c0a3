#include "tests/crash/prune_machine.h"

#include <algorithm>
#include <memory>

namespace firn {

namespace {

constexpr TimeNs kDay = 1'700'006'400 * kSecondNs;  // a midnight
constexpr uint64_t kStepsMax = 100'000;
constexpr int kSeriesCount = 3;
constexpr int kGoing = 2;  // the series that goes

std::string series_id(int number) { return std::string(31, '0') + std::to_string(number + 1); }

}  // namespace

void PruneMachine::run() {
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
  prune();  // in both tiers
  if (machine.has_crashed()) return;
  machine.shut_down();
  if (!machine.boot()) return;
  write();
  machine.command(ChunkAction::kFlush);
  machine.command(ChunkAction::kCompress);  // joins generations
  prune();
  write();
}

void PruneMachine::write() {
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

void PruneMachine::prune() {
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
  for (size_t i = first; done && status.ok() && i < pruned_.size(); ++i) pruned_[i].is_done = true;
  if (done && !machine.has_crashed()) FIRN_CHECK(status.ok());
  if (!done) machine.shut_down();
}

std::string PruneMachine::check() {
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

std::string PruneMachine::name_of(const Sample& sample) {
  return "series " + std::to_string(sample.first) + " at " + std::to_string(sample.second);
}

std::string PruneMachine::read(const Snapshot& snapshot, const SnapshotChunk& chunk, Rows* rows) {
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

std::string PruneMachine::check_pruned(const Snapshot& snapshot, const Pruned& pruned,
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

std::string cut_while_pruning(CrashMode mode, uint64_t first, uint64_t step) {
  PruneMachine whole(1);
  whole.run();
  std::string problem = whole.check();
  if (!problem.empty()) return "without a cut: " + problem;
  const uint64_t calls = whole.machine.env.io_count();
  if (calls < whole.first_prune_call + 100) return "the workload does too little";
  for (uint64_t call = whole.first_prune_call + first; call < calls; call += step) {
    PruneMachine pruned(1);
    pruned.machine.env.crash_at(call);
    pruned.run();
    pruned.machine.power_cut(mode, call);
    const std::string where = "call " + std::to_string(call) + ": ";
    if (!pruned.machine.boot()) return where + "does not start";
    problem = pruned.check();
    if (!problem.empty()) return where + problem;
    pruned.write();
    pruned.prune();
    problem = pruned.check();
    if (!problem.empty()) return where + "going on: " + problem;
  }
  return "";
}

}  // namespace firn
