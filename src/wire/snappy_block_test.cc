#include "wire/snappy_block.h"

#include <gtest/gtest.h>

#include "base/size.h"

namespace firn {
namespace {

constexpr uint64_t kMax = 64 * kMiB;
const auto kTake = [](uint64_t) { return true; };

TEST(SnappyBlock, RoundTrip) {
  const std::string text = "up" + std::string(1000, 'x');
  EXPECT_EQ(unpack_snappy(pack_snappy(text), kMax, 100, kTake).value(), text);
  EXPECT_EQ(unpack_snappy(pack_snappy(""), kMax, 100, kTake).value(), "");
}

TEST(SnappyBlock, TakesThePlaceOfOtherTexts) {
  const std::string text(1000, 'x'), packed = pack_snappy(text);
  for (const size_t size : {1, 999, 1000, 5000}) {
    std::string memory(size, 'y');
    EXPECT_EQ(unpack_snappy(packed, kMax, 100, kTake, memory).value(), text);
  }
}

TEST(SnappyBlock, TheHeadIsBelievedOnlyWithinTheLimits) {
  const std::string says_4_gib = "\xff\xff\xff\xff\x0f";
  bool was_asked = false;
  const auto taken = [&](uint64_t) { return was_asked = true; };
  const Status status = unpack_snappy(says_4_gib, kMax, 100, taken).status();
  EXPECT_EQ(status.code(), StatusCode::kTooLarge);
  EXPECT_NE(status.message().find("request_bytes"), std::string_view::npos);
  const std::string says_32_mib = std::string("\x80\x80\x80\x10", 4) + "abc";
  const Status ratio = unpack_snappy(says_32_mib, kMax, 100, taken).status();
  EXPECT_EQ(ratio.code(), StatusCode::kTooLarge);
  EXPECT_NE(ratio.message().find("decompression_ratio"), std::string_view::npos);
  EXPECT_FALSE(was_asked);
}

TEST(SnappyBlock, WithoutMemoryNothingIsUnpacked) {
  const auto refuse = [](uint64_t) { return false; };
  EXPECT_EQ(unpack_snappy(pack_snappy("abc"), kMax, 100, refuse).status().code(),
            StatusCode::kUnavailable);
}

TEST(SnappyBlock, DamageIsAnError) {
  std::string packed = pack_snappy(std::string(100, 'a') + "bcd");
  EXPECT_EQ(unpack_snappy("", kMax, 100, kTake).status().code(), StatusCode::kInvalidArgument);
  for (size_t size = 0; size < packed.size(); ++size) {
    EXPECT_EQ(unpack_snappy(packed.substr(0, size), kMax, 100, kTake).status().code(),
              StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(unpack_snappy("not snappy at all", kMax, 100, kTake).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace firn
