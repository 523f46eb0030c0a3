#include "server/guardia_json.h"

#include "model/attribute.h"
#include "wire/json_values.h"

namespace firn {

std::string_view member_of(std::string_view document, std::string_view wanted) {
  std::string_view found;
  if (!is_json_object(document)) return found;
  const Status read =
      visit_members(document, [&](std::string_view name, std::string_view json) -> Status {
        if (name == wanted) found = json;
        return Status();
      });
  return read.ok() ? found : std::string_view();
}

std::string label_of(const Series& series, std::string_view label) {
  return attribute_of(series.labels, {}, {}, label).value_or("");
}

void raw_or_null(std::string_view name, std::string_view json, JsonObjectWriter* object) {
  object->raw(name, json.empty() ? "null" : json);
}

void add_display_name(std::string_view metadata, const std::string& id, JsonObjectWriter* object) {
  const std::string_view name = member_of(metadata, "display_name");
  if (name.empty()) {
    object->text("display_name", id);
  } else {
    object->raw("display_name", name);
  }
}

}  // namespace firn
