#include "wire/json_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace firn {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  append_json_string(text, &out);
  return out;
}

std::string number(double value) {
  std::string out;
  append_json_double(value, &out);
  return out;
}

std::string base64(std::string_view bytes) {
  std::string out;
  append_base64(bytes, &out);
  return out;
}

std::string from_base64(std::string_view text) {
  std::string out;
  return decode_base64(text, &out) ? out : "refused";
}

TEST(JsonText, LeavesPlainTextAsItIs) {
  EXPECT_EQ(escaped("héllo wörld, 20 bytes and more"), "\"héllo wörld, 20 bytes and more\"");
  EXPECT_EQ(escaped(""), "\"\"");
}

TEST(JsonText, EscapesWhatMustBe) {
  EXPECT_EQ(escaped("a\"b\\c\n\r\t\b\f"), R"("a\"b\\c\n\r\t\b\f")");
  EXPECT_EQ(escaped(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
}

TEST(JsonText, EscapesBehindTheFirstSixteenBytes) {
  EXPECT_EQ(escaped("0123456789abcdef0123456789\"x"), "\"0123456789abcdef0123456789\\\"x\"");
}

TEST(JsonText, EveryByteAtEveryPlaceIsPlainOrNot) {
  for (size_t size = 1; size < 20; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(size, 'a');
        text[at] = static_cast<char>(byte);
        const bool stays = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
        ASSERT_EQ(escaped(text) == "\"" + text + "\"", stays) << byte << " at " << at;
      }
    }
  }
}

TEST(JsonText, ReplacesBrokenUtf8OncePerMaximalSequence) {
  EXPECT_EQ(escaped("a\xFF"
                    "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
  EXPECT_EQ(escaped("\xE2\x82"), "\"\xEF\xBF\xBD\"");                              // cut off
  EXPECT_EQ(escaped("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // a surrogate
  EXPECT_EQ(escaped("\xC0\xAF\""), "\"\xEF\xBF\xBD\xEF\xBF\xBD\\\"\"");            // overlong
}

TEST(JsonText, DoublesAreNeverMistakenForIntegers) {
  EXPECT_EQ(number(1), "1.0");
  EXPECT_EQ(number(-0.0), "-0.0");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(1e300), "1e+300");
  EXPECT_EQ(number(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(number(-HUGE_VAL), "null");
}

TEST(JsonText, ObjectWriterPutsTheCommas) {
  std::string out;
  JsonObjectWriter object(&out);
  EXPECT_TRUE(object.empty());
  object.text("a", "x");
  object.integer("b", -1);
  object.unsigned_integer("c", UINT64_MAX);
  object.boolean("d", true);
  object.number("e", 2);
  object.raw("f\"", "[1]");
  object.close();
  EXPECT_EQ(out, R"({"a":"x","b":-1,"c":18446744073709551615,"d":true,"e":2.0,"f\"":[1]})");
}

TEST(JsonText, OneLineKeepsEverythingButLineBreaks) {
  std::string out;
  append_json_one_line("{\r\n  \"a\": \"\\n\"\n}", &out);
  EXPECT_EQ(out, "{    \"a\": \"\\n\" }");
}

TEST(JsonText, CutsBetweenCharacters) {
  EXPECT_EQ(utf8_cut("aé", 2), "a");
  EXPECT_EQ(utf8_cut("aé", 3), "aé");
  EXPECT_EQ(utf8_cut("\x80\x80\x80\x80\x80\x80", 5).size(), 2u);  // no text: cut somewhere near
}

TEST(JsonText, ValidPrefixEndsAtTheFirstBrokenByte) {
  EXPECT_EQ(utf8_valid_prefix("aé€😀"), 10u);
  EXPECT_EQ(utf8_valid_prefix("a\xF4\x90\x80\x80"), 1u);  // above U+10FFFF
  EXPECT_EQ(utf8_valid_prefix("a\xE0\x80\x80"), 1u);
}

TEST(Base64, KnownVectors) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xfb\xff\xfe"), "+//+");
}

TEST(Base64, ReadsBothAlphabetsWithAndWithoutPadding) {
  EXPECT_EQ(from_base64("-__-"), "\xfb\xff\xfe");
  EXPECT_EQ(from_base64("Zg"), "f");
  EXPECT_EQ(from_base64("Zm8="), "fo");
}

TEST(Base64, RefusesWhatIsNotBase64) {
  EXPECT_EQ(from_base64("Z"), "refused");
  EXPECT_EQ(from_base64("Zm8 "), "refused");
  EXPECT_EQ(from_base64("Zg="), "refused");
  EXPECT_EQ(from_base64("===="), "refused");
}

}  // namespace
}  // namespace firn
