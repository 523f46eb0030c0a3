#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace firn {

// The one way JSON text is written in Firn. All functions append to `out`.

// `text` as a JSON string, quotes included: '"', '\' and control characters escaped, everything
// else as it is. Bytes that are not UTF-8 become U+FFFD, one for each maximal broken sequence.
void append_json_string(std::string_view text, std::string* out);

// `"key":`. The caller writes the comma.
void append_json_key(std::string_view key, std::string* out);

// Writes the members of one object: puts the braces and the commas, so that nobody counts them.
//   JsonObjectWriter object(&out); object.text("name", n); object.close();
class JsonObjectWriter {
 public:
  explicit JsonObjectWriter(std::string* out) : out_(out) { out_->push_back('{'); }
  void text(std::string_view key, std::string_view value) {
    member(key);
    append_json_string(value, out_);
  }
  void integer(std::string_view key, int64_t value);
  void unsigned_integer(std::string_view key, uint64_t value);
  void boolean(std::string_view key, bool value) { raw(key, value ? "true" : "false"); }
  void number(std::string_view key, double value);
  // `json` is a JSON value already.
  void raw(std::string_view key, std::string_view json) {
    member(key);
    out_->append(json);
  }
  // Writes the comma and the key; the caller appends the value to the same string.
  void member(std::string_view key) {
    if (!empty_) out_->push_back(',');
    empty_ = false;
    append_json_key(key, out_);
  }
  // An array whose values `append` writes; nothing when there are none.
  template <typename List, typename Append>
  void list(std::string_view key, const List& values, const Append& append) {
    bool is_first = true;
    for (const auto& value : values) {
      if (is_first) {
        member(key);
        out_->push_back('[');
      } else {
        out_->push_back(',');
      }
      is_first = false;
      append(value);
    }
    if (!is_first) out_->push_back(']');
  }
  bool empty() const { return empty_; }
  void close() { out_->push_back('}'); }

 private:
  std::string* out_;
  bool empty_ = true;
};

void append_json_integer(int64_t value, std::string* out);
void append_json_unsigned(uint64_t value, std::string* out);
// The shortest text that reads back as the same double, always with a point or an exponent.
// NaN and infinities, which JSON cannot express, become null.
void append_json_double(double value, std::string* out);

// A JSON value that may hold line breaks between its tokens, as one line.
void append_json_one_line(std::string_view json, std::string* out);

// The length of the longest prefix of `text` that is valid UTF-8.
size_t utf8_valid_prefix(std::string_view text);
// `text` cut to at most `bytes_max` bytes, not inside a UTF-8 sequence.
std::string_view utf8_cut(std::string_view text, size_t bytes_max);

// Base64 with padding (RFC 4648 section 4).
void append_base64(ByteView bytes, std::string* out);
// Reads both alphabets, padding optional. False when the text is not base64; `out` is then
// unspecified.
bool decode_base64(std::string_view text, std::string* out);

}  // namespace firn
