// The server is killed, hangs, or is gone in the middle of a commit: nothing is lost, nothing is
// there twice.

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "env/posix_env.h"
#include "env/test_postgres.h"
#include "tier/postgres/postgres_tier.h"
#include "tier/tier_test_util.h"

namespace firn {
namespace {

class PostgresCrash : public testing::TestWithParam<PostgresLayout> {
 protected:
  void SetUp() override {
    server_ = TestPostgres::start();
    if (server_ == nullptr) GTEST_SKIP() << "no PostgreSQL here";
    options_.server.dsn = server_->dsn();
    options_.server.answer_timeout_ns = kSecondNs;
    options_.server.connect_timeout_ns = kSecondNs;
    options_.owner = "store/warm";
    options_.layout = GetParam();
    reopen();
  }
  void reopen() {
    tier_.reset();
    auto tier = open_postgres_tier(posix_env(), options_);
    ASSERT_TRUE(tier.ok()) << tier.status().to_string();
    tier_ = std::move(*tier);
  }

  std::vector<BatchSlice> next_rows(uint32_t rows) {
    const BatchPtr batch = keyed_batch(position_, rows, position_);
    position_ += rows;
    all_.push_back(slice_of(batch));
    return {slice_of(batch)};
  }
  Result<ChunkStats> write(const std::vector<BatchSlice>& slices) {
    return tier_->write(key_, slices, slices.back().batch->last_position());
  }
  // As the store does: the same rows again until the answer is good.
  void write_until_stored(const std::vector<BatchSlice>& slices) {
    while (true) {
      const auto stats = write(slices);
      if (stats.ok()) return;
      ASSERT_TRUE(stats.status().code() == StatusCode::kUnavailable ||
                  stats.status().code() == StatusCode::kOutcomeUnknown)
          << stats.status().to_string();
      TestPostgres::wait_ms(50);
    }
  }
  // From now on until the next start a commit is on disk, but is not answered before a standby has
  // it, and there is none.
  void stop_answering_commits() {
    server_->run("CREATE SCHEMA probe");
    server_->run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    server_->run("SELECT pg_reload_conf()");
    options_.server.answer_timeout_ns = kMinuteNs;
    server_->run("ALTER SYSTEM RESET synchronous_standby_names");
    reopen();
    // The server heeds the setting a moment later.
    auto probe = PostgresConnection::open(
        {.dsn = server_->dsn(), .answer_timeout_ns = 300 * kMillisecondNs});
    ASSERT_TRUE(probe.ok()) << probe.status().to_string();
    while ((*probe)->exec("CREATE TABLE probe.t (); DROP TABLE probe.t").ok()) {
    }
  }
  void kill_in_commit() {
    while (server_->number("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND "
                           "query = 'COMMIT'") == 0) {
      TestPostgres::wait_ms(5);
    }
    server_->kill_hard();
  }
  void expect_everything_once() {
    EXPECT_EQ(read_sums(tier_.get(), key_, {}), sums_of(all_, Filter()));
    const auto stats = tier_->verify(key_);
    ASSERT_TRUE(stats.ok()) << stats.status().to_string();
    EXPECT_EQ(stats->rows, position_ - 1);
    EXPECT_EQ(stats->watermark, position_ - 1);
  }

  std::unique_ptr<TestPostgres> server_;
  PostgresTierOptions options_;
  std::unique_ptr<Tier> tier_;
  std::vector<BatchSlice> all_;
  Position position_ = 1;
  const ChunkKey key_ = test_chunk();
};

TEST_P(PostgresCrash, KilledWhileWriting) {
  std::mt19937_64 random(7);
  int failed = 0;
  for (int cycle = 0; cycle < 12; ++cycle) {
    std::thread killer([&, delay = static_cast<int>(random() % 60)] {
      TestPostgres::wait_ms(delay);
      server_->kill_hard();
    });
    std::vector<BatchSlice> slices;
    do {
      slices = next_rows(static_cast<uint32_t>(500 + random() % 4000));
    } while (write(slices).ok());
    ++failed;
    killer.join();
    server_->boot();
    write_until_stored(slices);
  }
  EXPECT_EQ(failed, 12);
  expect_everything_once();
}

TEST_P(PostgresCrash, HungWhileWriting) {
  for (int cycle = 0; cycle < 3; ++cycle) {
    std::thread stopper([&, cycle] {
      TestPostgres::wait_ms(7 * cycle + 3);
      server_->pause();
    });
    std::vector<BatchSlice> slices;
    do {
      slices = next_rows(3000);
    } while (write(slices).ok());
    stopper.join();
    EXPECT_EQ(write(slices).status().code(), StatusCode::kUnavailable) << "still hung";
    server_->resume();
    write_until_stored(slices);
  }
  expect_everything_once();
}

TEST_P(PostgresCrash, HungServerIsWaitedForOnce) {
  options_.server.answer_timeout_ns = 3 * kSecondNs;
  reopen();
  const auto slices = next_rows(100);
  write_until_stored(slices);
  expect_everything_once();
  server_->pause();
  EXPECT_EQ(tier_->scan(key_, {}, nullptr).status().code(), StatusCode::kUnavailable);
  // The others are told. Tried again, because time may pass between two lines of a test.
  bool told = false;
  for (int i = 0; i < 5 && !told; ++i) {
    const Status status = tier_->scan(key_, {}, nullptr).status();
    EXPECT_EQ(status.code(), StatusCode::kUnavailable);
    told = status.message().find("it is asked again soon") != std::string_view::npos;
  }
  EXPECT_TRUE(told);
  server_->resume();
  write_until_stored(next_rows(1));
  expect_everything_once();
}

TEST_P(PostgresCrash, KilledAtCommitWithTheRowsStored) {
  write_until_stored(next_rows(100));
  stop_answering_commits();
  const std::vector<BatchSlice> slices = next_rows(3000);
  Status status;
  std::thread writer([&] { status = write(slices).status(); });
  kill_in_commit();
  writer.join();
  EXPECT_EQ(status.code(), StatusCode::kOutcomeUnknown) << status.to_string();
  server_->boot();
  write_until_stored(slices);
  expect_everything_once();
}

TEST_P(PostgresCrash, KilledAtCommitOfADrop) {
  write_until_stored(next_rows(100));
  stop_answering_commits();
  Status status;
  std::thread dropper([&] { status = tier_->drop(key_); });
  kill_in_commit();
  dropper.join();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << "to be tried again: " << status.to_string();
  server_->boot();
  while (!tier_->drop(key_).ok()) TestPostgres::wait_ms(50);
  EXPECT_EQ(server_->number("SELECT count(*) FROM firn.chunks"), 0);
}

TEST_P(PostgresCrash, KilledWhileAChunkIsMadeAndDropped) {
  std::mt19937_64 random(11);
  for (int cycle = 0; cycle < 8; ++cycle) {
    std::thread killer([&, delay = static_cast<int>(random() % 40)] {
      TestPostgres::wait_ms(delay);
      server_->kill_hard();
    });
    ChunkKey other = key_;
    Status status;
    for (other.generation = 1; status.ok(); ++other.generation) {
      status = tier_->write(other, std::vector{slice_of(keyed_batch(1, 50, 1))}, 50).status();
      if (status.ok() && other.generation > 1) {
        ChunkKey older = other;
        --older.generation;
        status = tier_->drop(older);
      }
    }
    killer.join();
    server_->boot();
    Result<std::vector<ChunkKey>> left = tier_->list();
    while (!left.ok()) left = tier_->list();
    for (const ChunkKey& key : *left) {
      EXPECT_TRUE(tier_->verify(key).ok()) << key.name() << ": whole or absent";
      while (!tier_->drop(key).ok()) {
      }
    }
  }
  EXPECT_EQ(server_->number("SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = "
                            "i.inhrelid WHERE c.relkind = 'r'"),
            0)
      << "partitions without a chunk";
}

INSTANTIATE_TEST_SUITE_P(Layouts, PostgresCrash,
                         testing::Values(PostgresLayout::kRows, PostgresLayout::kBlocks),
                         [](const auto& test) {
                           return test.param == PostgresLayout::kRows ? "rows" : "blocks";
                         });

}  // namespace
}  // namespace firn
