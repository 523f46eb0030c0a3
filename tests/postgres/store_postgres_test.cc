// A store whose data goes to PostgreSQL, while the server is killed, hangs, restarts or is not
// there at all: appends go on, it catches up by itself, nothing is lost and nothing is there twice.

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "env/test_directory.h"
#include "env/test_postgres.h"
#include "store/store.h"
#include "tier/registry.h"

namespace firn {
namespace {

constexpr TimeNs kDay = 1'700'006'400 * kSecondNs;  // a midnight
constexpr uint32_t kBatchRows = 50;

class StorePostgres : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    server_ = TestPostgres::start();
    if (server_ == nullptr) GTEST_SKIP() << "no PostgreSQL here";
  }

  StoreOptions options() const {
    StoreOptions options;
    options.data_dir = directory_.file("store");
    options.mover_interval_ns = 10 * kMillisecondNs;
    TierConfig hot, warm;
    hot.name = "hot";
    hot.backend = "memory";
    hot.keep_ns = 20 * kMillisecondNs;
    warm.name = "warm";
    warm.backend = "postgres";
    warm.dsn = server_->dsn();
    warm.layout = GetParam();
    options.tiers = {hot, warm};
    return options;
  }
  Status try_open() {
    store_.reset();
    auto opened = Store::open(posix_env(), options());
    if (!opened.ok()) return opened.status();
    store_ = std::move(*opened);
    space_ = store_->find_namespace("default")->id;
    return Status();
  }
  void open() { ASSERT_TRUE(try_open().ok()) << try_open().to_string(); }

  // A batch whose rows say their number; false when it was refused.
  bool append() {
    BatchBuilder builder(Dataset::kEvents);
    const auto new_id = store_->id_source();
    std::vector<std::string> texts(kBatchRows);
    for (uint32_t i = 0; i < kBatchRows; ++i) {
      EventRow row;
      row.time = kDay + static_cast<TimeNs>(appended_ % 3) * kDayNs;
      row.id = new_id();
      row.type = "test";
      row.data = texts[i] = std::to_string(appended_ + i);
      builder.add(row);
    }
    AppendRequest request;
    request.batch = builder.finish();
    const auto result = store_->append_and_wait(space_, std::move(request));
    EXPECT_TRUE(result.ok()) << result.status().to_string();
    if (!result.ok()) return false;
    EXPECT_EQ(result->first_position, appended_ + 1);
    appended_ += kBatchRows;
    return true;
  }

  // Every row once, in its position, whichever tier has it.
  void expect_everything_once() {
    std::map<Position, std::string> rows;
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kEvents, Filter{})) {
      auto reader = snapshot->scan(chunk, ScanSpec{}, nullptr);
      ASSERT_TRUE(reader.ok()) << reader.status().to_string();
      BatchSlice slice;
      while (true) {
        const auto more = (*reader)->next(&slice);
        ASSERT_TRUE(more.ok()) << more.status().to_string();
        if (!*more) break;
        for (uint32_t i = 0; i < slice.rows(); ++i) {
          const EventRow row = event_row(*slice.batch, slice.row(i));
          const Position position = slice.batch->position(slice.row(i));
          ASSERT_TRUE(rows.emplace(position, row.data).second) << position << " twice";
        }
      }
    }
    ASSERT_EQ(rows.size(), appended_);
    for (const auto& [position, data] : rows) ASSERT_EQ(data, std::to_string(position - 1));
  }

  bool is_flushed() {
    const StoreHealth health = store_->health();
    return health.mover_error.ok() && health.tiers[1].stats.rows >= appended_;
  }
  void expect_to_catch_up() {
    wait_until([&] { return is_flushed(); });
    EXPECT_TRUE(is_flushed()) << store_->health().mover_error.to_string();
    if (std::string_view(GetParam()) == "rows") {
      EXPECT_EQ(server_->number("SELECT count(*) FROM firn.unified_events"),
                static_cast<int64_t>(appended_))
          << "what people see";
    }
    expect_everything_once();
    EXPECT_TRUE(store_->verify().findings.empty());
  }

  template <typename Condition>
  static void wait_until(Condition condition) {
    const TimeNs deadline = posix_env()->monotonic() + kMinuteNs;
    while (!condition() && posix_env()->monotonic() < deadline) TestPostgres::wait_ms(20);
  }
  int64_t stored_chunks(const std::string& which) {
    return server_->number("SELECT count(*) FROM firn.chunks WHERE " + which);
  }
  // REQUIRES that the store is closed.
  void write_unknown_chunk(uint32_t generation, const BatchSlice& slice) {
    TierConfig config = options().tiers[1];
    config.store_id = *read_file(posix_env(), join_path(options().data_dir, "STORE_ID"), kKiB);
    auto tier = make_tier(posix_env(), config);
    ASSERT_TRUE(tier.ok()) << tier.status().to_string();
    const ChunkKey key{space_, Dataset::kEvents, kDay, kDay + kDayNs, generation};
    const Position through = slice.batch->position(slice.row(slice.rows() - 1));
    const auto written = (*tier)->write(key, {&slice, 1}, through);
    ASSERT_TRUE(written.ok()) << written.status().to_string();
  }

  std::unique_ptr<TestPostgres> server_;
  TestDirectory directory_;
  std::unique_ptr<Store> store_;
  NamespaceId space_ = 0;
  Position appended_ = 0;
};

TEST_P(StorePostgres, ServerDiesAndHangsUnderLoad) {
  open();
  std::atomic<bool> stopping{false};
  std::thread writer([&] {
    while (!stopping.load() && append()) TestPostgres::wait_ms(1);
  });
  for (int cycle = 0; cycle < 4; ++cycle) {
    TestPostgres::wait_ms(150 + 37 * cycle);
    server_->kill_hard();
    TestPostgres::wait_ms(200);
    server_->boot();
    TestPostgres::wait_ms(300);
    server_->pause();
    TestPostgres::wait_ms(200);
    server_->resume();
  }
  stopping.store(true);
  writer.join();
  EXPECT_GT(appended_, 20 * kBatchRows);
  expect_to_catch_up();
}

TEST_P(StorePostgres, ServerIsAwayAtTheStart) {
  open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append());
  expect_to_catch_up();
  store_.reset();
  server_->shut_down();
  open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append());
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  const auto chunks = snapshot->chunks(Dataset::kEvents, Filter{});
  ASSERT_FALSE(chunks.empty());
  EXPECT_EQ(snapshot->scan(chunks[0], ScanSpec{}, nullptr).status().code(),
            StatusCode::kUnavailable);
  server_->boot();
  expect_to_catch_up();
}

// Chunks that the manifest does not name, as an interrupted flush leaves them: one that holds what
// the store shows without it, and one with a row that is nowhere else.
TEST_P(StorePostgres, LeftoversAreLookedAtWhenTheServerIsBack) {
  open();
  ASSERT_TRUE(append());
  expect_to_catch_up();
  BatchSlice shown;
  {
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    const auto chunks = snapshot->chunks(Dataset::kEvents, Filter{});
    const auto reader = snapshot->scan(chunks[0], {}, nullptr);
    ASSERT_TRUE((*reader)->next(&shown).ok());
  }  // a snapshot keeps the tier
  EventRow row;
  row.time = kDay;
  row.type = "nowhere else";
  BatchBuilder builder(Dataset::kEvents);
  builder.add(row);
  auto batch = builder.finish();
  batch->stamp(space_, kBatchRows + 1, {});
  store_.reset();
  write_unknown_chunk(77, shown);
  write_unknown_chunk(78, {BatchPtr(std::move(batch)), nullptr});
  server_->shut_down();
  open();
  EXPECT_TRUE(store_->health().stray_chunks.empty());
  server_->boot();
  wait_until([&] { return stored_chunks("generation = 77") == 0; });
  EXPECT_EQ(stored_chunks("generation = 77"), 0);
  wait_until([&] { return !store_->health().stray_chunks.empty(); });
  EXPECT_EQ(store_->health().stray_chunks.size(), 1u);
  EXPECT_EQ(stored_chunks("generation = 78"), 1);
  wait_until([&] { return is_flushed(); });
  expect_everything_once();
}

TEST_P(StorePostgres, ChunkDroppedWhileTheServerIsAwayGoesWhenItIsBack) {
  open();
  ASSERT_TRUE(append());
  expect_to_catch_up();
  server_->shut_down();
  ChunkCommand command;
  command.namespace_id = space_;
  command.action = ChunkAction::kDrop;
  (void)store_->command_and_wait(command);
  open();
  server_->boot();
  wait_until([&] { return stored_chunks("true") == 0; });
  EXPECT_EQ(stored_chunks("true"), 0);
  EXPECT_TRUE(store_->health().stray_chunks.empty());
}

TEST_P(StorePostgres, NewStoreNeedsItsServerOnce) {
  server_->shut_down();
  EXPECT_EQ(try_open().code(), StatusCode::kUnavailable);
  server_->boot();
  open();
}

TEST_P(StorePostgres, SchemaOfAnotherStoreIsRefused) {
  open();
  ASSERT_TRUE(append());
  expect_to_catch_up();
  store_.reset();
  ASSERT_TRUE(posix_env()->remove(join_path(options().data_dir, "STORE_ID")).ok());
  const Status status = try_open();
  EXPECT_EQ(status.code(), StatusCode::kConflict) << status.to_string();
  EXPECT_NE(status.message().find("belongs to another store"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Layouts, StorePostgres, testing::Values("rows", "blocks"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace firn
