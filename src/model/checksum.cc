#include "model/checksum.h"

#include <cstring>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "model/pod_buffer.h"

namespace firn {
namespace {

// Writes a row's values one behind the other: the position, then for each column whose value is not
// the default its id and the value, strings with their length before them. Defaults are left out so
// that rows stored before a column existed keep their checksum.
class RowHasher {
 public:
  explicit RowHasher(const RecordBatch& batch) : batch_(batch) {
    for (const ColumnSchema& schema : dataset_columns(batch.dataset())) {
      if (schema.id == ColumnId::kPosition || !batch.has_column(schema.id)) continue;
      Column column{.schema = &schema,
                    .int64s = {},
                    .uint8s = {},
                    .ids = {},
                    .span_ids = {},
                    .float64s = {},
                    .strings = {}};
      switch (schema.type) {
        case ColumnType::kInt64:
          column.int64s = batch.int64s(schema.id);
          break;
        case ColumnType::kUint8:
          column.uint8s = batch.uint8s(schema.id);
          break;
        case ColumnType::kId16:
          column.ids = batch.ids(schema.id);
          break;
        case ColumnType::kId8:
          column.span_ids = batch.span_ids();
          break;
        case ColumnType::kString:
          column.strings = batch.strings(schema.id);
          break;
        case ColumnType::kFloat64:
          column.float64s = batch.float64s(schema.id);
          break;
      }
      columns_.push_back(column);
    }
  }

  uint64_t hash(uint32_t row) {
    bytes_.clear();
    append(batch_.position(row));
    for (const Column& column : columns_) append_value(column, row);
    return hash_bytes({bytes_.data(), bytes_.size()});
  }

 private:
  struct Column {
    const ColumnSchema* schema;
    FixedColumn<int64_t> int64s;
    FixedColumn<uint8_t> uint8s;
    FixedColumn<Id> ids;
    FixedColumn<std::array<uint8_t, 8>> span_ids;
    FixedColumn<Float64> float64s;
    StringColumn strings;
  };

  void append_value(const Column& column, uint32_t row) {
    switch (column.schema->type) {
      case ColumnType::kInt64:
        return append_fixed(column, column.int64s[row], kAbsentInt64);
      case ColumnType::kUint8:
        return append_fixed(column, column.uint8s[row], uint8_t{0});
      case ColumnType::kId16:
        return append_fixed(column, column.ids[row], Id{});
      case ColumnType::kId8:
        return append_fixed(column, column.span_ids[row], std::array<uint8_t, 8>{});
      case ColumnType::kFloat64:
        return append_fixed(column, column.float64s[row], kAbsentFloat64);
      case ColumnType::kString: {
        const std::string_view text = column.strings[row];
        if (text.empty()) return;
        append(column.schema->id);
        append(static_cast<uint32_t>(text.size()));
        bytes_.append(text.data(), text.size());
        return;
      }
    }
  }
  template <typename T>
  void append_fixed(const Column& column, const T& value, const T& absent) {
    if (value == absent) return;
    append(column.schema->id);
    append(value);
  }
  template <typename T>
  void append(const T& value) {
    std::memcpy(bytes_.extend(sizeof(T)), &value, sizeof(T));
  }

  const RecordBatch& batch_;
  std::vector<Column> columns_;
  PodBuffer<char> bytes_;
};

}  // namespace

uint64_t row_checksum(const RecordBatch& batch, uint32_t row) { return RowHasher(batch).hash(row); }

uint64_t rows_checksum(const BatchSlice& slice) {
  if (slice.rows() == 0) return 0;
  RowHasher hasher(*slice.batch);
  uint64_t sum = 0;
  for (uint32_t i = 0; i < slice.rows(); ++i) sum += hasher.hash(slice.row(i));
  return sum;
}

}  // namespace firn
