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

std::string write(SqlFormat format, const std::vector<SqlColumn>& columns,
                  const std::vector<std::vector<SqlValue>>& rows) {
  const auto output = make_sql_output(format, 1 << 20);
  EXPECT_TRUE(output->columns(columns).ok());
  for (const auto& row : rows) EXPECT_TRUE(output->row(row).ok());
  return output->finish(",\"tiers\":[]");
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
  const auto output = make_sql_output(SqlFormat::kNdjson, 100);
  const std::vector<SqlColumn> columns = {{"a", "VARCHAR"}};
  ASSERT_TRUE(output->columns(columns).ok());
  const std::string long_text(80, 'x');
  const std::vector<SqlValue> row = {text(long_text)};
  EXPECT_TRUE(output->row(row).ok());
  EXPECT_EQ(output->row(row).code(), StatusCode::kTooLarge);
}

}  // namespace
}  // namespace firn
