#pragma once

// The fixture of the suite that every backend passes. Header-only; never part of the product.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/size.h"
#include "env/posix_env.h"
#include "env/test_directory.h"
#include "env/test_postgres.h"
#include "model/checksum.h"
#include "model/test_rows.h"
#include "tier/object/test_s3_server.h"
#include "tier/registry.h"
#include "tier/tier_test_util.h"

namespace firn {

struct Backend {
  const char* name;
  const char* backend;
  const char* layout;
  bool restart;  // close and open the tier between steps
  bool s3 = false;
};

// A bucket for one test, in this process or, where the environment names a server, in that.
struct Bucket {
  Bucket() {
    if (posix_env()->environment_variable("FIRN_TEST_S3_ENDPOINT")) return;
    server = std::make_unique<TestS3Server>(posix_env());
    const Credentials credentials = TestS3Server::credentials();
    ::setenv("AWS_ACCESS_KEY_ID", credentials.access_key_id.c_str(), 1);
    ::setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.c_str(), 1);
  }
  void configure(TierConfig* config) const {
    if (server != nullptr) {
      config->url = "s3://bucket/tier";
      config->s3.endpoint = server->options().endpoint;
      config->s3.region = server->options().region;
    } else {
      config->url = "s3://" + *posix_env()->environment_variable("FIRN_TEST_S3_BUCKET") + prefix;
      config->s3.endpoint = *posix_env()->environment_variable("FIRN_TEST_S3_ENDPOINT");
    }
    config->s3.cache_bytes = 8 * kMiB;
  }

  std::unique_ptr<TestS3Server> server;
  const std::string prefix = "/tier-" + std::to_string(posix_env()->random_u64());
};

class Conformance : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (on_server() && TestPostgres::shared() == nullptr) GTEST_SKIP() << "no PostgreSQL here";
    open();
  }

  bool in_memory() const { return GetParam().backend == std::string_view("memory"); }
  bool on_server() const { return GetParam().backend == std::string_view("postgres"); }
  // How often a test repeats what costs a file in this backend.
  int repeat(int times) const {
    const bool files = GetParam().backend == std::string_view("parquet") || on_server();
    return std::max(1, times / (files ? 6 : 1) / (GetParam().restart ? 3 : 1));
  }

  void open() {
    TierConfig config{.name = "tested", .backend = GetParam().backend, .layout = GetParam().layout};
    if (!in_memory() && !on_server()) config.directory = directory_.file("tier");
    if (on_server()) {
      config.dsn = TestPostgres::shared()->dsn();
      config.schema = schema_;
    }
    if (GetParam().s3) {
      if (bucket_ == nullptr) bucket_ = std::make_unique<Bucket>();
      bucket_->configure(&config);
    }
    if (config.backend == "sqlite" || (on_server() && config.layout == "blocks")) {
      config.promoted_attributes = {"host", "http.status", "absent"};
    }
    auto tier = make_tier(posix_env(), config);
    ASSERT_TRUE(tier.ok()) << tier.status().to_string();
    tier_ = std::move(tier).value();
  }

  // Between two steps of a test.
  void step() {
    if (!GetParam().restart) return;
    tier_.reset();
    open();
  }

  // Writes, and remembers what the chunk must hold.
  ChunkStats write(const ChunkKey& key, std::vector<BatchSlice> slices, Position through = 0) {
    if (through == 0) through = slices.back().batch->last_position();
    step();
    const auto stats = tier_->write(key, slices, through);
    EXPECT_TRUE(stats.ok()) << stats.status().to_string();
    for (BatchSlice& slice : slices) expected_[key].push_back(std::move(slice));
    return stats.ok() ? *stats : ChunkStats();
  }

  RowSums read(const ChunkKey& key, const ScanSpec& spec) {
    step();
    return read_sums(tier_.get(), key, spec);
  }

  // The chunk holds exactly what was written: by scan, by verification, by its stats.
  void expect_intact(const ChunkKey& key) {
    const RowSums expected = sums_of(expected_[key], Filter());
    EXPECT_EQ(read(key, {}), expected);
    step();
    const auto stats = tier_->verify(key);
    ASSERT_TRUE(stats.ok()) << stats.status().to_string();
    EXPECT_EQ(stats->rows, expected.size());
    uint64_t checksum = 0;
    for (const auto& [position, sum] : expected) checksum += sum;
    EXPECT_EQ(stats->checksum, checksum);
    if (expected.empty()) return;
    EXPECT_EQ(stats->position_min, expected.begin()->first);
    EXPECT_EQ(stats->position_max, expected.rbegin()->first);
    EXPECT_GT(stats->bytes, 0u);
    EXPECT_GT(stats->raw_bytes, 0u);
  }

  void expect_filter_agrees(const ChunkKey& key, const Filter& filter, const std::string& what) {
    ScanSpec spec;
    spec.filter = filter;
    EXPECT_EQ(read(key, spec), sums_of(expected_[key], filter)) << what;
  }

  TestDirectory directory_;
  std::unique_ptr<Bucket> bucket_;
  const std::string schema_ = TestPostgres::new_schema();
  std::unique_ptr<Tier> tier_;
  std::map<ChunkKey, std::vector<BatchSlice>> expected_;
  const ChunkKey key_ = test_chunk();
};

}  // namespace firn
