#include "wire/exposition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <unordered_map>

#include "wire/prometheus_rows.h"
#include "wire/series_form.h"
#include "wire/string_pool.h"

namespace firn {
namespace {

constexpr std::array<std::string_view, 9> kTypes = {"counter",        "gauge",   "histogram",
                                                    "gaugehistogram", "summary", "info",
                                                    "stateset",       "unknown", "untyped"};

// What the names of a family's series may end with, by the family's type.
struct Suffix {
  std::string_view text, types;
};
constexpr std::array<Suffix, 8> kSuffixes = {{{"_bucket", "histogram gaugehistogram"},
                                              {"_count", "histogram summary"},
                                              {"_sum", "histogram summary"},
                                              {"_gcount", "gaugehistogram"},
                                              {"_gsum", "gaugehistogram"},
                                              {"_total", "counter"},
                                              {"_created", "counter histogram summary"},
                                              {"_info", "info"}}};

struct Family {
  std::string_view type;
  std::string help, unit;
};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':';
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool equals_lower(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

std::optional<double> parse_value(std::string_view text) {
  if (equals_lower(text, "nan")) return std::bit_cast<double>(uint64_t{0x7ff8000000000000});
  const bool has_plus = text.starts_with('+');
  if (has_plus) text.remove_prefix(1);
  // No sign twice, and none of the NaNs with more behind them.
  if (has_plus && text.starts_with('-')) return std::nullopt;
  if (text.find_first_of("()nN") != std::string_view::npos) {
    const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
    if (!equals_lower(digits, "inf") && !equals_lower(digits, "infinity")) return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<TimeNs> parse_milliseconds(std::string_view text) {
  int64_t milliseconds = 0;
  TimeNs time = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (__builtin_mul_overflow(milliseconds, kMillisecondNs, &time)) return std::nullopt;
  return time;
}

// Exact to the nanosecond where there is no exponent.
std::optional<TimeNs> parse_seconds(std::string_view text) {
  if (text.find_first_of("eE") != std::string_view::npos) {
    const auto seconds = parse_value(text);
    constexpr double kSecondsMax = 9.2e9;
    if (!seconds || !(*seconds > -kSecondsMax && *seconds < kSecondsMax)) return std::nullopt;
    return static_cast<TimeNs>(*seconds * 1e9);
  }
  const size_t point = std::min(text.find('.'), text.size());
  std::string digits(text.substr(0, point));
  std::string fraction(point < text.size() ? text.substr(point + 1) : "");
  if (digits.empty() || digits == "-") digits += "0";
  if (fraction.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  fraction.resize(9, '0');
  digits += fraction;
  TimeNs time = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), time);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return time;
}

class ExpositionReader {
 public:
  ExpositionReader(ByteView body, ExpositionFormat format, const DecodeDefaults& defaults)
      : body_(body),
        is_open_metrics_(format == ExpositionFormat::kOpenMetrics),
        defaults_(defaults),
        rows_(defaults, SampleDoor::kExposition) {}

  Result<ExpositionRecords> read() {
    // What is told of a family counts wherever it stands.
    FIRN_TRY(for_each_line([this](std::string_view line) { return comment(line); }));
    if (is_open_metrics_ && !has_ended_) {
      return invalid_argument("the text does not end with '# EOF': it is not whole");
    }
    FIRN_TRY(for_each_line([this](std::string_view line) { return sample(line); }));
    records_.parts = rows_.finish();
    return std::move(records_);
  }

 private:
  template <typename Take>
  Status for_each_line(const Take& take) {
    std::string_view left = body_;
    for (uint64_t number = 1; !left.empty(); ++number) {
      const size_t end = std::min(left.find('\n'), left.size());
      std::string_view line = left.substr(0, end);
      left.remove_prefix(std::min(end + 1, left.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      const Status status = take(line);
      if (!status.ok()) return status.with_context(fmt::format("line {}", number));
    }
    return Status();
  }

  // --- Comments -----------------------------------------------------------------------------

  Status comment(std::string_view line) {
    if (has_ended_) return invalid_argument("there is something behind '# EOF'");
    at_ = line;
    skip_blanks();
    if (!take('#')) return Status();
    skip_blanks();
    const std::string_view keyword = word();
    if (is_open_metrics_ && keyword == "EOF" && at_.empty()) {
      has_ended_ = true;
      return Status();
    }
    if (keyword != "HELP" && keyword != "TYPE" && keyword != "UNIT") return Status();
    skip_blanks();
    texts_.reset();
    std::string_view name;
    if (at_.starts_with('"')) {
      FIRN_ASSIGN(name, quoted());
    } else {
      name = word();
    }
    if (name.empty()) return invalid_argument(fmt::format("{} is of no metric", keyword));
    skip_blanks();
    Family& family = families_[std::string(name)];
    if (keyword == "HELP") {
      family.help = unescape_help(at_);
    } else if (keyword == "UNIT") {
      family.unit = at_;
    } else {
      const auto* type = std::find(kTypes.begin(), kTypes.end(), word());
      if (type == kTypes.end()) {
        return invalid_argument(fmt::format("'{}' has a type that does not exist", name));
      }
      family.type = *type == "unknown" || *type == "untyped" ? "" : *type;
    }
    return Status();
  }

  static std::string unescape_help(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        out.push_back(text[i]);
        continue;
      }
      const char next = text[++i];
      if (next != 'n' && next != '\\' && next != '"') out.push_back('\\');
      out.push_back(next == 'n' ? '\n' : next);
    }
    return out;
  }

  const Family* family_of(std::string_view name) {
    const auto find = [this](std::string_view of) {
      const auto found = families_.find(std::string(of));
      return found == families_.end() ? nullptr : &found->second;
    };
    if (families_.empty()) return nullptr;
    if (const Family* family = find(name)) return family;
    for (const auto& [suffix, types] : kSuffixes) {
      if (!name.ends_with(suffix)) continue;
      const Family* family = find(name.substr(0, name.size() - suffix.size()));
      if (family != nullptr && !family->type.empty() &&
          types.find(family->type) != std::string_view::npos) {
        return family;
      }
    }
    return nullptr;
  }

  // --- Samples ------------------------------------------------------------------------------

  Status sample(std::string_view line) {
    at_ = line;
    skip_blanks();
    if (at_.empty() || at_[0] == '#') return Status();
    const std::string_view begin = at_;
    texts_.reset();
    FIRN_TRY(series());
    const std::string_view sent = begin.substr(0, begin.size() - at_.size());
    skip_blanks();
    const auto value = parse_value(word());
    if (!value) return invalid_argument("the value is not a number");
    skip_blanks();
    std::optional<TimeNs> time;
    if (!at_.empty() && at_[0] != '#') FIRN_TRY(timestamp(&time));
    FIRN_TRY(begin_series(sent, SeriesRole::kSamples));
    if (const Family* family = family_of(name_)) {
      rows_.describe(prometheus_notes(family->type, family->unit, family->help));
    }
    const auto bits = std::bit_cast<uint64_t>(*value);
    FIRN_TRY(rows_.add({.time = time.value_or(defaults_.now), .value = sample_value(bits)}));
    ++records_.samples;
    skip_blanks();
    if (at_.empty()) return Status();
    if (!is_open_metrics_ || at_[0] != '#') return behind_sample();
    return exemplar(sent, time);
  }

  Status behind_sample() const {
    return invalid_argument(fmt::format("there is '{}' behind the sample", at_.substr(0, 32)));
  }

  Status timestamp(std::optional<TimeNs>* time) {
    const std::string_view text = word();
    *time = is_open_metrics_ ? parse_seconds(text) : parse_milliseconds(text);
    if (time->has_value()) return Status();
    return invalid_argument(fmt::format("'{}' is not a time in {}", text.substr(0, 32),
                                        is_open_metrics_ ? "seconds" : "milliseconds"));
  }

  // Of the series that was read last; exemplars change labels_, so they are sorted in a copy.
  Status begin_series(std::string_view sent, SeriesRole role) {
    if (rows_.knows_series(sent, role)) return Status();
    sorted_ = labels_;
    return rows_.begin_series(name_, sorted_, role);
  }

  Status exemplar(std::string_view sent, std::optional<TimeNs> time_of_sample) {
    take('#');
    skip_blanks();
    PrometheusExemplar exemplar;
    if (!take('{')) return invalid_argument("the exemplar has no labels");
    std::string_view no_name;
    FIRN_TRY(label_set(&exemplar.labels, &no_name));
    if (!no_name.empty()) return invalid_argument("a label of the exemplar has no value");
    skip_blanks();
    const auto value = parse_value(word());
    if (!value) return invalid_argument("the exemplar's value is not a number");
    exemplar.value = *value;
    skip_blanks();
    if (!at_.empty()) FIRN_TRY(timestamp(&exemplar.time));
    skip_blanks();
    if (!at_.empty()) return behind_sample();
    FIRN_TRY(begin_series(sent, SeriesRole::kExemplars));
    data_.clear();
    append_exemplars({&exemplar, 1}, &data_);
    const TimeNs time = exemplar.time.value_or(time_of_sample.value_or(defaults_.now));
    FIRN_TRY(rows_.add({.time = time, .data = data_}));
    ++records_.exemplars;
    return Status();
  }

  // name, name{label="value",...} or {"name",label="value",...}
  Status series() {
    labels_.clear();
    name_ = name();
    skip_blanks();
    if (!take('{')) return name_.empty() ? invalid_argument("there is no name") : Status();
    std::string_view inner;
    FIRN_TRY(label_set(&labels_, &inner));
    if (name_.empty()) name_ = inner;
    return name_.empty() ? invalid_argument("there is no name") : Status();
  }

  // Behind the brace, to behind its end. A quoted text without a value is the name.
  Status label_set(std::vector<Label>* labels, std::string_view* name_inside) {
    const uint64_t labels_max = defaults_.limits.attributes_per_event;
    while (true) {
      skip_blanks();
      if (take('}')) return Status();
      Label label;
      const bool is_quoted = at_.starts_with('"');
      if (is_quoted) {
        FIRN_ASSIGN(label.name, quoted());
      } else {
        label.name = name();
      }
      skip_blanks();
      if (take('=')) {
        skip_blanks();
        FIRN_ASSIGN(label.value, quoted());
        if (labels->size() == labels_max) {
          return too_large(fmt::format(
              "there are more than {} labels, the limit attributes_per_event", labels_max));
        }
        labels->push_back(label);
      } else if (is_quoted && name_inside->empty()) {
        *name_inside = label.name;
      } else {
        return invalid_argument(
            fmt::format("the label '{}' has no value", label.name.substr(0, 64)));
      }
      skip_blanks();
      if (!take(',') && !at_.starts_with('}')) {
        return invalid_argument("the labels are not closed by '}'");
      }
    }
  }

  Result<std::string_view> quoted() {
    if (!take('"')) return invalid_argument("a quoted text was expected");
    const size_t plain = at_.find_first_of("\"\\");
    if (plain != std::string_view::npos && at_[plain] == '"') {
      const std::string_view text = at_.substr(0, plain);
      at_.remove_prefix(plain + 1);
      return text;
    }
    std::string* text = texts_.take();
    while (!at_.empty()) {
      char c = at_[0];
      at_.remove_prefix(1);
      if (c == '"') return std::string_view(*text);
      if (c == '\\') {
        if (at_.empty()) break;
        c = at_[0];
        at_.remove_prefix(1);
        if (c != 'n' && c != '\\' && c != '"') {
          return invalid_argument(fmt::format("'\\{}' is no escape", c));
        }
        if (c == 'n') c = '\n';
      }
      text->push_back(c);
    }
    return invalid_argument("a quoted text does not end");
  }

  // --- The line -----------------------------------------------------------------------------

  void skip_blanks() {
    while (!at_.empty() && is_blank(at_[0])) at_.remove_prefix(1);
  }
  bool take(char c) {
    if (!at_.starts_with(c)) return false;
    at_.remove_prefix(1);
    return true;
  }
  std::string_view word() {
    const size_t size = std::min(at_.find_first_of(" \t"), at_.size());
    const std::string_view text = at_.substr(0, size);
    at_.remove_prefix(size);
    return text;
  }
  // Of a metric or label; empty when there is none.
  std::string_view name() {
    size_t size = 0;
    if (!at_.empty() && at_[0] >= '0' && at_[0] <= '9') return {};
    while (size < at_.size() && is_name_character(at_[size])) ++size;
    const std::string_view text = at_.substr(0, size);
    at_.remove_prefix(size);
    return text;
  }

  const ByteView body_;
  const bool is_open_metrics_;
  const DecodeDefaults& defaults_;
  SampleRows rows_;
  ExpositionRecords records_;
  std::unordered_map<std::string, Family> families_;
  bool has_ended_ = false;
  std::string_view at_;  // what is left of the line
  // Of the line.
  std::string_view name_;
  std::vector<Label> labels_, sorted_;
  StringPool texts_;
  std::string data_;
};

}  // namespace

Result<ExpositionRecords> decode_exposition(ByteView body, ExpositionFormat format,
                                            const DecodeDefaults& defaults) {
  return ExpositionReader(body, format, defaults).read();
}

}  // namespace firn
