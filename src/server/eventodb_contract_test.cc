// Rows of EventoDB's contract that eventodb_face_test.cc does not need for its own stories, each
// pinned by a test.

#include <gmock/gmock.h>

#include "server/api_face.h"
#include "server/test_eventodb.h"
#include "wire/gzip.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

class EventodbContract : public EventodbTest {};

TEST_F(EventodbContract, NumbersAreTruncated) {
  for (int i = 0; i < 3; ++i) write("s-1");
  EXPECT_EQ(count(R"(["stream.get","s-1",{"position":1.9}])"), 2u);
  EXPECT_EQ(count(R"(["stream.get","s-1",{"batchSize":1e0}])"), 1u);
  call(R"(["stream.write","s-1",{"type":"T","data":{}},{"expectedVersion":2.0}])");
}

TEST_F(EventodbContract, PositionsAreInclusive) {
  for (int i = 0; i < 3; ++i) write("s-1");
  write("t-1");
  EXPECT_EQ(count(R"(["stream.get","s-1",{"position":2}])"), 1u);
  EXPECT_EQ(count(R"(["stream.get","s-1",{"position":3}])"), 0u);
  EXPECT_EQ(count(R"(["stream.get","s-1",{"globalPosition":2}])"), 2u);
  EXPECT_EQ(count(R"(["category.get","s",{"position":3}])"), 1u);
  EXPECT_EQ(count(R"(["category.get","",{"globalPosition":3}])"), 2u);
  EXPECT_EQ(count(R"(["category.get","",{"position":-9}])"), 4u);
}

TEST_F(EventodbContract, BatchesHaveALimitThatIsNamed) {
  for (const char* method : {"stream.get", "category.get"}) {
    const HttpResponse response =
        rpc(std::string("[\"") + method + R"(","s",{"batchSize":10001}])");
    EXPECT_EQ(error_of(response), "400 INVALID_REQUEST");
    EXPECT_THAT(response.body, HasSubstr("batchSize"));
  }
  write("s-1");
  EXPECT_EQ(count(R"(["category.get","s",{"batchSize":-1}])"), 1u);
}

TEST_F(EventodbContract, AReadIsWholeOrRefused) {
  services_.answer_memory = std::make_shared<MemoryBudget>(6 * 4000);
  const std::string message = R"({"type":"T","data":{"text":")" + std::string(1500, 'x') + "\"}}";
  for (int i = 0; i < 5; ++i) write("s-1", message);
  const HttpResponse response = rpc(R"(["stream.get","s-1"])");
  EXPECT_EQ(error_of(response), "400 INVALID_REQUEST");
  EXPECT_THAT(response.body, HasSubstr("ask for fewer"));
  EXPECT_EQ(error(R"(["category.get","s",{"batchSize":-1}])"), "400 INVALID_REQUEST");
  EXPECT_EQ(count(R"(["stream.get","s-1",{"batchSize":2}])"), 2u);
  EXPECT_EQ(count(R"(["category.get","s",{"batchSize":2,"position":4}])"), 2u);
}

TEST_F(EventodbContract, StreamNamesAreAnyTexts) {
  for (const char* name : {"plain", "日本-1", "with space-1", "a_b%c-1", "ACC-1", "-", "a-b-c+d"}) {
    write(name);
    EXPECT_EQ(call(std::string("[\"stream.version\",\"") + name + "\"]"), "0") << name;
  }
  EXPECT_EQ(count(R"(["category.get","plain"])"), 1u);
  EXPECT_EQ(count(R"(["category.get","a"])"), 1u);
  EXPECT_EQ(count(R"(["category.get","a-b"])"), 0u);
  EXPECT_EQ(count(R"(["category.get","acc"])"), 0u);
}

TEST_F(EventodbContract, CorrelationIsEqualityOfCategories) {
  const auto correlated = [this](const std::string& stream, const std::string& with) {
    write(stream, R"({"type":"T","data":{},"metadata":{"correlationStreamName":")" + with + "\"}}");
  };
  correlated("s-1", "account_1-c");
  correlated("s-2", "ACCOUNT_1-c");
  correlated("s-3", "accountX1-b");
  correlated("s-4", "account_1");
  write("s-5");
  EXPECT_EQ(count(R"(["category.get","s",{"correlation":"account_1"}])"), 2u);
  EXPECT_EQ(count(R"(["category.get","s",{"correlation":"account_1-c"}])"), 0u);
}

TEST_F(EventodbContract, TimesHaveAFractionOnlyWhenThereIsOne) {
  import_lines(
      R"({"stream":"s-1","type":"T","pos":0,"gpos":1,"data":{},"meta":null,"time":"2026-01-02T03:04:05Z"})"
      "\n"
      R"({"stream":"s-1","type":"T","pos":1,"gpos":2,"data":{},"meta":null,"time":"2026-01-02T03:04:05.120Z"})");
  EXPECT_THAT(call(R"(["stream.get","s-1"])"), HasSubstr("\"2026-01-02T03:04:05Z\"],["));
  EXPECT_THAT(call(R"(["stream.last","s-1"])"), HasSubstr("\"2026-01-02T03:04:05.12Z\"]"));
}

TEST_F(EventodbContract, IdsAreUniqueInTheirNamespace) {
  const std::string options = R"({"id":"01900000-0000-7000-8000-000000000001"})";
  call(R"(["stream.write","a-1",{"type":"T","data":{}},)" + options + "]");
  EXPECT_EQ(error(R"(["stream.write","b-1",{"type":"T","data":{}},)" + options + "]"),
            "409 MESSAGE_ID_EXISTS");
  call(R"(["ns.create","other"])");
  call(R"(["stream.write","b-1",{"type":"T","data":{}},)" + options + "]",
       make_token(posix_env(), "other"));
}

TEST_F(EventodbContract, AnEmptyNamespaceIsDescribed) {
  EXPECT_THAT(call(R"(["ns.create","shop",{"metadata":{"a":1}}])"),
              MatchesRegex(R"(\{"namespace":"shop","token":"ns_c2hvcA_[0-9a-f]{64}",)"
                           R"("createdAt":"20[0-9T:.-]+Z"\})"));
  EXPECT_THAT(call(R"(["ns.info","shop"])"),
              MatchesRegex(R"(\{"namespace":"shop","description":"","createdAt":"20[0-9T:.-]+Z",)"
                           R"("messageCount":0,"streamCount":0,"lastActivity":null\})"));
  EXPECT_EQ(error(R"(["ns.create","more",{"metadata":[]}])"), "400 INVALID_REQUEST");
  EXPECT_THAT(call(R"(["ns.list",{"unknown":1}])"), StartsWith(R"([{"namespace":"shop")"));
}

TEST_F(EventodbContract, StreamsAreListedByBytesBehindACursor) {
  for (const char* name : {"b-1", "B-1", "a-10", "a-2", "é-1"}) write(name);
  const auto listed = [this](const std::string& options) {
    const std::string body = call("[\"ns.streams\"" + options + "]");
    std::string names;
    for (size_t at = body.find("\"stream\":\""); at != std::string::npos;
         at = body.find("\"stream\":\"", at + 1)) {
      names += body.substr(at + 10, body.find('"', at + 10) - at - 10) + " ";
    }
    return names;
  };
  EXPECT_EQ(listed(""), "B-1 a-10 a-2 b-1 é-1 ");
  EXPECT_EQ(listed(R"(,{"prefix":"a","limit":1})"), "a-10 ");
  EXPECT_EQ(listed(R"(,{"prefix":"a","cursor":"a-10"})"), "a-2 ");
  EXPECT_EQ(listed(R"(,{"cursor":"b-1"})"), "é-1 ");
}

TEST_F(EventodbContract, InTestModeEveryTokenIsBelieved) {
  EXPECT_EQ(call(R"(["sys.version"])", "ns_malformed"), "\"0.7.0\"");
  call(R"(["stream.write","s-1",{"type":"T","data":{}}])", "ns_malformed");
  EXPECT_EQ(call(R"(["stream.version","s-1"])", make_token(posix_env(), "default")), "0");
  EXPECT_EQ(error_of(rpc(R"(["stream.get","s-1"])", make_token(posix_env(), "nobody"))),
            "500 BACKEND_ERROR");
  EXPECT_THAT(call(R"(["sys.health"])"), StartsWith(R"({"status":"ok")"));
}

TEST_F(EventodbContract, ASubscriptionToACategoryBeginsAtAGlobalPosition) {
  write("acc-1");
  write("other-1");
  write("acc-2");
  write("acc-3");
  HttpResponse response = get("/subscribe?category=acc&position=3");
  EXPECT_EQ(pokes(read_until(response.stream.get(), "acc-3")), "acc-2/0 acc-3/0 ");
  using Header = std::pair<std::string, std::string>;
  EXPECT_THAT(response.headers, ::testing::Contains(Header("Cache-Control", "no-cache")));
  EXPECT_THAT(response.headers, ::testing::Contains(Header("Access-Control-Allow-Origin", "*")));
}

TEST_F(EventodbContract, ASubscriptionToAllBeginsAtItsPosition) {
  write("acc-1");
  HttpResponse response = get("/subscribe?all=true&position=4");
  EXPECT_EQ(*next(response.stream.get()), ": ready\n\n");
  for (int i = 2; i <= 5; ++i) write("acc-" + std::to_string(i));
  EXPECT_EQ(pokes(read_until(response.stream.get(), "acc-5")), "acc-4/0 acc-5/0 ");
}

TEST_F(EventodbContract, AStreamThatDoesNotExistCanBeSubscribedTo) {
  HttpResponse response = get("/subscribe?stream=later-1");
  EXPECT_EQ(*next(response.stream.get()), ": ready\n\n");
  write("later-1");
  EXPECT_EQ(pokes(read_until(response.stream.get(), "later-1")), "later-1/0 ");
}

TEST_F(EventodbContract, AnImportRefusesWhatIsThere) {
  const auto with_id = [](const std::string& stream, int position) {
    std::string line = record_line(stream, position);
    return line.insert(1, R"("id":"01900000-0000-7000-8000-000000000001",)");
  };
  EXPECT_THAT(import_lines(with_id("s-1", 0)), HasSubstr("\"done\":true"));
  EXPECT_THAT(import_lines(with_id("s-1", 0)), HasSubstr("POSITION_EXISTS"));
  EXPECT_THAT(import_lines(with_id("t-1", 0)), HasSubstr("POSITION_EXISTS"));
  EXPECT_EQ(call(R"(["stream.version","t-1"])"), "null");
}

TEST_F(EventodbContract, AnImportOfFullStepsTellsEachAndTheEnd) {
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += record_line("s-1", i);
  EXPECT_THAT(import_lines(lines), MatchesRegex("data: .*1000.*\n\ndata: .*2000.*\n\n"
                                                "data: \\{\"done\":true,\"imported\":2000,.*\n\n"));
}

TEST_F(EventodbContract, AnImportNamesATimeThatIsNone) {
  const std::string text = import_lines(
      R"({"stream":"s-1","type":"T","pos":0,"gpos":1,"data":{},"meta":null,"time":"yesterday"})");
  EXPECT_THAT(text, HasSubstr(R"({"error":"INVALID_RECORD")"));
  EXPECT_THAT(text, HasSubstr(R"("line":1})"));
  EXPECT_THAT(text, Not(HasSubstr("done")));
}

TEST_F(EventodbContract, AForcedImportEmptiesNothingForALineThatIsWrong) {
  write("s-1");
  std::string untyped = record_line("t-1", 0);
  untyped.replace(untyped.find("\"T\""), 3, "\"\"");
  for (const std::string& body :
       {std::string(), std::string("{"), record_line("s-1", 0) + "{}", untyped,
        record_line("t-1", 0) + record_line("u-1", 5),
        record_line("t-1", 0) + record_line(std::string(600, 's'), 0),
        record_line("t-1", 0, "{\"a\":\"" + std::string(2 << 20, 'x') + "\"}")}) {
    HttpResponse response = post("/import?force=true", body);
    read_all(response.stream.get());
    EXPECT_EQ(call(R"(["stream.version","s-1"])"), "0");
  }
  EXPECT_EQ(error_of(post("/import?force=true&resume=true", "")), "400 INVALID_REQUEST");
}

// A record with an id, as exports write them.
std::string known_line(const std::string& stream, int position, int number,
                       const std::string& data = "{}") {
  const std::string digits = std::to_string(1000 + number);
  return record_line(stream, position, data)
      .insert(1, "\"id\":\"01900000-0000-7000-8000-00000000" + digits + "\",");
}

TEST_F(EventodbContract, AStepOfAnImportIsStoredWholeOrNotAtAll) {
  const auto load = [this](const std::string& lines) {
    HttpResponse response = post("/import", lines);
    return read_all(response.stream.get());
  };
  load(known_line("s-1", 0, 1));
  // An id twice in the step, and one that is stored, at the place where its stream goes on.
  EXPECT_THAT(load(known_line("t-1", 0, 2) + known_line("t-2", 0, 3) + known_line("t-2", 1, 3)),
              AllOf(HasSubstr("POSITION_EXISTS"), HasSubstr("\"line\":3")));
  EXPECT_THAT(load(known_line("t-1", 0, 2) + known_line("s-1", 1, 1)),
              AllOf(HasSubstr("POSITION_EXISTS"), HasSubstr("\"line\":2")));
  EXPECT_THAT(load(known_line("t-1", 0, 2) + "\n" + known_line("u-1", 3, 4)),
              AllOf(HasSubstr("POSITION_GAP"), HasSubstr("\"line\":3")));
  EXPECT_EQ(count(R"(["category.get",""])"), 1u);
}

TEST_F(EventodbContract, SubscribersGoOnBehindAForcedImport) {
  write("keep-1");
  HttpResponse response = get("/subscribe?category=keep&position=2");
  ASSERT_NE(response.stream, nullptr);
  EXPECT_EQ(next(response.stream.get()), ": ready\n\n");
  HttpResponse import = post("/import?force=true", record_line("keep-7", 0));
  EXPECT_THAT(read_all(import.stream.get()), HasSubstr("\"done\":true"));
  EXPECT_EQ(pokes(read_until(response.stream.get(), "keep-7")), "keep-7/0 ");
  write("keep-8");
  EXPECT_EQ(pokes(read_until(response.stream.get(), "keep-8")), "keep-8/0 ");
}

TEST_F(EventodbContract, AMessageMayBringMembersThatDoNotCount) {
  write("s-1", R"({"type":"T","data":{},"id":"msg-1","stream":null})");
  EXPECT_EQ(call(R"(["stream.get","s-1",{"position":null,"globalPosition":null,"batchSize":null}])")
                .substr(0, 2),
            "[[");
}

TEST_F(EventodbContract, AResumedImportPassesOverWhatIsThere) {
  const auto resume = [this](const std::string& lines) {
    HttpResponse response = post("/import?resume=true", lines);
    return read_all(response.stream.get());
  };
  const std::string first = known_line("s-1", 0, 1) + known_line("t-1", 0, 2);
  EXPECT_THAT(resume(first), HasSubstr(R"("imported":2,"skipped":0)"));
  EXPECT_THAT(resume(first), HasSubstr(R"("imported":0,"skipped":2)"));
  const std::string more = first + known_line("s-1", 1, 3) + known_line("u-1", 0, 4);
  EXPECT_THAT(resume(more), HasSubstr(R"("imported":2,"skipped":2)"));
  EXPECT_EQ(count(R"(["category.get",""])"), 4u);
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "1");
}

TEST_F(EventodbContract, AResumedImportRefusesWhatIsOther) {
  const auto resume = [this](const std::string& lines) {
    HttpResponse response = post("/import?resume=true", lines);
    return read_all(response.stream.get());
  };
  resume(known_line("s-1", 0, 1) + known_line("s-1", 1, 2));
  EXPECT_THAT(resume(known_line("s-1", 0, 3)), HasSubstr("POSITION_EXISTS"));
  EXPECT_THAT(resume(known_line("s-1", 0, 1, R"({"a":1})")), HasSubstr("POSITION_EXISTS"));
  EXPECT_THAT(resume(known_line("s-1", 1, 1)), HasSubstr("POSITION_EXISTS"));
  EXPECT_THAT(resume(record_line("s-1", 1)), HasSubstr("POSITION_EXISTS"));
  EXPECT_THAT(resume(known_line("s-1", 3, 4)), HasSubstr("POSITION_GAP"));
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "1");
}

TEST_F(EventodbContract, TheApiImportsAndExportsWithoutAToken) {
  router_ = std::make_unique<Router>(std::vector<Face>{api_face(&services_)}, &metrics_);
  const std::string lines = known_line("s-1", 0, 1) + known_line("t-1", 0, 2);
  HttpResponse imported =
      post("/api/v1/namespaces/default/messages:import", gzip(lines), {.content_encoding = "gzip"});
  EXPECT_THAT(read_all(imported.stream.get()), HasSubstr("\"imported\":2"));
  HttpResponse exported = get("/api/v1/namespaces/default/messages:export?categories=t");
  EXPECT_THAT(read_all(exported.stream.get()), HasSubstr("\"stream\":\"t-1\""));
  EXPECT_EQ(get("/api/v1/namespaces/none/messages:export").status, 404);
}

TEST_F(EventodbContract, ExportsTakeTheirShareOfMemory) {
  write("s-1");
  services_.answer_memory = std::make_shared<MemoryBudget>(kMiB);
  services_.limits.query_patience_ns = 0;
  HttpResponse first = get("/export");
  EXPECT_EQ(error_of(get("/export")), "503 BACKEND_ERROR");
  first.stream.reset();
  EXPECT_EQ(get("/export").status, 200);
}

TEST_F(EventodbContract, UnknownRoutesAreAnsweredInTheSameForm) {
  router_ = std::make_unique<Router>(std::vector<Face>{eventodb_face(&services_)}, &metrics_,
                                     eventodb_route_error);
  const HttpResponse response = get("/nothing");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, R"({"error":{"code":"NOT_FOUND","message":"Endpoint not found"}})"
                           "\n");
}

}  // namespace
}  // namespace firn
