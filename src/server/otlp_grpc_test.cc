#include "server/otlp_grpc.h"

#include <gmock/gmock.h>

#include "server/test_faces.h"
#include "wire/gzip.h"
#include "wire/otlp_test_request.h"

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kInvalidArgument = 3;
constexpr int kResourceExhausted = 8;
constexpr int kUnimplemented = 12;
constexpr int kUnavailable = 14;
const std::string kLogs = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const std::string kTraces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

class OtlpGrpcTest : public FaceTest {
 protected:
  GrpcAnswer call(const std::string& method, std::string body, const std::string& space = "",
                  const std::string& ack = "") {
    auto waiter = std::make_shared<Awaited<GrpcAnswer>>();
    otlp_grpc_handler (&services_)({method, std::move(body), space, ack},
                                   [waiter](GrpcAnswer answer) { waiter->set(std::move(answer)); });
    return waiter->get().value_or(GrpcAnswer{-1, "no answer", "", ""});
  }
  static std::string logs() {
    TestLog log;
    log.body = TestValue::of("hi");
    return TestRequest{{TestResource{{}, 0, "", {TestScope{"", "", "", {}, 0, {log}}}}}}.proto();
  }
  static std::string spans() {
    TestScope scope;
    scope.spans = {TestSpan{}};
    return TestRequest{{TestResource{{}, 0, "", {scope}}}, true}.proto();
  }
};

TEST_F(OtlpGrpcTest, StoresLogsAndSpans) {
  for (const auto& [method, body] : {std::pair(kLogs, logs()), std::pair(kTraces, spans())}) {
    const GrpcAnswer answer = call(method, body);
    EXPECT_EQ(answer.code, 0) << answer.message;
    EXPECT_EQ(answer.body, "");
  }
  EXPECT_THAT(get(in_default("events?kind=log")).body, HasSubstr("\"data\":\"hi\""));
  EXPECT_THAT(get(in_default("events?kind=span")).body, HasSubstr("\"type\":\"work\""));
}

TEST_F(OtlpGrpcTest, AnswersWithTheLevelAskedForAndThePosition) {
  using Field = std::pair<std::string, std::string>;
  EXPECT_THAT(call(kLogs, logs()).metadata,
              ElementsAre(Field("firn-ack", "fsync"), Field("firn-position", "1")));
  EXPECT_THAT(call(kLogs, logs(), "", "os").metadata,
              ElementsAre(Field("firn-ack", "os"), Field("firn-position", "2")));
  EXPECT_THAT(call(kLogs, "").metadata, ElementsAre(Field("firn-ack", "fsync")));
  const GrpcAnswer refused = call(kLogs, logs(), "", "maybe");
  EXPECT_EQ(refused.code, kInvalidArgument);
  EXPECT_THAT(refused.message, HasSubstr("'maybe' is unknown; it must be fsync, os or memory"));
}

TEST_F(OtlpGrpcTest, UnpacksGzipWithinLimits) {
  EXPECT_EQ(call(kLogs, gzip(logs())).code, 0);
  EXPECT_EQ(call(kLogs, gzip(std::string(100 * kMiB, '\0'))).code, kResourceExhausted);
  EXPECT_EQ(call(kLogs, "\x1f\x8b nonsense").code, kInvalidArgument);
}

TEST_F(OtlpGrpcTest, GoesToTheNamespaceOfTheMetadata) {
  put("/api/v1/namespaces/shop");
  EXPECT_EQ(call(kLogs, logs(), "shop").code, 0);
  EXPECT_THAT(get("/api/v1/namespaces/shop/events:count").body, HasSubstr("\"count\":1"));
  EXPECT_EQ(call(kLogs, logs(), "nowhere").code, kInvalidArgument);
}

TEST_F(OtlpGrpcTest, BadRequestsAreNamedWithDetails) {
  const GrpcAnswer malformed = call(kLogs, "\x0a\x7f");
  EXPECT_EQ(malformed.code, kInvalidArgument);
  EXPECT_THAT(malformed.message, HasSubstr("not an OTLP logs request"));
  EXPECT_EQ(malformed.details.substr(0, 2), "\x08\x03");  // google.rpc.Status.code
  EXPECT_EQ(call("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "").code,
            kUnimplemented);
}

TEST_F(OtlpGrpcTest, PartialSuccessIsToldInTheResponse) {
  TestSpan span;
  span.trace_id.clear();
  TestScope scope;
  scope.spans = {span};
  const GrpcAnswer answer =
      call(kTraces, TestRequest{{TestResource{{}, 0, "", {scope}}}, true}.proto());
  EXPECT_EQ(answer.code, 0);
  EXPECT_THAT(answer.body, HasSubstr("no valid trace_id"));
}

// Anything else would make clients drop their data.
TEST_F(OtlpGrpcTest, OurOwnFailuresAreUnavailableWithRetryInfo) {
  for (const Status& status :
       {io_error("x"), corruption("x"), internal_error("x"), no_space("x"), outcome_unknown("x")}) {
    services_.gate = std::make_shared<StoreGate>();
    services_.gate->fail(status);
    const GrpcAnswer answer = call(kLogs, logs());
    EXPECT_EQ(answer.code, kUnavailable) << status.to_string();
    EXPECT_THAT(answer.details, HasSubstr("google.rpc.RetryInfo"));
  }
}

}  // namespace
}  // namespace firn
