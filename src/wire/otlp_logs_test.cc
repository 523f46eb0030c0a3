#include "wire/otlp.h"

#include <gtest/gtest.h>

#include "model/test_rows.h"
#include "wire/json_reader.h"
#include "wire/otlp_test_request.h"

namespace firn {
namespace {

constexpr auto kProtobuf = OtlpEncoding::kProtobuf;
constexpr auto kJson = OtlpEncoding::kJson;

class OtlpLogsTest : public testing::Test {
 protected:
  Result<OtlpRecords> decode(std::string_view body, OtlpEncoding encoding) {
    uint64_t made = 0;
    DecodeDefaults defaults;
    defaults.now = kTestTime;
    defaults.limits = limits_;
    defaults.make_id = [&made] { return make_uuid7(1, 2, ++made); };
    return decode_otlp(OtlpSignal::kLogs, body, encoding, defaults);
  }
  std::string why_refused(std::string_view body, OtlpEncoding encoding) {
    const auto logs = decode(body, encoding);
    return logs.ok() ? "accepted" : logs.status().to_string();
  }
  // The only row of a request.
  EventRow row_of(std::string_view body, OtlpEncoding encoding) {
    auto logs = decode(body, encoding);
    EXPECT_TRUE(logs.ok()) << logs.status().to_string();
    if (!logs.ok()) return {};
    logs_ = std::move(logs).value();
    EXPECT_EQ(logs_.batches.size(), 1u);
    if (logs_.batches.size() != 1) return {};
    EXPECT_EQ(logs_.batches[0].batch->rows(), 1u);
    return event_row(*logs_.batches[0].batch, 0);
  }
  EventRow row_of(const TestLog& log) { return row_of(request_of(log).proto(), kProtobuf); }
  static TestRequest request_of(const TestLog& log) {
    return {{TestResource{{}, 0, "", {TestScope{"", "", "", {}, 0, {log}}}}}};
  }
  std::string data_of(TestValue body) {
    TestLog log;
    log.body = std::move(body);
    return std::string(row_of(log).data);
  }
  std::string data_of_json(const std::string& body) {
    return std::string(row_of(json_record("\"body\":" + body), kJson).data);
  }
  static std::string json_record(const std::string& members) {
    return R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{)" + members + "}]}]}]}";
  }

  Limits limits_;
  OtlpRecords logs_;
};

TEST_F(OtlpLogsTest, MapsEveryField) {
  TestLog log;
  log.time = 1'767'225'600'000'000'001;
  log.observed_time = 1'767'225'600'000'000'002;
  log.severity_number = 17;
  log.severity_text = "Error";
  log.event_name = "app.crash";
  log.body = TestValue::of("it broke");
  log.attributes = {{"z", TestValue::of(int64_t{1})}, {"a", TestValue::of("x")}};
  log.trace_id = "0123456789abcdef";
  log.span_id = "01234567";
  log.flags = 257;
  log.dropped_attributes_count = 2;
  TestScope scope{"lib", "1.2", "s-url", {{"k", TestValue::of(true)}}, 1, {log}};
  TestResource resource{{{"z", TestValue::map({{"b", TestValue::of(1.0)}, {"a", {}}})},
                         {"service.name", TestValue::of("shop")}},
                        3,
                        "r-url",
                        {scope}};
  const EventRow row = row_of(TestRequest{{resource}}.proto(), kProtobuf);
  EXPECT_EQ(row.kind, EventKind::kLog);
  EXPECT_EQ(row.time, 1'767'225'600'000'000'001);
  EXPECT_EQ(row.observed_time, 1'767'225'600'000'000'002);
  EXPECT_EQ(row.id, make_uuid7(1, 2, 1));
  EXPECT_EQ(row.type, "app.crash");
  EXPECT_EQ(row.source, "shop");
  EXPECT_EQ(row.severity, 17);
  EXPECT_EQ(row.trace_id.to_hex(), hex_encode("0123456789abcdef"));
  EXPECT_EQ(row.span_id[7], '7');
  EXPECT_EQ(row.data, "\"it broke\"");
  EXPECT_EQ(row.metadata,
            R"({"attributes":{"z":1,"a":"x"},"severity_text":"Error","event_name":"app.crash",)"
            R"("flags":257,"dropped_attributes_count":2})");
  EXPECT_EQ(
      row.context,
      R"({"resource":{"attributes":{"service.name":"shop","z":{"a":null,"b":1.0}},)"
      R"("dropped_attributes_count":3,"schema_url":"r-url"},"scope":{"attributes":{"k":true},)"
      R"("dropped_attributes_count":1,"name":"lib","schema_url":"s-url","version":"1.2"}})");
  EXPECT_TRUE(row.subject.empty() && row.stream.empty() && row.correlation_id.empty());
}

TEST_F(OtlpLogsTest, EmptyRecordHasDefaults) {
  const EventRow row = row_of(TestLog{});
  EXPECT_EQ(row.time, kTestTime);
  EXPECT_EQ(row.observed_time, kAbsentInt64);
  EXPECT_EQ(row.type, "log");
  EXPECT_EQ(row.source, "unknown");
  EXPECT_TRUE(row.trace_id.is_zero());
  EXPECT_TRUE(row.data.empty() && row.metadata.empty() && row.context.empty());
}

TEST_F(OtlpLogsTest, ObservedTimeStandsInForTime) {
  TestLog log;
  log.observed_time = 12345;
  EXPECT_EQ(row_of(log).time, 12345);
}

TEST_F(OtlpLogsTest, SourceFallsBackToTheScope) {
  TestRequest request = request_of(TestLog{});
  request.resources[0].scopes[0].name = "lib";
  EXPECT_EQ(row_of(request.proto(), kProtobuf).source, "lib");
}

TEST_F(OtlpLogsTest, InvalidIdsAreAbsentAndTheRecordStays) {
  TestLog log;
  log.trace_id = "short";
  log.span_id = std::string(8, '\0');
  const EventRow row = row_of(log);
  EXPECT_TRUE(row.trace_id.is_zero());
  EXPECT_EQ(row.span_id, (std::array<uint8_t, 8>{}));
}

TEST_F(OtlpLogsTest, ValuesStayTellable) {
  EXPECT_EQ(data_of({}), "null");
  EXPECT_EQ(data_of(TestValue::of("")), "\"\"");
  EXPECT_EQ(data_of(TestValue::of(int64_t{0})), "0");
  EXPECT_EQ(data_of(TestValue::of(0.0)), "0.0");
  EXPECT_EQ(data_of(TestValue::of(1e300)), "1e+300");
  EXPECT_EQ(data_of(TestValue::of(INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(data_of(TestValue::of(std::nan(""))), R"({"double":"NaN"})");
  EXPECT_EQ(data_of(TestValue::of(-HUGE_VAL)), R"({"double":"-Infinity"})");
  EXPECT_EQ(data_of(TestValue::bytes("\xff")), R"({"bytes":"/w=="})");
  EXPECT_EQ(data_of(TestValue::array({})), "[]");
  EXPECT_EQ(data_of(TestValue::map({})), "{}");
  EXPECT_EQ(data_of(TestValue::array({TestValue::of(false), TestValue{}})), "[false,null]");
}

TEST_F(OtlpLogsTest, MapsThatLookLikeMarksAreMarked) {
  EXPECT_EQ(data_of(TestValue::map({{"bytes", TestValue::of("x")}})), R"({"map":{"bytes":"x"}})");
  EXPECT_EQ(data_of(TestValue::map({{"map", TestValue::of("x")}})), R"({"map":{"map":"x"}})");
  EXPECT_EQ(data_of(TestValue::map({{"bytes", {}}, {"b", {}}})), R"({"bytes":null,"b":null})");
}

TEST_F(OtlpLogsTest, TheLastOfRepeatedKeysCounts) {
  EXPECT_EQ(data_of(TestValue::map(
                {{"a", TestValue::of(int64_t{1})}, {"b", {}}, {"a", TestValue::of(int64_t{2})}})),
            R"({"b":null,"a":2})");
  TestValue::Members many;
  for (int64_t i = 0; i < 60; ++i)
    many.emplace_back("k" + std::to_string(i % 20), TestValue::of(i));
  const std::string data = data_of(TestValue::map(many));
  EXPECT_EQ(data.substr(0, 16), R"({"k0":40,"k1":41)");
  EXPECT_EQ(data.find("\"k0\"", 5), std::string::npos);
}

TEST_F(OtlpLogsTest, TextThatIsNotUtf8IsReplaced) {
  TestLog log;
  log.body = TestValue::of("a\xFF");
  log.event_name = "t\xFFx";
  const EventRow row = row_of(log);
  EXPECT_EQ(row.data, "\"a\xEF\xBF\xBD\"");
  EXPECT_EQ(row.type, "t\xEF\xBF\xBDx");
}

TEST_F(OtlpLogsTest, LongNamesAreCutInTheColumnOnly) {
  TestLog log;
  log.event_name = std::string(511, 'x') + "é";
  const EventRow row = row_of(log);
  EXPECT_EQ(row.type, std::string(511, 'x'));
  EXPECT_NE(row.metadata.find(log.event_name), std::string_view::npos);
}

TEST_F(OtlpLogsTest, IdenticalRecordsStayTwo) {
  TestRequest request = request_of(TestLog{});
  request.resources[0].scopes[0].logs.emplace_back();
  const auto logs = decode(request.proto(), kProtobuf);
  ASSERT_TRUE(logs.ok());
  const RecordBatch& batch = *logs.value().batches[0].batch;
  ASSERT_EQ(batch.rows(), 2u);
  EXPECT_NE(event_row(batch, 0).id, event_row(batch, 1).id);
}

TEST_F(OtlpLogsTest, ARecordThatNamesItselfHasTheSameIdWhenItIsSentAgain) {
  const auto with = [](const std::string& uid, int severity, const std::string& form) {
    return "\"severityNumber\":" + std::to_string(severity) +
           R"(,"attributes":[{"key":"log.record.uid","value":{")" + form + "\":\"" + uid + "\"}}]";
  };
  const auto id_of = [this](const std::string& members) {
    const Id id = row_of(json_record(members), kJson).id;
    return std::pair(id, logs_.batches.at(0).rows_with_id.size());
  };
  const auto first = id_of(with("01ARZ3NDEKTSV4RRFFQ69G5FAV", 9, "stringValue"));
  EXPECT_EQ(first.second, 1u);
  EXPECT_EQ(id_of(with("01ARZ3NDEKTSV4RRFFQ69G5FAV", 9, "stringValue")), first);
  // Whoever uses a name twice loses nothing.
  EXPECT_NE(id_of(with("01ARZ3NDEKTSV4RRFFQ69G5FAV", 10, "stringValue")).first, first.first);
  EXPECT_EQ(id_of(with("", 9, "stringValue")).second, 0u);
  EXPECT_EQ(id_of(with("12", 9, "intValue")).second, 0u);
}

TEST_F(OtlpLogsTest, EmptyRequestsAreFine) {
  const std::string empty_scope = TestRequest{{TestResource{{}, 0, "", {TestScope{}}}}}.proto();
  for (const std::string& body :
       {std::string(), TestRequest{{TestResource{}}}.proto(), empty_scope}) {
    const auto logs = decode(body, kProtobuf);
    ASSERT_TRUE(logs.ok());
    EXPECT_TRUE(logs.value().batches.empty());
  }
  for (
      const char* body :
      {"{}", R"({"resourceLogs":[]})", R"({"resourceLogs":null})", R"({"resourceLogs":[null,{}]})",
       R"({"resourceLogs":[{"resource":null,"scopeLogs":[{},null,{"scope":null,"logRecords":null}]}]})"}) {
    const auto logs = decode(body, kJson);
    ASSERT_TRUE(logs.ok()) << body << logs.status().to_string();
    EXPECT_TRUE(logs.value().batches.empty());
  }
}

TEST_F(OtlpLogsTest, UnknownFieldsAndWrongWireTypesAreSkipped) {
  TestProto record, scope, resource, request;
  record.fixed64(1, 77).number(4, 1).text(99, "new").number(9, 5).text(1, "no time").fixed32(3, 1);
  scope.message(2, record).number(1, 1);
  resource.message(2, scope).text(1000, "old");
  request.message(1, resource).number(1, 3).text(2, "x");
  EXPECT_EQ(row_of(request.bytes, kProtobuf).time, 77);
  EXPECT_EQ(row_of(R"({"new":[1,{}],"resourceLogs":[{"x":1,"resource":{"schemaUrl":"u"},
      "scopeLogs":[{"y":{},"logRecords":[{"timeUnixNano":"77","z":[],"body":{"futureValue":1}}]}]}]})",
                   kJson)
                .time,
            77);
}

TEST_F(OtlpLogsTest, RepeatedSingularFieldsMerge) {
  TestProto record, scope, resource, request;
  record.message(5, TestValue::array({TestValue::of("a")}).proto());
  record.message(5, TestValue::array({TestValue::of("b")}).proto());
  record.fixed64(1, 1).fixed64(1, 2);
  scope.message(2, record);
  TestProto first, second;
  first.message(1, TestValue::key_value("service.name", TestValue::of("one")));
  second.message(1, TestValue::key_value("k", TestValue::of("v")));
  resource.message(1, first).message(2, scope).message(1, second);
  const EventRow row = row_of(request.message(1, resource).bytes, kProtobuf);
  EXPECT_EQ(row.data, R"(["a","b"])");
  EXPECT_EQ(row.time, 2);
  EXPECT_EQ(row.context, R"({"resource":{"attributes":{"k":"v","service.name":"one"}}})");
}

TEST_F(OtlpLogsTest, MalformedProtobufIsRefused) {
  const std::string good = request_of(TestLog{}).proto();
  int refused = 0;
  for (size_t size = 1; size < good.size(); ++size) {
    const auto logs = decode(good.substr(0, size), kProtobuf);
    if (logs.ok()) continue;
    EXPECT_EQ(logs.status().code(), StatusCode::kInvalidArgument);
    ++refused;
  }
  EXPECT_GT(refused, 10);
  EXPECT_EQ(why_refused("\xFF\xFF\xFF", kProtobuf).substr(0, 17), "invalid_argument:");
  EXPECT_EQ(why_refused("\x0B", kProtobuf).substr(0, 17), "invalid_argument:");  // a group
}

TEST_F(OtlpLogsTest, JsonIsReadLeniently) {
  const EventRow row = row_of(R"({"resource_logs":[{"scope_logs":[{"log_records":[{
      "time_unix_nano":1767225600000000001,"observed_time_unix_nano":"5","severity_number":"SEVERITY_NUMBER_WARN2",
      "severity_text":"w","trace_id":"0AF7651916CD43DD8448EB211C80319C","span_id":"","flags":"1",
      "dropped_attributes_count":"2","event_name":"e","attributes":null,
      "body":{"array_value":{"values":[{"int_value":"7"},{"intValue":8},{"double_value":"1.5"},{"bytes_value":"_w"},null]}}
      }]}]}]})",
                              kJson);
  EXPECT_EQ(row.time, 1'767'225'600'000'000'001);
  EXPECT_EQ(row.observed_time, 5);
  EXPECT_EQ(row.severity, 14);
  EXPECT_EQ(row.trace_id.to_hex(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(row.type, "e");
  EXPECT_EQ(row.data, R"([7,8,1.5,{"bytes":"/w=="},null])");
  EXPECT_EQ(row.metadata,
            R"({"severity_text":"w","event_name":"e","flags":1,"dropped_attributes_count":2})");
}

TEST_F(OtlpLogsTest, NumbersAsJavaScriptWritesThem) {
  EXPECT_EQ(data_of_json(R"({"intValue":1e+300})"), "1e+300");
  EXPECT_EQ(data_of_json(R"({"intValue":4611686018427388000})"), "4611686018427388000");
  EXPECT_EQ(data_of_json(R"({"intValue":1e3})"), "1000");
  EXPECT_EQ(data_of_json(R"({"intValue":1.5})"), "1.5");
  EXPECT_EQ(data_of_json(R"({"doubleValue":null})"), "null");
  EXPECT_EQ(data_of_json(R"({"doubleValue":1})"), "1.0");
  EXPECT_EQ(data_of_json(R"({"stringValue":"\ud800"})"), "\"\xEF\xBF\xBD\"");
}

TEST_F(OtlpLogsTest, JsonNullIsAbsent) {
  EXPECT_EQ(data_of_json("null"), "");
  EXPECT_EQ(data_of_json("{}"), "null");
  EXPECT_EQ(data_of_json(R"({"stringValue":"a","intValue":null})"), "\"a\"");
  EXPECT_EQ(data_of_json(R"({"stringValue":"a","intValue":1})"), "1");  // the last one wins
}

TEST_F(OtlpLogsTest, WrongJsonIsRefusedWithItsOffset) {
  EXPECT_EQ(why_refused(json_record(R"("timeUnixNano":true)"), kJson),
            "invalid_argument: the body is not an OTLP logs request: expected a number, byte 62");
  for (const char* body : {"", "[]", "7", "{\"resourceLogs\":{}}", "{\"resourceLogs\":[7]}"}) {
    EXPECT_EQ(why_refused(body, kJson).substr(0, 17), "invalid_argument:") << body;
  }
  for (const char* members :
       {R"("timeUnixNano":"-1")", R"("timeUnixNano":"x")", R"("severityNumber":"LOUD")",
        R"("severityText":7)", R"("body":"text")", R"("body":{"stringValue":7})",
        R"("body":{"bytesValue":"?"})", R"("body":{"boolValue":1})", R"("body":{"intValue":"1x"})",
        R"("body":{"doubleValue":"inf"})", R"("attributes":{})", R"("attributes":[7])",
        R"("flags":4294967296)"}) {
    EXPECT_EQ(why_refused(json_record(members), kJson).substr(0, 17), "invalid_argument:")
        << members;
  }
}

TEST_F(OtlpLogsTest, NestingIsLimitedAlikeInBothForms) {
  const auto nested = [](int levels, bool maps) {
    TestValue value;
    for (int i = 0; i < levels; ++i) {
      value = maps ? TestValue::map({{"k", value}}) : TestValue::array({value});
    }
    TestLog log;
    log.body = value;
    return request_of(log);
  };
  for (const bool maps : {false, true}) {
    for (const auto& [request, accepted] :
         {std::pair{nested(60, maps), true}, std::pair{nested(61, maps), false}}) {
      EXPECT_EQ(decode(request.proto(), kProtobuf).ok(), accepted);
      EXPECT_EQ(decode(request.json(), kJson).ok(), accepted);
    }
    EXPECT_EQ(decode(nested(70, maps).proto(), kProtobuf).status().code(), StatusCode::kTooLarge);
    EXPECT_EQ(decode(nested(70, maps).json(), kJson).status().code(), StatusCode::kTooLarge);
  }
  EXPECT_EQ(decode(std::string(100'000, '['), kJson).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(OtlpLogsTest, RecordsBeyondALimitAreRejectedAlone) {
  limits_.event_bytes = 1000;
  limits_.attributes_per_event = 2;
  TestRequest request = request_of(TestLog{});
  std::vector<TestLog>& logs = request.resources[0].scopes[0].logs;
  logs.resize(3);
  logs[0].body = TestValue::of(std::string(2000, 'x'));
  logs[1].body = TestValue::of("stays");
  logs[2].attributes = {{"a", {}}, {"b", {}}, {"c", {}}};
  const auto decoded = decode(request.proto(), kProtobuf);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded.value().rejected, 2u);
  EXPECT_NE(decoded.value().message.find("event_bytes of 1000"), std::string::npos);
  ASSERT_EQ(decoded.value().batches.size(), 1u);
  ASSERT_EQ(decoded.value().batches[0].batch->rows(), 1u);
  EXPECT_EQ(event_row(*decoded.value().batches[0].batch, 0).data, "\"stays\"");
}

TEST_F(OtlpLogsTest, TheLimitCountsWhatIsStored) {
  limits_.event_bytes = 1000;
  TestLog log;
  log.body = TestValue::of(std::string(500, '\x01'));  // six bytes each as JSON
  const auto decoded = decode(request_of(log).proto(), kProtobuf);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded.value().rejected, 1u);
  EXPECT_NE(decoded.value().message.find("event_bytes is 1000"), std::string::npos);
}

TEST_F(OtlpLogsTest, MillionsOfEmptyElementsCostABoundedAmount) {
  TestProto elements, value, record, scope, resource, request;
  for (int i = 0; i < 3'000'000; ++i) elements.bytes.append("\x0a\0", 2);
  record.message(5, value.message(5, elements));
  resource.message(2, scope.message(2, record).message(2, TestLog{}.proto()));
  const auto decoded = decode(request.message(1, resource).bytes, kProtobuf);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded.value().rejected, 1u);
  EXPECT_EQ(decoded.value().batches[0].batch->rows(), 1u);
}

TEST_F(OtlpLogsTest, AResourceRepeatedByManyScopesIsBounded) {
  limits_.request_bytes = 100'000;
  TestRequest request = request_of(TestLog{});
  TestResource& resource = request.resources[0];
  resource.attributes = {{"k", TestValue::of(std::string(5'000, 'x'))}};
  resource.scopes.resize(200, resource.scopes[0]);
  EXPECT_EQ(decode(request.proto(), kProtobuf).status().code(), StatusCode::kTooLarge);
  EXPECT_EQ(decode(request.json(), kJson).status().code(), StatusCode::kTooLarge);
}

TEST_F(OtlpLogsTest, TimesAfter2262AreUnknownWithAWarning) {
  TestLog log;
  log.time = UINT64_MAX;
  EXPECT_EQ(row_of(log).time, kTestTime);
  EXPECT_EQ(logs_.rejected, 0u);
  EXPECT_NE(logs_.message.find("2262"), std::string::npos);
}

TEST_F(OtlpLogsTest, GreatRequestsBecomeSeveralBatches) {
  limits_.batch_events = 4;
  TestRequest request = request_of(TestLog{});
  request.resources[0].scopes[0].logs.resize(10);
  auto logs = decode(request.proto(), kProtobuf);
  ASSERT_TRUE(logs.ok());
  ASSERT_EQ(logs.value().batches.size(), 3u);
  EXPECT_EQ(logs.value().batches[2].batch->rows(), 2u);

  limits_ = Limits{};
  limits_.batch_bytes = 2000;
  for (TestLog& log : request.resources[0].scopes[0].logs)
    log.body = TestValue::of(std::string(700, 'x'));
  logs = decode(request.proto(), kProtobuf);
  ASSERT_TRUE(logs.ok());
  EXPECT_EQ(logs.value().batches.size(), 5u);
}

TEST(OtlpResponse, FullSuccessIsEmpty) {
  EXPECT_EQ(encode_otlp_response(OtlpSignal::kLogs, 0, "", kProtobuf), "");
  EXPECT_EQ(encode_otlp_response(OtlpSignal::kLogs, 0, "", kJson), "{}");
}

TEST(OtlpResponse, EachSignalHasItsOwnCount) {
  EXPECT_EQ(encode_otlp_response(OtlpSignal::kTraces, 3, "", kJson),
            R"({"partialSuccess":{"rejectedSpans":"3"}})");
}

TEST(OtlpResponse, PartialSuccess) {
  EXPECT_EQ(encode_otlp_response(OtlpSignal::kLogs, 300, "why", kProtobuf),
            std::string("\x0a\x08\x08\xac\x02\x12\x03why"));
  EXPECT_EQ(encode_otlp_response(OtlpSignal::kLogs, 300, "why", kJson),
            R"({"partialSuccess":{"rejectedLogRecords":"300","errorMessage":"why"}})");
  EXPECT_EQ(encode_otlp_response(OtlpSignal::kLogs, 0, "w", kProtobuf),
            std::string("\x0a\x03\x12\x01w"));
}

TEST(OtlpResponse, RpcStatus) {
  EXPECT_EQ(encode_rpc_status(3, "bad", std::nullopt, kProtobuf), std::string("\x08\x03\x12\x03"
                                                                              "bad"));
  EXPECT_EQ(encode_rpc_status(3, "bad", std::nullopt, kJson), R"({"code":3,"message":"bad"})");
  EXPECT_EQ(
      encode_rpc_status(14, "later", 1500 * kMillisecondNs, kJson),
      R"({"code":14,"message":"later","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500000000s"}]})");
  // Status{code, message, details: Any{type_url, value: RetryInfo{Duration{1 s, 500,000,000 ns}}}}
  const TestProto duration = TestProto().number(1, 1).number(2, 500'000'000);
  const TestProto any = TestProto()
                            .text(1, "type.googleapis.com/google.rpc.RetryInfo")
                            .message(2, TestProto().message(1, duration));
  EXPECT_EQ(encode_rpc_status(14, "later", 1500 * kMillisecondNs, kProtobuf),
            TestProto().number(1, 14).text(2, "later").message(3, any).bytes);
}

TEST(OtlpResponse, OurOwnFailuresAreRetryable) {
  for (const StatusCode code :
       {StatusCode::kNoSpace, StatusCode::kOutcomeUnknown, StatusCode::kIoError,
        StatusCode::kInternal, StatusCode::kUnavailable}) {
    EXPECT_EQ(otlp_rpc_code(code), 14);
    EXPECT_TRUE(otlp_is_retryable(code));
  }
  EXPECT_EQ(otlp_rpc_code(StatusCode::kInvalidArgument), 3);
  EXPECT_EQ(otlp_rpc_code(StatusCode::kTooLarge), 8);
  EXPECT_FALSE(otlp_is_retryable(StatusCode::kTooLarge));
}

}  // namespace
}  // namespace firn
