#include "wire/json_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <string>

#include "wire/json_scan.h"
#include "wire/json_text.h"

namespace firn {
namespace {

constexpr const char* kTooDeep = "nested too deep";
constexpr const char* kEnds = "the text ends in the middle of a value";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

uint32_t hex4(const char* at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 4 | static_cast<uint32_t>(hex_value(at[i]));
  return value;
}

void append_utf8(uint32_t code, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

// The four digits after "\u" begin at escaped[at]. Appends the character, together with the low
// surrogate that may follow. Returns how many bytes of `escaped` were used.
size_t append_unicode_escape(std::string_view escaped, size_t at, std::string* out) {
  constexpr uint32_t kReplacement = 0xFFFD;
  const uint32_t code = hex4(escaped.data() + at);
  if (code < 0xD800 || code > 0xDFFF) {
    append_utf8(code, out);
    return 4;
  }
  const bool has_next =
      at + 10 <= escaped.size() && escaped[at + 4] == '\\' && escaped[at + 5] == 'u';
  const uint32_t low = has_next ? hex4(escaped.data() + at + 6) : 0;
  if (code <= 0xDBFF && low >= 0xDC00 && low <= 0xDFFF) {
    append_utf8(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00), out);
    return 10;
  }
  append_utf8(kReplacement, out);
  return 4;
}

char simple_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;  // '"', '\' and '/' stand for themselves
  }
}

}  // namespace

JsonReader::JsonReader(std::string_view text, uint64_t depth_limit, StringPool* pool,
                       size_t base_offset)
    : begin_(text.data()),
      at_(text.data()),
      end_(text.data() + text.size()),
      pool_(pool),
      base_offset_(base_offset),
      depth_limit_(std::min(depth_limit, kDepthMax)) {}

bool JsonReader::fail_at(const char* reason, const char* place) {
  if (reason_ == nullptr) {
    reason_ = reason;
    error_place_ = place;
  }
  at_ = end_;
  return false;
}

Status JsonReader::status() const {
  if (ok()) return {};
  const size_t offset = base_offset_ + static_cast<size_t>(error_place_ - begin_);
  if (reason_ == kTooDeep) {
    return too_large(
        fmt::format("JSON is nested deeper than {} levels, the limit json_depth, byte {}",
                    depth_limit_, offset));
  }
  return invalid_argument(fmt::format("{}, byte {}", reason_, offset));
}

JsonReader::Kind JsonReader::peek() {
  skip_space();
  if (at_ == end_) {
    fail(kEnds);
    return Kind::kBad;
  }
  switch (*at_) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
      return Kind::kTrue;
    case 'f':
      return Kind::kFalse;
    case 'n':
      return Kind::kNull;
    default:
      if (*at_ == '-' || is_digit(*at_)) return Kind::kNumber;
      fail("expected a JSON value");
      return Kind::kBad;
  }
}

bool JsonReader::push(bool is_object) {
  if (depth_ >= depth_limit_) return fail(kTooDeep);
  const uint64_t bit = uint64_t{1} << (depth_ % 64);
  uint64_t& word = is_object_[depth_ / 64];
  word = is_object ? (word | bit) : (word & ~bit);
  ++depth_;
  ++at_;
  return true;
}

bool JsonReader::enter_object() {
  skip_space();
  if (at_ == end_ || *at_ != '{') return fail("expected an object");
  fresh_ = true;
  return push(true);
}

bool JsonReader::enter_array() {
  skip_space();
  if (at_ == end_ || *at_ != '[') return fail("expected an array");
  fresh_ = true;
  return push(false);
}

bool JsonReader::next_in_container(char close) {
  skip_space();
  if (at_ == end_) return fail(kEnds);
  const bool first = fresh_;
  fresh_ = false;
  if (*at_ == close) {
    ++at_;
    --depth_;
    return false;
  }
  if (first) return true;
  if (*at_ != ',') return fail(close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
  ++at_;
  return true;
}

bool JsonReader::next_member(std::string_view* key) {
  if (!next_in_container('}')) return false;
  skip_space();
  if (at_ == end_ || *at_ != '"') return fail("expected a member name in quotes");
  if (!read_string(key)) return false;
  skip_space();
  if (at_ == end_ || *at_ != ':') return fail("expected ':'");
  ++at_;
  return true;
}

bool JsonReader::next_element() { return next_in_container(']'); }

bool JsonReader::read_string(std::string_view* out) {
  skip_space();
  if (at_ == end_ || *at_ != '"') return fail("expected a string");
  const char* const first = at_ + 1;
  const char* const special = find_json_special(first, end_);
  if (special != end_ && *special == '"') {  // the usual case: nothing to unescape
    *out = {first, static_cast<size_t>(special - first)};
    at_ = special + 1;
    return true;
  }
  if (!skip_string()) return false;
  return unescape({first, static_cast<size_t>(at_ - 1 - first)}, out);
}

bool JsonReader::unescape(std::string_view escaped, std::string_view* out) {
  std::string* text = pool_->take();
  text->reserve(escaped.size());
  size_t at = 0;
  while (at < escaped.size()) {
    const size_t backslash = std::min(escaped.find('\\', at), escaped.size());
    text->append(escaped, at, backslash - at);
    if (backslash == escaped.size()) break;
    const char c = escaped[backslash + 1];
    at = backslash + 2;
    if (c == 'u') {
      at += append_unicode_escape(escaped, at, text);
    } else {
      text->push_back(simple_escape(c));
    }
  }
  *out = *text;
  return true;
}

bool JsonReader::read_number(std::string_view* out) {
  skip_space();
  if (at_ == end_ || (*at_ != '-' && !is_digit(*at_))) return fail("expected a number");
  const char* const first = at_;
  if (!skip_number()) return false;
  *out = {first, static_cast<size_t>(at_ - first)};
  return true;
}

bool JsonReader::read_bool(bool* out) {
  skip_space();
  if (at_ == end_ || (*at_ != 't' && *at_ != 'f')) return fail("expected true or false");
  *out = *at_ == 't';
  return skip_word(*out ? "true" : "false");
}

bool JsonReader::skip_null() {
  skip_space();
  return at_ != end_ && *at_ == 'n' && skip_word("null");
}

bool JsonReader::read_raw(std::string_view* raw) {
  skip_space();
  const char* const first = at_;
  if (!skip_value()) return false;
  *raw = {first, static_cast<size_t>(at_ - first)};
  return true;
}

// Walks without recursion: the open containers are the bits of is_object_.
bool JsonReader::skip_value() {
  const uint64_t depth_start = depth_;
  bool done = false;
  while (!done) {
    bool opened = false;
    if (!open_or_skip_scalar(&opened)) return false;
    if (!opened && !climb(depth_start, &done)) return false;
  }
  fresh_ = false;
  return true;
}

// At the beginning of a value. `opened`: a container with something in it was entered and the next
// value begins here; otherwise a value ended here.
bool JsonReader::open_or_skip_scalar(bool* opened) {
  skip_space();
  if (at_ == end_) return fail(kEnds);
  const char c = *at_;
  if (c != '{' && c != '[') return skip_scalar();
  if (!push(c == '{')) return false;
  skip_space();
  if (at_ == end_) return fail(kEnds);
  if (*at_ == (c == '{' ? '}' : ']')) {
    ++at_;
    --depth_;
    return true;
  }
  *opened = true;
  return c == '[' || skip_key();
}

// After a value: steps to the next one of the same container, leaving those that end here.
bool JsonReader::climb(uint64_t depth_start, bool* done) {
  while (depth_ > depth_start) {
    skip_space();
    if (at_ == end_) return fail(kEnds);
    const uint64_t top = depth_ - 1;
    const bool in_object = (is_object_[top / 64] >> (top % 64) & 1) != 0;
    const char c = *at_;
    if (c == ',') {
      ++at_;
      return !in_object || skip_key();
    }
    if (c != (in_object ? '}' : ']')) {
      return fail(in_object ? "expected ',' or '}'" : "expected ',' or ']'");
    }
    ++at_;
    --depth_;
  }
  *done = true;
  return true;
}

bool JsonReader::skip_key() {
  skip_space();
  if (at_ == end_ || *at_ != '"') return fail("expected a member name in quotes");
  if (!skip_string()) return false;
  skip_space();
  if (at_ == end_ || *at_ != ':') return fail("expected ':'");
  ++at_;
  return true;
}

bool JsonReader::skip_scalar() {
  switch (*at_) {
    case '"':
      return skip_string();
    case 't':
      return skip_word("true");
    case 'f':
      return skip_word("false");
    case 'n':
      return skip_word("null");
    default:
      if (*at_ == '-' || is_digit(*at_)) return skip_number();
      return fail("expected a JSON value");
  }
}

bool JsonReader::skip_word(std::string_view word) {
  if (static_cast<size_t>(end_ - at_) < word.size() || std::string_view(at_, word.size()) != word) {
    return fail("expected a JSON value");
  }
  at_ += word.size();
  return true;
}

bool JsonReader::skip_string() {
  const char* const first = at_;
  ++at_;
  while (true) {
    at_ = find_json_special(at_, end_);
    if (at_ == end_) return fail_at("a string does not end", first);
    if (*at_ == '"') {
      ++at_;
      return true;
    }
    if (*at_ != '\\') return fail("a control character must be escaped in a string");
    if (!skip_escape()) return false;
  }
}

bool JsonReader::skip_escape() {
  const char* const first = at_;
  if (end_ - at_ < 2) return fail("a string does not end");
  const char c = at_[1];
  at_ += 2;
  if (c != 'u') {
    if (std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos) return true;
    return fail_at("unknown escape in a string", first);
  }
  for (int i = 0; i < 4; ++i, ++at_) {
    if (at_ == end_ || hex_value(*at_) < 0) {
      return fail_at("\\u must be followed by four hexadecimal digits", first);
    }
  }
  return true;
}

bool JsonReader::skip_digits() {
  if (at_ == end_ || !is_digit(*at_)) return fail("expected a digit");
  while (at_ < end_ && is_digit(*at_)) ++at_;
  return true;
}

bool JsonReader::skip_number() {
  if (*at_ == '-') ++at_;
  if (at_ < end_ && *at_ == '0') {
    ++at_;
    if (at_ < end_ && is_digit(*at_)) return fail("a number must not begin with 0");
  } else if (!skip_digits()) {
    return false;
  }
  if (at_ < end_ && *at_ == '.') {
    ++at_;
    if (!skip_digits()) return false;
  }
  if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!skip_digits()) return false;
  }
  return true;
}

bool JsonReader::at_end() {
  skip_space();
  return at_ == end_;
}

Status JsonReader::finish() {
  if (ok() && !at_end()) fail("unexpected text after the JSON value");
  return status();
}

Status check_utf8(std::string_view text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return {};
  return invalid_argument(fmt::format("the text is not UTF-8, byte {}", utf8_valid_prefix(text)));
}

Status check_json(std::string_view text, uint64_t depth_limit) {
  FIRN_TRY(check_utf8(text));
  StringPool pool;
  JsonReader reader(text, depth_limit, &pool);
  reader.skip_value();
  return reader.finish();
}

}  // namespace firn
