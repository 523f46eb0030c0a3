// The tables of EventoDB's contract about arguments, options and answers of methods: defaults,
// bounds, errors with their details, and the hash of consumer groups.

#include <gmock/gmock.h>

#include "server/test_eventodb.h"

namespace firn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class EventodbMethods : public EventodbTest {
 protected:
  void write_many(int number, const std::string& stream) {
    std::string lines;
    for (int i = 0; i < number; ++i) lines += record_line(stream, i);
    EXPECT_THAT(import_lines(lines), HasSubstr("\"done\":true"));
  }
  // Of [id, type, position, ...] the position of the first message.
  std::string first_position(const std::string& call_text) {
    const std::string body = call(call_text);
    const size_t at = body.find("\"T\",");
    return at == std::string::npos ? body : body.substr(at + 4, body.find(',', at + 4) - at - 4);
  }
};

TEST_F(EventodbMethods, AReadHasAThousandMessagesUnlessItSaysOtherwise) {
  write_many(1001, "s-1");
  for (const std::string& method :
       {std::string(R"(["stream.get","s-1")"), std::string(R"(["category.get","s")"),
        std::string(R"(["category.get","")")}) {
    EXPECT_EQ(count(method + "]"), 1000u) << method;
    EXPECT_EQ(count(method + ",{}]"), 1000u) << method;
    EXPECT_EQ(count(method + R"(,{"batchSize":10000}])"), 1001u) << method;
    EXPECT_EQ(count(method + R"(,{"batchSize":-1}])"), 1001u) << method;
    EXPECT_EQ(count(method + R"(,{"batchSize":7}])"), 7u) << method;
    EXPECT_EQ(call(method + R"(,{"batchSize":0}])"), "[]") << method;
    EXPECT_EQ(first_position(method + "]"), "0") << method;
    for (const char* wrong : {"-2", "10001", "\"5\"", "[]", "true"}) {
      const HttpResponse response = rpc(method + ",{\"batchSize\":" + wrong + "}]");
      EXPECT_EQ(error_of(response), "400 INVALID_REQUEST") << method << wrong;
      EXPECT_THAT(response.body, HasSubstr("batchSize")) << method << wrong;
    }
  }
}

TEST_F(EventodbMethods, AHundredStreamsAreListedUnlessTheCallSaysOtherwise) {
  std::string lines;
  for (int i = 0; i < 1001; ++i) lines += record_line("s-" + std::to_string(i), 0);
  import_lines(lines);
  const auto listed = [this](const std::string& options) {
    const std::string body = call("[\"ns.streams\"" + options + "]");
    return std::count(body.begin(), body.end(), '{');
  };
  EXPECT_EQ(listed(""), 100);
  EXPECT_EQ(listed(",null"), 100);
  EXPECT_EQ(listed(R"(,{"limit":1})"), 1);
  EXPECT_EQ(listed(R"(,{"limit":1000})"), 1000);
  for (const char* limit : {"0", "1001", "-1", "\"5\""}) {
    const HttpResponse response = rpc(std::string("[\"ns.streams\",{\"limit\":") + limit + "}]");
    EXPECT_EQ(error_of(response), "400 INVALID_REQUEST") << limit;
    EXPECT_THAT(response.body, HasSubstr("limit")) << limit;
  }
}

TEST_F(EventodbMethods, OptionsOfAnotherTypeAreRefused) {
  for (const char* body : {R"(["stream.get","s",7])",
                           R"(["stream.get","s","x"])",
                           R"(["stream.get","s",[]])",
                           R"(["stream.last","s",true])",
                           R"(["stream.last","s",{"type":7}])",
                           R"(["stream.write","s",{"type":"T","data":{}},[]])",
                           R"(["stream.write","s",{"type":"T","data":"text"}])",
                           R"(["category.get"])",
                           R"(["category.get",null])",
                           R"(["category.get",7])",
                           R"(["category.get","c",[]])",
                           R"(["category.get","c",{"correlation":7}])",
                           R"(["category.get","c",{"position":"1"}])",
                           R"(["category.get","c",{"globalPosition":{}}])",
                           R"(["category.get","c",{"consumerGroup":[]}])",
                           R"(["category.get","c",{"consumerGroup":{"size":2}}])",
                           R"(["category.get","c",{"consumerGroup":{"member":"0","size":2}}])",
                           R"(["stream.get","s",{"globalPosition":"1"}])",
                           R"(["ns.streams",[]])",
                           R"(["ns.streams",{"prefix":1}])",
                           R"(["ns.streams",{"cursor":1}])",
                           R"(["ns.create",7])",
                           R"(["ns.create",""])",
                           R"(["ns.create",".."])",
                           R"(["ns.create","../x"])",
                           R"(["ns.create","a",[]])",
                           R"(["ns.create","a",{"description":1}])",
                           R"(["ns.create","a",{"token":1}])",
                           R"(["ns.create","a",{"token":"ns_x"}])",
                           R"(["ns.delete"])",
                           R"(["ns.delete",7])",
                           R"(["ns.info"])",
                           R"(["ns.info",""])",
                           R"(["stream.version"])",
                           R"(["stream.version",null])",
                           R"(["stream.last",""])"}) {
    EXPECT_EQ(error(body), "400 INVALID_REQUEST") << body;
  }
}

TEST_F(EventodbMethods, ARequestThatIsNoCallIsToldWhy) {
  for (const char* body : {"", "[", "{\"a\":1", "[\"sys.version\"] x", "[\"\xff\"]"}) {
    const HttpResponse response = rpc(body);
    EXPECT_EQ(error_of(response), "400 INVALID_REQUEST") << body;
    EXPECT_THAT(response.body, HasSubstr(R"("details":{"error":")")) << body;
  }
  EXPECT_THAT(rpc("[]").body, HasSubstr(R"("message":"Missing method name")"));
}

TEST_F(EventodbMethods, AConflictTellsBothVersions) {
  const auto write_at = [this](int version) {
    return rpc(R"(["stream.write","s-1",{"type":"T","data":{}},{"expectedVersion":)" +
               std::to_string(version) + "}]");
  };
  HttpResponse response = write_at(3);
  EXPECT_EQ(error_of(response), "409 STREAM_VERSION_CONFLICT");
  EXPECT_THAT(response.body, HasSubstr(R"("expected":3,"actual":-1)"));
  EXPECT_EQ(write_at(-1).status, 200);
  response = write_at(5);
  EXPECT_THAT(response.body, HasSubstr(R"("expected":5,"actual":0)"));
  EXPECT_EQ(write_at(0).status, 200);
  write("s-1");
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "2") << "without a version there is no check";
}

TEST_F(EventodbMethods, AnswersAreLinesOfJson) {
  for (const char* body : {R"(["sys.version"])", R"(["stream.get","s"])", R"(["nope"])", "{"}) {
    const HttpResponse response = rpc(body);
    EXPECT_EQ(std::string(response.content_type), "application/json") << body;
    EXPECT_TRUE(response.body.ends_with('\n')) << body;
  }
}

TEST_F(EventodbMethods, TheSystemIsDescribed) {
  EXPECT_THAT(call(R"(["sys.version"])"), MatchesRegex(R"("[0-9]+\.[0-9]+\.[0-9]+")"));
  EXPECT_EQ(call(R"(["sys.health"])"), R"({"status":"ok","backend":"firn","connections":0})");
  EXPECT_THAT(call(R"(["ns.info","default"])"), HasSubstr(R"("namespace":"default")"));
}

TEST_F(EventodbMethods, TheLastOfATypeThatIsNotThereIsNull) {
  write("s-1");
  EXPECT_EQ(call(R"(["stream.last","s-1",{"type":"Other"}])"), "null");
  EXPECT_NE(call(R"(["stream.last","s-1",{}])"), "null");
}

TEST_F(EventodbMethods, WhatIsMissingIsNamed) {
  EXPECT_EQ(error(R"(["ns.info","none"])"), "404 NAMESPACE_NOT_FOUND");
  EXPECT_EQ(error(R"(["ns.delete","none"])"), "404 NAMESPACE_NOT_FOUND");
  EXPECT_EQ(error(R"(["stream.rename","a","b"])"), "404 METHOD_NOT_FOUND");
  EXPECT_EQ(error(R"(["ns.rotateToken","default"])"), "404 METHOD_NOT_FOUND");
}

// The contract's table: the member that reads a stream with this cardinal id, of 2, 3, 4 and 8.
struct HashRow {
  const char* cardinal_id;
  int members[4];
};
constexpr int kSizes[] = {2, 3, 4, 8};
constexpr HashRow kHashes[] = {
    {"0", {1, 1, 1, 1}},
    {"1", {0, 0, 2, 6}},
    {"2", {1, 1, 1, 5}},
    {"3", {0, 2, 2, 2}},
    {"123", {1, 1, 3, 3}},
    {"456", {1, 1, 3, 7}},
    {"abc", {0, 2, 0, 0}},
    {"日本", {0, 2, 0, 4}},
    {"550e8400-e29b-41d4-a716-446655440000", {0, 1, 0, 4}},
};

TEST_F(EventodbMethods, GroupsDivideStreamsByTheHashOfTheirCardinalId) {
  for (const HashRow& row : kHashes) {
    write(std::string("acc-") + row.cardinal_id);
    write(std::string("acc-") + row.cardinal_id + "+part+2");
  }
  for (size_t s = 0; s < std::size(kSizes); ++s) {
    for (int member = 0; member < kSizes[s]; ++member) {
      const std::string body =
          call(R"(["category.get","acc",{"consumerGroup":{"member":)" + std::to_string(member) +
               ",\"size\":" + std::to_string(kSizes[s]) + "}}]");
      for (const HashRow& row : kHashes) {
        const std::string name = std::string("\"acc-") + row.cardinal_id;
        const bool is_read = row.members[s] == member;
        EXPECT_EQ(body.find(name + "\"") != std::string::npos, is_read) << name << kSizes[s];
        EXPECT_EQ(body.find(name + "+part") != std::string::npos, is_read) << name << kSizes[s];
      }
    }
  }
}

TEST_F(EventodbMethods, AStreamWithoutAnIdBelongsToNoMember) {
  write("acc");
  EXPECT_EQ(count(R"(["category.get","acc"])"), 1u);
  EXPECT_EQ(count(R"(["category.get","acc",{"consumerGroup":{"member":0,"size":1}}])"), 0u);
}

TEST_F(EventodbMethods, GroupsDivideAllStreamsToo) {
  for (const char* stream : {"a-1", "b-1", "a-2", "b-2+x", "plain"}) write(stream);
  EXPECT_THAT(call(R"(["category.get","",{"consumerGroup":{"member":0,"size":2}}])"),
              AllOf(HasSubstr("\"a-1\""), HasSubstr("\"b-1\""), Not(HasSubstr("\"a-2\"")),
                    Not(HasSubstr("\"b-2+x\"")), Not(HasSubstr("\"plain\""))));
  EXPECT_EQ(count(R"(["category.get","",{"consumerGroup":{"member":1,"size":2},"batchSize":1}])"),
            1u);
}

TEST_F(EventodbMethods, PagesOfAMemberEndAtTheEndOfDataOnly) {
  std::string lines;
  for (int i = 0; i < 2500; ++i) lines += record_line("acc-1", i);
  import_lines(lines + record_line("acc-2", 0) + record_line("acc-2", 1));
  const std::string member = R"("consumerGroup":{"member":1,"size":2})";
  EXPECT_EQ(count(R"(["category.get","acc",{"batchSize":1,)" + member + "}]"), 1u);
  EXPECT_EQ(count(R"(["category.get","acc",{"batchSize":5,)" + member + "}]"), 2u);
}

TEST_F(EventodbMethods, APositionGivenTwiceIsTheGlobalOne) {
  for (int i = 0; i < 3; ++i) write("s-1");
  EXPECT_EQ(count(R"(["category.get","s",{"position":1,"globalPosition":3}])"), 1u);
  EXPECT_EQ(count(R"(["category.get","s",{"globalPosition":3,"position":1}])"), 1u);
}

TEST_F(EventodbMethods, DocumentsSurviveWhole) {
  const std::string data = R"({"deep":{"a":[1,[null,true,{"b":"日本 \ud83d\ude00"}]]},"text":")" +
                           std::string(100'000, 'x') + "\"}";
  write("s-1", R"({"type":"T","data":)" + data + "}");
  EXPECT_THAT(call(R"(["stream.last","s-1"])"), HasSubstr("," + data + ",null,"));
}

}  // namespace
}  // namespace firn
