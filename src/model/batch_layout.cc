#include <algorithm>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/size.h"
#include "base/status.h"
#include "model/batch_format.h"

namespace firn {

namespace {

// A batch holds at most so many times the memory it needs, unless it is small.
constexpr size_t kIdleShareMax = 16;
constexpr size_t kSmallBytes = 64 * kKiB;

}  // namespace

size_t BatchLayout::add_column(ColumnId id, ColumnType type, ColumnEncoding encoding,
                               uint32_t entries, uint64_t size_bytes) {
  FIRN_CHECK(columns_.empty() || columns_.back().id < static_cast<uint8_t>(id));
  // Offsets are relative to the first payload until allocate() knows the directory's size. What
  // does not fit 32 bits makes total_bytes() exceed the limit, so the truncated values are never
  // used.
  columns_.push_back({.id = static_cast<uint8_t>(id),
                      .type = static_cast<uint8_t>(type),
                      .encoding = static_cast<uint8_t>(encoding),
                      .reserved = 0,
                      .entries = entries,
                      .offset = static_cast<uint32_t>(payload_bytes_),
                      .size = static_cast<uint32_t>(size_bytes)});
  payload_bytes_ += align_up(size_bytes, 8);
  return columns_.size() - 1;
}

uint64_t BatchLayout::total_bytes() const {
  return sizeof(BatchHeader) + columns_.size() * sizeof(BatchColumnEntry) + payload_bytes_;
}

void BatchLayout::allocate(BatchBuffer reused) {
  const uint64_t total = total_bytes();
  FIRN_CHECK(rows_ > 0 && rows_ <= kBatchRowsMax);
  FIRN_CHECK(total <= kBatchBytesMax);
  buffer_ = std::move(reused);
  if (buffer_.capacity_bytes < total ||
      buffer_.capacity_bytes > std::max(total * kIdleShareMax, uint64_t{kSmallBytes})) {
    buffer_ = {std::make_unique_for_overwrite<uint64_t[]>(total / 8), total};
  }

  const uint64_t payload_begin = total - payload_bytes_;
  const BatchHeader header = {.magic = kBatchMagic,
                              .version = kBatchVersion,
                              .dataset = static_cast<uint8_t>(dataset_),
                              .column_count = static_cast<uint8_t>(columns_.size()),
                              .rows = rows_,
                              .total_bytes = static_cast<uint32_t>(total),
                              .namespace_id = 0,
                              .reserved_1 = 0,
                              .first_position = 0,
                              .time_min = kAbsentInt64,
                              .time_max = kAbsentInt64,
                              .reserved_2 = {0, 0}};
  std::memcpy(buffer_.words.get(), &header, sizeof(header));
  char* const bytes = reinterpret_cast<char*>(buffer_.words.get());
  for (size_t i = 0; i < columns_.size(); ++i) {
    BatchColumnEntry& column = columns_[i];
    column.offset = static_cast<uint32_t>(column.offset + payload_begin);
    std::memcpy(bytes + sizeof(BatchHeader) + i * sizeof(column), &column, sizeof(column));
    // The last word of a payload holds its padding; the caller then fills the rest of the word.
    if (column.size % 8 != 0) buffer_.words[(column.offset + column.size) / 8] = 0;
  }
}

char* BatchLayout::data(size_t column) const {
  return reinterpret_cast<char*>(buffer_.words.get()) + columns_[column].offset;
}

std::unique_ptr<RecordBatch> BatchLayout::finish(NamespaceId namespace_id,
                                                 Position first_position) {
  BatchHeader* const to = header();
  to->namespace_id = namespace_id;
  to->first_position = first_position;
  for (const BatchColumnEntry& column : columns_) {
    if (column.id != static_cast<uint8_t>(ColumnId::kTime)) continue;
    const auto* times = reinterpret_cast<const int64_t*>(
        reinterpret_cast<const char*>(buffer_.words.get()) + column.offset);
    const auto [least, greatest] = std::minmax_element(times, times + column.entries);
    to->time_min = *least;
    to->time_max = *greatest;
  }
  const size_t size_bytes = to->total_bytes;
  return std::unique_ptr<RecordBatch>(new RecordBatch(std::move(buffer_), size_bytes));
}

}  // namespace firn
