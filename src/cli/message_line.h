#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "wire/eventodb_json.h"

namespace firn {

// A message on its way between EventoDB's lines and other forms.
struct MessageLine {
  std::string_view id{}, stream{}, type{};
  int64_t position = 0, global_position = 0;
  std::string_view data{}, metadata{};  // JSON; empty: {} and null
  TimeNs time = 0;
};
std::string message_line(const MessageLine& message);

struct ParsedMessageLine {
  EventodbRecord record;  // views of the line
  int64_t global_position = 0;
};
Result<ParsedMessageLine> parse_message_line(std::string_view line);

}  // namespace firn
