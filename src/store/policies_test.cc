// What becomes of chunks by themselves, on a simulated machine whose clock the test moves.

#include <gmock/gmock.h>

#include <set>

#include "env/sim_env.h"
#include "store/store.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PoliciesTest : public testing::Test {
 protected:
  void open(const std::function<void(StoreOptions*)>& change) {
    change_ = change;
    reopen();
  }
  void reopen() {
    store_.reset();
    StoreOptions options = default_store_options("/data");
    options.wal_segment_bytes = 1 * kMiB;
    options.disk_reserve_bytes = 0;
    options.mover_interval_ns = 10 * kMinuteNs;
    change_(&options);
    auto opened = Store::open(&env_, options);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    store_ = std::move(*opened);
    space_ = store_->find_namespace("default")->id;
  }

  void append(TimeNs time, const std::string& data = "{}", int rows = 1) {
    BatchBuilder builder(Dataset::kEvents);
    EventRow row;
    row.time = time;
    row.type = "test";
    row.data = data;
    const auto next_id = store_->id_source();
    for (int i = 0; i < rows; ++i) {
      row.id = next_id();
      builder.add(row);
    }
    AppendRequest request;
    request.batch = builder.finish();
    bool done = false;
    store_->append(space_, std::move(request), [&](const Result<AppendResult>& result) {
      EXPECT_TRUE(result.ok()) << result.status().to_string();
      done = true;
    });
    env_.run_until([&] { return done; });
    rows_ += static_cast<uint64_t>(rows);
  }
  Status command(ChunkAction action) {
    ChunkCommand command;
    command.action = action;
    command.namespace_id = space_;
    std::optional<Status> status;
    store_->command(std::move(command),
                    [&](const ChunkCommandResult& result) { status = result.status; });
    env_.run_until([&] { return status.has_value(); });
    return *status;
  }
  // Time in which the mover works.
  void pass(DurationNs duration) {
    EXPECT_TRUE(env_.run_for(duration));
    const Status error = store_->health().mover_error;
    EXPECT_TRUE(error.ok()) << error.to_string();
  }
  std::vector<SnapshotChunk> chunks() { return (*store_->snapshot(space_))->all_chunks(); }
  std::vector<std::string> places() {
    std::vector<std::string> found;
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    for (const SnapshotChunk& chunk : snapshot->all_chunks()) {
      found.push_back(chunk.tier + "/" + std::string(snapshot->state_name(chunk)));
    }
    return found;
  }
  uint64_t rows_stored() {
    uint64_t rows = 0;
    for (const SnapshotChunk& chunk : chunks()) rows += chunk.stats.rows;
    return rows;
  }

  SimEnv env_{11};
  std::function<void(StoreOptions*)> change_;
  std::unique_ptr<Store> store_;
  NamespaceId space_ = 0;
  uint64_t rows_ = 0;
};

std::string refusal(const std::function<void(StoreOptions*)>& change) {
  StoreOptions options = default_store_options("/data");
  change(&options);
  return std::string(validate_options(options).message());
}

TEST_F(PoliciesTest, ChunksAreCompressedWhenTheirTimeHasCome) {
  open([](StoreOptions* options) {
    options->tiers[1].layout = "rows";
    options->tiers[1].compress_after_ns = 7 * kDayNs;
  });
  append(env_.now());
  pass(2 * kHourNs);
  EXPECT_THAT(places(), ElementsAre("warm/open"));
  pass(6 * kDayNs);
  EXPECT_THAT(places(), ElementsAre("warm/open"));
  pass(3 * kDayNs);
  EXPECT_THAT(places(), ElementsAre("warm/compressed"));
  append(env_.now() - 9 * kDayNs);  // late, and joined
  pass(3 * kHourNs);
  EXPECT_THAT(places(), ElementsAre("warm/compressed"));
  EXPECT_EQ(rows_stored(), rows_);
  pass(30 * kDayNs);
  EXPECT_THAT(places(), ElementsAre("cold/sealed"));
  EXPECT_EQ(rows_stored(), rows_);
}

TEST_F(PoliciesTest, ADatasetMayHavePoliciesOfItsOwn) {
  open([](StoreOptions* options) {
    options->tiers[1].datasets[Dataset::kEvents].keep_ns = 2 * kDayNs;
  });
  append(env_.now());
  pass(4 * kDayNs);
  EXPECT_THAT(places(), ElementsAre("cold/sealed"));
}

// Thirty days of rows of which some are late, into a cold tier that gets chunks after two days.
TEST_F(PoliciesTest, AfterThirtyDaysThereAreNoSmallFiles) {
  open([](StoreOptions* options) { options->tiers[1].keep_ns = 2 * kDayNs; });
  constexpr int kDays = 30;
  for (int day = 0; day < kDays; ++day) {
    for (int part = 0; part < 3; ++part) {
      append(env_.now());
      if (day > 5) append(env_.now() - (3 + part) * kDayNs);
      if (day > 12) append(env_.now() - 11 * kDayNs);
      pass(8 * kHourNs);
    }
  }
  pass(6 * kHourNs);
  EXPECT_EQ(rows_stored(), rows_);
  std::set<TimeNs> intervals;
  size_t files = 0;
  uint64_t bytes = 0;
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  for (const SnapshotChunk& chunk : snapshot->all_chunks()) {
    intervals.insert(chunk.key.start);
    if (chunk.in_memory) continue;
    files += snapshot->files(chunk).size();
    bytes += chunk.stats.bytes;
  }
  EXPECT_GE(intervals.size(), 30u);
  EXPECT_LE(files, bytes / (128 * kMiB) + intervals.size());
  // Nothing else is left behind either.
  size_t on_disk = 0;
  for (const std::string& path : env_.all_files()) {
    on_disk += path.ends_with(".parquet") || path.ends_with(".db") ? 1 : 0;
  }
  EXPECT_LE(on_disk, files + 1);  // the manifest
  reopen();
  EXPECT_EQ(rows_stored(), rows_);
}

TEST_F(PoliciesTest, ATierThatIsTooLargePassesItsOldestChunksOn) {
  open([](StoreOptions* options) { options->tiers[1].max_bytes = 400 * kKiB; });
  std::string filler;
  for (int day = 0; day < 4; ++day) {
    for (int i = 0; i < 400'000; ++i) {
      filler += static_cast<char>('a' + env_.random_u64() % 26);
    }
    append(env_.now(), "\"" + filler + "\"");
    filler.clear();
    pass(kDayNs);
  }
  pass(2 * kHourNs);
  const auto found = places();
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0], "cold/sealed");
  EXPECT_EQ(found[1], "cold/sealed");
  EXPECT_THAT(found[3], HasSubstr("warm"));
}

TEST_F(PoliciesTest, TheLastTierDropsItsOldestChunksWhenItIsTooLarge) {
  open([](StoreOptions* options) {
    options->tiers[1].keep_ns = kDayNs;
    options->tiers[2].max_bytes = 1;  // nothing that has ended stays
  });
  append(env_.now());
  pass(2 * kHourNs);
  EXPECT_EQ(chunks().size(), 1u);
  pass(3 * kDayNs);
  EXPECT_EQ(chunks().size(), 0u);
}

TEST_F(PoliciesTest, TheOldestChunkIsDroppedWhenTheDiskIsNearlyFull) {
  open([](StoreOptions* options) { options->drop_oldest_below_free_bytes = 20 * kMiB; });
  for (int day = 0; day < 3; ++day) {
    append(env_.now());
    pass(kDayNs);
  }
  pass(2 * kHourNs);
  ASSERT_EQ(chunks().size(), 3u);
  const uint64_t free_bytes = *env_.free_space("/data");
  // A reader of the oldest chunk: what it holds frees nothing, and nothing more is dropped for it.
  SnapshotPtr reader = *store_->snapshot(space_);
  env_.set_capacity(1024 * kGiB - free_bytes + 19 * kMiB);
  pass(kHourNs);
  EXPECT_EQ(chunks().size(), 2u);
  pass(kHourNs);
  EXPECT_EQ(chunks().size(), 2u);
  EXPECT_TRUE(reader->scan(reader->all_chunks()[0], ScanSpec{}, nullptr).ok());
  env_.set_capacity(1024 * kGiB);
  reader.reset();
  pass(kHourNs);
  EXPECT_EQ(chunks().size(), 2u);
}

TEST_F(PoliciesTest, NothingIsDroppedForSpaceByDefault) {
  open([](StoreOptions*) {});
  append(env_.now());
  pass(2 * kDayNs);
  env_.set_capacity(1024 * kGiB - *env_.free_space("/data") + 8 * kMiB);
  pass(kDayNs);
  EXPECT_EQ(chunks().size(), 1u);
}

TEST_F(PoliciesTest, ARehydratedChunkStaysUpForItsTime) {
  open([](StoreOptions* options) { options->tiers[1].keep_ns = kDayNs; });
  append(env_.now());
  pass(4 * kDayNs);
  EXPECT_THAT(places(), ElementsAre("cold/sealed"));
  ChunkCommand up;
  up.action = ChunkAction::kRehydrate;
  up.namespace_id = space_;
  up.keep_ns = 3 * kDayNs;
  bool done = false;
  store_->command(up, [&](const ChunkCommandResult& result) {
    EXPECT_TRUE(result.status.ok()) << result.status.to_string();
    done = true;
  });
  env_.run_until([&] { return done; });
  pass(2 * kDayNs);
  EXPECT_THAT(places(), ElementsAre("warm/rehydrated"));
  reopen();
  pass(2 * kDayNs);
  EXPECT_THAT(places(), ElementsAre("cold/sealed"));
  EXPECT_EQ(rows_stored(), rows_);
}

TEST_F(PoliciesTest, WhatCouldNeverApplyIsRefused) {
  EXPECT_THAT(refusal([](auto* o) { o->tiers[0].compress_after_ns = kDayNs; }),
              HasSubstr("compress_after does not apply to backend memory"));
  EXPECT_THAT(refusal([](auto* o) { o->tiers[0].max_bytes = kGiB; }), HasSubstr("max_memory"));
  EXPECT_THAT(refusal([](auto* o) { o->tiers[1].compress_after_ns = 30 * kDayNs; }),
              HasSubstr("nothing would ever be compressed"));
  EXPECT_THAT(refusal([](auto* o) {
                o->tiers[1].compress_after_ns = 7 * kDayNs;
                o->tiers[1].datasets[Dataset::kEvents].keep_ns = 2 * kDayNs;
              }),
              HasSubstr("events: compress_after"));
  EXPECT_THAT(refusal([](auto* o) { o->drop_oldest_below_free_bytes = 1 * kMiB; }),
              HasSubstr("above disk_reserve"));
  EXPECT_THAT(refusal([](auto* o) {
                o->drop_oldest_below_free_bytes = kGiB;
                o->tiers[1].directory = "/elsewhere";
                o->tiers[2].directory = "/too";
              }),
              HasSubstr("inside data_dir"));
  EXPECT_THAT(refusal([](auto* o) { o->exports = {o->tiers[2]}; }), HasSubstr("keeps its chunks"));
}

}  // namespace
}  // namespace firn
