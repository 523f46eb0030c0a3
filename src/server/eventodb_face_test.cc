#include "server/eventodb_face.h"

#include <gmock/gmock.h>

#include "server/test_eventodb.h"
#include "wire/gzip.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

TEST_F(EventodbTest, WritesAndReadsAStream) {
  EXPECT_EQ(call(R"(["stream.write","cart-7",{"type":"Added","data":{"sku":"A1"}}])"),
            R"({"position":0,"globalPosition":1})");
  EXPECT_EQ(call(R"(["stream.write","cart-7",{"type":"Paid","data":{},"metadata":{"a":1}},{}])"),
            R"({"position":1,"globalPosition":2})");
  EXPECT_THAT(call(R"(["stream.get","cart-7"])"),
              MatchesRegex("\\[\\[\"[0-9a-f-]{36}\",\"Added\",0,1,\\{\"sku\":\"A1\"\\},null,"
                           "\"20[0-9-]{8}T[0-9:]{8}(\\.[0-9]+)?Z\"\\],\\[.*,\"Paid\",1,2,\\{\\},"
                           "\\{\"a\":1\\},.*\\]\\]"));
  EXPECT_THAT(call(R"(["category.get","cart",{"position":2}])"),
              MatchesRegex("\\[\\[\"[0-9a-f-]{36}\",\"cart-7\",\"Paid\",1,2,.*\\]\\]"));
  EXPECT_EQ(call(R"(["stream.version","cart-7"])"), "1");
  EXPECT_THAT(call(R"(["stream.last","cart-7"])"), HasSubstr("\"Paid\",1,2"));
  EXPECT_THAT(call(R"(["stream.last","cart-7",{"type":"Added"}])"), HasSubstr("\"Added\",0,1"));
}

TEST_F(EventodbTest, AWriteSaysWhichAcknowledgementItGot) {
  const HttpRequestPtr request =
      make_request(HttpMethod::kPost, "/rpc", R"(["stream.write","a-1",{"type":"T","data":{}}])",
                   {.firn_ack = "os"});
  const HttpResponse response = ask(request);
  EXPECT_EQ(response.status, 200) << response.body;
  const std::vector<std::pair<std::string, std::string>> expected{{"firn-ack", "os"},
                                                                  {"firn-position", "1"}};
  EXPECT_EQ(response.headers, expected);
}

TEST_F(EventodbTest, WhatDoesNotExistIsEmptyOrNull) {
  EXPECT_EQ(call(R"(["stream.get","nope"])"), "[]");
  EXPECT_EQ(call(R"(["stream.last","nope"])"), "null");
  EXPECT_EQ(call(R"(["stream.version","nope"])"), "null");
  EXPECT_EQ(call(R"(["category.get","a-b"])"), "[]");
  EXPECT_EQ(call(R"(["ns.streams"])"), "[]");
  EXPECT_EQ(call(R"(["ns.categories"])"), "[]");
}

TEST_F(EventodbTest, DocumentsKeepTheirBytes) {
  const std::string data = R"({ "z":1,"a":12345678901234567890, "s":"\u0000\u00e9日本","n":1.0e0})";
  write("s-1", R"({"type":"T","data":)" + data + R"(,"metadata":{"b" : 1}})");
  EXPECT_THAT(call(R"(["stream.get","s-1"])"), HasSubstr("," + data + R"(,{"b" : 1},)"));
}

TEST_F(EventodbTest, AWrongVersionIsAConflictWithDetails) {
  const std::string first =
      R"(["stream.write","s-1",{"type":"T","data":{}},{"expectedVersion":-1}])";
  call(first);
  const HttpResponse response = rpc(first);
  EXPECT_EQ(error_of(response), "409 STREAM_VERSION_CONFLICT");
  EXPECT_THAT(response.body, HasSubstr(R"("details":{"stream":"s-1","expected":-1,"actual":0})"));
  call(R"(["stream.write","s-1",{"type":"T","data":{}},{"expectedVersion":0}])");
}

TEST_F(EventodbTest, ARepeatedIdIsStoredOnce) {
  const std::string id = "01900000-0000-7000-8000-000000000001";
  const auto message = [&](const char* data) {
    return std::string(R"(["stream.write","s-1",{"type":"T","data":)") + data + R"(},{"id":")" +
           id + R"(","expectedVersion":-1}])";
  };
  EXPECT_EQ(call(message("{}")), R"({"position":0,"globalPosition":1})");
  EXPECT_EQ(call(message("{}")), R"({"position":0,"globalPosition":1})");
  EXPECT_EQ(error(message(R"({"other":1})")), "409 MESSAGE_ID_EXISTS");
  EXPECT_THAT(call(R"(["stream.get","s-1"])"), StartsWith("[[\"" + id));
  EXPECT_EQ(error(R"(["stream.write","s-1",{"type":"T","data":{}},{"id":"abc"}])"),
            "500 BACKEND_ERROR");
}

TEST_F(EventodbTest, SeveralStreamsAreWrittenTogether) {
  EXPECT_EQ(call(R"(["stream.append",[{"stream":"a-1","type":"T","data":{}},)"
                 R"({"stream":"b-1","type":"T","data":{}},{"stream":"a-1","type":"T","data":{}}],)"
                 R"({"expectedVersions":{"a-1":-1,"b-1":-1}}])"),
            R"([{"position":0,"globalPosition":1},{"position":0,"globalPosition":2},)"
            R"({"position":1,"globalPosition":3}])");
  EXPECT_EQ(error(R"(["stream.append",[{"stream":"a-1","type":"T","data":{}}],)"
                  R"({"expectedVersions":{"a-1":1,"b-1":5}}])"),
            "409 STREAM_VERSION_CONFLICT");
  EXPECT_EQ(call(R"(["stream.version","a-1"])"), "1");
}

TEST_F(EventodbTest, RequestsOfAnotherFormAreRefused) {
  for (const char* body : {"",
                           "{}",
                           "[",
                           "[]",
                           "[1]",
                           "\"stream.get\"",
                           R"(["stream.get"])",
                           R"(["stream.get",1])",
                           R"(["stream.get",""])",
                           R"(["stream.get","s",[]])",
                           R"(["stream.get","s",{"position":"1"}])",
                           R"(["stream.get","s",{"batchSize":-2}])",
                           R"(["stream.write"])",
                           R"(["stream.write","s"])",
                           R"(["stream.write","",{"type":"T","data":{}}])",
                           R"(["stream.write","s",[]])",
                           R"(["stream.write","s",{"type":"","data":{}}])",
                           R"(["stream.write","s",{"data":{}}])",
                           R"(["stream.write","s",{"type":1,"data":{}}])",
                           R"(["stream.write","s",{"type":"T"}])",
                           R"(["stream.write","s",{"type":"T","data":[]}])",
                           R"(["stream.write","s",{"type":"T","data":null}])",
                           R"(["stream.write","s",{"type":"T","data":{},"metadata":1}])",
                           R"(["stream.write","s",{"type":"T","data":{}},{"expectedVersion":"1"}])",
                           R"(["stream.write","s",{"type":"T","data":{}},{"id":7}])",
                           R"(["category.get","c",{"consumerGroup":{"member":0}}])",
                           R"(["category.get","c",{"consumerGroup":{"member":2,"size":2}}])",
                           R"(["category.get","c",{"consumerGroup":{"member":-1,"size":2}}])",
                           R"(["category.get","c",{"consumerGroup":{"member":0,"size":0}}])",
                           R"(["ns.streams",{"limit":0}])",
                           R"(["ns.streams",{"limit":1001}])",
                           R"(["ns.create"])",
                           R"(["ns.create","A B"])"}) {
    EXPECT_EQ(error(body), "400 INVALID_REQUEST") << body;
  }
  EXPECT_THAT(rpc(R"(["stream.get","s",{"batchSize":10001}])").body, HasSubstr("batchSize"));
  EXPECT_EQ(error(R"(["no.method"])"), "404 METHOD_NOT_FOUND");
  EXPECT_EQ(error_of(get("/rpc")), "405 INVALID_REQUEST");
}

TEST_F(EventodbTest, IsLenientWhereSdksAreLoose) {
  call(R"(["stream.write","s-1",{"type":"T","data":{},"metadata":null},null])");
  EXPECT_NE(call(R"(["stream.get","s-1",{"batchSize":-1,"position":-5,"unknown":1}])"), "[]");
  EXPECT_EQ(call(R"(["stream.get","s-1",{"batchSize":0}])"), "[]");
}

TEST_F(EventodbTest, CategoriesFilterBeforeTheLimit) {
  for (int i = 1; i <= 4; ++i) write("acc-" + std::to_string(i));
  write("acc-9", R"({"type":"T","data":{},"metadata":{"correlationStreamName":"order-1"}})");
  const auto streams = [this](const std::string& options) {
    std::string found;
    const std::string body = call("[\"category.get\",\"acc\"," + options + "]");
    for (size_t at = body.find("\"acc-"); at != std::string::npos;
         at = body.find("\"acc-", at + 1)) {
      found.push_back(body[at + 5]);
    }
    return found;
  };
  EXPECT_EQ(streams(R"({"batchSize":4,"consumerGroup":{"member":0,"size":2}})").substr(0, 2), "13");
  EXPECT_EQ(streams(R"({"batchSize":2,"consumerGroup":{"member":1,"size":2}})"), "24");
  EXPECT_EQ(streams(R"({"batchSize":1,"correlation":"order"})"), "9");
  EXPECT_EQ(streams(R"({"correlation":"orde"})"), "");
}

TEST_F(EventodbTest, NamespacesHaveTheirOwnStreams) {
  const std::string created = call(R"(["ns.create","shop",{"description":"ours"}])");
  const size_t at = created.find("ns_");
  const std::string token = created.substr(at, created.find('"', at) - at);
  EXPECT_EQ(*namespace_of_token(token), "shop");
  EXPECT_EQ(error(R"(["ns.create","shop"])"), "409 NAMESPACE_EXISTS");
  call(R"(["stream.write","s-1",{"type":"T","data":{}}])", token);
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "null");
  EXPECT_EQ(call(R"(["stream.version","s-1"])", token), "0");
  EXPECT_THAT(call(R"(["ns.info","shop"])"),
              HasSubstr(R"("messageCount":1,"streamCount":1,"lastActivity":"20)"));
  EXPECT_THAT(call(R"(["ns.list"])"), StartsWith(R"([{"namespace":"shop","description":"ours",)"));
  EXPECT_THAT(call(R"(["ns.streams",{"prefix":"s"}])", token),
              MatchesRegex(R"(\[\{"stream":"s-1","version":0,"lastActivity":"[0-9T:-]+Z"\}\])"));
  EXPECT_EQ(call(R"(["ns.categories"])", token),
            R"([{"category":"s","streamCount":1,"messageCount":1}])");
  EXPECT_THAT(call(R"(["ns.delete","shop"])"), HasSubstr("\"messagesDeleted\":1"));
  EXPECT_EQ(error(R"(["ns.delete","shop"])"), "404 NAMESPACE_NOT_FOUND");
  EXPECT_EQ(error(R"(["ns.info","shop"])"), "404 NAMESPACE_NOT_FOUND");
  EXPECT_EQ(error_of(rpc(R"(["stream.get","s-1"])", token)), "500 BACKEND_ERROR");
  call(R"(["ns.create","shop"])");
  EXPECT_EQ(call(R"(["stream.version","s-1"])", token), "null");
}

TEST_F(EventodbTest, AChosenTokenMustNameTheNamespace) {
  const std::string token = make_token(posix_env(), "other");
  EXPECT_EQ(error(R"(["ns.create","shop",{"token":")" + token + "\"}]"), "400 INVALID_REQUEST");
  EXPECT_THAT(call(R"(["ns.create","other",{"token":")" + token + "\"}]"), HasSubstr(token));
}

TEST_F(EventodbTest, TokensAreEnforcedOutsideTestMode) {
  const std::string token = make_token(posix_env(), "default");
  serve_tokens(token);
  EXPECT_EQ(error(R"(["sys.version"])"), "401 AUTH_REQUIRED");
  EXPECT_EQ(error_of(rpc(R"(["sys.version"])", "ns_x")), "401 AUTH_INVALID_TOKEN");
  EXPECT_EQ(error_of(rpc(R"(["sys.version"])", make_token(posix_env(), "default"))),
            "403 AUTH_UNAUTHORIZED");
  EXPECT_EQ(error_of(rpc(R"(["sys.version"])", make_token(posix_env(), "nobody"))),
            "403 AUTH_UNAUTHORIZED");
  EXPECT_EQ(call(R"(["sys.version"])", token), "\"0.7.0\"");
  // The parameter wins over the header.
  EXPECT_EQ(error_of(ask(make_request(HttpMethod::kPost, "/rpc?token=" + token, "[]"))),
            "400 INVALID_REQUEST");
  EXPECT_EQ(error_of(get("/subscribe?category=a")), "401 AUTH_REQUIRED");
  EXPECT_EQ(error_of(post("/import", "")), "401 AUTH_REQUIRED");
  EXPECT_EQ(error_of(get("/export")), "401 AUTH_REQUIRED");
}

TEST_F(EventodbTest, AMadeTokenIsShownOnceAndOnlyToWhomItIsFor) {
  services_.eventodb_test_mode = false;
  Store* const store = services_.gate->get()->store.get();
  ASSERT_TRUE(prepare_eventodb(posix_env(), store, {}).ok());
  EXPECT_TRUE(store->find_namespace("default")->profile->token_sha256.empty());
  std::vector<std::string> shown;
  EventodbConfig config;
  config.show_token = [&](const std::string& token) { shown.push_back(token); };
  ASSERT_TRUE(prepare_eventodb(posix_env(), store, config).ok());
  ASSERT_EQ(shown.size(), 1u);
  EXPECT_EQ(call(R"(["sys.version"])", shown[0]), "\"0.7.0\"");
  ASSERT_TRUE(prepare_eventodb(posix_env(), store, config).ok());
  ASSERT_TRUE(prepare_eventodb(posix_env(), store, {}).ok());
  EXPECT_EQ(shown.size(), 1u);
  EXPECT_EQ(call(R"(["sys.version"])", shown[0]), "\"0.7.0\"");
}

TEST_F(EventodbTest, ASubscriptionIsReadyThenTellsBacklogThenLive) {
  write("acc-1");
  write("other-1");
  write("acc-2");
  HttpResponse response = get("/subscribe?category=acc");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.content_type, "text/event-stream");
  EXPECT_EQ(*next(response.stream.get()), ": ready\n\n");
  write("acc-3");
  const std::string text = read_until(response.stream.get(), "acc-3");
  EXPECT_EQ(pokes(text), "acc-1/0 acc-2/0 acc-3/0 ");
  EXPECT_THAT(text, HasSubstr("event: poke\ndata: {\"stream\":\"acc-3\",\"position\":0,"
                              "\"globalPosition\":4}\n\n"));
}

TEST_F(EventodbTest, AStreamIsSubscribedToByItsPositions) {
  for (int i = 0; i < 3; ++i) write("acc-1");
  HttpResponse response = get("/subscribe?stream=acc-1&position=1");
  EXPECT_EQ(pokes(read_until(response.stream.get(), "\"position\":2")), "acc-1/1 acc-1/2 ");
}

TEST_F(EventodbTest, AllTellsOnlyWhatComes) {
  write("acc-1");
  HttpResponse response = get("/subscribe?all=true&position=0");
  EXPECT_EQ(*next(response.stream.get()), ": ready\n\n");
  write("acc-2");
  EXPECT_EQ(pokes(read_until(response.stream.get(), "acc-2")), "acc-2/0 ");
}

TEST_F(EventodbTest, GroupsSplitSubscriptionsAsTheySplitReads) {
  for (int i = 1; i <= 4; ++i) write("acc-" + std::to_string(i));
  HttpResponse first = get("/subscribe?category=acc&consumer=0&size=2");
  EXPECT_EQ(pokes(read_until(first.stream.get(), "acc-3")), "acc-1/0 acc-3/0 ");
  HttpResponse second = get("/subscribe?category=acc&consumerGroupMember=1&consumerGroupSize=2");
  EXPECT_EQ(pokes(read_until(second.stream.get(), "acc-4")), "acc-2/0 acc-4/0 ");
}

TEST_F(EventodbTest, AMemberHearsOfItsStreamBehindManyOthers) {
  std::string messages;
  for (int i = 0; i < 1500; ++i) {
    messages += std::string(i == 0 ? "" : ",") + R"({"stream":"acc-1","type":"T","data":{}})";
  }
  call("[\"stream.append\",[" + messages + "]]");
  write("acc-2");
  HttpResponse response = get("/subscribe?category=acc&consumer=1&size=2");
  EXPECT_EQ(pokes(read_until(response.stream.get(), "acc-2")), "acc-2/0 ");
}

TEST_F(EventodbTest, ASubscriptionGoesOnBehindTheLastPoke) {
  for (int i = 0; i < 3; ++i) write("acc-1");
  HttpResponse response = get("/subscribe?category=acc", {.last_event_id = "2"});
  EXPECT_EQ(pokes(read_until(response.stream.get(), "\"position\":2")), "acc-1/2 ");
}

TEST_F(EventodbTest, SubscriptionsOfAnotherFormAreRefused) {
  for (const char* query :
       {"", "?stream=a&category=b", "?category=a&all=true", "?category=a&position=x",
        "?category=a&consumer=2&size=2", "?category=a&consumer=0", "?category=a&size=2"}) {
    const HttpResponse response = get(std::string("/subscribe") + query);
    EXPECT_EQ(response.status, 400) << query;
    EXPECT_THAT(std::string(response.content_type), StartsWith("text/plain"));
  }
}

TEST_F(EventodbTest, AnImportTellsItsProgress) {
  std::string body = "\n";
  for (int i = 0; i < 2500; ++i) body += record_line("acc-1", i);
  HttpResponse response = post("/import", body);
  ASSERT_EQ(response.status, 200);
  const std::string text = read_all(response.stream.get());
  EXPECT_THAT(
      text, MatchesRegex(
                "data: \\{\"imported\":1000,\"gpos\":1000\\}\n\n"
                "data: \\{\"imported\":2000,\"gpos\":2000\\}\n\n"
                "data: \\{\"done\":true,\"imported\":2500,\"elapsed\":\"[0-9]+\\.[0-9]s\"\\}\n\n"));
  EXPECT_THAT(call(R"(["stream.last","acc-1"])"),
              HasSubstr("2499,2500,{},null,\"2026-01-02T03:04:05.678Z\""));
  write("acc-1");
  EXPECT_EQ(call(R"(["stream.version","acc-1"])"), "2500");
}

TEST_F(EventodbTest, AnImportNamesTheLineThatIsWrong) {
  const auto import_lines = [this](const std::string& body) {
    HttpResponse response = post("/import", body);
    EXPECT_EQ(response.status, 200);
    return read_all(response.stream.get());
  };
  EXPECT_THAT(import_lines(""), HasSubstr("{\"done\":true,\"imported\":0,"));
  EXPECT_THAT(import_lines(record_line("s", 0) + "{\n"),
              MatchesRegex(".*INVALID_JSON.*\"line\":2.*\n\n"));
  EXPECT_THAT(import_lines("{\"stream\":\"s\"}"), HasSubstr("INVALID_RECORD"));
  import_lines(record_line("s", 0));
  EXPECT_THAT(import_lines(record_line("s", 0, R"({"a":1})")), HasSubstr("POSITION_EXISTS"));
  EXPECT_THAT(import_lines(record_line("s", 2)), HasSubstr("POSITION_GAP"));
  EXPECT_EQ(call(R"(["stream.version","s"])"), "0");
}

TEST_F(EventodbTest, AnImportMayBePacked) {
  HttpResponse response = post("/import", gzip(record_line("acc-1", 0) + record_line("acc-1", 1)),
                               {.content_encoding = "gzip"});
  EXPECT_THAT(read_all(response.stream.get()), HasSubstr("\"imported\":2"));
  EXPECT_EQ(call(R"(["stream.version","acc-1"])"), "1");
  EXPECT_EQ(error_of(post("/import", "", {.content_encoding = "br"})), "415 INVALID_REQUEST");
}

TEST_F(EventodbTest, AnImportEndsAtALineThatIsTooLong) {
  HttpResponse response = post("/import", record_line("s", 0) + std::string(9 * kMiB, 'x'));
  const std::string text = read_all(response.stream.get());
  EXPECT_THAT(text, HasSubstr("READ_ERROR"));
  EXPECT_THAT(text, HasSubstr("\"line\":2"));
}

TEST_F(EventodbTest, AForcedImportBeginsAnew) {
  for (int i = 0; i < 3; ++i) write("acc-1");
  HttpResponse response = post("/import?force=true", record_line("acc-1", 0));
  EXPECT_THAT(read_all(response.stream.get()), HasSubstr("\"imported\":1"));
  EXPECT_EQ(call(R"(["stream.version","acc-1"])"), "0");
  EXPECT_THAT(call(R"(["stream.last","acc-1"])"), HasSubstr("\"T\",0,1,"));
}

TEST_F(EventodbTest, AnExportGoesBackIn) {
  for (int i = 0; i < 3; ++i)
    write("acc-" + std::to_string(i), R"({"type":"T","data":{"n":12345678901234567890}})");
  write("other-1", "{\"type\":\"T\",\"data\":{\n\"a\":1}}");
  HttpResponse all = get("/export");
  const std::string lines = read_all(all.stream.get());
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 4);
  EXPECT_THAT(lines,
              HasSubstr(R"("pos":0,"gpos":3,"data":{"n":12345678901234567890},"meta":null)"));
  HttpResponse some = get("/export?categories=other,none");
  EXPECT_THAT(read_all(some.stream.get()), HasSubstr("\"stream\":\"other-1\""));
  HttpResponse imported = post("/import?force=true", lines);
  EXPECT_THAT(read_all(imported.stream.get()), HasSubstr("\"imported\":4"));
  HttpResponse again = get("/export");
  EXPECT_EQ(read_all(again.stream.get()), lines);
}

TEST_F(EventodbTest, ReadsSayWhatWasDropped) {
  for (int i = 0; i < 3; ++i) write("acc-1");
  const auto open = services_.gate->get();
  ChunkCommand drop;
  drop.action = ChunkAction::kDrop;
  drop.namespace_id = open->store->find_namespace("default")->id;
  ASSERT_TRUE(open->store->command_and_wait(drop).status.ok());
  write("acc-1");
  const HttpResponse response = rpc(R"(["stream.get","acc-1"])");
  EXPECT_THAT(response.body, HasSubstr("\"T\",3,4,"));
  ASSERT_EQ(response.headers.size(), 1u);
  EXPECT_EQ(response.headers[0], (std::pair<std::string, std::string>("Firn-Dropped", "3")));
}

TEST_F(EventodbTest, TellsTheVersionOfTheContract) {
  EXPECT_EQ(get("/version").body, "{\"version\":\"0.7.0\"}\n");
  EXPECT_THAT(call(R"(["sys.health"])"), HasSubstr("\"status\":\"ok\""));
}

}  // namespace
}  // namespace firn
