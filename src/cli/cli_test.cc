#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/connection.h"
#include "cli/json_rows.h"
#include "cli/line_source.h"
#include "env/test_directory.h"

namespace firn {
namespace {

using testing::ElementsAre;

std::vector<std::string> lines_of(const std::string& content) {
  TestDirectory directory;
  const std::string path = directory.file("lines");
  EXPECT_TRUE(replace_file(posix_env(), path, content).ok());
  auto source = LineSource::open(posix_env(), path);
  EXPECT_TRUE(source.ok());
  std::vector<std::string> lines;
  const Status status = (*source)->for_each_line([&](std::string_view line) {
    lines.emplace_back(line);
    return Status();
  });
  if (!status.ok()) lines.push_back("error: " + std::string(status_code_name(status.code())));
  return lines;
}

TEST(LineSource, SplitsLinesAndKeepsTheLastOneWithoutALineFeed) {
  EXPECT_THAT(lines_of("a\n\nb\nc"), ElementsAre("a", "", "b", "c"));
  EXPECT_THAT(lines_of(""), ElementsAre());
}

TEST(LineSource, JoinsLinesThatAreLongerThanItsBuffer) {
  const std::string line(1'000'000, 'x');
  EXPECT_THAT(lines_of("a\n" + line + "\nb\n"), ElementsAre("a", line, "b"));
}

TEST(LineSource, UnpacksGzip) { EXPECT_THAT(lines_of(gzip("a\nb\n")), ElementsAre("a", "b")); }

TEST(LineSource, KeepsTheLinesBeforeATruncatedGzipEnds) {
  std::string lines;
  for (int i = 0; i < 100'000; ++i) lines += std::to_string(i * 7919) + "\n";
  const std::string packed = gzip(lines);
  const auto found = lines_of(packed.substr(0, packed.size() / 2));
  ASSERT_GT(found.size(), 1000u);
  EXPECT_EQ(found[1], "7919");
  EXPECT_EQ(found.back(), "error: invalid_argument");
}

TEST(LineSource, NamesAMissingFile) {
  const auto source = LineSource::open(posix_env(), "/no/such/file");
  EXPECT_EQ(source.status().code(), StatusCode::kNotFound);
}

TEST(UrlEncode, LeavesOnlyWhatHasNoMeaning) {
  EXPECT_EQ(url_encode("a-b_c.d~9"), "a-b_c.d~9");
  EXPECT_EQ(url_encode("a b&c=/\xc3\xa9"), "a%20b%26c%3D%2F%C3%A9");
}

TEST(JsonMember, ReadsTextNumbersAndAbsence) {
  EXPECT_EQ(*json_member(R"({"next":"5.7"})", "next"), "5.7");
  EXPECT_EQ(*json_member(R"({"next":null})", "next"), "");
  EXPECT_EQ(*json_member(R"({"count":12})", "count"), "12");
  EXPECT_EQ(*json_member(R"({})", "next"), "");
  EXPECT_FALSE(json_member("no json", "next").ok());
}

TEST(PrintSqlAnswer, APlanIsDrawnInATable) {
  const std::string_view answer =
      R"({"columns":[{"name":"explain_key","type":"VARCHAR"},)"
      R"({"name":"explain_value","type":"VARCHAR"}],"rows":[["physical_plan","+--+\n|  |\n"]]})";
  testing::internal::CaptureStdout();
  ASSERT_TRUE(print_sql_answer(answer, OutputFormat::kTable).ok());
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "+--+\n|  |\n");
}

TEST(Connection, SaysWhenNoServerIsThere) {
  auto connection = Connection::open("127.0.0.1:1");
  ASSERT_TRUE(connection.ok());
  const auto answer = (*connection)->call("GET", "/health");
  EXPECT_EQ(answer.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(answer.status().message()), testing::HasSubstr("firn serve"));
  EXPECT_FALSE((*connection)->reached());
}

}  // namespace
}  // namespace firn
