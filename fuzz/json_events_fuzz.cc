// The JSON reader against simdjson, and events through their JSON form: what decodes must be
// written as JSON that decodes to the same event.

#include <simdjson.h>

#include <string>

#include "base/status.h"
#include "wire/json_events.h"
#include "wire/json_reader.h"

namespace firn {
namespace {

bool same_but_for_line_breaks(std::string_view a, std::string_view b) {
  std::string left, right;
  for (const char c : a) left += c == '\n' || c == '\r' ? ' ' : c;
  for (const char c : b) right += c == '\n' || c == '\r' ? ' ' : c;
  return left == right;
}

void check_same(const EventRow& a, const EventRow& b) {
  FIRN_CHECK(a.time == b.time && a.observed_time == b.observed_time && a.id == b.id);
  FIRN_CHECK(a.kind == b.kind && a.type == b.type && a.source == b.source);
  FIRN_CHECK(a.subject == b.subject && a.severity == b.severity && a.stream == b.stream);
  FIRN_CHECK(a.correlation_id == b.correlation_id && a.trace_id == b.trace_id);
  FIRN_CHECK(a.span_id == b.span_id && a.parent_id == b.parent_id && a.duration == b.duration);
  FIRN_CHECK(same_but_for_line_breaks(a.data, b.data));
  FIRN_CHECK(same_but_for_line_breaks(a.metadata, b.metadata));
  FIRN_CHECK(same_but_for_line_breaks(a.context, b.context));
}

// simdjson takes neither integers beyond 64 bits nor lone surrogates; apart from these both accept
// the same.
void check_against_simdjson(std::string_view text) {
  if (text.empty()) text = "";  // simdjson copies from where it points, even nothing
  static simdjson::dom::parser parser;
  const bool ours = check_json(text, JsonReader::kDepthMax).ok();
  const simdjson::error_code theirs = parser.parse(text.data(), text.size()).error();
  if (theirs == simdjson::SUCCESS) FIRN_CHECK(ours);
  const bool differs = theirs == simdjson::NUMBER_ERROR || theirs == simdjson::STRING_ERROR ||
                       theirs == simdjson::DEPTH_ERROR;
  if (theirs != simdjson::SUCCESS && !differs) FIRN_CHECK(!ours);
}

void check_events(std::string_view text, JsonBodyKind kind) {
  uint64_t made = 0;
  DecodeDefaults defaults;
  defaults.make_id = [&made] { return make_uuid7(1, 2, ++made); };
  const auto decoded = decode_events_json(text, kind, defaults);
  if (!decoded.ok()) return;
  const RecordBatch& batch = *decoded.value().batch;
  std::string lines;
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    append_event_json(batch, row, &lines);
    lines += '\n';
  }
  const auto again = decode_events_json(lines, JsonBodyKind::kNdjson, defaults);
  FIRN_CHECK(again.ok());
  FIRN_CHECK(again.value().batch->rows() == batch.rows());
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    check_same(event_row(batch, row), event_row(*again.value().batch, row));
  }
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  firn::check_against_simdjson(text);
  firn::check_events(text, firn::JsonBodyKind::kJson);
  firn::check_events(text, firn::JsonBodyKind::kNdjson);
  return 0;
}
