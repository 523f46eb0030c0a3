#include "base/bytes.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

TEST(Bytes, EncodesHexInLowerCase) {
  EXPECT_EQ(hex_encode(std::string_view("\x00\x7f\xff", 3)), "007fff");
  EXPECT_EQ(hex_encode(""), "");
}

TEST(Bytes, DecodesHexOfEitherCase) {
  char out[3];
  ASSERT_TRUE(hex_decode("007FfA", out, 3));
  EXPECT_EQ(std::string_view(out, 3), std::string_view("\x00\x7f\xfa", 3));
}

TEST(Bytes, RefusesHexOfAnotherLength) {
  char out[4];
  EXPECT_FALSE(hex_decode("0011", out, 3));
  EXPECT_FALSE(hex_decode("00112", out, 2));
  EXPECT_FALSE(hex_decode("", out, 1));
}

TEST(Bytes, RefusesOtherCharacters) {
  char out[1];
  for (const char* text : {"0g", "g0", " 0", "-1", "/0", ":0", "@0", "`0"}) {
    EXPECT_FALSE(hex_decode(text, out, 1)) << text;
  }
}

TEST(Bytes, StoresIntegersLittleEndianAndUnaligned) {
  std::string bytes = "x";
  append_le<uint32_t>(&bytes, 0x01020304);
  EXPECT_EQ(bytes, std::string("x\x04\x03\x02\x01", 5));
  EXPECT_EQ(load_le<uint32_t>(bytes.data() + 1), 0x01020304U);
}

TEST(Bytes, AlignsUp) {
  EXPECT_EQ(align_up(0, 8), 0U);
  EXPECT_EQ(align_up(1, 8), 8U);
  EXPECT_EQ(align_up(8, 8), 8U);
  EXPECT_EQ(align_up(4097, 4096), 8192U);
}

}  // namespace
}  // namespace firn
