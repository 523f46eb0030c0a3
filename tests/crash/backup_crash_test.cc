// Power cuts while backups are made and restored: the store keeps what it acknowledged, and what is
// restored is an exact prefix of it that has everything from before the last completed backup.

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/restore.h"
#include "tests/crash/sim_store.h"

namespace firn {
namespace {

constexpr uint64_t kStepsMax = 100'000;

class BackupMachine {
 public:
  explicit BackupMachine(uint64_t seed) : machine(seed) {
    machine.options = sim_sqlite_options();
    TierConfig vault;
    vault.name = "vault";
    vault.backend = "parquet";
    vault.directory = "/vault";
    machine.options.exports = {vault};
  }

  void run() {
    if (!machine.boot()) return;
    machine.append(3, 0, true);
    machine.command(ChunkAction::kFlush);
    machine.append(2, 1, true);
    back_up();
    machine.append(2, 0, true);
    machine.command(ChunkAction::kFlush);
    machine.command(ChunkAction::kMove);
    machine.append(2, 0, false);
    back_up();
    machine.append(1, 1, true);
  }

  void back_up() {
    if (machine.has_crashed() || machine.store() == nullptr) return;
    const Position before = acked_through();
    bool done = false;
    machine.store()->backup("vault", [&](const Result<BackupReport>& report) {
      done = true;
      if (report.ok()) restorable_ = before;
    });
    (void)machine.env.run_until([&] { return done || machine.has_crashed(); }, kStepsMax);
    if (!done) machine.shut_down();  // the answer would come after this frame is gone
  }

  StoreOptions restored_options() const {
    StoreOptions options = machine.options;
    options.data_dir = "/restored";
    return options;
  }
  Status restore() { return restore_backup(&machine.env, restored_options(), "vault").status(); }
  // Of what is restored; empty when all is well.
  std::string check_restored() {
    const Status restored = restore();
    if (restored.code() == StatusCode::kNotFound && !restorable_) return "";
    if (!restored.ok()) return restored.to_string();
    return check_prefix();
  }
  std::string check_prefix() {
    const std::vector<std::string> all = lines(machine.store());
    auto store = Store::open(&machine.env, restored_options());
    if (!store.ok()) return store.status().to_string();
    const VerifyReport verified = (*store)->verify();
    if (!verified.findings.empty()) return verified.findings[0].status.to_string();
    const std::vector<std::string> kept = lines(store->get());
    if (kept.size() < restorable_.value_or(0))
      return "lost: restored " + std::to_string(kept.size());
    if (kept.size() > all.size()) return "more was restored than there was";
    for (size_t i = 0; i < kept.size(); ++i) {
      if (kept[i] != all[i]) return "restored " + kept[i] + " instead of " + all[i];
    }
    return "";
  }

  SimStore machine;

 private:
  Position acked_through() const {
    Position last = 0;
    for (const SentBatch& batch : machine.sent) {
      if (batch.acked) last = std::max(last, batch.last);
    }
    return last;
  }
  // Every event, by position, which begin at 1 and have no gaps.
  static std::vector<std::string> lines(Store* store) {
    const SnapshotPtr snapshot = *store->snapshot(store->find_namespace("default")->id);
    std::map<Position, std::string> found;
    for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kEvents, Filter{})) {
      const auto reader = snapshot->scan(chunk, ScanSpec{}, nullptr);
      EXPECT_TRUE(reader.ok()) << reader.status().to_string();
      BatchSlice slice;
      while (*(*reader)->next(&slice)) {
        for (uint32_t i = 0; i < slice.rows(); ++i) {
          const uint32_t row = slice.row(i);
          found[slice.batch->position(row)] = event_line(*slice.batch, row);
        }
      }
    }
    std::vector<std::string> lines;
    for (const auto& [position, line] : found) {
      EXPECT_EQ(position, lines.size() + 1);
      lines.push_back(line);
    }
    return lines;
  }

  std::optional<Position> restorable_;  // acknowledged when the last completed backup began
};

uint64_t count_calls() {
  BackupMachine backups(1);
  backups.run();
  EXPECT_EQ(backups.check_restored(), "");
  return backups.machine.env.io_count();
}

TEST(BackupCrash, APowerCutAnywhereLeavesTheLastBackup) {
  const uint64_t calls = count_calls();
  ASSERT_GT(calls, 200u);
  for (const CrashMode mode : {CrashMode::kLoseAll, CrashMode::kKeepAll, CrashMode::kRandom}) {
    for (uint64_t call = 1 + 7 * static_cast<uint64_t>(mode); call < calls; call += 31) {
      BackupMachine backups(1);
      backups.machine.env.crash_at(call);
      backups.run();
      backups.machine.power_cut(mode, call);
      ASSERT_TRUE(backups.machine.boot()) << "call " << call;
      ASSERT_EQ(backups.machine.check(), "") << "call " << call;
      ASSERT_EQ(backups.check_restored(), "") << "call " << call;
      backups.back_up();  // completes what was interrupted
      ASSERT_EQ(backups.machine.check(), "") << "call " << call;
    }
  }
}

TEST(BackupCrash, ARestoreThatIsCutAnywhereIsStartedAgain) {
  for (const CrashMode mode : {CrashMode::kLoseAll, CrashMode::kKeepAll, CrashMode::kRandom}) {
    for (uint64_t call = 1 + 5 * static_cast<uint64_t>(mode);; call += 17) {
      BackupMachine backups(1);
      backups.run();
      backups.machine.env.crash_at(backups.machine.env.io_count() + call);
      const bool was_cut = !backups.restore().ok();
      backups.machine.power_cut(mode, call);
      ASSERT_TRUE(backups.machine.boot()) << "call " << call;
      const Status again = backups.restore();
      // A cut behind the last step: it is restored.
      ASSERT_TRUE(again.ok() || again.code() == StatusCode::kConflict) << again.to_string();
      ASSERT_EQ(backups.check_prefix(), "") << "call " << call;
      if (!was_cut) break;
    }
  }
}

}  // namespace
}  // namespace firn
