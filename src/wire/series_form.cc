#include "wire/series_form.h"

#include "base/hash.h"
#include "wire/json_text.h"

namespace firn {

void append_series_form(const SeriesForm& form, std::string* out) {
  const auto is_there = [](std::string_view object) { return !object.empty() && object != "{}"; };
  // In the order of the keys; "labels" comes before all of them.
  JsonObjectWriter object(out);
  if (form.is_monotonic) object.boolean("monotonic", true);
  object.text("name", form.name);
  if (is_there(form.resource)) object.raw("resource", form.resource);
  if (is_there(form.scope)) object.raw("scope", form.scope);
  if (!form.temporality.empty()) object.text("temporality", form.temporality);
  if (!form.type.empty()) object.text("type", form.type);
  if (!form.unit.empty()) object.text("unit", form.unit);
  object.close();
}

Id series_identity(std::string_view form, std::string_view labels, std::string* buffer) {
  if (labels.empty()) return hash_bytes_128(form);
  buffer->assign(R"({"labels":)").append(labels).push_back(',');
  buffer->append(form.substr(1));
  return hash_bytes_128(*buffer);
}

std::string_view column_text(std::string_view text, size_t bytes_max, std::string* out) {
  if (utf8_valid_prefix(text) == text.size()) return utf8_cut(text, bytes_max);
  out->clear();
  for (size_t at = 0; at < text.size();) {
    const size_t valid = utf8_valid_prefix(text.substr(at));
    out->append(text, at, valid);
    at += valid;
    if (at == text.size()) break;
    out->append("\xEF\xBF\xBD");
    ++at;
  }
  return utf8_cut(*out, bytes_max);
}

}  // namespace firn
