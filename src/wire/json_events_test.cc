#include "wire/json_events.h"

#include <gtest/gtest.h>

#include <string>

#include "model/test_rows.h"
#include "wire/json_reader.h"

namespace firn {
namespace {

constexpr TimeNs kNow = kTestTime + 5;

class JsonEvents : public testing::Test {
 protected:
  JsonEvents() {
    defaults_.now = kNow;
    defaults_.make_id = [this] { return make_uuid7(1, 2, ++ids_made_); };
  }

  Result<DecodedEvents> decode(std::string_view body, JsonBodyKind kind = JsonBodyKind::kJson) {
    return decode_events_json(body, kind, defaults_);
  }
  // The only event of a body.
  EventRow event(std::string_view body) {
    auto decoded = decode(body);
    EXPECT_TRUE(decoded.ok()) << decoded.status().to_string();
    if (!decoded.ok()) return {};
    decoded_ = std::move(decoded).value();
    EXPECT_EQ(decoded_.batch->rows(), 1u);
    return event_row(*decoded_.batch, 0);
  }
  std::string why_refused(std::string_view body, JsonBodyKind kind = JsonBodyKind::kJson) {
    const auto decoded = decode(body, kind);
    return decoded.ok() ? "accepted" : decoded.status().to_string();
  }
  static std::string encoded(const RecordBatch& batch, uint32_t row = 0) {
    std::string out;
    append_event_json(batch, row, &out);
    return out;
  }

  DecodeDefaults defaults_;
  uint64_t ids_made_ = 0;
  DecodedEvents decoded_;
};

TEST_F(JsonEvents, ReadsEveryMember) {
  const EventRow row = event(R"({
    "position": 9, "time": "2026-01-01T00:00:00.000000001Z", "observed_time": 1767225600000,
    "id": "019aa5f0-5d43-7c3a-9d0e-0c6f6f0c8a11", "kind": "causal", "type": "t", "source": "so",
    "subject": "su", "severity": 17, "stream": "st-1", "stream_position": 4,
    "correlation_id": "c", "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "span_id": "B7AD6B7169203331", "parent_id": "019AA5F05D437C3A9D0E0C6F6F0C8A12",
    "duration": 1500, "data": {"a": 1}, "metadata": [2], "context": "c"})");
  EXPECT_EQ(row.time, kTestTime + 1);
  EXPECT_EQ(row.observed_time, kTestTime);
  EXPECT_EQ(row.id.to_uuid(), "019aa5f0-5d43-7c3a-9d0e-0c6f6f0c8a11");
  EXPECT_EQ(row.kind, EventKind::kCausal);
  EXPECT_EQ(row.type, "t");
  EXPECT_EQ(row.source, "so");
  EXPECT_EQ(row.subject, "su");
  EXPECT_EQ(row.severity, 17);
  EXPECT_EQ(row.stream, "st-1");
  EXPECT_EQ(row.stream_position, kAbsentInt64);  // the store's to give
  EXPECT_EQ(row.correlation_id, "c");
  EXPECT_EQ(row.trace_id.to_hex(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(row.span_id[0], 0xB7);
  EXPECT_EQ(row.parent_id.to_uuid(), "019aa5f0-5d43-7c3a-9d0e-0c6f6f0c8a12");
  EXPECT_EQ(row.duration, 1500);
  EXPECT_EQ(row.data, R"({"a": 1})");
  EXPECT_EQ(row.metadata, "[2]");
  EXPECT_EQ(row.context, "\"c\"");
}

TEST_F(JsonEvents, DefaultsOfWhatIsAbsentOrNull) {
  const EventRow row =
      event(R"({"type":"t","time":null,"id":null,"kind":null,"severity":null,"stream":null})");
  EXPECT_EQ(row.time, kNow);
  EXPECT_EQ(row.observed_time, kAbsentInt64);
  EXPECT_EQ(row.kind, EventKind::kEvent);
  EXPECT_EQ(row.id, make_uuid7(1, 2, 1));
  EXPECT_EQ(row.duration, kAbsentInt64);
  EXPECT_TRUE(row.stream.empty() && row.data.empty() && row.metadata.empty());
}

TEST_F(JsonEvents, TellsWhichRowsHadAnId) {
  const auto decoded = decode(R"([
    {"type":"a"}, {"type":"b","id":"019aa5f0-5d43-7c3a-9d0e-0c6f6f0c8a11"}, {"type":"c"},
    {"type":"d","id":"019aa5f05d437c3a9d0e0c6f6f0c8a12"},
    {"type":"e","id":"00000000-0000-0000-0000-000000000000"}])");
  ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
  EXPECT_EQ(decoded.value().rows_with_id, (std::vector<uint32_t>{1, 3}));
  EXPECT_EQ(ids_made_, 3u);
}

TEST_F(JsonEvents, DocumentsKeepTheirBytes) {
  const std::string data =
      R"({"big": 123456789012345678901234567890, "z":1,"a":2, "nul":"\u0000","lone":"\ud800"})";
  EXPECT_EQ(event(R"({"data":)" + data + R"(,"type":"t"})").data, data);
  EXPECT_EQ(event(R"({"type":"t","data":null})").data, "null");
}

TEST_F(JsonEvents, TimesInSecondsMillisecondsMicrosecondsNanoseconds) {
  for (const char* time : {"1767225600", "1767225600000", "1767225600000000", "1767225600000000000",
                           "\"2026-01-01T01:00:00+01:00\""}) {
    EXPECT_EQ(event(std::string(R"({"type":"t","time":)") + time + "}").time, kTestTime) << time;
  }
}

TEST_F(JsonEvents, DurationAsText) {
  EXPECT_EQ(event(R"({"type":"t","duration":"12ms"})").duration, 12 * kMillisecondNs);
}

TEST_F(JsonEvents, SeverityNamesKeepTheirText) {
  EventRow row = event(R"({"type":"t","severity":"Warning"})");
  EXPECT_EQ(row.severity, 13);
  EXPECT_EQ(row.metadata, R"({"severity_text":"Warning"})");
  row = event(R"({"type":"t","severity":"PERF","metadata":{ "a" : 1 }})");
  EXPECT_EQ(row.severity, 0);
  EXPECT_EQ(row.metadata, R"({ "a" : 1 ,"severity_text":"PERF"})");
  row = event(R"({"type":"t","severity":"info","metadata":{"severity_text":"I"}})");
  EXPECT_EQ(row.metadata, R"({"severity_text":"I"})");
}

TEST_F(JsonEvents, OtherMembersBecomeAttributes) {
  EXPECT_EQ(event(R"({"specversion":"1.0","type":"t","x":{"y": [1]}})").metadata,
            R"({"attributes":{"specversion":"1.0","x":{"y": [1]}}})");
  EXPECT_EQ(event(R"({"type":"t","x":1,"metadata":{"a":2}})").metadata,
            R"({"a":2,"attributes":{"x":1}})");
  EXPECT_EQ(event(R"({"type":"t","x":1,"metadata":{"attributes":{"y":2},"b":3}})").metadata,
            R"({"attributes":{"y":2,"x":1},"b":3})");
  EXPECT_EQ(event(R"({"type":"t","x":1,"metadata":{"attributes":{ }}})").metadata,
            R"({"attributes":{ "x":1}})");
  EXPECT_EQ(event(R"({"type":"t","x\n":1,"severity":"info","metadata":null})").metadata,
            R"({"severity_text":"info","attributes":{"x\n":1}})");
}

TEST_F(JsonEvents, AttributesThatCannotBeMergedAreRefused) {
  EXPECT_EQ(why_refused(R"({"type":"t","x":1,"metadata":[1]})").substr(0, 17), "invalid_argument:");
  EXPECT_EQ(why_refused(R"({"type":"t","x":1,"metadata":{"attributes":7}})").substr(0, 17),
            "invalid_argument:");
  EXPECT_EQ(why_refused(R"({"type":"t","x":1,"metadata":{"attributes":{"x":2}}})"),
            "invalid_argument: event 0: \"x\" is a member of the event and of metadata.attributes");
}

TEST_F(JsonEvents, ErrorsNameEventMemberAndOffset) {
  EXPECT_EQ(why_refused(R"([{"type":"a"},{"type":"b","severity":25}])"),
            "invalid_argument: event 1: \"severity\" must be 0 to 24 or a name, byte 37");
  EXPECT_EQ(why_refused("{\"type\":\"a\"}\n\n{\"time\":1}\n", JsonBodyKind::kNdjson),
            "invalid_argument: line 3: \"type\" is required, byte 14");
  EXPECT_EQ(why_refused("{\"type\":\"a\"}\n{\"type\":\"a\",}\n", JsonBodyKind::kNdjson),
            "invalid_argument: line 2: expected a member name in quotes, byte 25");
  EXPECT_EQ(why_refused("{\"type\":\"a\"}{\"type\":\"b\"}\n", JsonBodyKind::kNdjson),
            "invalid_argument: line 1: unexpected text after the JSON value, byte 12");
}

TEST_F(JsonEvents, RefusesWrongValues) {
  for (const char* member :
       {R"("type":"")", R"("type":7)", R"("type":"t","type":"t")", R"("type":"t","id":"x")",
        R"("type":"t","id":5)", R"("type":"t","time":"yesterday")", R"("type":"t","time":{})",
        R"("type":"t","kind":"thing")", R"("type":"t","severity":-1)",
        R"("type":"t","severity":1.5)", R"("type":"t","severity":true)",
        R"("type":"t","span_id":"12")", R"("type":"t","trace_id":"zz")",
        R"("type":"t","duration":"long")", R"("type":"t","duration":1.5)",
        R"("type":"t","position":"1")", R"("type":"t","x":1,"x":2)", R"("type":"t","data":01)",
        R"("type":"t","data":{"a":nul})"}) {
    EXPECT_EQ(why_refused("{" + std::string(member) + "}").substr(0, 17), "invalid_argument:")
        << member;
  }
}

TEST_F(JsonEvents, RefusesBodiesThatAreNoEvents) {
  for (const char* body : {"", "  ", "[]", "7", "[7]", "[[]]", "null", "{\"type\":\"t\"} {}"}) {
    EXPECT_EQ(why_refused(body).substr(0, 17), "invalid_argument:") << body;
  }
  EXPECT_EQ(why_refused("\n \n", JsonBodyKind::kNdjson).substr(0, 17), "invalid_argument:");
}

TEST_F(JsonEvents, RefusesBytesThatAreNotUtf8) {
  EXPECT_EQ(why_refused("{\"type\":\"t\",\"data\":\"\xFF\"}"),
            "invalid_argument: the text is not UTF-8, byte 20");
}

TEST_F(JsonEvents, LimitsAreNamed) {
  defaults_.limits.type_bytes = 4;
  defaults_.limits.stream_name_bytes = 5;
  defaults_.limits.batch_events = 2;
  defaults_.limits.event_bytes = 300;
  defaults_.limits.batch_bytes = 400;
  defaults_.limits.json_depth = 4;
  defaults_.limits.attributes_per_event = 1;
  const auto names = [&](std::string_view body, std::string_view limit) {
    const std::string why = why_refused(body);
    EXPECT_EQ(why.substr(0, 10), "too_large:") << why;
    EXPECT_NE(why.find(limit), std::string::npos) << why;
  };
  names(R"({"type":"12345"})", "type_bytes is 4");
  names(R"({"type":"t","stream":"123456"})", "stream_name_bytes is 5");
  names(R"([{"type":"t"},{"type":"t"},{"type":"t"}])",
        "event 2: more events than the limit batch_events of 2");
  names(R"({"type":"t","data":")" + std::string(300, 'x') + "\"}", "event_bytes of 300");
  const std::string big = R"({"type":"t","data":")" + std::string(150, 'x') + "\"}";
  names("[" + big + "," + big + "]", "event 1: the events up to here exceed the limit batch_bytes");
  names(R"({"type":"t","data":[[[[]]]]})", "json_depth");
  names(R"({"type":"t","x":1,"y":2})", "attributes_per_event");
}

TEST_F(JsonEvents, DepthCountsFromTheEvent) {
  defaults_.limits.json_depth = 4;
  EXPECT_EQ(why_refused(R"({"type":"t","data":[[[]]]})"), "accepted");
  EXPECT_EQ(why_refused(R"([{"type":"t","data":[[[]]]}])"), "accepted");
  // One of the other members must still be readable from inside metadata.attributes.
  EXPECT_EQ(why_refused(R"({"type":"t","x":[]})"), "accepted");
  EXPECT_EQ(why_refused(R"({"type":"t","x":[[]]})").substr(0, 10), "too_large:");
}

TEST_F(JsonEvents, WritesWhatIsThereAndNothingElse) {
  event(R"({"type":"t","id":"019aa5f0-5d43-7c3a-9d0e-0c6f6f0c8a11"})");
  EXPECT_EQ(
      encoded(*decoded_.batch),
      R"({"time":"2026-01-01T00:00:00.000000005Z","id":"019aa5f0-5d43-7c3a-9d0e-0c6f6f0c8a11",)"
      R"("kind":"event","type":"t"})");
  decoded_.batch->stamp(1, 7, {});
  EXPECT_EQ(encoded(*decoded_.batch).substr(0, 15), R"({"position":7,")");
}

TEST_F(JsonEvents, AnEventIsAlwaysOneLine) {
  event("{\"type\":\"t\\n\",\"data\":{\n \"a\": [\r\n1]\n}}");
  const std::string json = encoded(*decoded_.batch);
  EXPECT_EQ(json.find_first_of("\r\n"), std::string::npos);
  EXPECT_NE(json.find(R"("data":{  "a": [  1] })"), std::string::npos) << json;
}

class JsonEventsRoundTrip : public JsonEvents, public testing::WithParamInterface<uint64_t> {};

TEST_P(JsonEventsRoundTrip, RandomRowsComeBackTheSame) {
  RandomRows random(GetParam());
  std::vector<EventRow> rows;
  for (int i = 0; i < 200; ++i) {
    EventRow row = random.next();
    row.stream_position = kAbsentInt64;  // not taken from clients
    if (row.type.empty()) row.type = "type";
    row.id = make_uuid7(1, GetParam(), static_cast<uint64_t>(i) + 1);
    for (std::string_view* document : {&row.data, &row.metadata, &row.context}) {
      if (!check_json(*document, 60).ok()) *document = {};
    }
    rows.push_back(row);
  }
  const auto batch = make_unstamped_batch(rows);
  std::string array = "[", lines;
  for (uint32_t i = 0; i < batch->rows(); ++i) {
    if (i > 0) array += ",\n";
    append_event_json(*batch, i, &array);
    append_event_json(*batch, i, &lines);
    lines += "\n";
  }
  array += "]";
  for (const auto& [body, kind] :
       {std::pair{&array, JsonBodyKind::kJson}, std::pair{&lines, JsonBodyKind::kNdjson}}) {
    const auto decoded = decode(*body, kind);
    ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
    const RecordBatch& again = *decoded.value().batch;
    ASSERT_EQ(again.rows(), batch->rows());
    EXPECT_EQ(decoded.value().rows_with_id.size(), batch->rows());
    for (uint32_t i = 0; i < batch->rows(); ++i) {
      ASSERT_TRUE(event_row(again, i) == rows[i]) << encoded(again, i) << "\n"
                                                  << encoded(*batch, i);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JsonEventsRoundTrip, testing::Range<uint64_t>(1, 12));

}  // namespace
}  // namespace firn
