#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firn {

// A DDSketch (Masson, Rim and Lee, VLDB 2019): counts of values in bins whose bounds grow by a
// constant factor, so that any quantile is known within kRelativeError of the value that has its
// rank. Two sketches merge without loss, in any order. Values are finite or infinite, never NaN.
class QuantileSketch {
 public:
  static constexpr double kRelativeError = 0.01;

  QuantileSketch() = default;
  QuantileSketch(const QuantileSketch& other) { *this = other; }
  QuantileSketch& operator=(const QuantileSketch& other);
  QuantileSketch(QuantileSketch&&) = default;
  QuantileSketch& operator=(QuantileSketch&&) = default;

  void add(double value);
  void merge(const QuantileSketch& other);
  uint64_t count() const { return contents().count; }
  // Of the value with rank floor(quantile * (count - 1)); nothing without values. REQUIRES:
  // 0 <= quantile <= 1.
  std::optional<double> quantile(double quantile) const;
  // How many of the values were this one, or so near that the sketch cannot tell.
  uint64_t count_of(double value) const;
  // Approximately, beside the object itself.
  uint64_t bytes() const;

  // As JSON: {"zero":n,"positive":[bin,count,bins further,count,...],"negative":[...]}, members
  // without counts left out (docs/formats/rollups.md).
  void append_json(std::string* out) const;
  // Nothing when the text is not what append_json() writes.
  static std::optional<QuantileSketch> parse_json(std::string_view json);

  bool operator==(const QuantileSketch& other) const { return contents() == other.contents(); }

 private:
  struct Bin {
    int32_t index;
    uint64_t count;
    bool operator==(const Bin&) const = default;
  };
  using Bins = std::vector<Bin>;  // ascending by index
  struct Contents {
    uint64_t count = 0, zero = 0;
    Bins positive, negative;
    bool operator==(const Contents&) const = default;
    Bins& bins_of(double value) { return value < 0 ? negative : positive; }
  };

  static void add_to(int32_t index, uint64_t count, Bins* bins);
  static void merge_into(const Bins& from, Bins* to);
  const Contents& contents() const;
  Contents* own_contents();

  // Null: no values. States of windows are many, and most are asked for without a sketch.
  std::unique_ptr<Contents> contents_;
};

}  // namespace firn
