// What /rpc has beyond EventoDB's methods: batches and commands about chunks.

#include <gmock/gmock.h>

#include "server/test_eventodb.h"

namespace firn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kEmptyMessage = R"({"type":"T","data":{}})";

std::string write_call(const std::string& stream, const std::string& options = "{}") {
  return "[\"stream.write\",\"" + stream + "\"," + kEmptyMessage + "," + options + "]";
}

TEST_F(EventodbTest, ABatchRunsItsCallsInOrder) {
  EXPECT_THAT(
      call("[\"batch\",[[\"stream.version\",\"s-1\"]," + write_call("s-1") + "," +
           write_call("s-2") + "," + write_call("s-1") +
           R"(,["stream.version","s-1"],["stream.last","s-2"],["sys.version"]]])"),
      MatchesRegex(R"(\[\{"result":null\},\{"result":\{"position":0,"globalPosition":1\}\},)"
                   R"(\{"result":\{"position":0,"globalPosition":2\}\},)"
                   R"(\{"result":\{"position":1,"globalPosition":3\}\},)"
                   R"(\{"result":1\},\{"result":\[.*"T",0,2,\{\},null,.*\]\},)"
                   R"(\{"result":"0\.7\.0"\}\])"));
}

TEST_F(EventodbTest, ABatchOfManyWritesKeepsTheirOrder) {
  std::string calls;
  for (int i = 0; i < 1000; ++i) {
    calls += (i == 0 ? "" : ",") +
             write_call("s-1", "{\"expectedVersion\":" + std::to_string(i - 1) + "}");
  }
  EXPECT_THAT(call("[\"batch\",[" + calls + "]]"), Not(HasSubstr("error")));
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "999");
}

TEST_F(EventodbTest, ACallOfABatchFailsAlone) {
  EXPECT_THAT(call("[\"batch\",[" + write_call("s-1", "{\"expectedVersion\":5}") +
                   R"(,["nope"],["stream.get",7],)" + write_call("s-1") + "]]"),
              MatchesRegex(R"(\[\{"error":\{"code":"STREAM_VERSION_CONFLICT",.*"actual":-1\}\}\},)"
                           R"(\{"error":\{"code":"METHOD_NOT_FOUND",.*\}\},)"
                           R"(\{"error":\{"code":"INVALID_REQUEST",.*\}\},)"
                           R"(\{"result":\{"position":0,"globalPosition":1\}\}\])"));
}

TEST_F(EventodbTest, WhatIsNoBatchWritesNothing) {
  EXPECT_EQ(call(R"(["batch",[]])"), "[]");
  EXPECT_EQ(error(R"(["batch"])"), "400 INVALID_REQUEST");
  EXPECT_EQ(error(R"(["batch",{}])"), "400 INVALID_REQUEST");
  EXPECT_EQ(error("[\"batch\",[" + write_call("s-1") + ",5]]"), "400 INVALID_REQUEST");
  EXPECT_EQ(error("[\"batch\",[" + write_call("s-1") + R"(,["batch",[]]]])"),
            "400 INVALID_REQUEST");
  std::string calls = "[\"sys.version\"]";
  for (int i = 0; i < 1000; ++i) calls += ",[\"sys.version\"]";
  const HttpResponse many = rpc("[\"batch\",[" + write_call("s-1") + "," + calls + "]]");
  EXPECT_EQ(error_of(many), "400 INVALID_REQUEST");
  EXPECT_THAT(many.body, HasSubstr("a batch of 1002 calls; at most 1000"));
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "null");
}

TEST_F(EventodbTest, EachCallOfABatchShowsItsToken) {
  const std::string token = make_token(posix_env(), "default");
  serve_tokens(token);
  EXPECT_EQ(error_of(rpc(R"(["batch",[["sys.version"]]])")), "401 AUTH_REQUIRED");
  const std::string guest = make_token(posix_env(), "guest");
  call(R"(["ns.create","guest",{"token":")" + guest + "\"}]", token);
  EXPECT_THAT(call("[\"batch\",[" + write_call("s-1") + R"(,["ns.delete","guest"],)" +
                       write_call("s-1") + "]]",
                   guest),
              AllOf(StartsWith(R"([{"result":{"position":0,"globalPosition":1}},{"result":)"),
                    HasSubstr(R"({"error":{"code":"AUTH_UNAUTHORIZED")")));
}

TEST_F(EventodbTest, ChunksAreListedMovedAndDropped) {
  write("s-1");
  EXPECT_THAT(call(R"(["chunks.list"])"),
              AllOf(StartsWith(R"({"chunks":[{"name":")"), HasSubstr(R"("tier":"hot")"),
                    HasSubstr(R"("rows":1)")));
  EXPECT_THAT(call(R"(["chunks.flush"])"), HasSubstr(R"("from":"hot","to":"warm","rows":1)"));
  EXPECT_THAT(call(R"(["chunks.compress",{"tier":"warm","dry_run":true}])"),
              StartsWith(R"({"chunks":[)"));
  EXPECT_THAT(call(R"(["chunks.drop",{"tier":"warm"}])"), HasSubstr(R"("to":null,"rows":1)"));
  EXPECT_EQ(call(R"(["chunks.list"])"), R"({"chunks":[]})");
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "0") << "a dropped stream keeps its head";
}

TEST_F(EventodbTest, ACommandThatIsWrongSaysWhy) {
  write("s-1");
  EXPECT_EQ(error(R"(["chunks.drop"])"), "400 INVALID_REQUEST");
  EXPECT_EQ(error(R"(["chunks.drop",null])"), "400 INVALID_REQUEST");
  EXPECT_EQ(error(R"(["chunks.drop",{"older_than":"soon"}])"), "400 INVALID_REQUEST");
  EXPECT_EQ(error(R"(["chunks.drop",[]])"), "400 INVALID_REQUEST");
  EXPECT_EQ(error(R"(["chunks.move",{"tier":"nowhere"}])"), "404 NOT_FOUND");
  EXPECT_EQ(error(R"(["chunks.drop",{"name":"nope"}])"), "404 NOT_FOUND");
  EXPECT_EQ(error(R"(["chunks.export",{"all":true}])"), "400 INVALID_REQUEST");
  EXPECT_EQ(error(R"(["chunks.melt"])"), "404 METHOD_NOT_FOUND");
  EXPECT_THAT(call(R"(["chunks.list"])"), HasSubstr(R"("rows":1)"));
}

}  // namespace
}  // namespace firn
