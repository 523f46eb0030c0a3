// A store whose cold tier is in a bucket, on a server that makes mistakes: nothing leaves the warm
// tier before it was read back from the bucket, and every event is returned once, whatever happens.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/engine.h"
#include "env/test_directory.h"
#include "query/sql.h"
#include "store/store.h"
#include "tier/object/test_s3_server.h"

namespace firn {
namespace {

constexpr TimeNs kDay = 1'700'006'400 * kSecondNs;  // a midnight

const std::vector<S3Fault> kFaults = {
    S3Fault::kInternalError, S3Fault::kSlowDown,       S3Fault::kDropRequest,
    S3Fault::kDropAnswer,    S3Fault::kHalfAnswer,     S3Fault::kErrorAfterDone,
    S3Fault::kWrongEtag,     S3Fault::kErrorInAnswer,  S3Fault::kNotFound,
    S3Fault::kDamagedAnswer, S3Fault::kDamagedRequest, S3Fault::kForbidden};

class OneNumber final : public ResultSink {
 public:
  Status columns(std::span<const SqlColumn>) override { return {}; }
  Status row(std::span<const SqlValue> values) override {
    number = values[0].integer;
    return {};
  }
  int64_t number = -1;
};

class StoreS3Test : public testing::Test {
 protected:
  void SetUp() override {
    const Credentials credentials = TestS3Server::credentials();
    ::setenv("AWS_ACCESS_KEY_ID", credentials.access_key_id.c_str(), 1);
    ::setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.c_str(), 1);
    open();
  }
  void open() {
    StoreOptions options = default_store_options(directory_.path());
    options.mover_interval_ns = kHourNs;  // nothing moves unless a test says so
    options.tiers[1].keep_ns = 36'500 * kDayNs;
    TierConfig& cold = options.tiers[2];
    cold.url = "s3://bucket/store";
    cold.s3.endpoint = server_.options().endpoint;
    cold.s3.region = server_.options().region;
    auto opened = Store::open(posix_env(), options);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    store_ = std::move(*opened);
    space_ = store_->find_namespace("default")->id;
  }
  // One chunk per day.
  void append(int day, uint32_t rows) {
    BatchBuilder builder(Dataset::kEvents);
    for (uint32_t i = 0; i < rows; ++i) {
      EventRow row;
      row.time = kDay + day * kDayNs + i;
      row.id = store_->id_source()();
      row.type = "test";
      row.data = "{}";
      builder.add(row);
    }
    AppendRequest request;
    request.batch = builder.finish();
    ASSERT_TRUE(store_->append_and_wait(space_, std::move(request)).ok());
    appended_ += rows;
  }
  Status command(ChunkAction action) {
    ChunkCommand command;
    command.action = action;
    command.namespace_id = space_;
    return store_->command_and_wait(std::move(command)).status;
  }
  size_t chunks_in(const std::string& tier) {
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    const auto chunks = snapshot->chunks(Dataset::kEvents, Filter{});
    return static_cast<size_t>(std::count_if(
        chunks.begin(), chunks.end(), [&](const SnapshotChunk& c) { return c.tier == tier; }));
  }
  // Every position once.
  void expect_everything() {
    std::set<Position> found;
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kEvents, Filter{})) {
      auto reader = snapshot->scan(chunk, ScanSpec{}, nullptr);
      ASSERT_TRUE(reader.ok()) << reader.status().to_string();
      BatchSlice slice;
      for (;;) {
        const auto more = (*reader)->next(&slice);
        ASSERT_TRUE(more.ok()) << more.status().to_string();
        if (!*more) break;
        for (uint32_t i = 0; i < slice.rows(); ++i) {
          EXPECT_TRUE(found.insert(slice.batch->position(slice.row(i))).second);
        }
      }
    }
    EXPECT_EQ(found.size(), appended_);
    EXPECT_EQ(found.empty() ? 0 : *found.rbegin(), appended_);
  }

  TestDirectory directory_;
  TestS3Server server_{posix_env()};
  std::unique_ptr<Store> store_;
  NamespaceId space_ = 0;
  uint64_t appended_ = 0;
};

TEST_F(StoreS3Test, EveryEventIsThereOnceUnderAnyMixOfFaults) {
  for (uint64_t round = 1; round <= 3; ++round) {
    for (int day = 0; day < 3; ++day) append(day, 50);
    ASSERT_TRUE(command(ChunkAction::kFlush).ok());
    size_t tries = 0;
    for (; chunks_in("warm") > 0 && tries < 30; ++tries) {
      server_.fail_randomly(kFaults, 5, round * 100 + tries);
      (void)command(ChunkAction::kMove);  // may fail; the next one goes on
      server_.fail_randomly({}, 0, 0);
      expect_everything();
    }
    EXPECT_EQ(chunks_in("warm"), 0u) << "not moved after " << tries << " tries";
    store_.reset();
    open();
    expect_everything();
  }
}

TEST_F(StoreS3Test, WhatCannotBeReadBackStaysWarm) {
  append(0, 10);
  ASSERT_TRUE(command(ChunkAction::kFlush).ok());
  server_.fail(S3Fault::kDamagedAnswer, "GET", ".parquet");
  EXPECT_EQ(command(ChunkAction::kMove).code(), StatusCode::kCorruption);
  EXPECT_EQ(chunks_in("warm"), 1u);
  expect_everything();
  EXPECT_TRUE(command(ChunkAction::kMove).ok());
  EXPECT_EQ(chunks_in("cold"), 1u);
  expect_everything();
}

TEST_F(StoreS3Test, AnUnreachableBucketKeepsDataWarm) {
  append(0, 10);
  ASSERT_TRUE(command(ChunkAction::kFlush).ok());
  server_.fail(S3Fault::kForbidden, "PUT", "", 1000);
  EXPECT_EQ(command(ChunkAction::kMove).code(), StatusCode::kIoError);
  append(0, 10);
  expect_everything();
  EXPECT_TRUE(server_.objects().empty());
}

TEST_F(StoreS3Test, SqlReadsTheBucket) {
  append(0, 100);
  ASSERT_TRUE(command(ChunkAction::kFlush).ok());
  ASSERT_TRUE(command(ChunkAction::kMove).ok());
  append(0, 11);
  const auto engine = Engine::open(posix_env(), {});
  ASSERT_TRUE(engine.ok());
  OneNumber sink;
  SqlQuery query;
  query.sql = "SELECT count(*) FROM events";
  const auto outcome = run_sql(engine->get(), *store_->snapshot(space_), query, &sink);
  ASSERT_TRUE(outcome.ok()) << outcome.status().to_string();
  EXPECT_EQ(sink.number, 111);
  EXPECT_FALSE(outcome->summary.parquet_bytes.empty());
}

TEST_F(StoreS3Test, DamageInTheBucketIsNamed) {
  append(0, 1000);
  ASSERT_TRUE(command(ChunkAction::kFlush).ok());
  ASSERT_TRUE(command(ChunkAction::kMove).ok());
  store_.reset();
  const std::string key = server_.objects().begin()->first;
  server_.damage(key, 1000);
  open();
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  const auto chunks = snapshot->chunks(Dataset::kEvents, Filter{});
  ASSERT_EQ(chunks.size(), 1u);
  auto reader = snapshot->scan(chunks[0], ScanSpec{}, nullptr);
  BatchSlice slice;
  const Status status = reader.ok() ? (*reader)->next(&slice).status() : reader.status();
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(status.to_string(), testing::HasSubstr(key.substr(key.rfind('/') + 1)));
}

}  // namespace
}  // namespace firn
