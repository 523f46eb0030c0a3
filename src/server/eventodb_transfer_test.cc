// Subscriptions, imports and exports of EventoDB's contract, row by row.

#include <gmock/gmock.h>

#include "server/test_eventodb.h"

namespace firn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

class EventodbTransfer : public EventodbTest {};

TEST_F(EventodbTransfer, APokeIsThreeLinesAndABlankOne) {
  HttpResponse response = get("/subscribe?category=acc");
  EXPECT_EQ(*next(response.stream.get()), ": ready\n\n");
  write("acc-1");
  EXPECT_EQ(read_until(response.stream.get(), "\n\n"),
            "id: 1\nevent: poke\n"
            "data: {\"stream\":\"acc-1\",\"position\":0,\"globalPosition\":1}\n\n");
}

TEST_F(EventodbTransfer, AQuietSubscriptionShowsThatItIsAliveByAComment) {
  for (const char* query : {"stream=acc-1", "category=acc", "all=true"}) {
    HttpResponse response = get(std::string("/subscribe?") + query);
    EXPECT_EQ(*next(response.stream.get()), ": ready\n\n") << query;
    EXPECT_THAT(std::string(response.stream->heartbeat()), MatchesRegex(": [a-z]+\n\n")) << query;
  }
}

TEST_F(EventodbTransfer, APokeTellsOfEachMessageOfAnImport) {
  HttpResponse all = get("/subscribe?all=true"), category = get("/subscribe?category=acc");
  EXPECT_EQ(*next(all.stream.get()), ": ready\n\n");
  EXPECT_EQ(*next(category.stream.get()), ": ready\n\n");
  import_lines(record_line("acc-1", 0) + record_line("other-1", 0) + record_line("acc-1", 1));
  EXPECT_EQ(pokes(read_until(all.stream.get(), "\"position\":1")), "acc-1/0 other-1/0 acc-1/1 ");
  EXPECT_EQ(pokes(read_until(category.stream.get(), "\"position\":1")), "acc-1/0 acc-1/1 ");
}

TEST_F(EventodbTransfer, TheWholeBacklogComesBeforeWhatIsLive) {
  std::string lines;
  for (int i = 0; i < 2500; ++i) lines += record_line("acc-1", i);
  import_lines(lines);
  HttpResponse response = get("/subscribe?stream=acc-1");
  write("acc-1");
  const std::string found =
      pokes(read_until(response.stream.get(), "\"position\":2500,\"globalPosition\""));
  std::string expected;
  for (int i = 0; i <= 2500; ++i) expected += "acc-1/" + std::to_string(i) + " ";
  EXPECT_EQ(found, expected);
}

TEST_F(EventodbTransfer, EverySubscriptionGoesOnBehindTheIdOfItsLastPoke) {
  for (int i = 0; i < 4; ++i) write("acc-1");
  for (const char* query : {"stream=acc-1", "category=acc", "all=true"}) {
    HttpResponse response = get(std::string("/subscribe?") + query, {.last_event_id = "2"});
    EXPECT_EQ(pokes(read_until(response.stream.get(), "\"position\":3")), "acc-1/2 acc-1/3 ")
        << query;
  }
}

TEST_F(EventodbTransfer, AGroupOfASubscriptionIsThatOfTheTable) {
  for (const char* id : {"0", "1", "2", "3", "123", "abc"}) write(std::string("acc-") + id);
  write("acc");
  write("acc-1+end");
  HttpResponse first = get("/subscribe?category=acc&consumer=0&size=3");
  EXPECT_EQ(pokes(read_until(first.stream.get(), "+end")), "acc-1/0 acc-1+end/0 ");
  write("acc-3");
  HttpResponse third = get("/subscribe?category=acc&consumer=2&size=3");
  EXPECT_EQ(pokes(read_until(third.stream.get(), "\"position\":1")), "acc-3/0 acc-abc/0 acc-3/1 ");
}

TEST_F(EventodbTransfer, APositionBeforeTheFirstIsTheFirst) {
  write("acc-1");
  for (const char* query : {"stream=acc-1&position=-5", "category=acc&position=-5",
                            "category=acc&position=0", "category=acc&position=1"}) {
    HttpResponse response = get(std::string("/subscribe?") + query);
    EXPECT_EQ(pokes(read_until(response.stream.get(), "globalPosition")), "acc-1/0 ") << query;
  }
}

TEST_F(EventodbTransfer, BlankLinesAndBothLineEndsAreTaken) {
  std::string windows = record_line("s-1", 1);
  windows.insert(windows.size() - 1, "\r");
  std::string last = record_line("s-1", 2);
  last.pop_back();
  EXPECT_THAT(
      import_lines("\n\r\n  \t\n" + record_line("s-1", 0) + "\r\n" + windows + "\n\n" + last),
      HasSubstr("\"done\":true,\"imported\":3,"));
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "2");
  EXPECT_THAT(import_lines("\r\n\n \n"), HasSubstr("\"done\":true,\"imported\":0,"));
}

TEST_F(EventodbTransfer, LinesAreCountedWithTheBlankOnes) {
  EXPECT_THAT(import_lines("\r\n\n" + record_line("s-1", 0) + "\n{"),
              AllOf(HasSubstr("INVALID_JSON"), HasSubstr("\"line\":5}")));
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "null");
}

TEST_F(EventodbTransfer, ATimeMayHaveAnOffset) {
  std::string line = record_line("s-1", 0);
  line.replace(line.find(".678Z"), 5, "+02:00");
  EXPECT_THAT(import_lines(line), HasSubstr("\"done\":true"));
  EXPECT_THAT(call(R"(["stream.last","s-1"])"), HasSubstr("\"2026-01-02T01:04:05Z\"]"));
}

TEST_F(EventodbTransfer, ARecordOfAnotherFormIsRefused) {
  for (const char* record :
       {"[]", "7", R"({"stream":"s-1"})",
        R"({"stream":"","type":"T","pos":0,"data":{},"time":"2026-01-02T03:04:05Z"})",
        R"({"stream":"s-1","type":"T","pos":-1,"data":{},"time":"2026-01-02T03:04:05Z"})",
        R"({"stream":"s-1","type":"T","pos":"0","data":{},"time":"2026-01-02T03:04:05Z"})",
        R"({"stream":"s-1","type":"T","pos":0,"data":[],"time":"2026-01-02T03:04:05Z"})",
        R"({"stream":"s-1","type":"T","pos":0,"data":{},"meta":7,"time":"2026-01-02T03:04:05Z"})",
        R"({"id":"x","stream":"s-1","type":"T","pos":0,"data":{},"time":"2026-01-02T03:04:05Z"})",
        R"({"stream":"s-1","type":"T","pos":0,"data":{}})",
        R"({"stream":"s-1","type":"T","pos":0,"data":{},"time":1767323045})"}) {
    const std::string text = import_lines(record);
    EXPECT_THAT(text,
                AllOf(HasSubstr("data: {\"error\":\"INVALID_RECORD\""), HasSubstr("\"message\":\""),
                      HasSubstr("\"line\":1}"), Not(HasSubstr("done"))))
        << record;
  }
  EXPECT_EQ(call(R"(["ns.streams"])"), "[]");
}

TEST_F(EventodbTransfer, WhatIsNullOrLeftOutIsEmpty) {
  EXPECT_THAT(import_lines(R"({"stream":"s-1","type":"T","pos":0,"data":null,)"
                           R"("time":"2026-01-02T03:04:05Z"})"),
              HasSubstr("\"done\":true"));
  EXPECT_THAT(call(R"(["stream.last","s-1"])"), HasSubstr("\"T\",0,1,{},null,"));
}

TEST_F(EventodbTransfer, StepsBeforeTheOneThatFailsStay) {
  std::string lines;
  for (int i = 0; i < 1500; ++i) lines += record_line("s-1", i);
  EXPECT_THAT(import_lines(lines + "{"),
              MatchesRegex("data: \\{\"imported\":1000,\"gpos\":1000\\}\n\n"
                           "data: \\{\"error\":\"INVALID_JSON\",.*\"line\":1501\\}\n\n"));
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "999");
}

TEST_F(EventodbTransfer, AnImportAnswersAsAnEventStream) {
  HttpResponse response = post("/import", "");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/event-stream");
  EXPECT_THAT(read_all(response.stream.get()),
              MatchesRegex("data: \\{\"done\":true,\"imported\":0,"
                           "\"elapsed\":\"[0-9]+\\.[0-9]s\"\\}\n\n"));
}

TEST_F(EventodbTransfer, WritesGoOnBehindAnImport) {
  import_lines(record_line("s-1", 0) + record_line("s-1", 1) + record_line("t-1", 0));
  EXPECT_EQ(call(R"(["stream.write","s-1",{"type":"T","data":{}},{"expectedVersion":1}])"),
            R"({"position":2,"globalPosition":4})");
}

TEST_F(EventodbTransfer, AnImportIsSeenByItsNamespaceAlone) {
  call(R"(["ns.create","other"])");
  import_lines(record_line("s-1", 0));
  const std::string other = make_token(posix_env(), "other");
  EXPECT_EQ(call(R"(["stream.version","s-1"])", other), "null");
  HttpResponse response = post("/import?force=true&token=" + other, record_line("s-1", 0));
  EXPECT_THAT(read_all(response.stream.get()), HasSubstr("\"imported\":1"));
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "0");
}

TEST_F(EventodbTransfer, AnExportBeginsWithSinceAndEndsBeforeUntil) {
  std::string lines;
  for (int day = 1; day <= 4; ++day) {
    std::string line = record_line("s-1", day - 1);
    line.replace(line.find("2026-01-02T03:04:05.678"), 23,
                 "2026-01-0" + std::to_string(day) + "T00:00:00");
    lines += line;
  }
  import_lines(lines);
  for (const char* query : {"since=2026-01-02&until=2026-01-04",
                            "since=2026-01-02T00:00:00Z&until=2026-01-04T00:00:00Z"}) {
    HttpResponse response = get(std::string("/export?") + query);
    EXPECT_THAT(read_all(response.stream.get()),
                AllOf(StartsWith("{\"id\":\""), HasSubstr("\"pos\":1,"), HasSubstr("\"pos\":2,"),
                      Not(HasSubstr("\"pos\":0,")), Not(HasSubstr("\"pos\":3,"))))
        << query;
  }
  EXPECT_EQ(error_of(get("/export?since=soon")), "400 INVALID_REQUEST");
}

}  // namespace
}  // namespace firn
