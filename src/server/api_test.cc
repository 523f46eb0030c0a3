#include <gmock/gmock.h>

#include "server/test_faces.h"
#include "wire/gzip.h"

namespace firn {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using ApiTest = FaceTest;

size_t occurrences(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

// The value of `"key":"..."`.
std::string text_member(std::string_view json, std::string_view key) {
  const std::string begin = "\"" + std::string(key) + "\":\"";
  const size_t at = json.find(begin);
  if (at == std::string_view::npos) return "";
  const size_t start = at + begin.size();
  return std::string(json.substr(start, json.find('"', start) - start));
}

TEST_F(ApiTest, AppendsOneEvent) {
  const HttpResponse response = append(R"({"type":"a","data":{"n":1}})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            "{\"first_position\":1,\"last_position\":1,\"count\":1,\"duplicates\":0,\"ack\":"
            "\"fsync\"}\n");
}

TEST_F(ApiTest, AppendsArraysAndLines) {
  EXPECT_THAT(append(R"([{"type":"a"},{"type":"b"}])").body, HasSubstr("\"last_position\":2"));
  // Lines are told from the body, too.
  EXPECT_THAT(append("{\"type\":\"a\"}\n\n{\"type\":\"b\"}\n{\"type\":\"c\"}").body,
              HasSubstr("\"first_position\":3,\"last_position\":5,\"count\":3"));
  EXPECT_THAT(append("{\"type\":\"a\"}\n", {.content_type = "application/x-ndjson"}).body,
              HasSubstr("\"count\":1"));
  // One object over several lines is one event.
  EXPECT_THAT(append("{\n\"type\":\"a\"\n}\n").body, HasSubstr("\"count\":1"));
}

TEST_F(ApiTest, AppendsGzip) {
  EXPECT_THAT(append(gzip(R"({"type":"a"})"), {.content_encoding = "gzip"}).body,
              HasSubstr("\"count\":1"));
  EXPECT_EQ(append("not gzip", {.content_encoding = "gzip"}).status, 400);
  const HttpResponse unknown = append("x", {.content_encoding = "br"});
  EXPECT_EQ(unknown.status, 415);
  EXPECT_THAT(unknown.body, HasSubstr("unsupported_media_type"));
}

TEST_F(ApiTest, AZipBombIsRefused) {
  const std::string bomb = gzip(std::string(80 * kMiB, ' '), 9);
  const HttpResponse response = append(bomb, {.content_encoding = "gzip"});
  EXPECT_EQ(response.status, 413);
  EXPECT_THAT(response.body, HasSubstr("decompression_ratio"));
}

TEST_F(ApiTest, UnpackingTakesAShareOfItsMemoryAndGivesItBack) {
  services_.unpacked_memory = std::make_shared<MemoryBudget>(2 * kMiB);
  const std::string large = R"({"type":"a","data":")" + std::string(900 * 1000, 'x') + "\"}";
  const RequestFields packed{.content_encoding = "gzip"};
  EXPECT_EQ(append(gzip(large), packed).status, 200);
  EXPECT_EQ(services_.unpacked_memory->bytes_used(), 0u);
  {
    const auto others = services_.unpacked_memory->take(3 * kMiB / 2, 0);
    const HttpResponse refused = append(gzip(large), packed);
    EXPECT_EQ(refused.status, 503);
    EXPECT_THAT(refused.body, HasSubstr("request_memory"));
    EXPECT_EQ(refused.headers[0].first, "Retry-After");
  }
  EXPECT_EQ(append(gzip(large), packed).status, 200);
}

TEST_F(ApiTest, ABadEventRefusesTheWholeBody) {
  const HttpResponse response = append(R"([{"type":"a"},{"typ":"b"}])");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("\"code\":\"invalid_argument\""));
  EXPECT_THAT(response.body, HasSubstr("event 1"));
  EXPECT_THAT(get(in_default("events:count")).body, HasSubstr("\"count\":0"));
  EXPECT_THAT(append("{\"type\":\"a\"}\n{\"type\":}\n").body, HasSubstr("line 2"));
  EXPECT_EQ(append("").status, 400);
}

TEST_F(ApiTest, AckLevels) {
  EXPECT_THAT(post(in_default("events?ack=os"), R"({"type":"a"})").body,
              HasSubstr("\"ack\":\"os\""));
  EXPECT_THAT(post(in_default("events?ack=memory"), R"({"type":"a"})").body,
              HasSubstr("\"ack\":\"memory\""));
  EXPECT_THAT(post(in_default("events"), R"({"type":"a"})", {.firn_ack = "os"}).body,
              HasSubstr("\"ack\":\"os\""));
  EXPECT_EQ(post(in_default("events?ack=never"), R"({"type":"a"})").status, 400);
  EXPECT_THAT(post(in_default("events?acks=os"), R"({"type":"a"})").body, HasSubstr("'acks'"));
}

TEST_F(ApiTest, ARepetitionIsADuplicateAndOtherContentAConflict) {
  const std::string event = R"({"id":"0190f3b2-0000-7000-8000-000000000001","type":"a","data":1})";
  EXPECT_THAT(append(event).body, HasSubstr("\"duplicates\":0"));
  EXPECT_THAT(append(event).body, HasSubstr("\"first_position\":1,\"last_position\":1,\"count\":1,"
                                            "\"duplicates\":1"));
  const HttpResponse conflict =
      append(R"({"id":"0190f3b2-0000-7000-8000-000000000001","type":"a","data":2})");
  EXPECT_EQ(conflict.status, 409);
  EXPECT_THAT(conflict.body, HasSubstr("\"code\":\"conflict\""));
}

TEST_F(ApiTest, AnUnknownNamespaceIs404) {
  for (const char* route : {"events", "events:count", "events:tail", "chunks"}) {
    EXPECT_EQ(get(std::string("/api/v1/namespaces/nowhere/") + route).status, 404) << route;
  }
  EXPECT_EQ(post("/api/v1/namespaces/nowhere/events", R"({"type":"a"})").status, 404);
  EXPECT_EQ(post("/api/v1/namespaces/nowhere/sql", R"({"query":"SELECT 1"})").status, 404);
}

TEST_F(ApiTest, ReadsBackWhatWasWritten) {
  append(R"({"type":"a","data":{"big":12345678901234567890,"k":"\u0000"}})");
  const HttpResponse response = get(in_default("events"));
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, StartsWith("{\"events\":[{\"position\":1,"));
  EXPECT_THAT(response.body, HasSubstr(R"("data":{"big":12345678901234567890,"k":"\u0000"})"));
  EXPECT_THAT(response.body, HasSubstr("],\"next\":null,\"tiers\":[\"hot\"]}\n"));
}

TEST_F(ApiTest, Filters) {
  append(R"([{"type":"a","source":"x","severity":"warn"},{"type":"b","source":"y"},
            {"type":"c","source":"x","metadata":{"attributes":{"pod":"p1"}},"data":"needle"}])");
  const auto count = [this](const std::string& query) {
    return occurrences(get(in_default("events?" + query)).body, "\"position\"");
  };
  EXPECT_EQ(count("type=a&type=b"), 2u);
  EXPECT_EQ(count("type=a&source=y"), 0u);
  EXPECT_EQ(count("source=x"), 2u);
  EXPECT_EQ(count("severity_min=warn"), 1u);
  EXPECT_EQ(count("attr.pod=p1"), 1u);
  EXPECT_EQ(count("contains=needle"), 1u);
  EXPECT_EQ(count("after=1"), 2u);
  EXPECT_EQ(count("from=-1h"), 3u);
  EXPECT_EQ(count("to=-1h"), 0u);
}

TEST_F(ApiTest, PagesFollowEachOther) {
  append(R"([{"type":"a"},{"type":"b"},{"type":"c"}])");
  const HttpResponse first = get(in_default("events?limit=2&order=desc"));
  EXPECT_THAT(first.body, ContainsRegex("\"type\":\"c\".*\"type\":\"b\""));
  const std::string next = text_member(first.body, "next");
  ASSERT_FALSE(next.empty());
  const HttpResponse second = get(in_default("events?limit=2&order=desc&cursor=" + next));
  EXPECT_THAT(second.body, HasSubstr("\"type\":\"a\""));
  EXPECT_THAT(second.body, HasSubstr("\"next\":null"));
  EXPECT_EQ(occurrences(second.body, "\"position\""), 1u);
}

TEST_F(ApiTest, ALongPageEndsEarlyAndGoesOn) {
  const std::string big = "{\"type\":\"a\",\"data\":\"" + std::string(900'000, 'x') + "\"}";
  for (int i = 0; i < 20; ++i) ASSERT_EQ(append(big).status, 200);
  const HttpResponse first = get(in_default("events"));
  const size_t on_first = occurrences(first.body, "\"position\"");
  EXPECT_LT(first.body.size(), 18 * kMiB);
  EXPECT_LT(on_first, 20u);
  const HttpResponse second = get(in_default("events?cursor=" + text_member(first.body, "next")));
  EXPECT_EQ(on_first + occurrences(second.body, "\"position\""), 20u);
}

TEST_F(ApiTest, LinesOnRequest) {
  append(R"([{"type":"a"},{"type":"b"}])");
  const HttpResponse response =
      get(in_default("events?limit=1"), {.accept = "application/x-ndjson"});
  EXPECT_EQ(response.content_type, "application/x-ndjson");
  EXPECT_EQ(occurrences(response.body, "\n"), 1u);
  EXPECT_THAT(response.body, StartsWith("{\"position\":1"));
  EXPECT_EQ(response.headers[0].first, "Firn-Next");
  EXPECT_EQ(response.headers[1].second, "hot");
}

TEST_F(ApiTest, OneEventById) {
  append(R"({"id":"0190f3b2-0000-7000-8000-000000000001","type":"a"})");
  const HttpResponse found = get(in_default("events/0190f3b2-0000-7000-8000-000000000001"));
  EXPECT_EQ(found.status, 200);
  EXPECT_THAT(found.body, HasSubstr("\"type\":\"a\""));
  EXPECT_EQ(get(in_default("events/0190f3b2-0000-7000-8000-000000000002")).status, 404);
  EXPECT_EQ(get(in_default("events/7")).status, 400);
}

TEST_F(ApiTest, Counts) {
  append(R"([{"type":"a","severity":9},{"type":"b"},{"type":"a","severity":9}])");
  EXPECT_EQ(get(in_default("events:count")).body, "{\"count\":3,\"tiers\":[\"hot\"]}\n");
  EXPECT_THAT(get(in_default("events:count?type=a")).body, HasSubstr("\"count\":2"));
  const HttpResponse grouped = get(in_default("events:count?group_by=type,severity,kind"));
  EXPECT_THAT(grouped.body,
              HasSubstr("{\"type\":\"a\",\"severity\":9,\"kind\":\"event\",\"count\":2}"));
  EXPECT_THAT(grouped.body,
              HasSubstr("{\"type\":\"b\",\"severity\":0,\"kind\":\"event\",\"count\":1}"));
}

TEST_F(ApiTest, CountsByWindow) {
  append(R"([{"type":"a","time":"2026-01-01T00:00:01Z"},{"type":"a","time":"2026-01-01T00:01:59Z"},
            {"type":"a","time":"2026-01-01T00:01:00Z"}])");
  EXPECT_THAT(get(in_default("events:count?window=1m")).body,
              HasSubstr("\"groups\":[{\"window\":\"2026-01-01T00:00:00Z\",\"count\":1},"
                        "{\"window\":\"2026-01-01T00:01:00Z\",\"count\":2}]"));
}

TEST_F(ApiTest, UnknownParametersAreNamed) {
  EXPECT_THAT(get(in_default("events?tpye=a")).body, HasSubstr("'tpye'"));
  EXPECT_EQ(get(in_default("events:tail?limit=1")).status, 400);
  EXPECT_EQ(get(in_default("events:count?limit=1")).status, 400);
}

TEST_F(ApiTest, Sql) {
  append(R"([{"type":"a"},{"type":"b"},{"type":"a"}])");
  const HttpResponse response = post(
      in_default("sql"),
      R"({"query":"SELECT type, count(*) AS n FROM events WHERE type <> ? GROUP BY 1","params":["b"]})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            "{\"columns\":[{\"name\":\"type\",\"type\":\"VARCHAR\"},{\"name\":\"n\",\"type\":"
            "\"BIGINT\"}],\"rows\":[[\"a\",2]],\"tiers\":[\"hot\"]}\n");
}

TEST_F(ApiTest, SqlFormatsAndParameters) {
  const HttpResponse csv = post(
      in_default("sql"),
      R"({"query":"SELECT ? AS i, ? AS d, ? AS n, ? AS t, ? AS b","format":"csv","params":[9007199254740993,1.5,null,"x,y",true]})");
  EXPECT_EQ(csv.content_type, "text/csv; charset=utf-8");
  EXPECT_EQ(csv.body, "i,d,n,t,b\r\n9007199254740993,1.5,,\"x,y\",true\r\n");
  const HttpResponse lines =
      post(in_default("sql"), R"({"query":"SELECT 1 AS a","format":"ndjson"})");
  EXPECT_EQ(lines.body, "{\"a\":1}\n");
}

TEST_F(ApiTest, SqlAnswersForOtherPrograms) {
  append(R"({"type":"a"})");
  const auto ask = [this](const std::string& format) {
    return post(in_default("sql"),
                R"({"query":"SELECT type, position FROM events","format":")" + format + "\"}");
  };
  const HttpResponse parquet = ask("parquet");
  EXPECT_EQ(parquet.content_type, "application/vnd.apache.parquet");
  EXPECT_TRUE(parquet.body.starts_with("PAR1"));
  EXPECT_THAT(parquet.headers, testing::Contains(testing::Pair("Firn-Tiers", "hot")));
  const HttpResponse arrow = ask("arrow");
  EXPECT_EQ(arrow.content_type, "application/vnd.apache.arrow.stream");
  EXPECT_TRUE(arrow.body.starts_with("\xff\xff\xff\xff"));
  EXPECT_THAT(arrow.headers, testing::Contains(testing::Pair("Firn-Tiers", "hot")));
}

TEST_F(ApiTest, LimitsHoldForAnswersToOtherPrograms) {
  for (const std::string format : {"arrow", "parquet"}) {
    const auto ask = [&](const std::string& query) {
      return post(in_default("sql"), "{\"query\":\"" + query + "\",\"format\":\"" + format + "\"}");
    };
    services_.limits.query_rows = 10;
    EXPECT_THAT(ask("FROM range(11)").body, HasSubstr("query_rows (10)"));
    services_.limits.query_rows = kLimits.query_rows;
    services_.limits.answer_bytes = 100'000;
    const HttpResponse large = ask("SELECT hash(range) FROM range(200000)");
    EXPECT_EQ(large.status, 413);
    EXPECT_THAT(large.body, HasSubstr("longer than"));
    services_.limits.answer_bytes = kLimits.answer_bytes;
  }
}

TEST_F(ApiTest, ExplainNamesTiersAndChunks) {
  append(
      R"([{"type":"a","time":"2026-11-20T01:00:00Z"},{"type":"a","time":"2026-11-21T01:00:00Z"}])");
  const std::string query = "SELECT type FROM events WHERE time < '2026-11-21'";
  const std::string plan =
      post(in_default("sql"), "{\"query\":\"EXPLAIN (FORMAT json) " + query + "\"}").body;
  EXPECT_THAT(plan, HasSubstr(R"(\"Tier hot\": \"1 chunk, 1 pruned\")"));
  const std::string run =
      post(in_default("sql"), "{\"query\":\"EXPLAIN (ANALYZE, FORMAT json) " + query + "\"}").body;
  EXPECT_THAT(run, HasSubstr(R"(\"Tier hot\": \"1 chunk, 1 pruned\")"));
  EXPECT_THAT(run, testing::ContainsRegex(R"(Read hot.{1,8}1 row, [0-9]+ bytes)"));
}

TEST_F(ApiTest, SqlMistakesAre400) {
  EXPECT_EQ(post(in_default("sql"), R"({"query":"SELEC 1"})").status, 400);
  EXPECT_EQ(post(in_default("sql"), R"({"query":"DROP TABLE events"})").status, 400);
  EXPECT_EQ(
      post(in_default("sql"), R"j({"query":"SELECT * FROM read_csv('/etc/passwd')"})j").status,
      400);
  EXPECT_THAT(post(in_default("sql"), "{}").body, HasSubstr("needs the member 'query'"));
  EXPECT_THAT(post(in_default("sql"), R"({"query":"SELECT 1","form":"csv"})").body,
              HasSubstr("unknown member 'form'"));
  EXPECT_THAT(post(in_default("sql"), R"({"query":"SELECT 1","format":"xml"})").body,
              HasSubstr("json, ndjson, csv, arrow or parquet"));
  EXPECT_THAT(post(in_default("sql"), R"({"query":"SELECT ?","params":[[1]]})").body,
              HasSubstr("'params'"));
  EXPECT_EQ(post(in_default("sql"), "SELECT 1").status, 400);
}

TEST_F(ApiTest, ACancelledStatementEnds) {
  const auto request =
      make_request(HttpMethod::kPost, in_default("sql"),
                   R"({"query":"SELECT count(*) FROM range(1000000000) a, range(1000000000) b"})");
  auto answer = std::make_shared<Awaited<HttpResponse>>();
  router_->handle(request,
                  Responder([answer](HttpResponse response) { answer->set(std::move(response)); }));
  request->cancellation.cancel();
  const auto response = answer->get();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 503);
  EXPECT_THAT(response->body, HasSubstr("\"cancelled\""));
}

TEST_F(ApiTest, AQueryHasATimeLimit) {
  services_.limits.query_time_ns = 50 * kMillisecondNs;
  const HttpResponse response =
      post(in_default("sql"),
           R"({"query":"SELECT count(*) FROM range(1000000000) a, range(1000000000) b"})");
  EXPECT_EQ(response.status, 504);
  EXPECT_THAT(response.body, HasSubstr("\"deadline_exceeded\""));
}

TEST_F(ApiTest, Namespaces) {
  EXPECT_EQ(
      put("/api/v1/namespaces/shop", R"({"retention":"30d"})").body,
      "{\"name\":\"shop\",\"last_position\":0,\"retention\":\"30d\",\"series_limit\":5000000}\n");
  EXPECT_THAT(put("/api/v1/namespaces/shop").body, HasSubstr("\"retention\":\"30d\""));
  EXPECT_EQ(post("/api/v1/namespaces/shop/events", R"({"type":"a"})").status, 200);
  EXPECT_THAT(get("/api/v1/namespaces/shop").body, HasSubstr("\"last_position\":1"));
  EXPECT_THAT(get("/api/v1/namespaces").body, HasSubstr("\"name\":\"default\""));
  EXPECT_THAT(get(in_default("events:count")).body, HasSubstr("\"count\":0"));
  EXPECT_EQ(remove("/api/v1/namespaces/shop").status, 204);
  EXPECT_EQ(get("/api/v1/namespaces/shop").status, 404);
  EXPECT_EQ(remove("/api/v1/namespaces/shop").status, 404);
}

TEST_F(ApiTest, BadNamespacesAreRefused) {
  EXPECT_EQ(put("/api/v1/namespaces/Shop").status, 400);
  EXPECT_EQ(put("/api/v1/namespaces/a%2Fb").status, 400);
  EXPECT_EQ(put("/api/v1/namespaces/a", R"({"retention":"soon"})").status, 400);
  EXPECT_EQ(put("/api/v1/namespaces/a", R"({"keep":"1d"})").status, 400);
  EXPECT_EQ(put("/api/v1/namespaces/a", R"({"retention":5})").status, 400);
}

TEST_F(ApiTest, ChunksGoDownTierByTier) {
  append(R"([{"type":"a"},{"type":"b"}])");
  EXPECT_THAT(get(in_default("chunks")).body, HasSubstr("\"tier\":\"hot\""));
  const HttpResponse flushed = post(in_default("chunks:flush"), "");
  EXPECT_EQ(flushed.status, 200);
  EXPECT_THAT(flushed.body, HasSubstr("\"from\":\"hot\",\"to\":\"warm\",\"rows\":2,"));
  EXPECT_THAT(get(in_default("events:count")).body, HasSubstr("{\"count\":2"));
  const HttpResponse moved = post(in_default("chunks:move"), R"({"tier":"warm"})");
  EXPECT_THAT(moved.body, HasSubstr("\"from\":\"warm\",\"to\":\"cold\",\"rows\":2,"));
  const HttpResponse chunks = get(in_default("chunks"));
  EXPECT_THAT(chunks.body, HasSubstr("\"tier\":\"cold\",\"backend\":\"parquet\""));
  EXPECT_THAT(chunks.body, HasSubstr("\"position_min\":1,\"position_max\":2"));
  EXPECT_THAT(get(in_default("events?type=b")).body, HasSubstr("\"tiers\":[\"cold\"]"));
  EXPECT_THAT(post(in_default("sql"), R"({"query":"SELECT count(*) FROM events"})").body,
              HasSubstr("\"rows\":[[2]]"));
}

TEST_F(ApiTest, ChunksAreCompressedBroughtUpAndExported) {
  append(R"({"type":"a"})");
  post(in_default("chunks:flush"), "");
  EXPECT_EQ(post(in_default("chunks:compress"), "").status, 200);
  EXPECT_THAT(get(in_default("chunks")).body, HasSubstr("\"state\":\"compressed\""));
  EXPECT_THAT(get(in_default("chunks")).body, HasSubstr("\"ratio\":"));
  post(in_default("chunks:move"), "");
  const HttpResponse dry = post(in_default("chunks:rehydrate"), R"({"dry_run":true})");
  EXPECT_THAT(dry.body, HasSubstr("\"from\":\"cold\",\"to\":\"warm\",\"rows\":1"));
  EXPECT_THAT(get(in_default("chunks")).body, HasSubstr("\"tier\":\"cold\""));
  const HttpResponse up = post(in_default("chunks:rehydrate"), R"({"to":"warm","for":"1h"})");
  EXPECT_EQ(up.status, 200) << up.body;
  EXPECT_FALSE(text_member(up.body, "into").empty());
  EXPECT_THAT(get(in_default("chunks")).body, HasSubstr("\"state\":\"rehydrated\""));
  EXPECT_THAT(get(in_default("chunks")).body, HasSubstr("\"keep_until\":\"2"));
  EXPECT_THAT(post(in_default("sql"), R"({"query":"SELECT state, ratio > 0 FROM chunks"})").body,
              HasSubstr("\"rows\":[[\"rehydrated\",true]]"));
  const HttpResponse exported = post(in_default("chunks:export"), R"({"to":"lake"})");
  EXPECT_EQ(exported.status, 200) << exported.body;
  EXPECT_THAT(get(in_default("chunks")).body, HasSubstr("\"exported_at\":\"2"));
  EXPECT_THAT(get(in_default("events:count")).body, HasSubstr("\"count\":1"));
}

TEST_F(ApiTest, ARequestNamesADestinationAndNeverAPath) {
  EXPECT_EQ(post(in_default("chunks:export"), "{}").status, 400);
  EXPECT_EQ(post(in_default("chunks:export"), R"({"to":"/tmp"})").status, 404);
  EXPECT_EQ(post(in_default("chunks:export"), R"({"to":"lake","url":"file:/tmp"})").status, 400);
  EXPECT_EQ(post(in_default("chunks:move"), R"({"to":"cold"})").status, 400);
  EXPECT_EQ(post(in_default("chunks:rehydrate"), R"({"for":"long"})").status, 400);
}

TEST_F(ApiTest, ABackupSaysWhatItHoldsAndWhatOfItIsNew) {
  append(R"({"type":"a"})");
  EXPECT_EQ(post("/api/v1/backup", R"({"to":"lake"})").body,
            "{\"chunks\":1,\"rows\":1,\"copied_chunks\":1,\"copied_rows\":1}\n");
  EXPECT_EQ(post("/api/v1/backup", R"({"to":"lake"})").body,
            "{\"chunks\":1,\"rows\":1,\"copied_chunks\":0,\"copied_rows\":0}\n");
}

TEST_F(ApiTest, ABackupGoesToADestinationOfTheConfiguration) {
  EXPECT_EQ(post("/api/v1/backup", "{}").status, 400);
  EXPECT_EQ(post("/api/v1/backup", R"({"to":"/tmp"})").status, 404);
  EXPECT_EQ(post("/api/v1/backup", R"({"to":"lake","url":"file:/tmp"})").status, 400);
}

TEST_F(ApiTest, TheClockIsConfirmed) {
  const HttpResponse confirmed = post("/api/v1/clock:confirm", "");
  EXPECT_EQ(confirmed.status, 200);
  EXPECT_EQ(confirmed.body, "{\"clock_suspect\":false}\n");
}

TEST_F(ApiTest, ChunksAreDroppedByName) {
  append(R"({"type":"a"})");
  const std::string name = text_member(post(in_default("chunks:flush"), "{}").body, "chunk");
  ASSERT_FALSE(name.empty());
  const HttpResponse dropped = post(in_default("chunks:drop"), "{\"name\":\"" + name + "\"}");
  EXPECT_EQ(dropped.status, 200) << dropped.body;
  EXPECT_THAT(dropped.body, HasSubstr("\"to\":null,\"rows\":1"));
  EXPECT_THAT(get(in_default("events:count")).body, HasSubstr("\"count\":0"));
  // Positions go on where they were.
  EXPECT_THAT(append(R"({"type":"a"})").body, HasSubstr("\"first_position\":2"));
}

TEST_F(ApiTest, DroppingNeedsASelection) {
  EXPECT_EQ(post(in_default("chunks:drop"), "").status, 400);
  EXPECT_EQ(post(in_default("chunks:drop"), "{}").status, 400);
  EXPECT_EQ(post(in_default("chunks:drop"), R"({"all":false})").status, 400);
  EXPECT_EQ(post(in_default("chunks:drop"), R"({"all":true,"tier":"hot"})").status, 400);
  EXPECT_EQ(post(in_default("chunks:drop"), R"({"all":true})").status, 200);
}

TEST_F(ApiTest, ChunkCommandsNameWhatIsWrong) {
  EXPECT_EQ(post(in_default("chunks:move"), R"({"tier":"lukewarm"})").status, 404);
  EXPECT_EQ(post(in_default("chunks:move"), R"({"older_than":"old"})").status, 400);
  EXPECT_EQ(post(in_default("chunks:move"), R"({"names":[]})").status, 400);
  const HttpResponse unknown = post(in_default("chunks:move"), R"({"name":"no-chunk"})");
  EXPECT_EQ(unknown.status, 404) << unknown.body;
  EXPECT_THAT(unknown.body, HasSubstr("\"chunks\":["));
}

TEST_F(ApiTest, Tiers) {
  const HttpResponse response = get("/api/v1/tiers");
  EXPECT_THAT(response.body, StartsWith("{\"tiers\":[{\"name\":\"hot\",\"backend\":\"memory\""));
  EXPECT_THAT(response.body, HasSubstr("\"name\":\"cold\",\"backend\":\"parquet\",\"keep\":"
                                       "\"forever\""));
}

TEST_F(ApiTest, HealthAnswersToAnyMethod) {
  for (const HttpMethod method : kRouteMethods) {
    EXPECT_THAT(ask(make_request(method, "/health", {})).body, StartsWith("{\"status\":\"ok\""));
  }
}

TEST_F(ApiTest, HealthAndMetrics) {
  append(R"({"type":"a"})");
  append("{");
  EXPECT_EQ(get("/livez").body, "ok\n");
  EXPECT_EQ(get("/healthz").body, "ok\n");
  EXPECT_EQ(get("/readyz").body, "ready\n");
  const HttpResponse health = get("/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_THAT(health.body, StartsWith("{\"status\":\"ok\""));
  EXPECT_THAT(health.body, HasSubstr("\"accepts_writes\":true,\"fenced\":false"));
  EXPECT_THAT(health.body, HasSubstr("\"name\":\"warm\",\"backend\":\"sqlite\""));
  const HttpResponse metrics = get("/metrics");
  EXPECT_THAT(metrics.body, HasSubstr("\nfirn_appended_events_total 1\n"));
  EXPECT_THAT(metrics.body,
              HasSubstr("firn_appends_refused_total{reason=\"invalid_argument\"} 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("\nfirn_ready 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("firn_tier_rows{tier=\"hot\",backend=\"memory\"} 1\n"));
}

// Before the store is open.
class StartingTest : public FaceTest {
 protected:
  void SetUp() override {}
};

TEST_F(StartingTest, EverythingSaysWhyItWaits) {
  services_.gate->set_progress(1 * kMiB, 2 * kMiB);
  EXPECT_EQ(get("/livez").status, 200);
  const HttpResponse ready = get("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr("1.0 MiB of 2.0 MiB"));
  EXPECT_EQ(get("/healthz").status, 503);
  EXPECT_THAT(get("/health").body, StartsWith("{\"status\":\"starting\""));
  EXPECT_THAT(get("/metrics").body, HasSubstr("\nfirn_ready 0\n"));
  const HttpResponse refused = append(R"({"type":"a"})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers[0].first, "Retry-After");
  for (const char* path : {"/api/v1/namespaces", "/api/v1/tiers"}) {
    EXPECT_EQ(get(path).status, 503) << path;
  }
  EXPECT_EQ(get(in_default("events")).status, 503);
  EXPECT_EQ(get(in_default("events:tail")).status, 503);
}

TEST_F(StartingTest, AStoreThatCannotBeOpenedIsFailing) {
  services_.gate->fail(corruption("manifest.db is damaged"));
  const HttpResponse health = get("/health");
  EXPECT_EQ(health.status, 503);
  EXPECT_THAT(health.body, StartsWith("{\"status\":\"failing\""));
  EXPECT_THAT(health.body, HasSubstr("manifest.db is damaged"));
  EXPECT_EQ(append(R"({"type":"a"})").status, 500);
}

}  // namespace
}  // namespace firn
