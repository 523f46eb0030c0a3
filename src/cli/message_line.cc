#include "cli/message_line.h"

#include "wire/json_text.h"
#include "wire/json_values.h"

namespace firn {

std::string message_line(const MessageLine& message) {
  std::string line;
  JsonObjectWriter object(&line);
  object.text("id", message.id);
  object.text("stream", message.stream);
  object.text("type", message.type);
  object.integer("pos", message.position);
  object.integer("gpos", message.global_position);
  object.member("data");
  append_json_one_line(message.data.empty() ? "{}" : message.data, &line);
  object.member("meta");
  append_json_one_line(message.metadata.empty() ? "null" : message.metadata, &line);
  object.text("time", format_time(message.time));
  object.close();
  return line;
}

Result<ParsedMessageLine> parse_message_line(std::string_view line) {
  ParsedMessageLine parsed;
  FIRN_TRY(parse_eventodb_record(line, &parsed.record));
  FIRN_TRY(visit_members(line, [&](std::string_view name, std::string_view value) -> Status {
    if (name != "gpos") return Status();
    FIRN_ASSIGN(parsed.global_position, json_integer(value, name));
    return Status();
  }));
  return parsed;
}

}  // namespace firn
