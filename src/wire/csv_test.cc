#include "wire/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn {
namespace {

using testing::ElementsAre;
using testing::Eq;

CsvRecord read(const std::vector<std::string>& lines) {
  CsvReader reader(1000);
  for (size_t i = 0; i < lines.size(); ++i) {
    const Result<bool> whole = reader.add_line(lines[i]);
    EXPECT_TRUE(whole.ok()) << whole.status().to_string();
    EXPECT_EQ(whole.ok() && *whole, i + 1 == lines.size());
  }
  EXPECT_TRUE(reader.finish().ok());
  return reader.record();
}

TEST(Csv, ReadsFieldsWithAndWithoutQuotes) {
  EXPECT_THAT(read({R"(a,"b,c","say ""x""")"}), ElementsAre("a", "b,c", "say \"x\""));
  EXPECT_THAT(read({R"(,"",)"}), ElementsAre(std::nullopt, Eq(""), std::nullopt));
}

TEST(Csv, QuotedTextMayHaveLineBreaks) {
  EXPECT_THAT(read({"a,\"b", "c\",d\r"}), ElementsAre("a", "b\nc", "d"));
}

TEST(Csv, QuotesInTheWrongPlaceAreRefused) {
  for (const char* line : {"a\"b\"", "\"a\"b"}) {
    CsvReader reader(1000);
    EXPECT_EQ(reader.add_line(line).status().code(), StatusCode::kInvalidArgument) << line;
  }
}

TEST(Csv, ARecordHasALimitAndAnEnd) {
  CsvReader reader(10);
  EXPECT_EQ(reader.add_line("12345678901").status().code(), StatusCode::kTooLarge);
  CsvReader open(10);
  EXPECT_FALSE(*open.add_line("\"a"));
  EXPECT_EQ(open.finish().code(), StatusCode::kInvalidArgument);
}

TEST(Csv, ReadsBackWhatItWrites) {
  const CsvRecord record = {"a", std::nullopt, "", "b,c", "\"", "two\r\nlines"};
  std::string text;
  append_csv_record(record, &text);
  CsvReader reader(1000);
  EXPECT_FALSE(*reader.add_line(text.substr(0, text.find('\n'))));
  EXPECT_TRUE(*reader.add_line(text.substr(text.find('\n') + 1)));
  EXPECT_EQ(reader.record(), record);
}

}  // namespace
}  // namespace firn
