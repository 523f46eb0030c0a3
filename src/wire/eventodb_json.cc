#include "wire/eventodb_json.h"

#include "wire/json_reader.h"
#include "wire/json_values.h"

namespace firn {

Status parse_eventodb_call(std::string_view body, uint64_t json_depth, EventodbCall* call) {
  FIRN_TRY(check_utf8(body));
  StringPool pool;
  JsonReader reader(body, json_depth, &pool);
  if (reader.peek() != JsonReader::Kind::kArray) {
    FIRN_TRY(reader.status());
    return invalid_argument("the request must be an array: [\"method\", argument...]");
  }
  (void)reader.enter_array();
  bool has_method = false, is_text = true;
  while (reader.next_element()) {
    std::string_view value;
    if (has_method) {
      if (reader.read_raw(&value)) call->arguments.push_back(value);
      continue;
    }
    has_method = true;
    is_text = reader.peek() == JsonReader::Kind::kString;
    if (is_text ? reader.read_string(&value) : reader.skip_value()) call->method = value;
  }
  FIRN_TRY(reader.finish());
  if (!has_method) return invalid_argument("Missing method name");
  if (!is_text) return invalid_argument("the method must be a string");
  return Status();
}

Status parse_eventodb_record(std::string_view line, EventodbRecord* record) {
  bool has_time = false;
  FIRN_TRY(visit_members(line, [&](std::string_view name, std::string_view value) -> Status {
    if (name == "id") {
      FIRN_ASSIGN(const std::string text, json_text(value, name));
      record->id = Id::parse(text);
      if (!record->id.has_value()) return invalid_argument("'id' must be a UUID");
    } else if (name == "stream") {
      FIRN_ASSIGN(record->stream, json_text(value, name));
    } else if (name == "type") {
      FIRN_ASSIGN(record->type, json_text(value, name));
    } else if (name == "pos") {
      FIRN_ASSIGN(record->position, json_integer(value, name));
    } else if (name == "data") {
      if (value != "null" && !is_json_object(value)) {
        return invalid_argument("'data' must be an object");
      }
      record->data = value == "null" ? "{}" : value;
    } else if (name == "meta" && value != "null") {
      if (!is_json_object(value)) return invalid_argument("'meta' must be an object or null");
      record->metadata = value;
    } else if (name == "time") {
      FIRN_ASSIGN(const std::string text, json_text(value, name));
      const std::optional<TimeNs> time = parse_time(text);
      if (!time.has_value()) return invalid_argument("'time' must be RFC 3339");
      record->time = *time;
      has_time = true;
    }
    return Status();
  }));
  if (!has_time) return invalid_argument("'time' is missing");
  if (record->position < 0) return invalid_argument("'pos' must be a number from 0");
  if (record->data.empty()) return invalid_argument("'data' is missing");
  return Status();
}

}  // namespace firn
