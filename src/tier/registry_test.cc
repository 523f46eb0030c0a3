#include "tier/registry.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

StatusCode refused(const TierConfig& config) { return validate_tier(config).code(); }

TEST(Registry, SettingsWithoutEffectAreRefused) {
  const TierConfig memory{.name = "hot", .backend = "memory"};
  EXPECT_TRUE(validate_tier(memory).ok());
  TierConfig config = memory;
  config.directory = "hot";
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = memory;
  config.layout = "rows";
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = memory;
  config.promoted_attributes = {"cluster"};
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = {.name = "cold", .backend = "parquet", .max_memory_bytes = 1, .directory = "cold"};
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
}

TEST(Registry, SettingsOfS3BelongToParquetWithAUrl) {
  const TierConfig cold{
      .name = "cold", .backend = "parquet", .directory = "cold", .url = "s3://bucket/a"};
  EXPECT_TRUE(validate_tier(cold).ok());
  TierConfig config = cold;
  config.backend = "sqlite";
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = cold;
  config.url.clear();
  config.s3.region = "eu-central-1";
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = cold;
  config.url = "s3://b";
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = cold;
  config.s3.endpoint = "https://user:secret@host";
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = cold;
  config.s3.credentials = "in the url";
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = cold;
  config.s3.path_style = "maybe";
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
}

TEST(Registry, ColumnsOfAttributesBelongToParquetAndHaveNamesOfTheirOwn) {
  TierConfig config{.name = "cold", .backend = "parquet", .directory = "cold"};
  config.columns = {"host", "http.status:integer", "http.status"};
  EXPECT_TRUE(validate_tier(config).ok());
  config.columns = {"a.b", "a_b"};
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config.columns = {"host:date"};
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config.columns = {"host"};
  config.backend = "sqlite";
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
}

TEST(Registry, WhatCannotBeAppliedIsRefusedByName) {
  const TierConfig sqlite{.name = "warm", .backend = "sqlite", .directory = "warm"};
  EXPECT_TRUE(validate_tier(sqlite).ok());
  TierConfig config = sqlite;
  config.backend = "sqlight";
  const Status status = validate_tier(config);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("'warm'"), std::string_view::npos);
  EXPECT_NE(status.message().find("'sqlight'"), std::string_view::npos);
  config = sqlite;
  config.layout = "columns";
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = sqlite;
  config.directory.clear();
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = sqlite;
  config.keep_ns = 0;
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = sqlite;
  config.promoted_attributes.assign(33, "a");
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
  config = sqlite;
  config.name.clear();
  EXPECT_EQ(refused(config), StatusCode::kInvalidArgument);
}

TEST(Registry, PostgresTakesItsOwnSettingsOnly) {
  TierConfig postgres{.name = "warm", .backend = "postgres", .dsn = "host=/tmp dbname=firn"};
  EXPECT_TRUE(validate_tier(postgres).ok()) << validate_tier(postgres).to_string();
  postgres.layout = "blocks";
  postgres.promoted_attributes = {"cluster"};
  EXPECT_TRUE(validate_tier(postgres).ok());
  postgres.layout = "rows";
  EXPECT_EQ(refused(postgres), StatusCode::kInvalidArgument) << "attributes need blocks";
  postgres.promoted_attributes.clear();
  postgres.schema = "Firn; --";
  EXPECT_EQ(refused(postgres), StatusCode::kInvalidArgument);
  postgres.schema.clear();
  postgres.dsn = "no connection string";
  EXPECT_EQ(refused(postgres), StatusCode::kInvalidArgument);
  postgres.dsn.clear();
  EXPECT_EQ(refused(postgres), StatusCode::kInvalidArgument);
  TierConfig sqlite{.name = "warm", .backend = "sqlite", .directory = "warm"};
  sqlite.dsn = "host=/tmp";
  EXPECT_EQ(refused(sqlite), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace firn
