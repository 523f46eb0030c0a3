#include "model/number_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "model/packed_format.h"
#include "model/planes.h"

namespace firn {
namespace {

constexpr char kNumber = '\0';     // in a template, where a number stands
constexpr size_t kDigitsMax = 18;  // any so many are an int64
constexpr size_t kHeaderBytes = 5;
// So few templates are worth it, whatever the number of texts is.
constexpr size_t kTemplatesMin = 16;
constexpr size_t kTextsPerTemplate = 64;
// Of all texts together: what is held while they are packed stays a few times the packed batch.
constexpr size_t kNumbersMax = 1'000'000;

bool is_digit(char character) { return character >= '0' && character <= '9'; }

struct Number {
  int64_t value = 0;
  uint8_t zeros = 0;  // before the digits of the value
};

// A text taken apart.
class Parts {
 public:
  // False for a text that has the character that stands for numbers.
  bool take(std::string_view text) {
    pattern_.clear();
    numbers_.clear();
    for (size_t at = 0; at < text.size();) {
      if (text[at] == kNumber) return false;
      if (is_digit(text[at])) {
        at += take_number(text, at);
      } else {
        pattern_.push_back(text[at++]);
      }
    }
    return true;
  }
  const std::string& pattern() const { return pattern_; }
  const std::vector<Number>& numbers() const { return numbers_; }

 private:
  // How many characters it took.
  size_t take_number(std::string_view text, size_t at) {
    size_t size = 1;
    while (size < kDigitsMax && at + size < text.size() && is_digit(text[at + size])) ++size;
    Number number;
    while (number.zeros + 1u < size && text[at + number.zeros] == '0') ++number.zeros;
    std::from_chars(text.data() + at + number.zeros, text.data() + at + size, number.value);
    // "-5" in "[-5]", but not in "2026-11-05".
    const bool is_negative = number.value != 0 && !pattern_.empty() && pattern_.back() == '-' &&
                             (at < 2 || !is_digit(text[at - 2]));
    if (is_negative) {
      number.value = -number.value;
      pattern_.pop_back();
    }
    pattern_.push_back(kNumber);
    numbers_.push_back(number);
    return size;
  }

  std::string pattern_;
  std::vector<Number> numbers_;
};

// What a number is told apart from: the one at its place in the text before, of the same series and
// template.
class Before {
 public:
  // With so many numbers each.
  explicit Before(const std::vector<uint32_t>& counts) {
    for (const uint32_t count : counts) of_.push_back({0, std::vector<uint64_t>(count, 0)});
  }
  void begin_series() { ++series_; }
  std::vector<uint64_t>& of(uint32_t pattern) {
    Last& last = of_[pattern];
    if (last.series != series_) std::fill(last.values.begin(), last.values.end(), 0);
    last.series = series_;
    return last.values;
  }

 private:
  struct Last {
    uint64_t series;
    std::vector<uint64_t> values;
  };
  std::vector<Last> of_;
  uint64_t series_ = 0;
};

// Calls visit(place) for every place, after begin() wherever a series begins.
template <typename Begin, typename Visit>
bool for_each_place(const SeriesOrder& order, const Begin& begin, const Visit& visit) {
  uint32_t place = 0;
  for (const uint32_t end : order.ends()) {
    begin();
    for (; place < end; ++place) {
      if (!visit(place)) return false;
    }
  }
  return true;
}

// Where the first numbers of texts begin among all, the second ones behind them, and so on.
std::vector<size_t> slot_begins(const std::vector<uint32_t>& patterns,
                                const std::vector<uint32_t>& counts) {
  const uint32_t most = *std::max_element(counts.begin(), counts.end());
  std::vector<size_t> texts_with(most + 1, 0);  // so many numbers; then so many or more
  for (const uint32_t pattern : patterns) ++texts_with[counts[pattern]];
  for (uint32_t count = most; count > 0; --count) texts_with[count - 1] += texts_with[count];
  std::vector<size_t> begins(most + 1, 0);
  for (uint32_t slot = 0; slot < most; ++slot) {
    begins[slot + 1] = begins[slot] + texts_with[slot + 1];
  }
  return begins;
}

class Encoder {
 public:
  // False: the texts do not suit.
  bool add_all(std::span<const std::string_view> texts) {
    const size_t patterns_max = kTemplatesMin + texts.size() / kTextsPerTemplate;
    Parts parts;
    for (const std::string_view text : texts) {
      if (!parts.take(text)) return false;
      const auto number = static_cast<uint32_t>(counts_.size());
      const auto [found, is_new] = numbers_of_.emplace(parts.pattern(), number);
      if (is_new) {
        if (counts_.size() == patterns_max) return false;
        counts_.push_back(static_cast<uint32_t>(parts.numbers().size()));
        pattern_texts_.push_back(&found->first);
      }
      patterns_.push_back(found->second);
      numbers_.insert(numbers_.end(), parts.numbers().begin(), parts.numbers().end());
      if (numbers_.size() > kNumbersMax) return false;
    }
    return !numbers_.empty();
  }

  void write(const SeriesOrder& order, PodBuffer<char>* out) {
    make_codes(order);
    uint64_t all_bits = 1;
    for (const uint64_t code : codes_) all_bits |= code;
    const auto width = static_cast<uint8_t>((std::bit_width(all_bits) + 7) / 8);
    char* const header = out->extend(kHeaderBytes);
    store_le<uint32_t>(header, static_cast<uint32_t>(counts_.size()));
    header[4] = static_cast<char>(width);
    for (const std::string* text : pattern_texts_) {
      store_le<uint32_t>(out->extend(4), static_cast<uint32_t>(text->size()));
    }
    for (const std::string* text : pattern_texts_) out->append(text->data(), text->size());
    append_planes(patterns_.data(), 4, patterns_.size(),
                  packed_index_bytes(static_cast<uint32_t>(counts_.size())), out);
    append_planes(codes_.data(), 8, codes_.size(), width, out);
    out->append(zeros_.data(), zeros_.size());
  }

 private:
  void make_codes(const SeriesOrder& order) {
    std::vector<size_t> next = slot_begins(patterns_, counts_);
    codes_.resize(numbers_.size());
    zeros_.resize(numbers_.size());
    Before before(counts_);
    const Number* number = numbers_.data();
    for_each_place(
        order, [&] { before.begin_series(); },
        [&](uint32_t place) {
          std::vector<uint64_t>& last = before.of(patterns_[place]);
          for (size_t slot = 0; slot < last.size(); ++slot, ++number) {
            const auto value = static_cast<uint64_t>(number->value);
            codes_[next[slot]] = zigzag(value - last[slot]);
            zeros_[next[slot]++] = static_cast<char>(number->zeros);
            last[slot] = value;
          }
          return true;
        });
  }
  static void append_planes(const void* values, size_t stride, size_t count, size_t planes,
                            PodBuffer<char>* out) {
    split_planes(static_cast<const char*>(values), stride, count, planes,
                 out->extend(count * planes));
  }

  std::unordered_map<std::string, uint32_t> numbers_of_;
  std::vector<const std::string*> pattern_texts_;
  std::vector<uint32_t> counts_;    // of numbers, by template
  std::vector<uint32_t> patterns_;  // by place
  std::vector<Number> numbers_;     // of all texts, one behind the other
  std::vector<uint64_t> codes_;
  std::vector<char> zeros_;
};

// Puts texts together again.
class Decoder {
 public:
  bool open(std::string_view raw, size_t texts) {
    return read_patterns(&raw) && read_indexes(&raw, texts) && read_numbers(raw);
  }

  bool write(const SeriesOrder& order, std::span<uint32_t> lengths, std::span<char> texts) {
    std::vector<size_t> next = slot_begins(patterns_, counts_);
    Before before(counts_);
    char* to = texts.data();
    char* const end = to + texts.size();
    const bool is_whole = for_each_place(
        order, [&] { before.begin_series(); },
        [&](uint32_t place) {
          char* const begin = to;
          const uint32_t pattern = patterns_[place];
          std::vector<uint64_t>& last = before.of(pattern);
          size_t slot = 0;
          for (const char character : texts_[pattern]) {
            if (character != kNumber) {
              if (to == end) return false;
              *to++ = character;
              continue;
            }
            const size_t at = next[slot]++;
            last[slot] += unzigzag(codes_[at]);
            to = put_number(last[slot++], static_cast<uint8_t>(zeros_[at]), to, end);
            if (to == nullptr) return false;
          }
          lengths[place] = static_cast<uint32_t>(to - begin);
          return true;
        });
    return is_whole && to == end;
  }

 private:
  bool read_patterns(std::string_view* raw) {
    if (raw->size() < kHeaderBytes) return false;
    const auto count = load_le<uint32_t>(raw->data());
    width_ = static_cast<uint8_t>((*raw)[4]);
    raw->remove_prefix(kHeaderBytes);
    if (count == 0 || width_ == 0 || width_ > 8 || raw->size() / 4 < count) return false;
    const char* const sizes = raw->data();
    raw->remove_prefix(size_t{count} * 4);
    for (uint32_t i = 0; i < count; ++i) {
      const auto size = load_le<uint32_t>(sizes + size_t{i} * 4);
      if (raw->size() < size) return false;
      const std::string_view text = raw->substr(0, size);
      raw->remove_prefix(size);
      texts_.push_back(text);
      counts_.push_back(static_cast<uint32_t>(std::count(text.begin(), text.end(), kNumber)));
    }
    return true;
  }

  bool read_indexes(std::string_view* raw, size_t texts) {
    const auto count = static_cast<uint32_t>(counts_.size());
    const size_t bytes = texts * packed_index_bytes(count);
    if (raw->size() < bytes) return false;
    patterns_.assign(texts, 0);
    join_planes(raw->data(), 4, texts, packed_index_bytes(count),
                reinterpret_cast<char*>(patterns_.data()));
    raw->remove_prefix(bytes);
    return std::all_of(patterns_.begin(), patterns_.end(),
                       [&](uint32_t pattern) { return pattern < count; });
  }

  bool read_numbers(std::string_view raw) {
    uint64_t numbers = 0;
    for (const uint32_t pattern : patterns_) numbers += counts_[pattern];
    if (numbers > kNumbersMax || raw.size() != numbers * (width_ + 1u)) return false;
    codes_.assign(numbers, 0);
    join_planes(raw.data(), 8, numbers, width_, reinterpret_cast<char*>(codes_.data()));
    zeros_ = raw.substr(numbers * width_);
    return true;
  }

  // Null when it does not fit.
  static char* put_number(uint64_t value, uint8_t zeros, char* to, const char* end) {
    const bool is_negative = static_cast<int64_t>(value) < 0;
    std::array<char, 20> digits;
    const auto [last, error] = std::to_chars(digits.data(), digits.data() + digits.size(),
                                             is_negative ? 0 - value : value);
    const auto size = static_cast<size_t>(last - digits.data());
    if (static_cast<size_t>(end - to) < size + zeros + (is_negative ? 1 : 0)) return nullptr;
    if (is_negative) *to++ = '-';
    std::memset(to, '0', zeros);
    std::memcpy(to + zeros, digits.data(), size);
    return to + zeros + size;
  }

  uint8_t width_ = 0;
  std::vector<std::string_view> texts_;  // of templates
  std::vector<uint32_t> counts_;         // of numbers, by template
  std::vector<uint32_t> patterns_;       // by place
  std::vector<uint64_t> codes_;
  std::string_view zeros_;
};

}  // namespace

bool encode_numbers(std::span<const std::string_view> texts, const SeriesOrder& order,
                    PodBuffer<char>* out) {
  Encoder encoder;
  if (texts.empty() || !encoder.add_all(texts)) return false;
  encoder.write(order, out);
  return true;
}

bool decode_numbers(std::string_view raw, const SeriesOrder& order, uint32_t rows,
                    std::span<char> plain) {
  const size_t lengths_bytes = size_t{rows} * 4;
  if (rows == 0 || plain.size() < lengths_bytes) return false;
  Decoder decoder;
  std::vector<uint32_t> lengths(rows), by_row(rows);  // the first by places
  PodBuffer<char> texts;                              // by places
  char* const begin = texts.extend(plain.size() - lengths_bytes);
  if (!decoder.open(raw, rows) || !decoder.write(order, lengths, {begin, texts.size()})) {
    return false;
  }
  for (uint32_t place = 0; place < rows; ++place) by_row[order.row(place)] = lengths[place];
  split_planes(reinterpret_cast<const char*>(by_row.data()), 4, rows, 4, plain.data());
  std::vector<size_t> begins(rows);
  size_t end = lengths_bytes;
  for (uint32_t row = 0; row < rows; end += by_row[row++]) begins[row] = end;
  const char* from = begin;
  for (uint32_t place = 0; place < rows; from += lengths[place++]) {
    if (lengths[place] == 0) continue;
    std::memcpy(plain.data() + begins[order.row(place)], from, lengths[place]);
  }
  return true;
}

}  // namespace firn
