#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "model/batch_format.h"
#include "model/pod_buffer.h"
#include "model/record_batch.h"

// The columns of a BatchBuilder while they grow. Shared shape:
//   add(value, row)                 `row` is the number of rows before
//   add_repeated(value, row, count)
//   add_rows(source, rows, row)     the source column's values at those rows
//   pick_rows(sources, rows, row)   values of several batches' columns
//   settle(rows)                    all rows are there; find out whether they are all the same
//   is_default(), encoding(), entries(rows), size_bytes(rows), write(to, rows)
//   clear()                         keeps the memory
// As long as all values are the same only one is kept, so a column that nobody uses costs a
// comparison per row. Thread rule: one thread.
namespace firn {

// Rows of a source batch: `first`, `first` + 1, ..., or the listed ones.
struct RowList {
  const uint32_t* rows;  // may be null
  uint32_t first;
  uint32_t count;
  uint32_t operator[](uint32_t index) const { return rows ? rows[index] : first + index; }
};

template <typename T>
struct FixedTraits;
template <>
struct FixedTraits<int64_t> {
  static constexpr ColumnType kType = ColumnType::kInt64;
  static constexpr int64_t kDefault = kAbsentInt64;
};
template <>
struct FixedTraits<uint8_t> {
  static constexpr ColumnType kType = ColumnType::kUint8;
  static constexpr uint8_t kDefault = 0;
};
template <>
struct FixedTraits<Id> {
  static constexpr ColumnType kType = ColumnType::kId16;
  static constexpr Id kDefault{};
};
template <>
struct FixedTraits<Float64> {
  static constexpr ColumnType kType = ColumnType::kFloat64;
  static constexpr Float64 kDefault = kAbsentFloat64;
};
template <>
struct FixedTraits<std::array<uint8_t, 8>> {
  static constexpr ColumnType kType = ColumnType::kId8;
  static constexpr std::array<uint8_t, 8> kDefault{};
};

template <typename T>
class FixedColumnBuilder {
 public:
  static constexpr ColumnType kType = FixedTraits<T>::kType;

  void add(const T& value, uint32_t row) {
    if (is_constant_) {
      if (row == 0) first_ = value;
      if (value == first_) return;
      expand(row);
    }
    values_.push_back(value);
  }
  void add_repeated(const T& value, uint32_t row, uint32_t count) {
    if (is_constant_) {
      if (row == 0) first_ = value;
      if (value == first_) return;
      expand(row);
    }
    values_.append_repeated(value, count);
  }
  void add_rows(const FixedColumn<T>& source, const RowList& rows, uint32_t row) {
    if (source.is_constant()) return add_repeated(source[0], row, rows.count);
    if (is_constant_) expand(row);
    if (rows.rows == nullptr) return values_.append(&source[rows.first], rows.count);
    T* to = values_.extend(rows.count);
    for (uint32_t i = 0; i < rows.count; ++i) to[i] = source[rows.rows[i]];
  }
  void pick_rows(std::span<const FixedColumn<T>> sources, std::span<const RowRef> rows,
                 uint32_t row) {
    const bool is_same = std::all_of(sources.begin(), sources.end(), [&](const auto& source) {
      return source.is_constant() && source[0] == sources[0][0];
    });
    if (is_same) return add_repeated(sources[0][0], row, static_cast<uint32_t>(rows.size()));
    if (is_constant_) expand(row);
    T* const to = values_.extend(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) to[i] = sources[rows[i].batch][rows[i].row];
  }
  // One value per row, even when they are all the same.
  void make_plain(uint32_t rows) {
    if (is_constant_) expand(rows);
  }
  void settle(uint32_t) {
    if (is_constant_) return;
    const T* const begin = values_.data();
    const T* const end = begin + values_.size();
    if (std::all_of(begin, end, [&](const T& value) { return value == *begin; })) {
      first_ = *begin;
      values_.clear();
      is_constant_ = true;
    }
  }
  bool is_default() const { return is_constant_ && first_ == FixedTraits<T>::kDefault; }
  ColumnEncoding encoding() const {
    return is_constant_ ? ColumnEncoding::kConstant : ColumnEncoding::kPlain;
  }
  uint32_t entries(uint32_t rows) const { return is_constant_ ? 1 : rows; }
  uint64_t size_bytes(uint32_t rows) const { return uint64_t{entries(rows)} * sizeof(T); }
  void write(char* to, uint32_t rows) const {
    std::memcpy(to, is_constant_ ? &first_ : values_.data(), size_bytes(rows));
  }
  void clear() {
    values_.clear();
    is_constant_ = true;
    first_ = FixedTraits<T>::kDefault;
  }

 private:
  void expand(uint32_t row) {
    values_.append_repeated(first_, row);
    is_constant_ = false;
  }

  PodBuffer<T> values_;  // empty while constant
  T first_ = FixedTraits<T>::kDefault;
  bool is_constant_ = true;
};

// Strings that mostly differ: the bytes one behind the other, and where each ends.
class PlainColumnBuilder {
 public:
  static constexpr ColumnType kType = ColumnType::kString;

  void add(std::string_view value, uint32_t row) {
    if (is_constant_) {
      if (row == 0) bytes_.append(value.data(), value.size());
      if (value == first()) return;
      expand(row);
    }
    bytes_.append(value.data(), value.size());
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  }
  void add_repeated(std::string_view value, uint32_t row, uint32_t count);
  void add_rows(const StringColumn& source, const RowList& rows, uint32_t row);
  void pick_rows(std::span<const StringColumn> sources, std::span<const RowRef> rows, uint32_t row);
  void settle(uint32_t rows);
  bool is_default() const { return is_constant_ && bytes_.empty(); }
  ColumnEncoding encoding() const {
    return is_constant_ ? ColumnEncoding::kConstant : ColumnEncoding::kPlain;
  }
  uint32_t entries(uint32_t rows) const { return is_constant_ ? 1 : rows; }
  uint64_t size_bytes(uint32_t rows) const {
    return (uint64_t{entries(rows)} + 1) * 4 + bytes_.size();
  }
  void write(char* to, uint32_t rows) const;
  void clear();

 private:
  std::string_view first() const { return {bytes_.data(), bytes_.size()}; }  // while constant
  void expand(uint32_t row);
  void add_block(const StringColumn& source, uint32_t first_row, uint32_t count);

  PodBuffer<char> bytes_;     // while constant: the one value
  PodBuffer<uint32_t> ends_;  // empty while constant
  bool is_constant_ = true;
};

// Strings that repeat: each distinct one once, found again by hash.
class DictionaryColumnBuilder {
 public:
  static constexpr ColumnType kType = ColumnType::kString;

  void add(std::string_view value, uint32_t row) { add_repeated(value, row, 1); }
  void add_repeated(std::string_view value, uint32_t row, uint32_t count) {
    // Neighbours are often the same: one comparison instead of a hash.
    if (ends_.empty() || entry(last_) != value) {
      last_ = intern(value);
      if (ends_.size() == 2 && indexes_.empty()) indexes_.append_repeated(0, row);
    }
    if (ends_.size() > 1) indexes_.append_repeated(last_, count);
  }
  // A value that surely is not there yet: it is not looked for.
  void add_distinct(std::string_view value, uint32_t row) {
    last_ = append_entry(value);
    if (ends_.size() == 2 && indexes_.empty()) indexes_.append_repeated(0, row);
    if (ends_.size() > 1) indexes_.push_back(last_);
  }
  void add_rows(const StringColumn& source, const RowList& rows, uint32_t row);
  void pick_rows(std::span<const StringColumn> sources, std::span<const RowRef> rows, uint32_t row);
  void settle(uint32_t) {}
  bool is_default() const { return ends_.empty() || (ends_.size() == 1 && bytes_.empty()); }
  ColumnEncoding encoding() const {
    return ends_.size() == 1 ? ColumnEncoding::kConstant : ColumnEncoding::kDictionary;
  }
  uint32_t entries(uint32_t) const { return static_cast<uint32_t>(ends_.size()); }
  uint64_t size_bytes(uint32_t rows) const {
    const uint64_t index_bytes = ends_.size() > 1 ? uint64_t{rows} * 4 : 0;
    return index_bytes + (ends_.size() + 1) * 4 + bytes_.size();
  }
  void write(char* to, uint32_t rows) const;
  void clear();

 private:
  std::string_view entry(uint32_t index) const {
    const uint32_t begin = index == 0 ? 0 : ends_[index - 1];
    return {bytes_.data() + begin, ends_[index] - begin};
  }
  uint32_t intern(std::string_view value);
  uint32_t append_entry(std::string_view value) {
    bytes_.append(value.data(), value.size());
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
    return static_cast<uint32_t>(ends_.size() - 1);
  }
  void index_entries();

  PodBuffer<char> bytes_;        // of the entries
  PodBuffer<uint32_t> ends_;     // one per entry
  PodBuffer<uint32_t> indexes_;  // one per row; empty while there is at most one entry
  uint32_t last_ = 0;            // entry of the row before
  std::vector<uint64_t> slots_;  // open addressing: upper half of the hash, entry + 1; 0 is free
  uint32_t indexed_ = 0;         // entries that have slots: the first ones
  std::vector<uint32_t> remap_;  // scratch of add_rows
};

}  // namespace firn
