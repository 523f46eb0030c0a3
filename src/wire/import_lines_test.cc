#include "wire/import_lines.h"

#include <gtest/gtest.h>

#include "model/test_rows.h"
#include "wire/json_reader.h"

namespace firn {
namespace {

constexpr TimeNs kNow = kTestTime;

class Import : public testing::Test {
 protected:
  Import() {
    options_.now = kNow;
    options_.make_id = [this] { return make_uuid7(1, 2, ++ids_made_); };
  }

  // Imports the lines and keeps their batch.
  void import(ImportFormat format, std::initializer_list<std::string_view> lines) {
    LineImporter importer(format, options_);
    for (const std::string_view line : lines) importer.add_line(line);
    taken_ = importer.take_batch();
    counts_ = importer.counts();
    for (uint32_t i = 0; taken_.batch != nullptr && i < taken_.batch->rows(); ++i) {
      EXPECT_TRUE(row(i).data.empty() || check_json(row(i).data, 64).ok()) << row(i).data;
      EXPECT_TRUE(row(i).metadata.empty() || check_json(row(i).metadata, 64).ok());
    }
  }
  EventRow row(uint32_t index = 0) const { return event_row(*taken_.batch, index); }
  std::string time(uint32_t index = 0) const { return format_time(row(index).time); }

  ImportOptions options_;
  uint64_t ids_made_ = 0;
  DecodedEvents taken_;
  ImportCounts counts_;
};

TEST_F(Import, CombinedAccessLog) {
  import(ImportFormat::kApache,
         {R"(83.149.9.216 - alice [17/May/2015:10:05:03 +0200] "GET /a?b=\"c HTTP/1.1" 404 203023 )"
          R"_("http://x/" "Mozilla/5.0 (X)" 0.17)_"});
  EXPECT_EQ(counts_.parsed, 1u);
  EXPECT_EQ(row().type, "http.request");
  EXPECT_EQ(row().kind, EventKind::kLog);
  EXPECT_EQ(row().source, "import");
  EXPECT_EQ(row().severity, 13);
  EXPECT_EQ(time(), "2015-05-17T08:05:03Z");
  EXPECT_EQ(row().data,
            R"({"client":"83.149.9.216","user":"alice","method":"GET","path":"/a?b=\"c",)"
            R"("protocol":"HTTP/1.1","status":404,"bytes":203023,"referrer":"http://x/",)"
            R"_("user_agent":"Mozilla/5.0 (X)","extra":"0.17"})_");
}

TEST_F(Import, CommonAccessLogAndOddRequests) {
  import(ImportFormat::kApache, {R"(::1 - - [01/Jan/2026:00:00:00 +0000] "HEAD / HTTP/1.0" 200 -)",
                                 R"(::1 - - [01/Jan/2026:00:00:00 -0130] "\x16\x03" 500 0 "-" "-")",
                                 R"(::1 - - [01/Jan/2026:00:00:00 +0000] "-" 408 0)"});
  EXPECT_EQ(counts_.parsed, 3u);
  EXPECT_EQ(row(0).data,
            R"({"client":"::1","method":"HEAD","path":"/","protocol":"HTTP/1.0","status":200})");
  EXPECT_EQ(row(1).data, R"({"client":"::1","request":"\\x16\\x03","status":500,"bytes":0})");
  EXPECT_EQ(row(1).severity, 17);
  EXPECT_EQ(time(1), "2026-01-01T01:30:00Z");
  EXPECT_EQ(row(2).data, R"({"client":"::1","status":408,"bytes":0})");
}

TEST_F(Import, WhatDoesNotParseIsStoredAsText) {
  import(ImportFormat::kApache,
         {R"(::1 - - [01/Jan/2026:00:00:07 +0000] "GET / HTTP/1.0" 200 1)", "hello \xFF \"world\"",
          R"(::1 - - [32/Jan/2026:00:00:00 +0000] "GET / HTTP/1.0" 200 1)",
          R"(::1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.0 200 1)"});
  EXPECT_EQ(counts_.lines, 4u);
  EXPECT_EQ(counts_.parsed, 1u);
  EXPECT_EQ(counts_.unparsed, 3u);
  EXPECT_EQ(counts_.without_time, 3u);
  EXPECT_EQ(row(1).type, "log");
  EXPECT_EQ(row(1).data, "\"hello \xEF\xBF\xBD \\\"world\\\"\"");
  EXPECT_EQ(row(1).metadata, R"({"parse_error":"no [time]"})");
  EXPECT_EQ(time(1), "2026-01-01T00:00:07Z");  // of the line before
  EXPECT_EQ(row(3).metadata, R"({"parse_error":"no \"request\" in quotes"})");
}

TEST_F(Import, BlankLinesAndCarriageReturns) {
  import(ImportFormat::kLines, {"", "  \r", "text\r"});
  EXPECT_EQ(counts_.lines, 1u);
  EXPECT_EQ(row().data, "\"text\"");
}

TEST_F(Import, BsdSyslog) {
  options_.reference_time = *parse_time("2026-03-28T00:00:00Z");
  import(ImportFormat::kSyslog,
         {"Mar 27 13:06:56 ip-10 sshd[1291]: Server listening on :: port 22.",
          "Mar  9 01:02:03 ip-10 kernel: [1.0] x", "<34>Dec 31 00:00:00 h su: 'su root' failed",
          "Mar 27 13:06:56 ip-10 last message repeated 2 times",
          "2026-03-27T13:06:56.25+01:00 h prog[x1]: m"});
  EXPECT_EQ(counts_.parsed, 5u);
  EXPECT_EQ(time(0), "2026-03-27T13:06:56Z");
  EXPECT_EQ(row(0).source, "ip-10");
  EXPECT_EQ(
      row(0).data,
      R"({"host":"ip-10","program":"sshd","pid":1291,"message":"Server listening on :: port 22."})");
  EXPECT_EQ(time(1), "2026-03-09T01:02:03Z");
  EXPECT_EQ(row(1).data, R"({"host":"ip-10","program":"kernel","message":"[1.0] x"})");
  EXPECT_EQ(time(2), "2025-12-31T00:00:00Z");  // would be after the reference this year
  EXPECT_EQ(row(2).severity, 18);
  EXPECT_EQ(row(2).data,
            R"({"host":"h","program":"su","facility":4,"message":"'su root' failed"})");
  EXPECT_EQ(row(3).data, R"({"host":"ip-10","message":"last message repeated 2 times"})");
  EXPECT_EQ(time(4), "2026-03-27T12:06:56.25Z");
  EXPECT_EQ(row(4).data, R"({"host":"h","program":"prog","pid":"x1","message":"m"})");
}

TEST_F(Import, TheTwentyNinthOfFebruaryIsInALeapYear) {
  options_.reference_time = *parse_time("2027-02-28T00:00:00Z");
  import(ImportFormat::kSyslog, {"Feb 29 12:00:00 h p: m"});
  EXPECT_EQ(time(), "2024-02-29T12:00:00Z");
}

TEST_F(Import, Rfc5424Syslog) {
  import(
      ImportFormat::kSyslog,
      {R"(<165>1 2003-10-11T22:14:15.003Z host.example app 12 ID47 [ex@1 iut="3" s="a\"\]b"][e2] An event)",
       "<14>1 - - - - - -", "<14>1 2003-10-11T22:14:15.003Z h a - - - \xEF\xBB\xBFmsg"});
  EXPECT_EQ(counts_.parsed, 3u);
  EXPECT_EQ(time(0), "2003-10-11T22:14:15.003Z");
  EXPECT_EQ(row(0).severity, 10);
  EXPECT_EQ(row(0).data,
            R"({"host":"host.example","program":"app","pid":12,"facility":20,"msgid":"ID47",)"
            R"("structured_data":{"ex@1":{"iut":"3","s":"a\"]b"},"e2":{}},"message":"An event"})");
  EXPECT_EQ(counts_.without_time, 1u);
  EXPECT_EQ(row(2).data, R"({"host":"h","program":"a","facility":1,"message":"msg"})");
}

TEST_F(Import, LinesThatAreNotSyslog) {
  import(ImportFormat::kSyslog, {"nothing", "<14>1 yesterday h a - - - m", "<14>1 - h a - - [open",
                                 "Feb 30 12:00:00 h p: m", "Mar 27 13:06:56 "});
  EXPECT_EQ(counts_.unparsed, 5u);
}

TEST_F(Import, TextLinesWithTimesAndLevels) {
  import(ImportFormat::kLines,
         {"[2016-12-19 16:31:47,437] INFO [Controller 0]: starting", "\tat kafka.Foo",
          "2026-01-02T03:04:05.5Z [worker] WARN: x", "2026/01/02 03:04:05 [error] 7#7: y",
          "2026-01-02 03:04:05 +0100 DEBUG z", "2026-01-02 03:04:05 - no error here", "no time"});
  EXPECT_EQ(counts_.parsed, 7u);
  EXPECT_EQ(counts_.without_time, 2u);
  EXPECT_EQ(time(0), "2016-12-19T16:31:47.437Z");
  EXPECT_EQ(row(0).severity, 9);
  EXPECT_EQ(row(0).metadata, R"({"severity_text":"INFO"})");
  EXPECT_EQ(row(0).data, R"("[2016-12-19 16:31:47,437] INFO [Controller 0]: starting")");
  EXPECT_EQ(time(1), time(0));
  EXPECT_EQ(time(2), "2026-01-02T03:04:05.5Z");
  EXPECT_EQ(row(2).severity, 13);
  EXPECT_EQ(row(3).severity, 17);
  EXPECT_EQ(time(4), "2026-01-02T02:04:05Z");
  EXPECT_EQ(row(4).severity, 5);
  EXPECT_EQ(time(5), "2026-01-02T03:04:05Z");
  EXPECT_EQ(row(5).severity, 0);
}

TEST_F(Import, TextThatOnlyLooksLikeATime) {
  import(ImportFormat::kLines,
         {"2026-13-02 03:04:05 x", "2026-01-02 03:04:055 x", "[2026-01-02 03:04:05 x"});
  EXPECT_EQ(counts_.without_time, 3u);
  EXPECT_EQ(row(0).time, kNow);
}

TEST_F(Import, AnyJsonObjectIsKeptVerbatim) {
  const std::string line =
      R"({"@timestamp":"2026-01-02T03:04:05Z", "level":"warn","message":"m","service":"api",)"
      R"("traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","request_id":"r"})";
  import(ImportFormat::kNdjson, {line});
  EXPECT_EQ(counts_.parsed, 1u);
  EXPECT_EQ(row().data, line);
  EXPECT_EQ(row().kind, EventKind::kLog);
  EXPECT_EQ(row().type, "log");
  EXPECT_EQ(time(), "2026-01-02T03:04:05Z");
  EXPECT_EQ(row().severity, 13);
  EXPECT_EQ(row().metadata, R"({"severity_text":"warn"})");
  EXPECT_EQ(row().source, "api");
  EXPECT_EQ(row().correlation_id, "r");
  EXPECT_EQ(row().trace_id.to_hex(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(row().span_id[7], 0x31);
}

TEST_F(Import, TimesOfJsonObjects) {
  import(ImportFormat::kNdjson, {R"({"ts":1446249499.5,"a":1})", R"({"timestamp":1446249499322})",
                                 R"({"time":"2015-10-31 00:00:00,25"})", R"({"ts":1.446249499e9})",
                                 R"({"time":{"a":1},"ts":1446249499})", R"({"time":"soon"})"});
  EXPECT_EQ(time(0), "2015-10-30T23:58:19.5Z");
  EXPECT_EQ(time(1), "2015-10-30T23:58:19.322Z");
  EXPECT_EQ(time(2), "2015-10-31T00:00:00.25Z");
  EXPECT_EQ(time(3), "2015-10-30T23:58:19Z");
  EXPECT_EQ(time(4), "2015-10-30T23:58:19Z");
  EXPECT_EQ(counts_.without_time, 1u);
}

TEST_F(Import, NumericLevelsOfBunyanAndPino) {
  import(ImportFormat::kNdjson, {R"({"level":30,"msg":"m"})", R"({"level":60})",
                                 R"({"severity":9,"x":1})", R"({"level":35})"});
  EXPECT_EQ(row(0).severity, 9);
  EXPECT_EQ(row(1).severity, 21);
  EXPECT_EQ(row(2).severity, 9);
  EXPECT_EQ(row(3).severity, 0);
}

TEST_F(Import, EventsOfFirnComeBackAsTheyWere) {
  import(
      ImportFormat::kNdjson,
      {R"({"position":1,"time":"2026-01-01T00:00:00Z","id":"019aa5f0-5d43-7c3a-9d0e-0c6f6f0c8a11","kind":"message","type":"placed","stream":"order-1","data":{"a":1}})",
       R"({"type":"t"})", R"({"type":"t","other":1})", R"({"type":"t","severity":99})"});
  EXPECT_EQ(taken_.rows_with_id, std::vector<uint32_t>{0});
  EXPECT_EQ(row(0).kind, EventKind::kMessage);
  EXPECT_EQ(row(0).stream, "order-1");
  EXPECT_EQ(row(0).data, R"({"a":1})");
  EXPECT_EQ(row(0).source, "");  // filled in, it would be another event
  EXPECT_EQ(row(0).id.to_uuid(), "019aa5f0-5d43-7c3a-9d0e-0c6f6f0c8a11");
  EXPECT_EQ(row(1).kind, EventKind::kEvent);
  EXPECT_EQ(row(2).kind, EventKind::kLog);
  EXPECT_EQ(row(2).type, "t");
  EXPECT_EQ(row(3).kind, EventKind::kLog);
  EXPECT_EQ(row(3).data, R"({"type":"t","severity":99})");
  EXPECT_FALSE(row(3).id.is_zero());
}

TEST_F(Import, LinesThatAreNoJsonObjects) {
  import(ImportFormat::kNdjson, {"{\"a\":1", "[1]", "{\"a\":\"\xFF\"}", std::string(200, '[')});
  EXPECT_EQ(counts_.unparsed, 4u);
  EXPECT_EQ(row(1).data, "\"[1]\"");
  EXPECT_EQ(row(1).metadata, R"({"parse_error":"not a JSON object"})");
}

TEST_F(Import, LinesTooLongForAnEventAreCutNotDropped) {
  options_.limits.event_bytes = 10'000;
  import(ImportFormat::kLines, {std::string(20'000, '\x01'), std::string(5'000, 'x')});
  EXPECT_EQ(counts_.unparsed, 1u);
  EXPECT_LT(row(0).data.size(), 10'000u);
  EXPECT_NE(row(0).metadata.find("the line of 20000 bytes was cut at"), std::string::npos);
  EXPECT_EQ(row(1).data.size(), 5'002u);
}

TEST_F(Import, BatchesAreReadyByRowsOrBytes) {
  options_.batch_rows = 3;
  LineImporter importer(ImportFormat::kLines, options_);
  importer.add_line("a");
  importer.add_line("b");
  EXPECT_FALSE(importer.batch_ready());
  importer.add_line("c");
  ASSERT_TRUE(importer.batch_ready());
  EXPECT_EQ(importer.take_batch().batch->rows(), 3u);
  EXPECT_FALSE(importer.batch_ready());
  EXPECT_EQ(importer.take_batch().batch, nullptr);

  options_.batch_bytes = 100;
  LineImporter by_bytes(ImportFormat::kLines, options_);
  by_bytes.add_line(std::string(100, 'x'));
  EXPECT_TRUE(by_bytes.batch_ready());
}

TEST_F(Import, EveryRowHasAnIdOfItsOwn) {
  import(ImportFormat::kLines, {"a", "a"});
  EXPECT_NE(row(0).id, row(1).id);
  EXPECT_TRUE(taken_.rows_with_id.empty());
}

}  // namespace
}  // namespace firn
