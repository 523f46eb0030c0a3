#include "views/metrics/quantile_sketch.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/status.h"

namespace firn {

namespace {

constexpr double kError = QuantileSketch::kRelativeError;
constexpr double kGamma = (1 + kError) / (1 - kError);
// Behind the bins of all finite values.
constexpr int32_t kInfinityBin = 1 << 20;

// The bin of a magnitude: gamma^(bin - 1) < magnitude <= gamma^bin.
int32_t bin_of(double magnitude) {
  static const double kInverseLogGamma = 1 / std::log(kGamma);
  if (std::isinf(magnitude)) return kInfinityBin;
  return static_cast<int32_t>(std::ceil(std::log(magnitude) * kInverseLogGamma));
}

// The value that is within the error of every value of the bin.
double value_of(int32_t bin) {
  if (bin == kInfinityBin) return std::numeric_limits<double>::infinity();
  const double value = 2 * std::pow(kGamma, bin) / (kGamma + 1);
  return std::min(value, std::numeric_limits<double>::max());
}

template <typename Number>
void append_number(Number number, std::string* out) {
  char digits[24];
  out->append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
}

// Reads what append_json() writes, and nothing else.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  bool skip(std::string_view expected) {
    if (!text_.starts_with(expected)) return false;
    text_.remove_prefix(expected.size());
    return true;
  }
  template <typename Number>
  bool read(Number* number) {
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), *number);
    if (error != std::errc()) return false;
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return true;
  }
  bool at_end() const { return text_.empty(); }

 private:
  std::string_view text_;
};

}  // namespace

QuantileSketch& QuantileSketch::operator=(const QuantileSketch& other) {
  if (this == &other) return *this;
  contents_ = other.contents_ == nullptr ? nullptr : std::make_unique<Contents>(*other.contents_);
  return *this;
}

const QuantileSketch::Contents& QuantileSketch::contents() const {
  static const Contents kNone;
  return contents_ == nullptr ? kNone : *contents_;
}

QuantileSketch::Contents* QuantileSketch::own_contents() {
  if (contents_ == nullptr) contents_ = std::make_unique<Contents>();
  return contents_.get();
}

void QuantileSketch::add_to(int32_t index, uint64_t count, Bins* bins) {
  const auto found =
      std::lower_bound(bins->begin(), bins->end(), index,
                       [](const Bin& bin, int32_t wanted) { return bin.index < wanted; });
  if (found != bins->end() && found->index == index) {
    found->count += count;
  } else {
    bins->insert(found, {index, count});
  }
}

void QuantileSketch::merge_into(const Bins& from, Bins* to) {
  if (to->empty()) {
    *to = from;
    return;
  }
  for (const Bin& bin : from) add_to(bin.index, bin.count, to);
}

void QuantileSketch::add(double value) {
  FIRN_CHECK(!std::isnan(value));
  Contents* const own = own_contents();
  ++own->count;
  if (value == 0) {
    ++own->zero;
  } else {
    add_to(bin_of(std::abs(value)), 1, &own->bins_of(value));
  }
}

void QuantileSketch::merge(const QuantileSketch& other) {
  if (other.count() == 0) return;
  Contents* const own = own_contents();
  own->count += other.contents_->count;
  own->zero += other.contents_->zero;
  merge_into(other.contents_->positive, &own->positive);
  merge_into(other.contents_->negative, &own->negative);
}

std::optional<double> QuantileSketch::quantile(double quantile) const {
  if (count() == 0) return std::nullopt;
  const Contents& all = contents();
  uint64_t rank = static_cast<uint64_t>(quantile * static_cast<double>(all.count - 1));
  // From the smallest value up: negative ones by falling magnitude.
  for (auto bin = all.negative.rbegin(); bin != all.negative.rend(); ++bin) {
    if (rank < bin->count) return -value_of(bin->index);
    rank -= bin->count;
  }
  if (rank < all.zero) return 0;
  rank -= all.zero;
  for (const Bin& bin : all.positive) {
    if (rank < bin.count) return value_of(bin.index);
    rank -= bin.count;
  }
  return value_of(all.positive.back().index);
}

uint64_t QuantileSketch::count_of(double value) const {
  const Contents& all = contents();
  if (value == 0) return all.zero;
  const int32_t index = bin_of(std::abs(value));
  for (const Bin& bin : value < 0 ? all.negative : all.positive) {
    if (bin.index == index) return bin.count;
  }
  return 0;
}

uint64_t QuantileSketch::bytes() const {
  const Contents& all = contents();
  return (all.positive.capacity() + all.negative.capacity()) * sizeof(Bin);
}

void QuantileSketch::append_json(std::string* out) const {
  out->push_back('{');
  bool is_first = true;
  const auto member = [&](std::string_view key) {
    if (!is_first) out->push_back(',');
    is_first = false;
    out->append("\"").append(key).append("\":");
  };
  const Contents& all = contents();
  if (all.zero > 0) {
    member("zero");
    append_number(all.zero, out);
  }
  const auto append_bins = [&](std::string_view key, const Bins& bins) {
    if (bins.empty()) return;
    member(key);
    int32_t previous = 0;
    char before = '[';
    for (const Bin& bin : bins) {
      out->push_back(before);
      append_number(bin.index - previous, out);
      out->push_back(',');
      append_number(bin.count, out);
      previous = bin.index;
      before = ',';
    }
    out->push_back(']');
  };
  append_bins("positive", all.positive);
  append_bins("negative", all.negative);
  out->push_back('}');
}

std::optional<QuantileSketch> QuantileSketch::parse_json(std::string_view json) {
  Reader reader(json);
  QuantileSketch sketch;
  Contents* const own = sketch.own_contents();
  if (!reader.skip("{")) return std::nullopt;
  if (reader.skip("\"zero\":")) {
    if (!reader.read(&own->zero)) return std::nullopt;
    own->count = own->zero;
    reader.skip(",");
  }
  const auto read_bins = [&](Bins* bins) {
    int64_t index = 0;
    do {
      int32_t step = 0;
      uint64_t count = 0;
      if (!reader.read(&step) || !reader.skip(",") || !reader.read(&count)) return false;
      index += step;
      const bool ascends = bins->empty() || step > 0;
      if (!ascends || index > kInfinityBin || index < -kInfinityBin || count == 0) return false;
      bins->push_back({static_cast<int32_t>(index), count});
      own->count += count;
    } while (reader.skip(","));
    return reader.skip("]");
  };
  if (reader.skip("\"positive\":[")) {
    if (!read_bins(&own->positive)) return std::nullopt;
    reader.skip(",");
  }
  if (reader.skip("\"negative\":[") && !read_bins(&own->negative)) return std::nullopt;
  if (!reader.skip("}") || !reader.at_end()) return std::nullopt;
  return sketch;
}

}  // namespace firn
