#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/status.h"
#include "model/float_codec.h"
#include "model/number_codec.h"
#include "model/packed.h"
#include "model/packed_format.h"
#include "model/planes.h"
#include "model/pod_buffer.h"
#include "model/series_order.h"
#include "model/step_codec.h"

namespace firn {
namespace {

struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

// What packing works in. Kept from batch to batch: fresh pages for every one cost as much time as
// compressing it does.
struct Scratch {
  PodBuffer<char> raw;  // the column's payload before compression
  PodBuffer<char> compressed;
  PodBuffer<uint64_t> deltas;
  std::unique_ptr<ZSTD_CCtx, FreeZstd> context{ZSTD_createCCtx()};

  // A batch of rare size must not hold its memory for ever.
  void settle() {
    raw.shrink(kKeptBytes);
    compressed.shrink(kKeptBytes);
    deltas.shrink(kKeptBytes / sizeof(uint64_t));
  }
  static constexpr size_t kKeptBytes = 2 << 20;
};

// Packs the columns of one batch, one after the other.
class Packer {
 public:
  Packer(const RecordBatch& batch, int level, Scratch* scratch)
      : batch_(batch),
        rows_(batch.rows()),
        level_(level),
        raw_(scratch->raw),
        compressed_(scratch->compressed),
        deltas_(scratch->deltas),
        context_(scratch->context.get()) {}

  std::vector<PackedColumn> run() {
    FIRN_CHECK(batch_.size_bytes() <= kPackedBatchBytesMax);
    if (batch_.first_position() != 0) pack_positions();
    for (const ColumnSchema& column : dataset_columns(batch_.dataset())) {
      if (column.id == ColumnId::kPosition || !batch_.has_column(column.id)) continue;
      raw_.clear();
      pack(column);
    }
    return std::move(packed_);
  }

 private:
  void pack(const ColumnSchema& column) {
    switch (column.type) {
      case ColumnType::kInt64: {
        const auto values = batch_.int64s(column.id);
        if (is_all_absent(values)) return;
        return values.is_constant() ? pack_constant(column.id, column.type, &values[0], 8)
                                    : pack_int64s(column.id, &values[0]);
      }
      case ColumnType::kUint8: {
        const auto values = batch_.uint8s(column.id);
        return values.is_constant() ? pack_constant(column.id, column.type, &values[0], 1)
                                    : pack_bytes(column.id, &values[0]);
      }
      case ColumnType::kId16: {
        const auto values = batch_.ids(column.id);
        return values.is_constant() ? pack_constant(column.id, column.type, &values[0], 16)
                                    : pack_ids(column.id, &values[0]);
      }
      case ColumnType::kId8: {
        const auto values = batch_.span_ids();
        if (values.is_constant()) return pack_constant(column.id, column.type, &values[0], 8);
        split_planes(reinterpret_cast<const char*>(&values[0]), 8, rows_, 8,
                     raw_.extend(size_t{rows_} * 8));
        return finish(column.id, column.type, PackedTransform::kShuffle, 0);
      }
      case ColumnType::kFloat64: {
        const auto values = batch_.float64s(column.id);
        return values.is_constant() ? pack_constant(column.id, column.type, &values[0], 8)
                                    : pack_floats(column.id, &values[0]);
      }
      case ColumnType::kString:
        return pack_strings(column.id, batch_.strings(column.id));
    }
  }

  const SeriesOrder& order() {
    if (order_) return *order_;
    if (!batch_.has_column(ColumnId::kSeries)) return order_.emplace(rows_);
    const StringColumn series = batch_.strings(ColumnId::kSeries);
    if (!series.is_dictionary() || series.entries() == 1) return order_.emplace(rows_);
    PodBuffer<uint32_t> indexes;
    uint32_t* const to = indexes.extend(rows_);
    for (uint32_t row = 0; row < rows_; ++row) to[row] = series.entry_of(row);
    return order_.emplace(to, rows_, series.entries());
  }

  void pack_floats(ColumnId id, const Float64* values) {
    PodBuffer<Float64> by_series;
    Float64* const to = by_series.extend(rows_);
    for (uint32_t place = 0; place < rows_; ++place) to[place] = values[order().row(place)];
    PackedTransform transform = PackedTransform::kDecimal;
    if (!encode_decimals({to, rows_}, order(), &raw_)) {
      transform = PackedTransform::kFloatShuffle;
      append_planes(to, 8, rows_, 8);
    }
    finish(id, ColumnType::kFloat64, transform, order().entries());
  }

  // A stream position column waits for the commit even when it has no values yet.
  bool is_all_absent(const FixedColumn<int64_t>& values) const {
    for (uint32_t row = 0; row < rows_; ++row) {
      if (values[row] != kAbsentInt64) return false;
      if (values.is_constant()) break;
    }
    return true;
  }

  void pack_positions() {
    raw_.clear();
    PodBuffer<int64_t> positions;
    int64_t* to = positions.extend(rows_);
    for (uint32_t row = 0; row < rows_; ++row) to[row] = static_cast<int64_t>(batch_.position(row));
    pack_int64s(ColumnId::kPosition, to);
  }

  void pack_constant(ColumnId id, ColumnType type, const void* value, size_t size) {
    raw_.append(static_cast<const char*>(value), size);
    finish(id, type, PackedTransform::kConstant, 0);
  }

  void pack_int64s(ColumnId id, const int64_t* values) {
    deltas_.clear();
    uint64_t* to = deltas_.extend(rows_);
    const uint64_t step = rows_ > 1 ? difference(values[1], values[0]) : 0;
    bool is_sequence = true;
    to[0] = zigzag(difference(values[0], 0));
    for (uint32_t row = 1; row < rows_; ++row) {
      const uint64_t delta = difference(values[row], values[row - 1]);
      is_sequence &= delta == step;
      to[row] = zigzag(delta);
    }
    if (is_sequence) {
      raw_.append(reinterpret_cast<const char*>(values), 8);
      raw_.append(reinterpret_cast<const char*>(&step), 8);
      return finish(id, ColumnType::kInt64, PackedTransform::kSequence, 0);
    }
    if (id == ColumnId::kPosition && order().entries() != 0) {
      return pack_series_gaps({values, rows_});
    }
    if (batch_.has_column(ColumnId::kSeries) && pack_steps(id, values)) return;
    append_planes(to, 8, rows_, 8);
    finish(id, ColumnType::kInt64, PackedTransform::kDelta, 0);
  }

  // By series, when that leaves less than the differences from row to row, which are in deltas_.
  bool pack_steps(ColumnId id, const int64_t* values) {
    PodBuffer<int64_t> by_series;
    int64_t* const to = by_series.extend(rows_);
    for (uint32_t place = 0; place < rows_; ++place) to[place] = values[order().row(place)];
    uint64_t delta_bytes = 0;
    for (uint32_t row = 0; row < rows_; ++row) delta_bytes += nonzero_bytes(deltas_[row]);
    if (encode_steps({to, rows_}, order(), &raw_) >= delta_bytes) {
      raw_.clear();
      return false;
    }
    finish(id, ColumnType::kInt64, PackedTransform::kSteps, order().entries());
    return true;
  }

  // Positions of a block whose other series are elsewhere: how far apart rows are follows from what
  // series they are of, as long as clients send the same again and again.
  void pack_series_gaps(std::span<const int64_t> values) {
    const StringColumn series = batch_.strings(ColumnId::kSeries);
    PodBuffer<uint32_t> entries;
    uint32_t* const of_row = entries.extend(rows_);
    for (uint32_t row = 0; row < rows_; ++row) of_row[row] = series.entry_of(row);
    uint64_t delta_bytes = 0, gap_bytes = 0;
    for (uint32_t row = 0; row < rows_; ++row) delta_bytes += nonzero_bytes(deltas_[row]);
    PodBuffer<uint64_t> gaps;
    uint64_t* const to = gaps.extend(rows_);
    std::copy(values.begin(), values.end(), to);
    to_series_gaps({of_row, rows_}, {to, rows_});
    for (uint32_t row = 0; row < rows_; ++row) gap_bytes += nonzero_bytes(to[row]);
    const bool is_less = gap_bytes < delta_bytes;
    append_planes(is_less ? to : deltas_.data(), 8, rows_, 8);
    finish(ColumnId::kPosition, ColumnType::kInt64,
           is_less ? PackedTransform::kSeriesGaps : PackedTransform::kDelta,
           is_less ? order().entries() : 0);
  }

  // What is said of a series is mostly the same in all its rows.
  void pack_bytes(ColumnId id, const uint8_t* values) {
    const bool by_series = batch_.has_column(ColumnId::kSeries) && order().entries() != 0;
    uint8_t* const to = reinterpret_cast<uint8_t*>(raw_.extend(rows_));
    for (uint32_t place = 0; place < rows_; ++place) {
      to[place] = values[by_series ? order().row(place) : place];
    }
    finish(id, ColumnType::kUint8,
           by_series ? PackedTransform::kSeriesBytes : PackedTransform::kBytes,
           by_series ? order().entries() : 0);
  }

  // Ids that ascend (UUID version 7) differ little from their neighbours in the first half; where
  // many fall into the same millisecond, or where they are random, differences help nothing.
  void pack_ids(ColumnId id, const Id* ids) {
    deltas_.clear();
    uint64_t* deltas = deltas_.extend(rows_);
    uint64_t previous = 0;
    uint64_t bytes_changed = 0;
    uint64_t delta_bytes = 0;
    for (uint32_t row = 0; row < rows_; ++row) {
      const uint64_t value = __builtin_bswap64(ids[row].high());
      deltas[row] = zigzag(value - previous);
      bytes_changed += nonzero_bytes(value ^ previous);
      delta_bytes += nonzero_bytes(deltas[row]);
      previous = value;
    }
    if (delta_bytes < bytes_changed) {
      append_planes(deltas, 8, rows_, 8);
      append_planes(ids->bytes.data() + 8, 16, rows_, 8);
      return finish(id, ColumnType::kId16, PackedTransform::kOrdered, 0);
    }
    append_planes(ids, 16, rows_, 16);
    finish(id, ColumnType::kId16, PackedTransform::kShuffle, 0);
  }

  void pack_strings(ColumnId id, const StringColumn& column) {
    const uint32_t entries = column.entries();
    const std::string_view last = column.entry(entries - 1);
    const char* bytes = column.entry(0).data();
    const auto size = static_cast<size_t>(last.data() + last.size() - bytes);
    if (column.is_dictionary() && entries == 1) {
      return pack_constant(id, ColumnType::kString, bytes, size);
    }
    if (!column.is_dictionary() && pack_numbers(id, column, size)) return;
    if (column.is_dictionary()) {
      PodBuffer<uint32_t> indexes;
      uint32_t* to = indexes.extend(rows_);
      for (uint32_t row = 0; row < rows_; ++row) to[row] = column.entry_of(row);
      append_planes(to, sizeof(uint32_t), rows_, packed_index_bytes(entries));
    }
    PodBuffer<uint32_t> lengths;
    uint32_t* to = lengths.extend(entries);
    for (uint32_t entry = 0; entry < entries; ++entry) {
      to[entry] = static_cast<uint32_t>(column.entry(entry).size());
    }
    append_planes(to, sizeof(uint32_t), entries, sizeof(uint32_t));
    raw_.append(bytes, size);
    finish(id, ColumnType::kString,
           column.is_dictionary() ? PackedTransform::kDictionary : PackedTransform::kPlain,
           column.is_dictionary() ? entries : 0);
  }

  // By series, where texts differ in their numbers only. `size`: of all texts. Only what is told
  // with samples: definitions of series are searched, and plain texts are there sooner.
  bool pack_numbers(ColumnId id, const StringColumn& column, size_t size) {
    if (batch_.dataset() != Dataset::kSamples) return false;
    std::vector<std::string_view> by_series(rows_);
    for (uint32_t place = 0; place < rows_; ++place) by_series[place] = column[order().row(place)];
    if (!encode_numbers(by_series, order(), &raw_)) return false;
    finish(id, ColumnType::kString, PackedTransform::kNumbers, order().entries(),
           size_t{rows_} * 4 + size);
    return true;
  }

  static uint64_t difference(int64_t a, int64_t b) {
    return static_cast<uint64_t>(a) - static_cast<uint64_t>(b);
  }
  void append_planes(const void* values, size_t stride, size_t count, size_t planes) {
    split_planes(static_cast<const char*>(values), stride, count, planes,
                 raw_.extend(count * planes));
  }

  // Compresses what lies in raw_ and adds the column.
  void finish(ColumnId id, ColumnType type, PackedTransform transform, uint32_t entries) {
    finish(id, type, transform, entries, raw_.size());
  }
  void finish(ColumnId id, ColumnType type, PackedTransform transform, uint32_t entries,
              size_t raw_bytes) {
    PackedHeader header = {.version = kPackedVersion,
                           .transform = static_cast<uint8_t>(transform),
                           .compression = static_cast<uint8_t>(PackedCompression::kZstd),
                           .type = static_cast<uint8_t>(type),
                           .rows = rows_,
                           .entries = entries,
                           .raw_bytes = static_cast<uint32_t>(raw_bytes)};
    FIRN_CHECK(context_ != nullptr);
    compressed_.clear();
    const size_t bound = ZSTD_compressBound(raw_.size());
    char* const to = compressed_.extend(bound);
    const size_t size = ZSTD_compressCCtx(context_, to, bound, raw_.data(), raw_.size(), level_);
    FIRN_CHECK(ZSTD_isError(size) == 0);
    std::string_view payload(to, size);
    if (size >= raw_.size()) {
      header.compression = static_cast<uint8_t>(PackedCompression::kNone);
      payload = {raw_.data(), raw_.size()};
    }
    std::string bytes;
    bytes.reserve(kPackedPayloadOffset + payload.size());
    bytes.append(reinterpret_cast<const char*>(&header), sizeof(header));
    append_le<uint32_t>(&bytes, packed_checksum(id, header, payload));
    bytes.append(payload);
    packed_.push_back({id, std::move(bytes)});
  }

  const RecordBatch& batch_;
  uint32_t rows_;
  int level_;
  PodBuffer<char>& raw_;
  PodBuffer<char>& compressed_;
  PodBuffer<uint64_t>& deltas_;
  ZSTD_CCtx* const context_;
  std::optional<SeriesOrder> order_;  // of a batch with series, once it was asked for
  std::vector<PackedColumn> packed_;
};

}  // namespace

std::vector<PackedColumn> pack_columns(const RecordBatch& batch, int level) {
  static thread_local Scratch scratch;
  std::vector<PackedColumn> packed = Packer(batch, level, &scratch).run();
  scratch.settle();
  return packed;
}

}  // namespace firn
