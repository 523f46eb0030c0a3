#include "model/attribute.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "model/text_search.h"

namespace firn {
namespace {

namespace ondemand = simdjson::ondemand;

using Path = std::vector<std::string_view>;

// The values wanted by a filter are looked for in the text only while that is cheaper than parsing.
constexpr size_t kValueNeedlesMax = 4;

// Whether the document spells some character by its number ("\u0041"), or `character` behind a
// backslash.
bool has_escape(std::string_view document, char character) {
  const char* const end = document.data() + document.size();
  const char* at = document.data();
  while ((at = static_cast<const char*>(std::memchr(at, '\\', static_cast<size_t>(end - at)))) !=
         nullptr) {
    if (++at == end) return false;
    if (*at == 'u' || *at == character) return true;
    ++at;
  }
  return false;
}

std::string_view trim_end(std::string_view text) {
  const size_t end = text.find_last_not_of(" \t\r\n");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

// One thread's parser and the padded copy it reads from.
class JsonObject {
 public:
  // False when the text is not a JSON object as far as a quick look can tell.
  bool load(std::string_view text) {
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos || text[first] != '{') return false;
    const size_t needed = text.size() + simdjson::SIMDJSON_PADDING;
    if (buffer_.size() < needed) buffer_.resize(needed * 2);
    std::memcpy(buffer_.data(), text.data(), text.size());
    std::memset(buffer_.data() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
    return parser_.iterate(buffer_.data(), text.size(), buffer_.size()).get(document_) ==
           simdjson::SUCCESS;
  }

  // The keys of the object itself, in their order. REQUIRES: load() was true.
  std::vector<std::string> keys() {
    std::vector<std::string> keys;
    ondemand::object object;
    if (document_.get_object().get(object) != simdjson::SUCCESS) return keys;
    for (auto field : object) {
      std::string_view key;
      if (field.unescaped_key().get(key) != simdjson::SUCCESS) return keys;
      keys.emplace_back(key);
    }
    return keys;
  }

  // The value below `path` as text. REQUIRES: load() was true.
  std::optional<std::string> at(const Path& path) {
    // After a syntax error simdjson has given the document up and must not be asked again.
    if (!document_.is_alive()) return std::nullopt;
    document_.rewind();
    ondemand::object object;
    if (document_.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
    for (size_t depth = 0;; ++depth) {
      ondemand::value value;
      if (!find(&object, path[depth], &value)) return std::nullopt;
      if (depth + 1 == path.size()) return text_of(&value);
      if (value.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
    }
  }

 private:
  static bool find(ondemand::object* object, std::string_view key, ondemand::value* out) {
    for (auto field : *object) {
      std::string_view name;
      if (field.unescaped_key().get(name) != simdjson::SUCCESS) return false;
      if (name == key) return field.value().get(*out) == simdjson::SUCCESS;
    }
    return false;
  }

  static std::optional<std::string> text_of(ondemand::value* value) {
    ondemand::json_type type;
    if (value->type().get(type) != simdjson::SUCCESS) return std::nullopt;
    std::string_view text;
    if (type == ondemand::json_type::string) {
      if (value->get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
      return std::string(text);
    }
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      if (value->get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
      if (object.raw_json().get(text) != simdjson::SUCCESS) return std::nullopt;
    } else if (type == ondemand::json_type::array) {
      ondemand::array array;
      if (value->get_array().get(array) != simdjson::SUCCESS) return std::nullopt;
      if (array.raw_json().get(text) != simdjson::SUCCESS) return std::nullopt;
    } else {
      text = value->raw_json_token();
    }
    return std::string(trim_end(text));
  }

  ondemand::parser parser_;
  ondemand::document document_;
  std::vector<char> buffer_;
};

Path split(std::string_view key) {
  Path path;
  for (size_t dot = key.find('.'); dot != std::string_view::npos; dot = key.find('.')) {
    path.push_back(key.substr(0, dot));
    key.remove_prefix(dot + 1);
  }
  path.push_back(key);
  return path;
}

JsonObject& thread_json() {
  static thread_local JsonObject json;
  return json;
}

// Looks below each of the places in turn, literally and then along the dots.
std::optional<std::string> look_up(std::string_view document, std::string_view key,
                                   std::initializer_list<Path> places) {
  JsonObject& json = thread_json();
  if (!json.load(document)) return std::nullopt;
  const Path segments = split(key);
  for (Path path : places) {
    const size_t depth = path.size();
    path.push_back(key);
    if (auto found = json.at(path)) return found;
    if (segments.size() == 1) continue;
    path.resize(depth);
    path.insert(path.end(), segments.begin(), segments.end());
    if (auto found = json.at(path)) return found;
  }
  return std::nullopt;
}

std::optional<std::string> look_up_metadata(std::string_view document, std::string_view key) {
  return look_up(document, key, {{"attributes"}, {}});
}
std::optional<std::string> look_up_data(std::string_view document, std::string_view key) {
  return look_up(document, key, {{}});
}
std::optional<std::string> look_up_context(std::string_view document, std::string_view key) {
  return look_up(document, key, {{"resource", "attributes"}, {"scope", "attributes"}, {}});
}

// Both readings of a key end with what follows its last dot.
std::string_view last_segment(std::string_view key) {
  const size_t dot = key.rfind('.');
  return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

}  // namespace

std::optional<std::string> attribute_of(std::string_view data, std::string_view metadata,
                                        std::string_view context, std::string_view key) {
  if (auto found = look_up_metadata(metadata, key)) return found;
  if (auto found = look_up_data(data, key)) return found;
  return look_up_context(context, key);
}

std::vector<std::string> attribute_keys(std::string_view document) {
  JsonObject& json = thread_json();
  return json.load(document) ? json.keys() : std::vector<std::string>();
}

JsonNeedle::JsonNeedle(std::string_view needle_text) : text(needle_text) {
  for (const char c : text) {
    has_slash |= c == '/';
    must_escape |= c == '"' || c == '\\' || (c >= 0 && c < ' ');
  }
}

bool JsonNeedle::may_be_in(std::string_view document) const {
  if (document.empty()) return false;
  if (must_escape || contains_text(document, text)) return true;
  return has_escape(document, has_slash ? '/' : 'u');
}

DocumentMatcher::DocumentMatcher(std::string_view key, std::string_view text)
    : key_(key), text_(text), key_needle_(last_segment(key)), text_needle_(text) {}

bool DocumentMatcher::matches(std::string_view document) const {
  return text_needle_.may_be_in(document) && key_needle_.may_be_in(document) &&
         attribute_of(document, {}, {}, key_) == text_;
}

AttributeMatcher::AttributeMatcher(const RecordBatch& batch, const Predicate& predicate)
    : predicate_(predicate),
      data_(batch.strings(ColumnId::kData)),
      metadata_(batch.strings(ColumnId::kMetadata)),
      context_(batch.strings(ColumnId::kContext)),
      key_(last_segment(predicate.key)) {
  if (predicate.texts.size() <= kValueNeedlesMax) {
    for (const std::string& text : predicate.texts) values_.emplace_back(text);
  }
  context_answers_.assign(context_.entries(), Answer::kUnknown);
}

bool AttributeMatcher::may_match(std::string_view document) const {
  if (!may_hold_key(document)) return false;
  return values_.empty() ||
         std::any_of(values_.begin(), values_.end(),
                     [&](const JsonNeedle& value) { return value.may_be_in(document); });
}

AttributeMatcher::Answer AttributeMatcher::judge(const std::optional<std::string>& found) const {
  if (!found) return Answer::kAbsent;
  const auto& texts = predicate_.texts;
  return std::find(texts.begin(), texts.end(), *found) == texts.end() ? Answer::kNo : Answer::kYes;
}

AttributeMatcher::Answer AttributeMatcher::of_context(uint32_t row) {
  Answer& answer = context_answers_[context_.entry_of(row)];
  if (answer == Answer::kUnknown) {
    const std::string_view document = context_[row];
    answer = may_match(document) ? judge(look_up_context(document, predicate_.key)) : Answer::kNo;
  }
  return answer;
}

bool AttributeMatcher::matches(uint32_t row) {
  const std::string_view metadata = metadata_[row];
  const std::string_view data = data_[row];
  const bool context_matches = of_context(row) == Answer::kYes;
  // The first place that has the key decides, so a document that cannot match must still be read
  // when a later one could.
  if (!context_matches && !may_match(metadata) && !may_match(data)) return false;
  if (may_hold_key(metadata)) {
    const Answer answer = judge(look_up_metadata(metadata, predicate_.key));
    if (answer != Answer::kAbsent) return answer == Answer::kYes;
  }
  if (may_hold_key(data)) {
    const Answer answer = judge(look_up_data(data, predicate_.key));
    if (answer != Answer::kAbsent) return answer == Answer::kYes;
  }
  return context_matches;
}

}  // namespace firn
