#include "server/body_reader.h"

#include <string>

namespace firn {

Status read_json_object(
    std::string_view body,
    const std::function<Result<bool>(std::string_view name, JsonReader*)>& member) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return Status();
  FIRN_TRY(check_utf8(body));
  StringPool pool;
  JsonReader reader(body, 8, &pool);
  std::string_view name;
  if (!reader.enter_object()) return reader.status().with_context("the body");
  while (reader.next_member(&name)) {
    FIRN_ASSIGN(const bool known, member(name, &reader));
    if (!reader.ok()) {
      return reader.status().with_context("member '" + std::string(name) + "'");
    }
    if (!known) return invalid_argument("unknown member '" + std::string(name) + "' in the body");
  }
  return reader.finish().with_context("the body");
}

}  // namespace firn
