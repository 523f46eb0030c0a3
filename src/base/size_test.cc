#include "base/size.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

TEST(Size, ReadsPowersOf1024AndOf1000) {
  EXPECT_EQ(parse_size("512"), 512U);
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("7B"), 7U);
  EXPECT_EQ(parse_size("64KiB"), 64 * kKiB);
  EXPECT_EQ(parse_size("1GiB"), kGiB);
  EXPECT_EQ(parse_size("10MB"), 10'000'000U);
  EXPECT_EQ(parse_size("2TiB"), 2048 * kGiB);
}

TEST(Size, IgnoresCase) { EXPECT_EQ(parse_size("1gIb"), kGiB); }

TEST(Size, RefusesOtherText) {
  for (const char* text :
       {"", "B", "KiB", "-1", "+1", " 1", "1 ", "1.5GiB", "1KiBs", "1G", "0x10", "1e3"}) {
    EXPECT_FALSE(parse_size(text).has_value()) << text;
  }
}

TEST(Size, RefusesOverflow) {
  EXPECT_EQ(parse_size("18446744073709551615"), UINT64_MAX);
  EXPECT_FALSE(parse_size("18446744073709551616").has_value());
  EXPECT_FALSE(parse_size("16777216TiB").has_value());
}

TEST(Size, FormatsForPeople) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1536), "1.5 KiB");
  EXPECT_EQ(format_size(kMiB - 1), "1.0 MiB");
  EXPECT_EQ(format_size(3 * kGiB / 2), "1.5 GiB");
  EXPECT_EQ(format_size(UINT64_MAX), "16.0 EiB");
}

}  // namespace
}  // namespace firn
