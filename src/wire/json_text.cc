#include "wire/json_text.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "wire/json_scan.h"

namespace firn {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kBase64Alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

uint8_t byte_at(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

void append_escape(uint8_t byte, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (byte) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\b':
      out->append("\\b");
      return;
    case '\f':
      out->append("\\f");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      out->append("\\u00");
      out->push_back(kHex[byte >> 4]);
      out->push_back(kHex[byte & 15]);
  }
}

// Valid UTF-8 with its specials escaped.
void append_escaped(std::string_view text, std::string* out) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    const char* const special = find_json_special(at, end);
    out->append(at, static_cast<size_t>(special - at));
    if (special == end) return;
    append_escape(static_cast<uint8_t>(*special), out);
    at = special + 1;
  }
}

struct Utf8Step {
  size_t size;  // bytes to take; for a broken sequence its maximal part
  bool valid;
};

// One sequence at `at` (Unicode table 3-7).
Utf8Step utf8_step(std::string_view text, size_t at) {
  const uint8_t lead = byte_at(text, at);
  if (lead < 0x80) return {1, true};
  size_t size = 0;
  uint8_t low = 0x80, high = 0xBF;  // of the second byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (size_t i = 1; i < size; ++i) {
    if (at + i >= text.size()) return {i, false};
    const uint8_t next = byte_at(text, at + i);
    if (next < low || next > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

template <typename T>
void append_number(T value, std::string* out) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out->append(buffer.data(), end.ptr);
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

}  // namespace

void append_json_string(std::string_view text, std::string* out) {
  out->push_back('"');
  if (is_plain_json(text)) {
    out->append(text);
  } else if (is_ascii(text) || simdjson::validate_utf8(text.data(), text.size())) {
    append_escaped(text, out);
  } else {
    size_t at = 0;
    while (at < text.size()) {
      const size_t valid = utf8_valid_prefix(text.substr(at));
      append_escaped(text.substr(at, valid), out);
      at += valid;
      if (at == text.size()) break;
      out->append(kReplacement);
      at += utf8_step(text, at).size;
    }
  }
  out->push_back('"');
}

void append_json_key(std::string_view key, std::string* out) {
  append_json_string(key, out);
  out->push_back(':');
}

void JsonObjectWriter::integer(std::string_view key, int64_t value) {
  member(key);
  append_json_integer(value, out_);
}

void JsonObjectWriter::unsigned_integer(std::string_view key, uint64_t value) {
  member(key);
  append_json_unsigned(value, out_);
}

void JsonObjectWriter::number(std::string_view key, double value) {
  member(key);
  append_json_double(value, out_);
}

void append_json_integer(int64_t value, std::string* out) { append_number(value, out); }
void append_json_unsigned(uint64_t value, std::string* out) { append_number(value, out); }

void append_json_double(double value, std::string* out) {
  if (!std::isfinite(value)) {
    out->append("null");
    return;
  }
  const size_t begin = out->size();
  append_number(value, out);
  if (out->find_first_of(".e", begin) == std::string::npos) out->append(".0");
}

void append_json_one_line(std::string_view json, std::string* out) {
  const size_t begin = out->size();
  out->append(json);
  if (json.find('\n') == std::string_view::npos && json.find('\r') == std::string_view::npos)
    return;
  // Inside strings a line break is always escaped, so a bare one stands between tokens.
  for (size_t i = begin; i < out->size(); ++i) {
    char& c = (*out)[i];
    if (c == '\n' || c == '\r') c = ' ';
  }
}

size_t utf8_valid_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const Utf8Step step = utf8_step(text, at);
    if (!step.valid) break;
    at += step.size;
  }
  return at;
}

std::string_view utf8_cut(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t size = bytes_max;
  // Step back over continuation bytes; at most three, so that bytes that are no text are cut, too.
  for (int i = 0; i < 3 && size > 0 && (byte_at(text, size) & 0xC0) == 0x80; ++i) --size;
  return text.substr(0, size);
}

void append_base64(ByteView bytes, std::string* out) {
  size_t at = 0;
  for (; at + 3 <= bytes.size(); at += 3) {
    const uint32_t group = static_cast<uint32_t>(byte_at(bytes, at)) << 16 |
                           static_cast<uint32_t>(byte_at(bytes, at + 1)) << 8 |
                           byte_at(bytes, at + 2);
    for (int shift = 18; shift >= 0; shift -= 6) {
      out->push_back(kBase64Alphabet[(group >> shift) & 63]);
    }
  }
  const size_t left = bytes.size() - at;
  if (left == 0) return;
  uint32_t group = static_cast<uint32_t>(byte_at(bytes, at)) << 16;
  if (left == 2) group |= static_cast<uint32_t>(byte_at(bytes, at + 1)) << 8;
  out->push_back(kBase64Alphabet[(group >> 18) & 63]);
  out->push_back(kBase64Alphabet[(group >> 12) & 63]);
  out->push_back(left == 2 ? kBase64Alphabet[(group >> 6) & 63] : '=');
  out->push_back('=');
}

bool decode_base64(std::string_view text, std::string* out) {
  out->clear();
  size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  if (text.size() % 4 == 1 || (padding > 0 && (text.size() + padding) % 4 != 0)) return false;
  uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) return false;
    group = (group << 6 | static_cast<uint32_t>(value)) & 0xFFFFFF;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out->push_back(static_cast<char>((group >> bits) & 0xFF));
    }
  }
  return true;
}

}  // namespace firn
