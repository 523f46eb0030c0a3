#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "wire/string_pool.h"

namespace firn {

// Reads strict JSON (RFC 8259) front to back, in one pass, without copying: values come as views of
// the text, or of the pool when they had escapes. Whatever is stepped over is checked as fully as
// what is read. It does not check UTF-8: give it text that was validated (see check_utf8).
//
//   JsonReader reader(text, limits.json_depth, &pool);
//   if (reader.enter_object()) {
//     while (reader.next_member(&key)) reader.skip_value();
//   }
//   FIRN_TRY(reader.finish());
//
// After the first error every call answers false or kBad and status() says what and where. A value
// must be consumed (read, skipped, or entered and read to its end) before the next member is asked
// for. Thread rule: one thread.
class JsonReader {
 public:
  enum class Kind : uint8_t { kObject, kArray, kString, kNumber, kTrue, kFalse, kNull, kBad };

  static constexpr uint64_t kDepthMax = 1024;

  // `text` and `pool` must outlive the reader. Containers may be nested `depth_limit` deep, at most
  // kDepthMax. `base_offset` is where `text` begins in what the user sent; offsets in
  // messages count from there.
  JsonReader(std::string_view text, uint64_t depth_limit, StringPool* pool, size_t base_offset = 0);

  // What comes next. kBad at the end of the text or on a byte that begins no value; an error either
  // way, because it is asked only where a value must stand.
  Kind peek();

  // Steps into the container that comes next; an error when another value comes.
  bool enter_object();
  bool enter_array();
  // Steps to the value of the next member (its name in `key`, unescaped) or to the next element.
  // False at the end of the container, which is then left behind, and on errors.
  bool next_member(std::string_view* key);
  bool next_element();

  // A string, unescaped; lone surrogates become U+FFFD.
  bool read_string(std::string_view* out);
  // A number as its text.
  bool read_number(std::string_view* out);
  bool read_bool(bool* out);
  // Any value; `raw` is its text from first to last byte.
  bool read_raw(std::string_view* raw);
  bool skip_value();
  // Steps over a null when one comes; false (and no error) otherwise.
  bool skip_null();

  // True when only blanks are left.
  bool at_end();
  // Ok when no error occurred and only blanks are left.
  Status finish();

  bool ok() const { return reason_ == nullptr; }
  // Ok, or kInvalidArgument (kTooLarge for the depth): "<reason>, byte <offset>".
  Status status() const;
  // Where the next byte is read, counted from base_offset.
  size_t offset() const { return base_offset_ + static_cast<size_t>(at_ - begin_); }
  // Makes the reader fail with an error of the caller's, at the present place. `reason` must be a
  // literal. Returns false.
  bool fail(const char* reason) { return fail_at(reason, at_); }

 private:
  bool fail_at(const char* reason, const char* place);
  void skip_space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool push(bool is_object);
  bool next_in_container(char close);
  bool skip_key();
  bool skip_scalar();
  bool skip_string();
  bool skip_escape();
  bool skip_digits();
  bool skip_number();
  bool skip_word(std::string_view word);
  bool open_or_skip_scalar(bool* opened);
  bool climb(uint64_t depth_start, bool* done);
  bool unescape(std::string_view escaped, std::string_view* out);

  const char* begin_;
  const char* at_;
  const char* end_;
  StringPool* pool_;
  size_t base_offset_;
  uint64_t depth_limit_;
  uint64_t depth_ = 0;
  bool fresh_ = false;  // just entered a container: no comma before the next element
  const char* reason_ = nullptr;
  const char* error_place_ = nullptr;
  std::array<uint64_t, kDepthMax / 64> is_object_{};  // one bit per open container
};

// kInvalidArgument with the offset of the first byte that is not UTF-8.
Status check_utf8(std::string_view text);

// Whether `text` is exactly one strict JSON value of UTF-8 text, at most `depth_limit` deep. The
// error says why not.
Status check_json(std::string_view text, uint64_t depth_limit);

}  // namespace firn
