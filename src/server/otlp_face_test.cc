#include "server/otlp_face.h"

#include <gmock/gmock.h>

#include "server/test_faces.h"
#include "wire/gzip.h"
#include "wire/otlp.h"

namespace firn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

constexpr const char* kOneLog =
    R"({"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":)"
    R"({"stringValue":"shop"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1767225600000000000",)"
    R"("severityNumber":17,"body":{"stringValue":"boom"}}]}]}]})";

// ExportLogsServiceRequest with one record whose body is "hi", by hand: field 1 of each message, as
// listed in the OTLP definition.
std::string protobuf_log() {
  const std::string body = "\x0a\x02hi";                            // AnyValue.string
  const std::string record = "\x2a" + std::string(1, 4) + body;     // LogRecord.body
  const std::string scope = "\x12" + std::string(1, 6) + record;    // log_records
  const std::string resource = "\x12" + std::string(1, 8) + scope;  // scope_logs
  return "\x0a" + std::string(1, 10) + resource;                    // resource_logs
}

class OtlpFaceTest : public FaceTest {
 protected:
  const RequestFields json{.content_type = "application/json"};
  const RequestFields protobuf{.content_type = "application/x-protobuf"};
};

TEST_F(OtlpFaceTest, StoresJsonLogs) {
  const HttpResponse response = post("/v1/logs", kOneLog, json);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, "{}");
  const HttpResponse events = get(in_default("events?kind=log&source=shop&severity_min=17"));
  EXPECT_THAT(events.body, HasSubstr("\"data\":\"boom\""));
}

TEST_F(OtlpFaceTest, StoresProtobufLogs) {
  const HttpResponse response = post("/v1/logs", protobuf_log(), protobuf);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/x-protobuf");
  EXPECT_EQ(response.body, "");
  EXPECT_THAT(get(in_default("events")).body, HasSubstr("\"data\":\"hi\""));
}

// A span of the trace 000102..0f; `id` is its last digit.
std::string json_span(const std::string& id, int64_t start) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"000102030405060708090a0b0c0d0e0f",)"
         R"("spanId":"000000000000000)" +
         id + R"(","name":"work","startTimeUnixNano":)" + std::to_string(start) + "}]}]}]}";
}

TEST_F(OtlpFaceTest, StoresSpansOnceAndReturnsTheTraceInTheOrderOfTime) {
  for (const std::string& body :
       {json_span("2", 1767225600000000002), json_span("1", 1767225600000000001),
        json_span("2", 1767225600000000002)}) {
    const HttpResponse response = post("/v1/traces", body, json);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.body, "{}");
  }
  const std::string trace = in_default("traces/000102030405060708090a0b0c0d0e0f");
  const std::string body = get(trace + "?kind=span").body;
  EXPECT_THAT(body, HasSubstr("\"kind\":\"span\""));
  const size_t first = body.find("\"span_id\":\"0000000000000001\"");
  const size_t second = body.find("\"span_id\":\"0000000000000002\"");
  EXPECT_LT(first, second);
  EXPECT_EQ(body.find("\"span_id\":\"0000000000000002\"", second + 1), std::string::npos);
  EXPECT_THAT(get(in_default("traces/000102030405060708090a0b0c0d0eff")).body,
              HasSubstr("\"events\":[]"));
  EXPECT_EQ(get(in_default("traces/none")).status, 400);
}

TEST_F(OtlpFaceTest, RejectedSpansArePartialSuccess) {
  const HttpResponse response =
      post("/v1/traces", R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]})", json);
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr("\"rejectedSpans\":\"1\""));
}

TEST_F(OtlpFaceTest, AnswersWithTheLevelAskedForAndThePosition) {
  RequestFields fields = json;
  EXPECT_THAT(post("/v1/logs", kOneLog, fields).headers,
              ElementsAre(Pair("firn-ack", "fsync"), Pair("firn-position", "1")));
  fields.firn_ack = "memory";
  EXPECT_THAT(post("/v1/logs", kOneLog, fields).headers,
              ElementsAre(Pair("firn-ack", "memory"), Pair("firn-position", "2")));
  fields.firn_ack = "maybe";
  EXPECT_EQ(post("/v1/logs", kOneLog, fields).status, 400);
}

TEST_F(OtlpFaceTest, UnpacksGzip) {
  EXPECT_EQ(post("/v1/logs", gzip(kOneLog),
                 {.content_type = "application/json; charset=utf-8", .content_encoding = "gzip"})
                .status,
            200);
  EXPECT_THAT(get(in_default("events:count")).body, HasSubstr("\"count\":1"));
}

TEST_F(OtlpFaceTest, AnEmptyRequestIsFine) {
  EXPECT_EQ(post("/v1/logs", "{}", json).status, 200);
  EXPECT_EQ(post("/v1/logs", "", protobuf).status, 200);
}

TEST_F(OtlpFaceTest, GoesToTheNamespaceOfTheHeader) {
  put("/api/v1/namespaces/shop");
  RequestFields options = json;
  options.firn_namespace = "shop";
  EXPECT_EQ(post("/v1/logs", kOneLog, options).status, 200);
  EXPECT_THAT(get("/api/v1/namespaces/shop/events:count").body, HasSubstr("\"count\":1"));
  options.firn_namespace = "nowhere";
  EXPECT_EQ(post("/v1/logs", kOneLog, options).status, 404);
}

TEST_F(OtlpFaceTest, OtherMethodsAre405AndOtherTypes415) {
  const HttpResponse method = get("/v1/logs");
  EXPECT_EQ(method.status, 405);
  EXPECT_THAT(method.headers, Contains(Pair("Allow", "POST")));
  EXPECT_EQ(post("/v1/logs", "hello", {.content_type = "text/plain"}).status, 415);
  EXPECT_EQ(post("/v1/logs", "hello", {}).status, 415);
}

TEST_F(OtlpFaceTest, MalformedIs400InTheRequestsEncoding) {
  const HttpResponse as_json = post("/v1/logs", "{\"resourceLogs\":7}", json);
  EXPECT_EQ(as_json.status, 400);
  EXPECT_THAT(as_json.body, HasSubstr("\"code\":3"));
  const HttpResponse as_protobuf = post("/v1/logs", "\x0a\x7f", protobuf);
  EXPECT_EQ(as_protobuf.status, 400);
  EXPECT_EQ(as_protobuf.content_type, "application/x-protobuf");
  EXPECT_EQ(as_protobuf.body.substr(0, 2), "\x08\x03");  // google.rpc.Status.code
}

constexpr const char* kTwoPoints =
    R"({"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":)"
    R"({"stringValue":"shop"}}]},"scopeMetrics":[{"metrics":[{"name":"load","unit":"1","gauge":)"
    R"({"dataPoints":[{"timeUnixNano":"1767225600000000000","asDouble":1.5},{"timeUnixNano":)"
    R"("1767225601000000000","asInt":"7","attributes":[{"key":"k","value":{"stringValue":"v"}}]}]}}]}]}]})";

TEST_F(OtlpFaceTest, StoresMetricsAndReadsThemBack) {
  EXPECT_EQ(post("/v1/metrics", kTwoPoints, json).body, "{}");
  EXPECT_EQ(post("/v1/metrics", kTwoPoints, json).status, 200);  // sent again
  const std::string series = get(in_default("metrics/series?label.k=v")).body;
  EXPECT_THAT(series,
              HasSubstr(R"("name":"load","type":"gauge","unit":"1","labels":{"k":"v"},)"
                        R"("context":{"resource":{"attributes":{"service.name":"shop"}}}}])"));
  const std::string id = series.substr(series.find("\"series\":\"") + 10, 32);
  EXPECT_THAT(get(in_default("metrics/range?series=" + id)).body,
              HasSubstr(R"("points":[{"series":")" + id +
                        R"(","time":"2026-01-01T00:00:01Z","value":7}],"next":null)"));
  const HttpResponse counts = post(
      in_default("sql"),
      R"j({"query":"SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM samples_written), )j"
      R"j((SELECT count(*) FROM series), (SELECT sum(value) FROM samples JOIN series USING (series))"})j",
      json);
  EXPECT_THAT(counts.body, HasSubstr("\"rows\":[[2,4,2,8.5]]"));
}

TEST_F(OtlpFaceTest, SeriesBeyondTheLimitAreRefusedForGood) {
  ASSERT_EQ(put("/api/v1/namespaces/default", R"({"series_limit":1})").status, 200);
  const HttpResponse response = post("/v1/metrics", kTwoPoints, json);
  EXPECT_EQ(response.status, 400) << "a 429 would be sent again for ever";
  EXPECT_THAT(response.body, HasSubstr("\"code\":8"));  // RESOURCE_EXHAUSTED
  EXPECT_THAT(response.body, HasSubstr("series"));
  EXPECT_EQ(get(in_default("metrics/series")).body.find("load"), std::string::npos);
}

TEST_F(OtlpFaceTest, WrongQueriesOfMetricsAreNamed) {
  EXPECT_EQ(get(in_default("metrics/windows")).status, 400);
  EXPECT_THAT(get(in_default("metrics/range?series=x&limit=0")).body, HasSubstr("limit"));
  EXPECT_THAT(get(in_default("metrics/series?label=x")).body, HasSubstr("label.<key>"));
  EXPECT_EQ(get(in_default("metrics/range?series=nothing")).body,
            "{\"series\":[],\"points\":[],\"next\":null,\"tiers\":[]}\n");
  for (const std::string_view bad :
       {"range?window_s=5", "range?cursor=x", "aggregate?functions=mode", "windows?max_points=5",
        "windows?window_s=0", "windows?window_s=5&max_points=5&from=-1h&to=now", "latest?from=x"}) {
    EXPECT_EQ(get(in_default("metrics/" + std::string(bad))).status, 400) << bad;
  }
}

TEST_F(OtlpFaceTest, WindowsAggregatesAndLatestAreAnswered) {
  EXPECT_EQ(post("/v1/metrics", kTwoPoints, json).body, "{}");
  EXPECT_THAT(get(in_default("metrics/aggregate?name=load&functions=count,avg,p50")).body,
              HasSubstr(R"({"series":2,"groups":[{"group":{},"count":2,"avg":4.25,"p50":)"));
  EXPECT_THAT(
      get(in_default("metrics/windows?label.k=v&window_s=60&functions=max&group_by=k")).body,
      HasSubstr(
          R"("groups":[{"group":{"k":"v"},"windows":[{"start":"2026-01-01T00:00:00Z","max":7.0}]}])"));
  EXPECT_THAT(get(in_default("metrics/latest?label.k=v")).body, HasSubstr("\"value\":7}]"));
  EXPECT_THAT(get(in_default("metrics/labels")).body,
              HasSubstr(R"("labels":[{"key":"k","series":1}])"));
  EXPECT_THAT(get(in_default("metrics/labels?key=k")).body,
              HasSubstr(R"("values":[{"value":"v","series":1}])"));
  EXPECT_THAT(get(in_default("metrics/stats")).body,
              HasSubstr(R"({"dataset":"samples","tier":"hot","chunks":1,"rows":2,)"));
}

TEST_F(OtlpFaceTest, RetentionIsSetAndRunAndRollupsServeWhatIsLeft) {
  EXPECT_EQ(post("/v1/metrics", kTwoPoints, json).body, "{}");
  EXPECT_THAT(
      get(in_default("metrics/retention")).body,
      HasSubstr(
          R"({"raw_s":null,"rollups":[{"window_s":300,"keep_s":null,"intervals":1,"intervals_rolled":0},)"));
  const HttpResponse set =
      post(in_default("metrics/retention"),
           R"({"raw_s":86400,"rollups":[{"window_s":300}],"now":"2026-01-05T00:00:00Z"})", json);
  EXPECT_THAT(set.body, HasSubstr(R"("chunks_dropped":["ns1-samples-)"));
  EXPECT_THAT(
      get(in_default("metrics/windows?window_s=300&functions=count")).body,
      HasSubstr(
          R"("windows":[{"start":"2026-01-01T00:00:00Z","count":2}]}],)"
          R"("parts":[{"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z","resolution":"5m"}])"));
  EXPECT_THAT(get(in_default("metrics/windows?window_s=60&functions=count")).body,
              HasSubstr(R"("resolution":"raw","incomplete":true)"));
  EXPECT_THAT(post(in_default("sql"),
                   R"j({"query":"SELECT sum(count)::BIGINT, max(max) FROM rollups_1"})j", json)
                  .body,
              HasSubstr("\"rows\":[[2,7.0]]"));
  for (const std::string_view bad :
       {R"({"raw_s":0})", R"({"raw_s":"1"})", R"({"rollups":[{}]})",
        R"({"rollups":[{"window_s":7}]})", R"({"rollups":[{"window_s":60,"x":1}]})",
        R"({"now":"x"})", R"({"y":1})", "[]"}) {
    EXPECT_EQ(post(in_default("metrics/retention"), std::string(bad), json).status, 400) << bad;
  }
}

TEST_F(OtlpFaceTest, RulesOfRetentionAreSetShownAndRun) {
  EXPECT_EQ(post("/v1/metrics", kTwoPoints, json).body, "{}");
  const std::string rules = R"("rules":[{"match":{"name":"load","label.k":"v"},"raw_s":86400,)"
                            R"("rollups":[{"window_s":300,"keep_s":172800}]},)"
                            R"({"match":{"label.server_id":"x"},"raw_s":null}])";
  const HttpResponse set =
      post(in_default("metrics/retention"),
           R"({"rollups":[{"window_s":300}],"now":"2026-01-03T00:00:00Z",)" + rules + "}", json);
  EXPECT_THAT(set.body, HasSubstr(rules));
  EXPECT_THAT(set.body, HasSubstr(R"("chunks_dropped":[],"chunks_pruned":["ns1-samples-)"));
  EXPECT_THAT(get(in_default("metrics/retention")).body, HasSubstr(rules));
  EXPECT_THAT(get(in_default("metrics/range?name=load")).body, Not(HasSubstr("\"value\":7")));
  EXPECT_THAT(get(in_default("metrics/range?name=load")).body, HasSubstr("\"value\":1.5"));
  EXPECT_THAT(get(in_default("metrics/windows?window_s=300&functions=count")).body,
              HasSubstr("\"count\":2}"));
  EXPECT_THAT(
      post(in_default("metrics/retention"),
           R"({"rollups":[{"window_s":300}],"now":"2026-01-05T00:00:00Z",)" + rules + "}", json)
          .body,
      HasSubstr(R"("chunks_pruned":["ns1-rollups_1-)"));
  EXPECT_THAT(get(in_default("metrics/windows?window_s=300&functions=count")).body,
              HasSubstr(R"("resolution":"5m","incomplete":true)"));
  // The same words as in queries; what is not said is forgotten.
  EXPECT_THAT(post(in_default("metrics/retention"),
                   R"({"rules":[{"match":{"metric_type":"a","server_id":"b"}}]})", json)
                  .body,
              HasSubstr(R"("rules":[{"match":{"name":"a","label.server_id":"b"}}])"));
  EXPECT_THAT(post(in_default("metrics/retention"), R"({"raw_s":null})", json).body,
              HasSubstr(R"("rules":[])"));
}

TEST_F(OtlpFaceTest, RulesOfRetentionThatCannotBeAreRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {R"([{"match":{}}])", "rule 1: it has an empty match"},
      {R"([{"match":{"name":"a"}},{"raw_s":60}])", "rule 2: it has an empty match"},
      {R"([{"match":{"name":"a"},"raw_s":0}])", "'raw_s' is 0"},
      {R"([{"match":{"name":"a"},"rollups":[{"window_s":60}]}])", "which the namespace has not"},
      {R"([{"match":{"host":"a"}}])", "no member 'host'"},
      {R"([{"match":{"name":"a","metric_type":"b"}}])", "more than one name"},
      {R"([{"match":{"name":1}}])", "byte"},
      {R"([{"match":{"name":"a"},"keep":1}])", "no member 'keep'"},
      {R"({})", "byte"}};
  for (const auto& [rules, what] : bad) {
    const HttpResponse response =
        post(in_default("metrics/retention"), R"({"rules":)" + rules + "}", json);
    EXPECT_EQ(response.status, 400) << rules;
    EXPECT_THAT(response.body, HasSubstr(what)) << rules;
  }
}

TEST_F(OtlpFaceTest, OtherSignalsAre404WithAStatus) {
  const HttpResponse response = post("/v1development/profiles", "{}", json);
  EXPECT_EQ(response.status, 404);
  EXPECT_THAT(response.body, HasSubstr("\"code\":12"));
  EXPECT_THAT(response.body, HasSubstr("/v1development/profiles"));
}

TEST_F(OtlpFaceTest, ErrorsBeforeTheHandlerHaveTheSameForm) {
  HttpRequest request;
  request.method = HttpMethod::kPost;
  request.path = "/v1/logs";
  request.content_type = "application/x-protobuf";
  const HttpResponse too_large = router_->error(request, 413, "too_large", "big");
  EXPECT_EQ(too_large.status, 413);
  EXPECT_EQ(too_large.content_type, "application/x-protobuf");
  EXPECT_EQ(too_large.body, std::string("\x08\x08\x12\x03") + "big");
}

class OtlpStartingTest : public FaceTest {
 protected:
  void SetUp() override {}
};

// 500 would make clients drop their data.
TEST_F(OtlpStartingTest, OurOwnFailuresAre503WithRetryAfter) {
  const RequestFields json{.content_type = "application/json"};
  const HttpResponse starting = post("/v1/logs", kOneLog, json);
  EXPECT_EQ(starting.status, 503);
  EXPECT_THAT(starting.headers, Contains(Pair("Retry-After", "1")));
  EXPECT_THAT(starting.body, HasSubstr("\"code\":14"));
  EXPECT_THAT(starting.body, HasSubstr("RetryInfo"));
  for (const Status& failure :
       {io_error("x"), corruption("x"), internal_error("x"), no_space("x"), outcome_unknown("x")}) {
    services_.gate->fail(failure);
    EXPECT_EQ(post("/v1/logs", kOneLog, json).status, 503) << failure.to_string();
  }
}

}  // namespace
}  // namespace firn
