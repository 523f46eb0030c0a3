#include "base/hash.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

// Hashes are stored, so these values may never change.
TEST(Hash, GivesTheStoredValues) {
  EXPECT_EQ(hash_bytes(""), 0x2d06800538d394c2U);
  EXPECT_EQ(hash_bytes("firn"), 0xde3df4a9bc575a58U);
  EXPECT_EQ(hash_bytes(std::string(1000, 'a')), 0xb3e7af627147db7cU);
}

TEST(Hash, DependsOnTheSeed) {
  EXPECT_NE(hash_bytes("firn", 1), hash_bytes("firn", 2));
  EXPECT_EQ(hash_bytes("firn", 0), hash_bytes("firn"));
}

TEST(Hash, ReadsZeroBytesToo) {
  EXPECT_NE(hash_bytes(std::string_view("\0", 1)), hash_bytes(std::string_view("\0\0", 2)));
}

TEST(HashBytes128, IsXxh3InItsCanonicalForm) {
  EXPECT_EQ(hash_bytes_128("").to_hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_NE(hash_bytes_128("a"), hash_bytes_128("b"));
}

}  // namespace
}  // namespace firn
