#include "wire/output.h"

#include <gtest/gtest.h>

#include "wire/json_reader.h"

namespace firn {
namespace {

std::string written(OutputFormat format) {
  TableWriter writer(
      format,
      {{"name", OutputKind::kText}, {"count", OutputKind::kNumber}, {"data", OutputKind::kJson}});
  writer.add_row({"plain", "12", R"({"a":1})"});
  writer.add_row({"q\"uo,te", "-1.5", std::nullopt});
  writer.finish();
  EXPECT_EQ(writer.rows(), 2u);
  return writer.take();
}

TEST(Output, ParsesNames) {
  EXPECT_EQ(parse_output_format("ndjson"), OutputFormat::kNdjson);
  EXPECT_FALSE(parse_output_format("xml"));
}

TEST(Output, TableIsAligned) {
  EXPECT_EQ(written(OutputFormat::kTable),
            "name     count  data\n"
            "-------  -----  -------\n"
            "plain       12  {\"a\":1}\n"
            "q\"uo,te   -1.5\n");
}

TEST(Output, JsonIsOneArray) {
  EXPECT_EQ(written(OutputFormat::kJson),
            "[\n{\"name\":\"plain\",\"count\":12,\"data\":{\"a\":1}},\n"
            "{\"name\":\"q\\\"uo,te\",\"count\":-1.5,\"data\":null}\n]\n");
}

TEST(Output, NdjsonIsOneObjectPerLine) {
  EXPECT_EQ(written(OutputFormat::kNdjson),
            "{\"name\":\"plain\",\"count\":12,\"data\":{\"a\":1}}\n"
            "{\"name\":\"q\\\"uo,te\",\"count\":-1.5,\"data\":null}\n");
}

TEST(Output, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(written(OutputFormat::kCsv),
            "name,count,data\r\nplain,12,\"{\"\"a\"\":1}\"\r\n\"q\"\"uo,te\",-1.5,\r\n");
}

TEST(Output, EmptyResultsAreComplete) {
  for (const auto& [format, expected] :
       {std::pair{OutputFormat::kTable, "a\n-\n"}, std::pair{OutputFormat::kJson, "[]\n"},
        std::pair{OutputFormat::kCsv, "a\r\n"}, std::pair{OutputFormat::kNdjson, ""}}) {
    TableWriter writer(format, {{"a", OutputKind::kText}});
    writer.finish();
    EXPECT_EQ(writer.take(), expected);
  }
}

TEST(Output, JsonStaysJsonWhateverTheCells) {
  TableWriter writer(OutputFormat::kJson, {{"n", OutputKind::kNumber}, {"j", OutputKind::kJson}});
  writer.add_row({"nan", "{broken"});
  writer.add_row({"", ""});
  writer.add_row({"007", "[\n1]"});
  writer.finish();
  const std::string json = writer.take();
  EXPECT_TRUE(check_json(json, 8).ok()) << json;
  EXPECT_NE(json.find(R"({"n":"nan","j":"{broken"})"), std::string::npos) << json;
}

TEST(Output, TablesCannotSteerATerminal) {
  TableWriter writer(OutputFormat::kTable, {{"a", OutputKind::kText}});
  writer.add_row({"\x1b[2J\nx\x7f\xC2\x9B\xFF"});
  writer.finish();
  EXPECT_NE(writer.take().find("\\x1b[2J\\nx\\x7f\\xc2\\x9b\\xff"), std::string::npos);
}

TEST(Output, WidthCountsCharacters) {
  TableWriter writer(OutputFormat::kTable, {{"a", OutputKind::kText}, {"b", OutputKind::kText}});
  writer.add_row({"é", "1"});
  writer.add_row({"xy", "2"});
  writer.finish();
  EXPECT_NE(writer.take().find("é   1\nxy  2\n"), std::string::npos);
}

TEST(Output, PiecesCanBeTakenBeforeTheEnd) {
  TableWriter writer(OutputFormat::kNdjson, {{"a", OutputKind::kNumber}});
  writer.add_row({"1"});
  EXPECT_EQ(writer.take(), "{\"a\":1}\n");
  writer.add_row({"2"});
  writer.finish();
  EXPECT_EQ(writer.take(), "{\"a\":2}\n");
}

}  // namespace
}  // namespace firn
