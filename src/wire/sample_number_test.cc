#include "wire/sample_number.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

TEST(SampleNumber, IntegersHaveNoPointAndNoExponent) {
  EXPECT_TRUE(read_sample_number("42")->is_integer);
  EXPECT_TRUE(read_sample_number("-42")->is_integer);
  EXPECT_FALSE(read_sample_number("42.0")->is_integer);
  EXPECT_FALSE(read_sample_number("42e0")->is_integer);
  EXPECT_EQ(read_sample_number("42.5")->value, Float64::of(42.5));
}

TEST(SampleNumber, MinusZeroKeepsItsSign) {
  EXPECT_FALSE(read_sample_number("-0")->is_integer);
  EXPECT_EQ(read_sample_number("-0")->value, Float64::of(-0.0));
}

TEST(SampleNumber, WhatAFloat64CannotHoldIsKeptBesideIt) {
  for (const char* exact : {"9007199254740992", "-9223372036854775808", "9223372036854775808",
                            "18446744073709549568"}) {
    EXPECT_EQ(read_sample_number(exact)->data, "") << exact;
    EXPECT_TRUE(read_sample_number(exact)->is_integer) << exact;
  }
  for (const std::string other :
       {"9007199254740993", "9223372036854775807", "-9223372036854775807", "18446744073709551615",
        "18446744073709551616", "123456789012345678901234567890"}) {
    EXPECT_EQ(read_sample_number(other)->data, R"({"asInt":)" + other + "}");
  }
}

TEST(SampleNumber, NothingBeyondTheRangeOfFloat64) {
  EXPECT_FALSE(read_sample_number("1e999").has_value());
  EXPECT_FALSE(read_sample_number("-1e999").has_value());
  EXPECT_FALSE(read_sample_number(std::string(400, '9')).has_value());
}

}  // namespace
}  // namespace firn
