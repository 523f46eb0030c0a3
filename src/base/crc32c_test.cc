#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace firn {
namespace {

std::string some_bytes(size_t size) {
  std::string bytes(size, '\0');
  uint64_t state = 1;
  for (char& c : bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    c = static_cast<char>(state >> 56);
  }
  return bytes;
}

TEST(Crc32c, GivesTheValuesOfTheRfc) {
  std::string ascending(32, '\0');
  for (size_t i = 0; i < 32; ++i) ascending[i] = static_cast<char>(i);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c(ascending), 0x46dd794eU);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(Crc32c, EveryFormGivesTheValuesOfTheRfc) {
  for (const Crc32cFunction form : crc32c_forms()) {
    EXPECT_EQ(form(0, "123456789", 9), 0xe3069283U);
    EXPECT_EQ(form(0, std::string(32, '\0').data(), 32), 0x8a9136aaU);
  }
}

TEST(Crc32c, AllFormsAgreeAtEveryLengthAndAlignment) {
  const std::string bytes = some_bytes(20'000);
  const std::vector<Crc32cFunction> forms = crc32c_forms();
  for (size_t size = 0; size < 10'000; size = size < 1100 ? size + 1 : size * 9 / 8 + 1) {
    for (size_t from = 0; from < 9; ++from) {
      const uint32_t expected = forms[0](7, bytes.data() + from, size);
      for (size_t form = 1; form < forms.size(); ++form) {
        ASSERT_EQ(forms[form](7, bytes.data() + from, size), expected)
            << size << " bytes from " << from << " in form " << form;
      }
    }
  }
}

TEST(Crc32c, IsTheSameInOnePieceAndInTwo) {
  const std::string bytes = some_bytes(7'000);
  const uint32_t whole = crc32c(bytes);
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{3071}, size_t{3072}, size_t{6999}}) {
    const uint32_t first = crc32c(0, bytes.data(), cut);
    EXPECT_EQ(crc32c(first, bytes.data() + cut, bytes.size() - cut), whole) << cut;
  }
}

TEST(Crc32c, NoticesEveryFlippedBitOfALongInput) {
  std::string bytes = some_bytes(3'100);
  for (const Crc32cFunction form : crc32c_forms()) {
    const uint32_t whole = form(0, bytes.data(), bytes.size());
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      ASSERT_NE(form(0, bytes.data(), bytes.size()), whole) << bit;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    }
  }
}

}  // namespace
}  // namespace firn
