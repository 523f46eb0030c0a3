#include "server/sql_output.h"

#include <gtest/gtest.h>

#include <vector>

namespace firn {
namespace {

SqlValue text(std::string_view value) {
  SqlValue cell;
  cell.kind = SqlKind::kText;
  cell.text = value;
  return cell;
}
SqlValue json(std::string_view value) {
  SqlValue cell = text(value);
  cell.kind = SqlKind::kJson;
  return cell;
}
SqlValue integer(int64_t value) {
  SqlValue cell;
  cell.kind = SqlKind::kInt64;
  cell.integer = value;
  return cell;
}
SqlValue time(TimeNs value) {
  SqlValue cell = integer(value);
  cell.kind = SqlKind::kTime;
  return cell;
}
SqlValue real(double value) {
  SqlValue cell;
  cell.kind = SqlKind::kDouble;
  cell.real = value;
  return cell;
}

AnswerText answer_text(uint64_t bytes_max) {
  return {std::move(*MemoryBudget(64 << 20).take(1 << 20, 0)), bytes_max};
}

std::string text_of(AnswerText* text) {
  HttpResponse response;
  text->move_to(&response);
  for (const std::string& piece : response.more) response.body += piece;
  return response.body;
}

std::string write(SqlFormat format, const std::vector<SqlColumn>& columns,
                  const std::vector<std::vector<SqlValue>>& rows) {
  AnswerText text = answer_text(1 << 20);
  const auto output = make_sql_output(format, &text);
  EXPECT_TRUE(output->columns(columns).ok());
  for (const auto& row : rows) EXPECT_TRUE(output->row(row).ok());
  output->finish(",\"tiers\":[]");
  return text_of(&text);
}

TEST(SqlOutput, Json) {
  EXPECT_EQ(write(SqlFormat::kJson, {{"a", "BIGINT"}, {"b\"", "VARCHAR"}},
                  {{integer(-1), text("x\n")}, {SqlValue{}, time(0)}}),
            "{\"columns\":[{\"name\":\"a\",\"type\":\"BIGINT\"},{\"name\":\"b\\\"\",\"type\":"
            "\"VARCHAR\"}],\"rows\":[[-1,\"x\\n\"],[null,\"1970-01-01T00:00:00Z\"]],\"tiers\":[]}"
            "\n");
}

TEST(SqlOutput, JsonWithoutRows) {
  EXPECT_EQ(write(SqlFormat::kJson, {{"a", "BIGINT"}}, {}),
            "{\"columns\":[{\"name\":\"a\",\"type\":\"BIGINT\"}],\"rows\":[],\"tiers\":[]}\n");
}

TEST(SqlOutput, JsonValuesAreEmbeddedOnlyWhenTheyAreJson) {
  EXPECT_EQ(write(SqlFormat::kNdjson, {{"j", "JSON"}, {"d", "DOUBLE"}},
                  {{json("{\"k\":\n1}"), real(0.5)}, {json("{broken"), real(1)}}),
            "{\"j\":{\"k\": 1},\"d\":0.5}\n{\"j\":\"{broken\",\"d\":1.0}\n");
}

TEST(SqlOutput, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(write(SqlFormat::kCsv, {{"a,b", "VARCHAR"}, {"c", "VARCHAR"}},
                  {{text("say \"hi\""), text("")}, {SqlValue{}, text("two\nlines")}}),
            "\"a,b\",c\r\n\"say \"\"hi\"\"\",\"\"\r\n,\"two\nlines\"\r\n");
}

TEST(SqlOutput, StopsAtTheLimit) {
  AnswerText answer = answer_text(100);
  const auto output = make_sql_output(SqlFormat::kNdjson, &answer);
  const std::vector<SqlColumn> columns = {{"a", "VARCHAR"}};
  ASSERT_TRUE(output->columns(columns).ok());
  const std::string long_text(80, 'x');
  const std::vector<SqlValue> row = {text(long_text)};
  EXPECT_TRUE(output->row(row).ok());
  EXPECT_EQ(output->row(row).code(), StatusCode::kTooLarge);
}

TEST(SqlOutput, LongAnswersComeInPieces) {
  AnswerText answer = answer_text(10 << 20);
  const auto output = make_sql_output(SqlFormat::kNdjson, &answer);
  ASSERT_TRUE(output->columns(std::vector<SqlColumn>{{"a", "VARCHAR"}}).ok());
  const std::string long_text(100'000, 'x');
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(output->row(std::vector<SqlValue>{text(long_text)}).ok());
  HttpResponse response;
  answer.move_to(&response);
  EXPECT_GT(response.more.size(), 1u);
  uint64_t bytes = response.body.size();
  for (const std::string& piece : response.more) bytes += piece.size();
  EXPECT_EQ(bytes, 20 * (long_text.size() + std::string_view("{\"a\":\"\"}\n").size()));
  EXPECT_GE(response.memory.bytes(), bytes);
}

TEST(SqlOutput, IsRefusedWhenOthersHaveTheMemory) {
  MemoryBudget budget(1 << 20);
  const auto others = budget.take(900'000, 0);
  AnswerText answer(std::move(*budget.take(1000, 0)), 10 << 20);
  const auto output = make_sql_output(SqlFormat::kNdjson, &answer);
  ASSERT_TRUE(output->columns(std::vector<SqlColumn>{{"a", "VARCHAR"}}).ok());
  const std::string long_text(200'000, 'x');
  EXPECT_EQ(output->row(std::vector<SqlValue>{text(long_text)}).code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace firn
