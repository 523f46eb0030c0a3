#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "base/status.h"
#include "model/batch_format.h"
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
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// One column whose header was checked.
struct Part {
  const ColumnSchema* schema;
  PackedHeader header;
  std::string_view payload;  // as stored

  PackedTransform transform() const { return static_cast<PackedTransform>(header.transform); }
  bool is_string() const { return schema->type == ColumnType::kString; }
  // Its size depends on its values.
  bool is_open() const { return is_string() || transform() == PackedTransform::kDecimal; }
  bool is_by_series() const { return transform() >= PackedTransform::kSteps; }
  bool is_series() const {
    return schema->id == ColumnId::kSeries && transform() == PackedTransform::kDictionary;
  }
};

Status damage(const ColumnSchema& schema, std::string_view reason) {
  return corruption(fmt::format("packed column {}: {}", schema.name, reason));
}

// Whether the transform exists for the type.
bool suits(PackedTransform transform, ColumnType type) {
  switch (transform) {
    case PackedTransform::kConstant:
      return true;
    case PackedTransform::kDelta:
    case PackedTransform::kSequence:
    case PackedTransform::kSteps:
    case PackedTransform::kSeriesGaps:
      return type == ColumnType::kInt64;
    case PackedTransform::kDecimal:
    case PackedTransform::kFloatShuffle:
      return type == ColumnType::kFloat64;
    case PackedTransform::kBytes:
    case PackedTransform::kSeriesBytes:
      return type == ColumnType::kUint8;
    case PackedTransform::kShuffle:
      return type == ColumnType::kId16 || type == ColumnType::kId8;
    case PackedTransform::kOrdered:
      return type == ColumnType::kId16;
    case PackedTransform::kDictionary:
    case PackedTransform::kPlain:
    case PackedTransform::kNumbers:
      return type == ColumnType::kString;
  }
  return false;
}

// Bytes of the payload before its strings; all of it for what is not open.
uint64_t fixed_raw_bytes(const Part& part) {
  const uint64_t rows = part.header.rows;
  switch (part.transform()) {
    case PackedTransform::kConstant:
      return fixed_size(part.schema->type);
    case PackedTransform::kSequence:
      return 16;
    case PackedTransform::kDictionary:
      return rows * packed_index_bytes(part.header.entries) + uint64_t{part.header.entries} * 4;
    case PackedTransform::kPlain:
    case PackedTransform::kNumbers:
      return rows * 4;
    case PackedTransform::kSteps:
      return steps_bytes(rows, part.header.entries);
    case PackedTransform::kDecimal:
      return std::max<uint64_t>(part.header.entries, 1);
    default:
      return rows * fixed_size(part.schema->type);
  }
}

void decode_deltas(const char* raw, uint32_t rows, uint64_t* values) {
  join_planes(raw, 8, rows, 8, reinterpret_cast<char*>(values));
  uint64_t value = 0;
  for (uint32_t row = 0; row < rows; ++row) values[row] = value += unzigzag(values[row]);
}

Status check_dataset(Dataset dataset) {
  if (!dataset_columns(dataset).empty()) return {};
  return corruption(
      fmt::format("packed columns: unknown dataset {}", static_cast<unsigned>(dataset)));
}

class Unpacker {
 public:
  Unpacker(Dataset dataset, NamespaceId namespace_id, uint32_t rows, UnpackMemory* memory)
      : dataset_(dataset), namespace_id_(namespace_id), rows_(rows), memory_(memory) {}

  Result<std::unique_ptr<RecordBatch>> run(const std::vector<PackedColumn>& columns) {
    FIRN_TRY(begin(columns));
    BatchLayout layout(dataset_, rows_);
    Position first_position = 0;
    for (const Part& part : parts_) {
      if (part.schema->id == ColumnId::kPosition) {
        FIRN_TRY(read_positions(part, &first_position));
        if (positions_.empty()) continue;
      }
      const ColumnEncoding encoding = encoding_of(part);
      layout.add_column(part.schema->id, part.schema->type, encoding, entries_of(part, encoding),
                        size_of(part, encoding));
      if (layout.total_bytes() > kPackedBatchBytesMax) {
        return damage(*part.schema, "with it the batch is too large");
      }
    }
    layout.allocate(std::move(memory_->batch));
    FIRN_TRY(fill_columns(&layout));
    return finish(&layout, first_position);
  }

  Result<std::unique_ptr<RecordBatch>> run_rows(const std::vector<PackedColumn>& columns,
                                                std::span<const uint32_t> selected) {
    FIRN_CHECK(!selected.empty() && selected.back() < rows_);
    FIRN_TRY(begin(columns));
    const auto rows = static_cast<uint32_t>(selected.size());
    BatchLayout layout(dataset_, rows);
    std::vector<Picked> all;
    Position first_position = 0;
    for (const Part& part : parts_) {
      Picked picked;
      if (part.schema->id == ColumnId::kPosition) {
        FIRN_TRY(pick_positions(part, selected, &first_position, &picked));
        if (picked.bytes.empty()) continue;
      } else {
        FIRN_TRY(pick(part, selected, &picked));
      }
      layout.add_column(part.schema->id, part.schema->type, picked.encoding, picked.entries,
                        picked.bytes.size());
      all.push_back(std::move(picked));
    }
    layout.allocate(std::move(memory_->batch));
    for (size_t i = 0; i < all.size(); ++i) {
      std::memcpy(layout.data(i), all[i].bytes.data(), all[i].bytes.size());
    }
    return finish(&layout, first_position);
  }

 private:
  // What some rows have of a column, as it lies in a batch.
  struct Picked {
    ColumnEncoding encoding = ColumnEncoding::kPlain;
    uint32_t entries = 0;
    PodBuffer<char> bytes;
  };

  Status begin(const std::vector<PackedColumn>& columns) {
    if (rows_ == 0 || rows_ > kBatchRowsMax) {
      return corruption(fmt::format("packed columns: {} rows", rows_));
    }
    FIRN_TRY(read_headers(columns));
    return read_series();
  }

  Result<std::unique_ptr<RecordBatch>> finish(BatchLayout* layout, Position first_position) {
    auto batch = layout->finish(namespace_id_, first_position);
    FIRN_TRY(validate_batch(reinterpret_cast<const uint64_t*>(batch->encoded().data()),
                            batch->size_bytes()));
    return batch;
  }

  // Leaves `picked` empty when the rows' positions have no gaps.
  Status pick_positions(const Part& part, std::span<const uint32_t> selected,
                        Position* first_position, Picked* picked) {
    Position first = 0;
    FIRN_TRY(read_positions(part, &first));
    const auto position = [&](uint32_t row) {
      return positions_.empty() ? first + row : static_cast<Position>(positions_[row]);
    };
    *first_position = position(selected.front());
    picked->entries = static_cast<uint32_t>(selected.size());
    if (position(selected.back()) - *first_position == selected.size() - 1) return {};
    for (const uint32_t row : selected) put<uint64_t>(position(row), &picked->bytes);
    return {};
  }

  Status pick(const Part& part, std::span<const uint32_t> selected, Picked* picked) {
    picked->encoding = encoding_of(part);
    picked->entries = static_cast<uint32_t>(selected.size());
    if (picked->encoding == ColumnEncoding::kConstant) {
      picked->entries = 1;
      return fill(part, picked->bytes.extend(size_of(part, picked->encoding)));
    }
    if (part.is_string()) return pick_strings(part, selected, picked);
    const size_t size = fixed_size(part.schema->type);
    memory_->values.clear();
    char* const values = memory_->values.extend(size_t{rows_} * size);
    FIRN_TRY(fill(part, values));
    for (const uint32_t row : selected) picked->bytes.append(values + size_t{row} * size, size);
    return {};
  }

  // Of a dictionary only the entries that the rows have.
  Status pick_strings(const Part& part, std::span<const uint32_t> selected, Picked* picked) {
    const char* raw = nullptr;
    FIRN_TRY(decompress(part, &raw));
    const bool has_indexes = picked->encoding == ColumnEncoding::kDictionary;
    const uint32_t entries = has_indexes ? part.header.entries : rows_;
    const uint32_t width = has_indexes ? packed_index_bytes(entries) : 0;
    const uint64_t index_bytes = uint64_t{rows_} * width;
    memory_->values.clear();
    auto* const offsets =
        reinterpret_cast<uint32_t*>(memory_->values.extend((size_t{entries} + 1) * 4));
    FIRN_TRY(fill_offsets(part, entries, raw + index_bytes, part.header.raw_bytes - index_bytes,
                          offsets));
    std::vector<uint32_t> taken;  // entries, in the order of their new numbers
    std::unordered_map<uint32_t, uint32_t> numbers;
    for (const uint32_t row : selected) {
      if (!has_indexes) {
        taken.push_back(row);
        continue;
      }
      uint32_t entry = 0;
      for (uint32_t plane = 0; plane < width; ++plane) {
        reinterpret_cast<char*>(&entry)[plane] = raw[uint64_t{plane} * rows_ + row];
      }
      if (entry >= entries) return damage(*part.schema, "index beyond the dictionary");
      const auto [number, is_new] = numbers.emplace(entry, static_cast<uint32_t>(taken.size()));
      if (is_new) taken.push_back(entry);
      put<uint32_t>(number->second, &picked->bytes);
    }
    picked->entries = static_cast<uint32_t>(taken.size());
    uint32_t end = 0;
    put<uint32_t>(end, &picked->bytes);
    for (const uint32_t entry : taken) {
      put<uint32_t>(end += offsets[entry + 1] - offsets[entry], &picked->bytes);
    }
    const char* const strings = raw + index_bytes + uint64_t{entries} * 4;
    for (const uint32_t entry : taken) {
      picked->bytes.append(strings + offsets[entry], offsets[entry + 1] - offsets[entry]);
    }
    return {};
  }

  template <typename T>
  static void put(T value, PodBuffer<char>* to) {
    std::memcpy(to->extend(sizeof(T)), &value, sizeof(T));
  }

  Status fill_columns(BatchLayout* layout) {
    size_t number = 0;
    for (const Part& part : parts_) {
      if (part.schema->id == ColumnId::kPosition && positions_.empty()) continue;
      char* const to = layout->data(number++);
      if (part.schema->id == ColumnId::kPosition) {
        std::memcpy(to, positions_.data(), size_t{rows_} * 8);
      } else {
        FIRN_TRY(fill(part, to));
      }
    }
    return {};
  }

  // The entry of each row in the dictionary of series, when there is one: positions may need it
  // before columns have their place.
  Status read_series() {
    const auto part = std::find_if(parts_.begin(), parts_.end(),
                                   [](const Part& found) { return found.is_series(); });
    if (part == parts_.end()) return {};
    const char* raw = nullptr;
    FIRN_TRY(decompress(*part, &raw));
    const uint32_t entries = part->header.entries;
    series_.assign(rows_, 0);
    join_planes(raw, 4, rows_, packed_index_bytes(entries),
                reinterpret_cast<char*>(series_.data()));
    const bool inside = std::all_of(series_.begin(), series_.end(),
                                    [&](uint32_t index) { return index < entries; });
    if (!inside) return damage(*part->schema, "index beyond the dictionary");
    order_.emplace(series_.data(), rows_, entries);
    return {};
  }

  // The order that the column was written in.
  Result<const SeriesOrder*> order_of(const Part& part) {
    if (part.header.entries == 0) return &in_rows_;
    if (order_ && order_->entries() == part.header.entries) return &*order_;
    return damage(*part.schema, "it was packed with another column of series");
  }

  Status fill_by_series(const Part& part, char* to) {
    FIRN_ASSIGN(const SeriesOrder* const found, order_of(part));
    const SeriesOrder& order = *found;
    const bool has_order = part.header.entries != 0;
    const char* raw = nullptr;
    FIRN_TRY(decompress(part, &raw));
    if (part.transform() == PackedTransform::kSeriesBytes) {
      for (uint32_t place = 0; place < rows_; ++place) to[order.row(place)] = raw[place];
      return {};
    }
    if (part.transform() == PackedTransform::kSeriesGaps) {
      if (!has_order) return damage(*part.schema, "it was packed with series");
      auto* const values = reinterpret_cast<uint64_t*>(to);
      join_planes(raw, 8, rows_, 8, to);
      from_series_gaps(series_, {values, rows_});
      return {};
    }
    by_place_.clear();
    uint64_t* const places = by_place_.extend(rows_);
    if (part.transform() == PackedTransform::kSteps) {
      if (!decode_steps({raw, part.header.raw_bytes}, order, {places, rows_})) {
        return damage(*part.schema, "its steps do not hold");
      }
    } else if (part.transform() == PackedTransform::kFloatShuffle) {
      join_planes(raw, 8, rows_, 8, reinterpret_cast<char*>(places));
    } else {
      values_.clear();
      Float64* const values = values_.extend(rows_);
      if (!decode_decimals({raw, part.header.raw_bytes}, order, {values, rows_})) {
        return damage(*part.schema, "its codes do not fit its rows");
      }
      std::memcpy(places, values, size_t{rows_} * 8);
    }
    auto* const rows = reinterpret_cast<uint64_t*>(to);
    for (uint32_t place = 0; place < rows_; ++place) rows[order.row(place)] = places[place];
    return {};
  }

  Status read_headers(const std::vector<PackedColumn>& columns) {
    uint64_t raw_bytes = 0;
    for (const PackedColumn& column : columns) {
      const ColumnSchema* schema = find_column(dataset_, column.id);
      if (schema == nullptr) continue;  // of a newer version
      FIRN_TRY(read_header(*schema, column.bytes));
      raw_bytes += parts_.back().header.raw_bytes;
      if (raw_bytes > kPackedBatchBytesMax) return damage(*schema, "too large");
    }
    std::sort(parts_.begin(), parts_.end(),
              [](const Part& a, const Part& b) { return a.schema->id < b.schema->id; });
    for (size_t i = 1; i < parts_.size(); ++i) {
      if (parts_[i - 1].schema == parts_[i].schema) return damage(*parts_[i].schema, "twice");
    }
    return {};
  }

  Status read_header(const ColumnSchema& schema, std::string_view bytes) {
    if (bytes.size() < kPackedPayloadOffset) return damage(schema, "too short");
    Part part{.schema = &schema,
              .header = load_le<PackedHeader>(bytes.data()),
              .payload = bytes.substr(kPackedPayloadOffset)};
    if (part.header.version != kPackedVersion) {
      return damage(schema, fmt::format("version {}, this program reads {}", part.header.version,
                                        kPackedVersion));
    }
    if (load_le<uint32_t>(bytes.data() + sizeof(PackedHeader)) !=
        packed_checksum(schema.id, part.header, part.payload)) {
      return damage(schema, "checksum mismatch");
    }
    if (part.header.type != static_cast<uint8_t>(schema.type)) return damage(schema, "wrong type");
    if (!suits(part.transform(), schema.type)) return damage(schema, "unknown transform");
    if (part.header.rows != rows_) {
      return damage(schema, fmt::format("{} rows instead of {}", part.header.rows, rows_));
    }
    const uint64_t fixed_bytes = fixed_raw_bytes(part);
    if (part.is_open() ? part.header.raw_bytes < fixed_bytes
                       : part.header.raw_bytes != fixed_bytes) {
      return damage(schema, "the size is not that of its values");
    }
    parts_.push_back(part);
    return {};
  }

  ColumnEncoding encoding_of(const Part& part) const {
    // Positions were unpacked to one value per row.
    if (part.schema->id == ColumnId::kPosition) return ColumnEncoding::kPlain;
    if (part.transform() == PackedTransform::kConstant) return ColumnEncoding::kConstant;
    return part.transform() == PackedTransform::kDictionary ? ColumnEncoding::kDictionary
                                                            : ColumnEncoding::kPlain;
  }
  uint32_t entries_of(const Part& part, ColumnEncoding encoding) const {
    if (encoding == ColumnEncoding::kConstant) return 1;
    return encoding == ColumnEncoding::kDictionary ? part.header.entries : rows_;
  }
  uint64_t size_of(const Part& part, ColumnEncoding encoding) const {
    const uint64_t entries = entries_of(part, encoding);
    if (!part.is_string()) return entries * fixed_size(part.schema->type);
    const uint64_t index_bytes = encoding == ColumnEncoding::kDictionary ? uint64_t{rows_} * 4 : 0;
    return index_bytes + (entries + 1) * 4 + part.header.raw_bytes - fixed_raw_bytes(part);
  }

  // The payload before compression, texts of numbers as plain ones: `raw` points to it until the
  // next call.
  Status decompress(const Part& part, const char** raw) {
    size_t size = part.header.raw_bytes;
    if (part.transform() == PackedTransform::kNumbers) FIRN_TRY(read_size(part, &size));
    switch (static_cast<PackedCompression>(part.header.compression)) {
      case PackedCompression::kNone:
        if (part.payload.size() != size) return damage(*part.schema, "wrong payload size");
        *raw = part.payload.data();
        break;
      case PackedCompression::kZstd:
        FIRN_TRY(decompress_zstd(part, size));
        *raw = memory_->raw.data();
        break;
      default:
        return damage(*part.schema, "unknown compression");
    }
    return part.transform() == PackedTransform::kNumbers ? to_plain(part, {*raw, size}, raw)
                                                         : Status();
  }

  // Of the payload before compression, where the header does not tell it.
  Status read_size(const Part& part, size_t* size) {
    *size = part.payload.size();
    if (part.header.compression == static_cast<uint8_t>(PackedCompression::kNone)) return {};
    const unsigned long long told =
        ZSTD_getFrameContentSize(part.payload.data(), part.payload.size());
    // Greater values stand for errors.
    if (told > kPackedBatchBytesMax) return damage(*part.schema, "zstd does not tell its size");
    *size = told;
    return {};
  }

  // Into memory_->raw.
  Status decompress_zstd(const Part& part, size_t size) {
    static thread_local const std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
    FIRN_CHECK(context != nullptr);
    memory_->raw.clear();
    char* const to = memory_->raw.extend(size);
    const size_t got =
        ZSTD_decompressDCtx(context.get(), to, size, part.payload.data(), part.payload.size());
    if (ZSTD_isError(got) != 0) return damage(*part.schema, ZSTD_getErrorName(got));
    if (got != size) return damage(*part.schema, "shorter than it says");
    return {};
  }

  // Texts of numbers in the form of plain ones.
  Status to_plain(const Part& part, std::string_view coded, const char** raw) {
    FIRN_ASSIGN(const SeriesOrder* const order, order_of(part));
    memory_->texts.clear();
    char* const plain = memory_->texts.extend(part.header.raw_bytes);
    if (!decode_numbers(coded, *order, rows_, {plain, memory_->texts.size()})) {
      return damage(*part.schema, "its numbers do not fit its texts");
    }
    *raw = plain;
    return {};
  }

  // Leaves positions_ empty when there are no gaps.
  Status read_positions(const Part& part, Position* first_position) {
    int64_t* positions = positions_.extend(rows_);
    const bool is_constant = part.transform() == PackedTransform::kConstant;
    FIRN_TRY(fill(part, reinterpret_cast<char*>(positions)));
    if (is_constant) std::fill_n(positions, rows_, positions[0]);
    bool ascends = positions[0] > 0;
    for (uint32_t row = 1; row < rows_; ++row) ascends &= positions[row - 1] < positions[row];
    if (!ascends) return damage(*part.schema, "positions do not ascend");
    *first_position = static_cast<Position>(positions[0]);
    if (positions[rows_ - 1] - positions[0] == rows_ - 1) positions_.clear();
    return {};
  }

  // Writes the column as it lies in a batch.
  Status fill(const Part& part, char* to) {
    const char* raw = nullptr;
    FIRN_TRY(decompress(part, &raw));
    switch (part.transform()) {
      case PackedTransform::kConstant:
        if (part.is_string()) {
          store_le<uint32_t>(to, 0);
          store_le<uint32_t>(to + 4, part.header.raw_bytes);
          to += 8;
        }
        if (part.header.raw_bytes != 0) std::memcpy(to, raw, part.header.raw_bytes);
        return {};
      case PackedTransform::kBytes:
        std::memcpy(to, raw, rows_);
        return {};
      case PackedTransform::kDelta:
        decode_deltas(raw, rows_, reinterpret_cast<uint64_t*>(to));
        return {};
      case PackedTransform::kSequence:
        fill_sequence(raw, to);
        return {};
      case PackedTransform::kShuffle: {
        const size_t size = fixed_size(part.schema->type);
        join_planes(raw, size, rows_, size, to);
        return {};
      }
      case PackedTransform::kOrdered:
        fill_ordered(raw, to);
        return {};
      case PackedTransform::kDictionary: {
        const uint32_t width = packed_index_bytes(part.header.entries);
        std::memset(to, 0, size_t{rows_} * 4);
        join_planes(raw, 4, rows_, width, to);
        const uint64_t skip = uint64_t{rows_} * width;
        return fill_strings(part, part.header.entries, raw + skip, part.header.raw_bytes - skip,
                            to + size_t{rows_} * 4);
      }
      case PackedTransform::kPlain:
      case PackedTransform::kNumbers:
        return fill_strings(part, rows_, raw, part.header.raw_bytes, to);
      case PackedTransform::kSteps:
      case PackedTransform::kDecimal:
      case PackedTransform::kFloatShuffle:
      case PackedTransform::kSeriesBytes:
      case PackedTransform::kSeriesGaps:
        return fill_by_series(part, to);
    }
    return damage(*part.schema, "unknown transform");
  }

  void fill_sequence(const char* raw, char* to) const {
    auto value = load_le<uint64_t>(raw);
    const auto step = load_le<uint64_t>(raw + 8);
    auto* values = reinterpret_cast<uint64_t*>(to);
    for (uint32_t row = 0; row < rows_; ++row, value += step) values[row] = value;
  }

  void fill_ordered(const char* raw, char* to) {
    high_.clear();
    uint64_t* high = high_.extend(rows_);
    decode_deltas(raw, rows_, high);
    low_.clear();
    uint64_t* low = low_.extend(rows_);
    join_planes(raw + size_t{rows_} * 8, 8, rows_, 8, reinterpret_cast<char*>(low));
    for (uint32_t row = 0; row < rows_; ++row) {
      store_le<uint64_t>(to + size_t{row} * 16, __builtin_bswap64(high[row]));
      std::memcpy(to + size_t{row} * 16 + 8, low + row, 8);
    }
  }

  // `raw` holds lengths as planes, then bytes; `to` gets offsets, then bytes.
  Status fill_strings(const Part& part, uint32_t entries, const char* raw, uint64_t raw_bytes,
                      char* to) {
    FIRN_TRY(fill_offsets(part, entries, raw, raw_bytes, reinterpret_cast<uint32_t*>(to)));
    const uint64_t lengths_bytes = uint64_t{entries} * 4;
    const uint64_t size = raw_bytes - lengths_bytes;
    if (size != 0) std::memcpy(to + 4 + lengths_bytes, raw + lengths_bytes, size);
    return {};
  }

  // Where each entry begins, and where the last one ends.
  Status fill_offsets(const Part& part, uint32_t entries, const char* raw, uint64_t raw_bytes,
                      uint32_t* offsets) {
    offsets[0] = 0;
    join_planes(raw, 4, entries, 4, reinterpret_cast<char*>(offsets + 1));
    uint64_t end = 0;
    for (uint32_t entry = 1; entry <= entries; ++entry) {
      end += offsets[entry];
      offsets[entry] = static_cast<uint32_t>(end);
    }
    if (end == raw_bytes - uint64_t{entries} * 4) return {};
    return damage(*part.schema, "lengths do not add up");
  }

  Dataset dataset_;
  NamespaceId namespace_id_;
  uint32_t rows_;
  UnpackMemory* const memory_;
  std::vector<Part> parts_;
  PodBuffer<int64_t> positions_;  // empty without gaps
  PodBuffer<uint64_t> high_, low_, by_place_;
  PodBuffer<Float64> values_;
  const SeriesOrder in_rows_{rows_};
  // Of the batch's series, when they are a dictionary: the entry of each row.
  std::vector<uint32_t> series_;
  std::optional<SeriesOrder> order_;
};

}  // namespace

Result<std::unique_ptr<RecordBatch>> unpack_columns(Dataset dataset, NamespaceId namespace_id,
                                                    uint32_t rows,
                                                    const std::vector<PackedColumn>& columns,
                                                    UnpackMemory* memory) {
  FIRN_TRY(check_dataset(dataset));
  return Unpacker(dataset, namespace_id, rows, memory).run(columns);
}

Result<std::unique_ptr<RecordBatch>> unpack_rows(Dataset dataset, NamespaceId namespace_id,
                                                 uint32_t rows,
                                                 const std::vector<PackedColumn>& columns,
                                                 std::span<const uint32_t> selected,
                                                 UnpackMemory* memory) {
  FIRN_TRY(check_dataset(dataset));
  return Unpacker(dataset, namespace_id, rows, memory).run_rows(columns, selected);
}

}  // namespace firn
