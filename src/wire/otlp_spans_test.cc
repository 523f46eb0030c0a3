#include <gtest/gtest.h>

#include "model/test_rows.h"
#include "wire/json_reader.h"
#include "wire/otlp.h"
#include "wire/otlp_test_request.h"

namespace firn {
namespace {

constexpr auto kProtobuf = OtlpEncoding::kProtobuf;
constexpr auto kJson = OtlpEncoding::kJson;
constexpr uint64_t kStart = 1'767'225'600'000'000'001;

Result<OtlpRecords> decode(OtlpSignal signal, std::string_view body, OtlpEncoding encoding,
                           const Limits& limits = kLimits) {
  uint64_t made = 0;
  DecodeDefaults defaults;
  defaults.now = kTestTime;
  defaults.limits = limits;
  defaults.make_id = [&made] { return make_uuid7(1, 2, ++made); };
  return decode_otlp(signal, body, encoding, defaults);
}

TestRequest request_of(std::vector<TestSpan> spans) {
  TestScope scope;
  scope.spans = std::move(spans);
  return {{TestResource{{{"service.name", TestValue::of("shop")}}, 0, "", {scope}}}, true};
}

// Rows of one request, with what they came from.
struct Rows {
  OtlpRecords records;
  EventRow at(uint32_t row) const { return event_row(*records.batches.at(0).batch, row); }
};
Rows rows_of(std::vector<TestSpan> spans) {
  auto decoded = decode(OtlpSignal::kTraces, request_of(std::move(spans)).proto(), kProtobuf);
  EXPECT_TRUE(decoded.ok()) << decoded.status().to_string();
  return {decoded.ok() ? std::move(*decoded) : OtlpRecords{}};
}

TEST(OtlpSpans, MapsEveryField) {
  TestSpan span;
  span.parent_span_id = "76543210";
  span.trace_state = "a=b";
  span.name = "GET /";
  span.kind = 2;
  span.start = kStart;
  span.end = kStart + 1500;
  span.attributes = {{"z", TestValue::of(int64_t{1})}, {"a", TestValue::of("x")}};
  span.dropped_attributes_count = 1;
  span.dropped_events_count = 2;
  span.dropped_links_count = 3;
  span.flags = 257;
  span.status_code = 2;
  span.status_message = "broke";
  span.events = {{kStart + 7, "retry", {{"n", TestValue::of(int64_t{2})}}, 4}, {}};
  span.links = {{"fedcba9876543210", "abcdefgh", "c=d", {{"k", TestValue::of(true)}}, 5, 1}, {}};
  const Rows rows = rows_of({span});
  const EventRow row = rows.at(0);
  EXPECT_EQ(row.kind, EventKind::kSpan);
  EXPECT_EQ(row.time, static_cast<TimeNs>(kStart));
  EXPECT_EQ(row.duration, 1500);
  EXPECT_EQ(row.type, "GET /");
  EXPECT_EQ(row.source, "shop");
  EXPECT_EQ(row.severity, 0);
  EXPECT_EQ(row.trace_id.to_hex(), hex_encode("0123456789abcdef"));
  EXPECT_EQ(row.span_id[7], '7');
  EXPECT_EQ(row.parent_id.to_hex(), "0000000000000000" + hex_encode("76543210"));
  EXPECT_EQ(
      row.data,
      R"({"events":[{"time_unix_nano":1767225600000000008,"name":"retry","attributes":{"n":2},)"
      R"("dropped_attributes_count":4},{}],"links":[{"trace_id":")" +
          hex_encode("fedcba9876543210") + R"(","span_id":")" + hex_encode("abcdefgh") +
          R"(","trace_state":"c=d","attributes":{"k":true},"dropped_attributes_count":5,)"
          R"("flags":1},{}]})");
  EXPECT_EQ(row.metadata,
            R"({"attributes":{"z":1,"a":"x"},"kind":"server","status":{"code":"error",)"
            R"("message":"broke"},"trace_state":"a=b","flags":257,"dropped_attributes_count":1,)"
            R"("dropped_events_count":2,"dropped_links_count":3})");
}

TEST(OtlpSpans, ABareSpanHasOnlyItsIds) {
  TestSpan span;
  span.name = "";
  const Rows rows = rows_of({span});
  const EventRow row = rows.at(0);
  EXPECT_EQ(row.time, kTestTime);
  EXPECT_EQ(row.duration, kAbsentInt64);
  EXPECT_EQ(row.type, "span");
  EXPECT_TRUE(row.parent_id.is_zero() && row.data.empty());
  EXPECT_EQ(row.metadata, R"({"name":""})");
}

TEST(OtlpSpans, AnEndThatIsNoDurationIsKept) {
  TestSpan backwards, no_start, instant;
  backwards.start = kStart;
  backwards.end = kStart - 1;
  no_start.end = kStart;
  no_start.span_id = "11111111";
  instant.start = instant.end = kStart;
  instant.span_id = "22222222";
  const Rows rows = rows_of({backwards, no_start, instant});
  EXPECT_EQ(rows.at(0).duration, kAbsentInt64);
  EXPECT_EQ(rows.at(0).metadata, R"({"end_time_unix_nano":1767225600000000000})");
  EXPECT_EQ(rows.at(1).time, static_cast<TimeNs>(kStart));
  EXPECT_EQ(rows.at(1).metadata, R"({"end_time_unix_nano":1767225600000000001})");
  EXPECT_EQ(rows.at(2).duration, 0);
  EXPECT_EQ(rows.at(2).metadata, "");
}

TEST(OtlpSpans, ASpanSentAgainHasTheSameIdAndAnotherOneAnother) {
  TestSpan span, renamed, other;
  renamed.name = "other work";
  other.span_id = "22222222";
  const Rows rows = rows_of({span, span, renamed, other});
  EXPECT_EQ(rows.at(0).id, rows.at(1).id);
  EXPECT_NE(rows.at(0).id, rows.at(2).id);
  EXPECT_NE(rows.at(0).id, rows.at(3).id);
  EXPECT_EQ(rows.at(0).id.to_uuid()[14], '8');
  EXPECT_EQ(rows.records.batches[0].rows_with_id, (std::vector<uint32_t>{0, 1, 2, 3}));
}

TEST(OtlpSpans, ASpanWithoutIdsIsRejectedAlone) {
  TestSpan sound, no_trace, no_span;
  no_trace.trace_id = "short";
  no_span.span_id = std::string(8, '\0');
  const Rows rows = rows_of({no_trace, sound, no_span});
  EXPECT_EQ(rows.records.rejected, 2u);
  EXPECT_EQ(rows.records.message, "a span has no valid trace_id and span_id");
  EXPECT_EQ(rows.records.batches.at(0).batch->rows(), 1u);
}

TEST(OtlpSpans, MillionsOfEmptyEventsCostABoundedAmount) {
  std::string span = TestSpan{}.proto().bytes;
  for (int i = 0; i < 3'000'000; ++i) span += std::string("\x5a\x00", 2);  // field 11, empty
  const std::string body =
      TestProto().message(1, TestProto().message(2, TestProto().text(2, span))).bytes;
  const auto decoded = decode(OtlpSignal::kTraces, body, kProtobuf);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->rejected, 1u);
  EXPECT_TRUE(decoded->batches.empty());
}

TEST(OtlpSpans, NamesOfEnumsAreReadInJson) {
  const auto decoded = decode(
      OtlpSignal::kTraces,
      R"({"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"000102030405060708090a0b0c0d0e0F",)"
      R"("span_id":"0001020304050607","kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_OK"},)"
      R"("unknown":[{}]}]}]}]})",
      kJson);
  ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
  EXPECT_EQ(event_row(*decoded->batches.at(0).batch, 0).metadata,
            R"({"name":"","kind":"client","status":{"code":"ok"}})");
  const auto wrong =
      decode(OtlpSignal::kTraces,
             R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"x"}]}]}]})", kJson);
  EXPECT_EQ(wrong.status().to_string(),
            "invalid_argument: the body is not an OTLP traces request: unknown number or name of "
            "an enum, byte 54");
}

class OtlpForms : public testing::TestWithParam<std::tuple<OtlpSignal, uint64_t>> {};

TEST_P(OtlpForms, ProtobufAndJsonStoreTheSameRows) {
  const auto [signal, seed] = GetParam();
  RandomRecords random(seed, signal == OtlpSignal::kTraces);
  for (int i = 0; i < 40; ++i) {
    const TestRequest request = random.request();
    const auto from_proto = decode(signal, request.proto(), kProtobuf);
    const auto from_json = decode(signal, request.json(), kJson);
    ASSERT_TRUE(from_proto.ok()) << from_proto.status().to_string();
    ASSERT_TRUE(from_json.ok()) << from_json.status().to_string() << request.json();
    ASSERT_EQ(from_proto->rejected, from_json->rejected);
    ASSERT_EQ(from_proto->message, from_json->message);
    ASSERT_EQ(from_proto->batches.size(), from_json->batches.size());
    for (size_t b = 0; b < from_proto->batches.size(); ++b) {
      const RecordBatch& left = *from_proto->batches[b].batch;
      const RecordBatch& right = *from_json->batches[b].batch;
      ASSERT_EQ(from_proto->batches[b].rows_with_id, from_json->batches[b].rows_with_id);
      ASSERT_EQ(left.rows(), right.rows());
      for (uint32_t row = 0; row < left.rows(); ++row) {
        std::string left_json, right_json;
        append_event_json(left, row, &left_json);
        append_event_json(right, row, &right_json);
        ASSERT_TRUE(event_row(left, row) == event_row(right, row)) << left_json << "\n"
                                                                   << right_json;
        ASSERT_TRUE(check_json(left_json, 64).ok()) << left_json;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Logs, OtlpForms,
                         testing::Combine(testing::Values(OtlpSignal::kLogs),
                                          testing::Range<uint64_t>(1, 16)));
INSTANTIATE_TEST_SUITE_P(Spans, OtlpForms,
                         testing::Combine(testing::Values(OtlpSignal::kTraces),
                                          testing::Range<uint64_t>(1, 16)));

}  // namespace
}  // namespace firn
