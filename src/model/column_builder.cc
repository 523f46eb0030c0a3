#include "model/column_builder.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace firn {
namespace {

constexpr uint32_t kUnmapped = UINT32_MAX;
constexpr size_t kFewestSlots = 64;

// `ends` as the format's offsets: 0 first.
char* write_offsets(char* to, const PodBuffer<uint32_t>& ends) {
  std::memset(to, 0, sizeof(uint32_t));
  std::memcpy(to + sizeof(uint32_t), ends.data(), ends.size() * sizeof(uint32_t));
  return to + (ends.size() + 1) * sizeof(uint32_t);
}

void write_bytes(char* to, const PodBuffer<char>& bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

bool is_constant(const StringColumn& column) {
  return column.is_dictionary() && column.entries() == 1;
}

// All columns have one and the same value.
bool are_constant(std::span<const StringColumn> columns) {
  return std::all_of(columns.begin(), columns.end(), [&](const StringColumn& column) {
    return is_constant(column) && column.entry(0) == columns[0].entry(0);
  });
}

}  // namespace

void PlainColumnBuilder::expand(uint32_t row) {
  const size_t size = bytes_.size();
  is_constant_ = false;
  if (row == 0) {
    bytes_.clear();
    return;
  }
  char* to = bytes_.extend(size * (row - 1));
  for (uint32_t i = 1; i < row; ++i, to += size) {
    if (size != 0) std::memcpy(to, bytes_.data(), size);
  }
  uint32_t* ends = ends_.extend(row);
  for (uint32_t i = 0; i < row; ++i) ends[i] = static_cast<uint32_t>(size * (i + 1));
}

void PlainColumnBuilder::add_repeated(std::string_view value, uint32_t row, uint32_t count) {
  add(value, row);
  // While constant the one value stands for all rows, however many.
  for (uint32_t i = 1; i < count && !is_constant_; ++i) add(value, row + i);
}

void PlainColumnBuilder::add_block(const StringColumn& source, uint32_t first_row, uint32_t count) {
  const char* begin = source.entry(first_row).data();
  const std::string_view last = source.entry(first_row + count - 1);
  const size_t base = bytes_.size();
  bytes_.append(begin, static_cast<size_t>(last.data() + last.size() - begin));
  uint32_t* ends = ends_.extend(count);
  for (uint32_t i = 0; i < count; ++i) {
    const std::string_view value = source.entry(first_row + i);
    ends[i] =
        static_cast<uint32_t>(base + static_cast<size_t>(value.data() - begin) + value.size());
  }
}

void PlainColumnBuilder::add_rows(const StringColumn& source, const RowList& rows, uint32_t row) {
  if (is_constant(source)) return add_repeated(source.entry(0), row, rows.count);
  if (source.is_dictionary() || rows.rows != nullptr) {
    for (uint32_t i = 0; i < rows.count; ++i) add(source[rows[i]], row + i);
    return;
  }
  if (is_constant_) expand(row);
  add_block(source, rows.first, rows.count);
}

void PlainColumnBuilder::settle(uint32_t rows) {
  if (is_constant_) return;
  const size_t size = ends_[0];
  const std::string_view first(bytes_.data(), size);
  if (bytes_.size() != size * rows) return;
  for (uint32_t i = 1; i < rows; ++i) {
    if (ends_[i] != size * (i + 1)) return;
    if (std::string_view(bytes_.data() + size * i, size) != first) return;
  }
  PodBuffer<char> one;
  one.append(first.data(), size);
  bytes_.clear();
  bytes_.append(one.data(), size);
  ends_.clear();
  is_constant_ = true;
}

void PlainColumnBuilder::write(char* to, uint32_t) const {
  if (is_constant_) {
    const uint32_t offsets[2] = {0, static_cast<uint32_t>(bytes_.size())};
    std::memcpy(to, offsets, sizeof(offsets));
    to += sizeof(offsets);
  } else {
    to = write_offsets(to, ends_);
  }
  write_bytes(to, bytes_);
}

void PlainColumnBuilder::clear() {
  bytes_.clear();
  ends_.clear();
  is_constant_ = true;
}

void PlainColumnBuilder::pick_rows(std::span<const StringColumn> sources,
                                   std::span<const RowRef> rows, uint32_t row) {
  const auto count = static_cast<uint32_t>(rows.size());
  if (are_constant(sources)) return add_repeated(sources[0].entry(0), row, count);
  for (const RowRef& from : rows) add(sources[from.batch][from.row], row++);
}

uint32_t DictionaryColumnBuilder::intern(std::string_view value) {
  if (indexed_ < ends_.size() || (ends_.size() + 1) * 2 > slots_.size()) index_entries();
  const uint64_t hash = hash_bytes(value);
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  const uint64_t tag = hash & 0xffffffff00000000u;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    const auto index = static_cast<uint32_t>(slots_[at]) - 1;
    if ((slots_[at] & 0xffffffff00000000u) == tag && entry(index) == value) return index;
  }
  const uint32_t index = append_entry(value);
  slots_[at] = tag | (index + 1);
  indexed_ = index + 1;
  return index;
}

// Gives every entry a slot, and leaves room for another.
void DictionaryColumnBuilder::index_entries() {
  size_t size = std::max(kFewestSlots, slots_.size());
  while ((ends_.size() + 1) * 2 > size) size *= 2;
  if (size != slots_.size()) {
    slots_.assign(size, 0);
    indexed_ = 0;
  }
  const size_t mask = slots_.size() - 1;
  for (; indexed_ < ends_.size(); ++indexed_) {
    const uint64_t hash = hash_bytes(entry(indexed_));
    size_t at = hash & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = (hash & 0xffffffff00000000u) | (indexed_ + 1);
  }
}

void DictionaryColumnBuilder::add_rows(const StringColumn& source, const RowList& rows,
                                       uint32_t row) {
  if (is_constant(source)) return add_repeated(source.entry(0), row, rows.count);
  // A few rows of a large dictionary: mapping all of it would cost more than the rows.
  if (!source.is_dictionary() || rows.count < source.entries() / 8) {
    for (uint32_t i = 0; i < rows.count; ++i) add(source[rows[i]], row + i);
    return;
  }
  remap_.assign(source.entries(), kUnmapped);
  for (uint32_t i = 0; i < rows.count; ++i) {
    uint32_t& mapped = remap_[source.entry_of(rows[i])];
    if (mapped == kUnmapped) {
      add(source[rows[i]], row + i);
      mapped = last_;
      continue;
    }
    last_ = mapped;
    if (ends_.size() > 1) indexes_.push_back(mapped);
  }
}

void DictionaryColumnBuilder::pick_rows(std::span<const StringColumn> sources,
                                        std::span<const RowRef> rows, uint32_t row) {
  const auto count = static_cast<uint32_t>(rows.size());
  if (are_constant(sources)) return add_repeated(sources[0].entry(0), row, count);
  std::vector<size_t> begins;  // where the entries of each source begin in remap_
  size_t entries = 0;
  for (const StringColumn& source : sources) {
    begins.push_back(entries);
    entries += source.entries();
  }
  remap_.assign(entries, kUnmapped);
  constexpr size_t kAhead = 8;  // entries lie anywhere in memory
  for (size_t i = 0; i < rows.size(); ++i) {
    const RowRef& from = rows[i];
    if (i + kAhead < rows.size()) {
      const RowRef& later = rows[i + kAhead];
      __builtin_prefetch(sources[later.batch][later.row].data());
    }
    const uint32_t entry_of_row = sources[from.batch].entry_of(from.row);
    uint32_t& mapped = remap_[begins[from.batch] + entry_of_row];
    if (mapped == kUnmapped) {
      add(sources[from.batch].entry(entry_of_row), row++);
      mapped = last_;
      continue;
    }
    ++row;
    last_ = mapped;
    if (ends_.size() > 1) indexes_.push_back(mapped);
  }
}

void DictionaryColumnBuilder::write(char* to, uint32_t rows) const {
  if (ends_.size() > 1) {
    std::memcpy(to, indexes_.data(), size_t{rows} * sizeof(uint32_t));
    to += size_t{rows} * sizeof(uint32_t);
  }
  write_bytes(write_offsets(to, ends_), bytes_);
}

void DictionaryColumnBuilder::clear() {
  // Do not pay for an unusually rich batch with every later one.
  if (slots_.size() > std::max(kFewestSlots, ends_.size() * 16)) slots_.resize(kFewestSlots);
  std::fill(slots_.begin(), slots_.end(), 0);
  bytes_.clear();
  ends_.clear();
  indexes_.clear();
  last_ = 0;
  indexed_ = 0;
}

}  // namespace firn
