#include "wire/line_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wire/json_reader.h"
#include "wire/json_text.h"
#include "wire/sample_number.h"
#include "wire/string_pool.h"

namespace firn {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Where the first of `ends` is that no backslash stands before, from `at` on; the end of the text
// when there is none.
size_t find_unescaped(std::string_view text, size_t at, std::string_view ends) {
  for (; at < text.size(); ++at) {
    if (ends.find(text[at]) == std::string_view::npos) continue;
    if (at == 0 || text[at - 1] != '\\') return at;
  }
  return text.size();
}

// Without the backslashes that stand before one of `special`. A view of `text` or of the pool.
std::string_view unescape(std::string_view text, std::string_view special, StringPool* pool) {
  if (text.find('\\') == std::string_view::npos) return text;
  std::string* const out = pool->take();
  for (size_t at = 0; at < text.size(); ++at) {
    const bool is_escape = text[at] == '\\' && at + 1 < text.size() &&
                           special.find(text[at + 1]) != std::string_view::npos;
    if (is_escape) ++at;
    out->push_back(text[at]);
  }
  return *out;
}

std::optional<bool> read_boolean(std::string_view text) {
  for (const std::string_view yes : {"t", "T", "true", "True", "TRUE"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"f", "F", "false", "False", "FALSE"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

template <typename Integer>
std::optional<Integer> read_integer(std::string_view text) {
  Integer value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// As they were sent.
struct Field {
  std::string_view name, value;
};

constexpr std::string_view kKeyEscapes = ",= ";
constexpr std::string_view kMeasurementEscapes = ", ";

// One body. Positions are in the whole of it, because a string may hold line breaks.
class LineReader {
 public:
  LineReader(ByteView body, DurationNs precision, const DecodeDefaults& defaults)
      : body_(body),
        precision_(precision),
        now_(defaults.now / precision * precision),
        rows_(defaults, SampleDoor::kLineProtocol) {}

  Status read() {
    while (skip_to_line()) {
      line_start_ = at_;
      FIRN_TRY(read_line());
    }
    return Status();
  }
  uint64_t line() const { return line_; }
  std::vector<DecodedSamples> finish() { return rows_.finish(); }

 private:
  // Steps over blanks, empty lines and comments. False at the end.
  bool skip_to_line() {
    while (at_ < body_.size()) {
      const char c = body_[at_];
      if (c == '\n') {
        ++line_;
        ++at_;
      } else if (c == '#') {
        at_ = std::min(body_.find('\n', at_), body_.size());
      } else if (is_blank(c)) {
        ++at_;
      } else {
        return true;
      }
    }
    return false;
  }

  Status read_line() {
    FIRN_TRY(find_key());
    FIRN_TRY(find_fields());
    FIRN_TRY(read_time());
    pool_.reset();
    for (const Field& field : fields_) FIRN_TRY(add_field(field));
    if (has_text_) {
      const std::string_view line = body_.substr(line_start_, at_ - line_start_);
      line_ += static_cast<uint64_t>(std::count(line.begin(), line.end(), '\n'));
    }
    return Status();
  }

  // The measurement and its tags, as they were sent.
  Status find_key() {
    const size_t end = find_unescaped(body_, at_, " \n");
    key_ = body_.substr(at_, end - at_);
    if (key_.ends_with('\r')) key_.remove_suffix(1);
    at_ = end;
    measurement_ = key_.substr(0, find_unescaped(key_, 0, ","));
    if (measurement_.empty()) return refuse("missing measurement");
    return Status();
  }

  void skip_blanks() {
    while (at_ < body_.size() && is_blank(body_[at_])) ++at_;
  }
  bool is_line_end() const { return at_ == body_.size() || body_[at_] == '\n'; }

  Status find_fields() {
    fields_.clear();
    has_text_ = false;
    skip_blanks();
    if (is_line_end()) return refuse("missing fields");
    while (true) {
      const size_t equals = find_unescaped(body_, at_, "=, \n");
      if (equals == body_.size() || body_[equals] != '=') return refuse("a field has no value");
      const std::string_view name = body_.substr(at_, equals - at_);
      if (name.empty()) return refuse("missing field key");
      at_ = equals + 1;
      FIRN_ASSIGN(const std::string_view value, find_value());
      if (value.empty()) return refuse("missing field value");
      fields_.push_back({name, value});
      if (at_ == body_.size() || body_[at_] != ',') break;
      ++at_;
    }
    if (is_line_end() || is_blank(body_[at_])) return Status();
    return refuse("unexpected text behind a string");
  }

  // Steps over a value.
  Result<std::string_view> find_value() {
    const size_t begin = at_;
    if (at_ == body_.size() || body_[at_] != '"') {
      while (!is_line_end() && body_[at_] != ',' && !is_blank(body_[at_])) ++at_;
      return body_.substr(begin, at_ - begin);
    }
    has_text_ = true;
    for (++at_; at_ < body_.size() && body_[at_] != '"'; ++at_) {
      const bool is_escape = body_[at_] == '\\' && at_ + 1 < body_.size() &&
                             (body_[at_ + 1] == '"' || body_[at_ + 1] == '\\');
      if (is_escape) ++at_;
    }
    if (at_ == body_.size()) return refuse("unbalanced quotes");
    ++at_;
    return body_.substr(begin, at_ - begin);
  }

  // What is left of the line: a timestamp or nothing.
  Status read_time() {
    skip_blanks();
    const size_t begin = at_;
    while (!is_line_end() && !is_blank(body_[at_])) ++at_;
    const std::string_view text = body_.substr(begin, at_ - begin);
    skip_blanks();
    if (!is_line_end()) return refuse("unexpected text behind the timestamp");
    time_ = now_;
    if (text.empty()) return Status();
    const auto count = read_integer<int64_t>(text);
    if (!count) return refuse("bad timestamp");
    if (__builtin_mul_overflow(*count, precision_, &time_)) {
      return refuse("the timestamp is outside of what nanoseconds of 64 bits can say");
    }
    return Status();
  }

  Status add_field(const Field& field) {
    sent_.assign(key_).append(1, ' ').append(field.name);
    if (!rows_.knows_series(sent_)) FIRN_TRY(begin_series(field.name));
    FIRN_TRY(read_value(field.value));
    return name_line(rows_.add(sample_));
  }

  Status begin_series(std::string_view field) {
    labels_.clear();
    for (size_t at = measurement_.size(); at < key_.size();) {
      const size_t end = find_unescaped(key_, at + 1, ",");
      const std::string_view tag = key_.substr(at + 1, end - at - 1);
      const size_t equals = find_unescaped(tag, 0, "=");
      if (equals == 0) return refuse("missing tag key");
      if (equals + 1 >= tag.size()) return refuse("missing tag value");
      if (find_unescaped(tag, equals + 1, "=") < tag.size()) {
        return refuse("a tag has more than one '='");
      }
      labels_.push_back({unescape(tag.substr(0, equals), kKeyEscapes, &pool_),
                         unescape(tag.substr(equals + 1), kKeyEscapes, &pool_)});
      at = end;
    }
    name_.assign(unescape(measurement_, kMeasurementEscapes, &pool_));
    if (field != "value") name_.append(1, '_').append(unescape(field, kKeyEscapes, &pool_));
    return name_line(rows_.begin_series(name_, labels_));
  }

  Status read_value(std::string_view text) {
    sample_ = {};
    sample_.time = time_;
    if (text.front() == '"') return read_text(text);
    if (const auto boolean = read_boolean(text)) {
      sample_.value = Float64::of(*boolean ? 1 : 0);
      sample_.is_integer = true;
      return Status();
    }
    const char suffix = text.back();
    if (suffix == 'i' || suffix == 'u') return read_integer_value(text, suffix);
    // Neither the names of NaN and infinities, nor what is no decimal number.
    const size_t digit = text.front() == '-' ? 1 : 0;
    const bool is_decimal =
        digit < text.size() && (text[digit] == '.' || (text[digit] >= '0' && text[digit] <= '9'));
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (!is_decimal || error != std::errc() || end != text.data() + text.size()) {
      return refuse("a field's value is no number, text or boolean");
    }
    sample_.value = Float64::of(value);
    return Status();
  }

  Status read_integer_value(std::string_view text, char suffix) {
    text.remove_suffix(1);
    digits_.clear();
    if (suffix == 'i') {
      const auto value = read_integer<int64_t>(text);
      if (!value) return refuse("an integer is malformed or beyond 64 bits");
      append_json_integer(*value, &digits_);
    } else {
      const auto value = read_integer<uint64_t>(text);
      if (!value) return refuse("an unsigned integer is malformed or beyond 64 bits");
      append_json_unsigned(*value, &digits_);
    }
    number_ = *read_sample_number(digits_);
    sample_.value = number_.value;
    sample_.is_integer = true;
    sample_.data = number_.data;
    return Status();
  }

  Status read_text(std::string_view quoted) {
    document_.clear();
    JsonObjectWriter object(&document_);
    object.text("text", unescape(quoted.substr(1, quoted.size() - 2), "\"\\", &pool_));
    object.close();
    sample_.data = document_;
    return Status();
  }

  // A refusal of the line that is read.
  Status refuse(std::string_view what) const {
    constexpr size_t kShownBytes = 100;
    std::string_view shown = body_.substr(line_start_);
    shown = shown.substr(0, shown.find('\n'));
    return name_line(invalid_argument(
        fmt::format("unable to parse '{}': {}", utf8_cut(shown, kShownBytes), what)));
  }
  Status name_line(const Status& status) const {
    return status.ok() ? status : status.with_context(fmt::format("line {}", line_));
  }

  const ByteView body_;
  const DurationNs precision_;
  const TimeNs now_;
  SampleRows rows_;
  size_t at_ = 0;
  uint64_t line_ = 1;
  // Of the line that is read.
  size_t line_start_ = 0;
  bool has_text_ = false;
  std::string_view key_, measurement_;
  std::vector<Field> fields_;
  TimeNs time_ = 0;
  // Scratch.
  StringPool pool_;
  std::vector<Label> labels_;
  std::string sent_, name_, digits_, document_;
  SampleNumber number_;
  PlainSample sample_;
};

}  // namespace

Result<std::vector<DecodedSamples>> decode_line_protocol(ByteView body, DurationNs precision,
                                                         const DecodeDefaults& defaults,
                                                         uint64_t* bad_line) {
  *bad_line = 0;
  if (const Status status = check_utf8(body); !status.ok()) {
    const ByteView valid = body.substr(0, utf8_valid_prefix(body));
    *bad_line = 1 + static_cast<uint64_t>(std::count(valid.begin(), valid.end(), '\n'));
    return status.with_context(fmt::format("line {}", *bad_line));
  }
  LineReader reader(body, precision, defaults);
  if (const Status status = reader.read(); !status.ok()) {
    *bad_line = reader.line();
    return status;
  }
  return reader.finish();
}

}  // namespace firn
