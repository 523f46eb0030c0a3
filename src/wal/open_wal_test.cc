#include "wal/open_wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wal/test_log.h"

namespace firn {
namespace {

using testing::HasSubstr;

TEST(OpenWal, NamesTypes) {
  for (const WalType type : {WalType::kSegment, WalType::kRocksdb}) {
    EXPECT_EQ(parse_wal_type(wal_type_name(type)), type);
  }
  EXPECT_EQ(parse_wal_type("Segment"), std::nullopt);
  EXPECT_EQ(parse_wal_type(""), std::nullopt);
}

TEST(OpenWal, FindsNothingWhereNothingIs) {
  TestLog log;
  const auto found = find_wal_type(&log.sim, kLogDirectory);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, std::nullopt);
}

class OpenWalTypes : public testing::TestWithParam<WalType> {};

TEST_P(OpenWalTypes, RefusesALogOfAnotherTypeAndLeavesItAsItIs) {
  TestLog log(1, GetParam());
  log.open();
  log.put({"a"});
  log.close();
  const auto found = find_wal_type(&log.sim, kLogDirectory);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, GetParam());
  const uint64_t calls = log.sim.io_count();
  log.options.type = GetParam() == WalType::kSegment ? WalType::kRocksdb : WalType::kSegment;
  const Status refused = log.try_open();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr(wal_type_name(GetParam())));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("wal.type"));
  EXPECT_EQ(log.sim.io_count(), calls);
  log.options.type = GetParam();
  log.open();
  EXPECT_EQ(log.seen, Strings{"a"});
}

TEST_P(OpenWalTypes, VerifiesWhatTheDirectoryHolds) {
  TestLog log(1, GetParam());
  EXPECT_TRUE(verify_wal(&log.sim, "/").ok());
  log.open();
  log.put({"a"});
  EXPECT_TRUE(log.verify().empty()) << "open in this process";
  log.close();
  EXPECT_TRUE(log.verify().empty());
}

INSTANTIATE_TEST_SUITE_P(Types, OpenWalTypes, testing::Values(WalType::kSegment, WalType::kRocksdb),
                         [](const auto& test) { return std::string(wal_type_name(test.param)); });

TEST(OpenWal, RefusesADirectoryWithBoth) {
  TestLog log;
  log.open();
  log.put({"a"});
  log.close();
  log.sim.set_raw_content(kLogDirectory + "/CURRENT", "MANIFEST-000001\n");
  EXPECT_EQ(log.try_open().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace firn
