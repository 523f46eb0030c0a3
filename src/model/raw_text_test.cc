#include "model/raw_text.h"

#include "model/test_rows.h"

namespace firn {
namespace {

BatchPtr batch_of_types(const std::vector<std::string>& types) {
  std::vector<EventRow> rows;
  for (const std::string& type : types) {
    EventRow row;
    row.time = kTestTime;
    row.data = type;  // a plain column, where entries stand one behind the other
    rows.push_back(row);
  }
  return make_batch(rows);
}

TEST(RawTextTest, KnowsUtf8) {
  EXPECT_TRUE(is_utf8("plain"));
  EXPECT_TRUE(is_utf8("caf\xC3\xA9"));
  EXPECT_FALSE(is_utf8("caf\xC3"));
  EXPECT_FALSE(is_utf8("\xED\xA0\x80")) << "a surrogate";
}

TEST(RawTextTest, LooksAtEachEntryOfAColumnAlone) {
  const auto good = batch_of_types({"caf\xC3\xA9", "x"});
  EXPECT_TRUE(is_utf8(good->strings(ColumnId::kData)));
  const auto split = batch_of_types({"caf\xC3", "\xA9x"});
  EXPECT_FALSE(is_utf8(split->strings(ColumnId::kData)));
}

TEST(RawTextTest, ReplacesOnlyWhatIsWrong) {
  EXPECT_EQ(to_utf8("a\xff\xC3\xA9\xC3"), "a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD");
  EXPECT_TRUE(is_utf8(to_utf8("\xF0\x9F\x98\x00\x80\xE2\x82")));
}

TEST(RawTextTest, EncodesOnlyTextsThatNeedIt) {
  EventRow row;
  row.time = kTestTime;
  row.type = "bad\xff";
  row.source = "good";
  row.data = std::string_view("\xC3\0x", 3);
  const auto batch = make_batch({row});
  const std::string raw = encode_raw_texts(*batch, 0);
  const auto texts = decode_raw_texts(raw);
  ASSERT_TRUE(texts.has_value());
  EXPECT_EQ((*texts)[static_cast<size_t>(ColumnId::kType)], row.type);
  EXPECT_EQ((*texts)[static_cast<size_t>(ColumnId::kData)], row.data);
  EXPECT_FALSE((*texts)[static_cast<size_t>(ColumnId::kSource)].has_value());
  EXPECT_EQ(count_raw_rows(slice_of(batch)), 1u);
}

TEST(RawTextTest, RefusesEncodingsThatDoNotHold) {
  EXPECT_FALSE(decode_raw_texts("abc").has_value());
  EXPECT_FALSE(decode_raw_texts(std::string("\x05\x09\0\0\0x", 6)).has_value());
  EXPECT_FALSE(decode_raw_texts(std::string("\x7f\x01\0\0\0x", 6)).has_value());
  EXPECT_TRUE(decode_raw_texts("").has_value());
}

TEST(RawTextTest, NulIsReplacedWhereTheRuleSaysSo) {
  const std::string text("a\0b", 3);
  EXPECT_TRUE(is_utf8(text));
  EXPECT_FALSE(is_utf8(text, TextRule::kUtf8WithoutNul));
  EXPECT_EQ(to_utf8(text, TextRule::kUtf8WithoutNul),
            "a\xEF\xBF\xBD"
            "b");
  std::vector<EventRow> rows(1);
  rows[0].type = text;
  const BatchPtr batch = make_batch(rows);
  EXPECT_TRUE(encode_raw_texts(*batch, 0).empty());
  const std::string raw = encode_raw_texts(*batch, 0, TextRule::kUtf8WithoutNul);
  const auto decoded = decode_raw_texts(raw);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ((*decoded)[static_cast<size_t>(ColumnId::kType)], text);
  EXPECT_EQ(count_raw_rows(slice_of(batch), TextRule::kUtf8WithoutNul), 1u);
}

}  // namespace
}  // namespace firn
