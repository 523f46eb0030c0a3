// EventoDB's calls, and files of its lines in pieces: the arguments of a call that is accepted are
// JSON, put together they are the same call; lines do not depend on the pieces they came in.

#include <algorithm>
#include <string>
#include <vector>

#include "base/status.h"
#include "input.h"
#include "wire/eventodb_json.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"
#include "wire/json_values.h"
#include "wire/line_stream.h"

namespace firn {
namespace {

constexpr uint64_t kDepth = 64;
constexpr size_t kLineBytesMax = 1000;

void check_call(std::string_view body) {
  EventodbCall call;
  if (!parse_eventodb_call(body, kDepth, &call).ok()) return;
  std::string again = "[";
  append_json_string(call.method, &again);
  for (const std::string_view argument : call.arguments) {
    FIRN_CHECK(check_json(argument, kDepth).ok());
    (void)json_text(argument, "text").ok();
    (void)json_integer(argument, "number").ok();
    if (is_json_object(argument)) {
      FIRN_CHECK(visit_members(argument, [](std::string_view, std::string_view value) {
                   return check_json(value, kDepth);
                 }).ok());
    }
    again += ',';
    again += argument;
  }
  again += ']';
  EventodbCall same;
  FIRN_CHECK(parse_eventodb_call(again, kDepth, &same).ok());
  FIRN_CHECK(same.method == call.method && same.arguments == call.arguments);
}

void check_record(std::string_view line) {
  EventodbRecord record;
  if (!check_json(line, kDepth).ok() || !is_json_object(line)) return;
  if (!parse_eventodb_record(line, &record).ok()) return;
  FIRN_CHECK(record.position >= 0 && check_json(record.data, kDepth).ok());
  FIRN_CHECK(record.metadata.empty() || is_json_object(record.metadata));
}

// All lines of the text, cut into pieces of this size; the last one is "!" after a failure.
std::vector<std::string> lines_of(std::string_view text, size_t piece, bool is_gzip) {
  std::vector<std::string> lines;
  LineStream stream(is_gzip, kLineBytesMax);
  bool ended = false;
  while (true) {
    std::string_view line;
    const Result<bool> found = stream.next(&line);
    if (!found.ok()) {
      lines.emplace_back("!");
      return lines;
    }
    if (*found) {
      lines.emplace_back(line);
      continue;
    }
    if (ended) return lines;
    ended = text.empty();
    if (ended) {
      stream.end();
    } else {
      stream.feed(std::string(text.substr(0, piece)));
      text.remove_prefix(std::min(piece, text.size()));
    }
  }
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  firn::Input input(data, size);
  const size_t piece = 1 + input.below(200);
  const std::string_view text = input.take(size);
  firn::check_call(text);
  const auto lines = firn::lines_of(text, size + 1, false);
  FIRN_CHECK(lines == firn::lines_of(text, piece, false));
  for (const std::string& line : lines) firn::check_record(line);
  (void)firn::lines_of(text, piece, true);
  return 0;
}
