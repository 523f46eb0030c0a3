#include "wire/gzip.h"

#include <gtest/gtest.h>

#include <random>

#include "base/size.h"

namespace firn {
namespace {

std::string noise(size_t size) {
  std::mt19937_64 random(3);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

bool any_amount(uint64_t) { return true; }
Result<std::string> unpack(ByteView bytes) { return gunzip(bytes, 64 * kMiB, 100, any_amount); }

TEST(Gzip, RoundTrips) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{3'000'000}}) {
    const std::string bytes = noise(size);
    const auto unpacked = unpack(gzip(bytes));
    ASSERT_TRUE(unpacked.ok()) << unpacked.status().to_string();
    EXPECT_EQ(*unpacked, bytes);
  }
}

TEST(Gzip, MembersFollowEachOther) {
  EXPECT_EQ(*unpack(gzip("one ") + gzip("") + gzip("two")), "one two");
}

TEST(Gzip, TrailingGarbageIsRefused) {
  for (const std::string& garbage :
       {std::string("garbage"), std::string(1, '\0'), std::string("\x1f")}) {
    const auto unpacked = unpack(gzip("text") + garbage);
    ASSERT_FALSE(unpacked.ok());
    EXPECT_EQ(unpacked.status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(Gzip, EveryTruncationIsRefused) {
  const std::string packed = gzip("some text, long enough to have a body");
  for (size_t size = 0; size < packed.size(); ++size) {
    EXPECT_FALSE(unpack(ByteView(packed).substr(0, size)).ok()) << size;
  }
}

TEST(Gzip, DamageIsRefused) {
  const std::string packed = gzip(noise(500));
  for (const size_t at : {size_t{0}, size_t{2}, packed.size() / 2, packed.size() - 6}) {
    std::string damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    EXPECT_EQ(unpack(damaged).status().code(), StatusCode::kInvalidArgument) << at;
  }
}

TEST(Gzip, OtherFormatsAreRefused) {
  EXPECT_EQ(unpack("{\"a\":1}").status().code(), StatusCode::kInvalidArgument);
}

TEST(Gzip, BombStopsAtTheSizeLimit) {
  const std::string packed = gzip(noise(10'000) + std::string(5 * kMiB, 'x'));
  const auto unpacked = gunzip(packed, 2 * kMiB, 1'000'000, any_amount);
  ASSERT_EQ(unpacked.status().code(), StatusCode::kTooLarge);
  EXPECT_NE(unpacked.status().to_string().find("request_bytes of 2097152"), std::string::npos);
}

TEST(Gzip, BombStopsAtTheRatio) {
  const auto unpacked = unpack(gzip(std::string(20 * kMiB, 'x')));
  ASSERT_EQ(unpacked.status().code(), StatusCode::kTooLarge);
  EXPECT_NE(unpacked.status().to_string().find("decompression_ratio"), std::string::npos);
}

TEST(Gzip, SmallBodiesMayHaveAnyRatio) { EXPECT_TRUE(unpack(gzip(std::string(kMiB, 'x'))).ok()); }

TEST(GzipReader, PiecesOfAnySizeGiveTheSame) {
  const std::string bytes = noise(5'000) + std::string(50'000, 'a');
  const std::string packed = gzip(bytes) + gzip("tail");
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}}) {
    GzipReader reader;
    std::string out;
    char buffer[100];
    for (size_t at = 0; at < packed.size(); at += piece) {
      reader.feed(ByteView(packed).substr(at, piece));
      while (true) {
        const auto produced = reader.produce(buffer, sizeof(buffer));
        ASSERT_TRUE(produced.ok()) << produced.status().to_string();
        if (*produced == 0) break;
        out.append(buffer, *produced);
      }
    }
    EXPECT_TRUE(reader.finish().ok());
    EXPECT_EQ(out, bytes + "tail");
  }
}

TEST(GzipReader, NamesTheOffsetOfDamage) {
  GzipReader reader;
  const std::string packed = gzip("text");
  reader.feed(packed);
  char buffer[100];
  ASSERT_EQ(*reader.produce(buffer, sizeof(buffer)), 4u);
  ASSERT_EQ(*reader.produce(buffer, sizeof(buffer)), 0u);
  reader.feed("not gzip");
  const auto produced = reader.produce(buffer, sizeof(buffer));
  ASSERT_FALSE(produced.ok());
  EXPECT_NE(produced.status().to_string().find("byte " + std::to_string(packed.size() + 2)),
            std::string::npos)
      << produced.status().to_string();
}

TEST(Gzip, TakesNoMoreMemoryThanItMay) {
  const std::string text(3 * kMiB, 'x');
  uint64_t most = 0;
  const auto refused = gunzip(gzip(text), 64 * kMiB, 1'000'000, [&](uint64_t bytes) {
    most = std::max(most, bytes);
    return bytes <= 1 * kMiB;
  });
  EXPECT_EQ(refused.status().code(), StatusCode::kUnavailable);
  EXPECT_LE(most, 4 * kMiB);
  uint64_t asked = 0;
  const auto unpacked = gunzip(gzip(text), 64 * kMiB, 1'000'000, [&](uint64_t bytes) {
    asked = bytes;
    return true;
  });
  ASSERT_TRUE(unpacked.ok());
  EXPECT_GE(asked, unpacked->capacity());
}

}  // namespace
}  // namespace firn
