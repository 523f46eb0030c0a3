#include "engine/vector_writer.h"

#include <cstring>

#include "engine/columns.h"
#include "model/raw_text.h"

namespace firn {

namespace {

using duckdb::FlatVector;
using duckdb::idx_t;
using duckdb::string_t;
using duckdb::StringVector;
using duckdb::Vector;

// Keeps a batch alive as long as a vector that points into it.
class BatchBuffer : public duckdb::VectorBuffer {
 public:
  explicit BatchBuffer(BatchPtr batch)
      : VectorBuffer(duckdb::VectorBufferType::OPAQUE_BUFFER), batch_(std::move(batch)) {}

 private:
  BatchPtr batch_;
};

void keep_alive(Vector& vector, const BatchPtr& batch) {
  StringVector::AddBuffer(vector, duckdb::make_buffer<BatchBuffer>(batch));
}

string_t borrow(std::string_view text) {
  return string_t(text.data(), static_cast<uint32_t>(text.size()));
}

template <typename Value, typename Read>
void write_fixed(const RowRange& rows, Vector& vector, Read&& read) {
  Value* out = FlatVector::GetData<Value>(vector) + rows.at;
  for (uint32_t i = 0; i < rows.count; ++i) {
    if (!read(rows.slice->row(rows.begin + i), &out[i])) {
      FlatVector::SetNull(vector, rows.at + i, true);
    }
  }
}

void write_hex(const uint8_t* bytes, size_t size, char* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < size; ++i) {
    *out++ = kDigits[bytes[i] >> 4];
    *out++ = kDigits[bytes[i] & 15];
  }
}

string_t id_text(Vector& vector, const Id& id, bool uuid) {
  string_t text = StringVector::EmptyString(vector, uuid ? 36 : 32);
  char* out = text.GetDataWriteable();
  if (!uuid) {
    write_hex(id.bytes.data(), 16, out);
  } else {
    size_t at = 0;
    for (const size_t part : {size_t{4}, size_t{2}, size_t{2}, size_t{2}, size_t{6}}) {
      if (at > 0) *out++ = '-';
      write_hex(id.bytes.data() + at, part, out);
      out += 2 * part;
      at += part;
    }
  }
  text.Finalize();
  return text;
}

void write_ids(const FixedColumn<Id>& ids, const RowRange& rows, bool uuid, Vector& vector) {
  write_fixed<string_t>(rows, vector, [&](uint32_t row, string_t* out) {
    const Id& id = ids[row];
    if (id.is_zero()) return false;
    *out = id_text(vector, id, uuid);
    return true;
  });
}

void write_span_ids(const FixedColumn<std::array<uint8_t, 8>>& ids, const RowRange& rows,
                    Vector& vector) {
  write_fixed<string_t>(rows, vector, [&](uint32_t row, string_t* out) {
    const auto& id = ids[row];
    if (id == std::array<uint8_t, 8>{}) return false;
    *out = StringVector::EmptyString(vector, 16);
    write_hex(id.data(), 8, out->GetDataWriteable());
    out->Finalize();
    return true;
  });
}

void write_int64s(const FixedColumn<int64_t>& values, const RowRange& rows, bool always,
                  Vector& vector) {
  write_fixed<int64_t>(rows, vector, [&](uint32_t row, int64_t* out) {
    *out = values[row];
    return always || *out != kAbsentInt64;
  });
}

void write_kinds(const FixedColumn<uint8_t>& kinds, const RowRange& rows, Vector& vector) {
  write_fixed<string_t>(rows, vector, [&](uint32_t row, string_t* out) {
    const std::string text = kind_text(kinds[row]);
    *out = StringVector::AddString(vector, text.data(), text.size());
    return true;
  });
}

}  // namespace

void VectorWriter::write_column(const ColumnSchema& column, const RowRange& rows, bool alone,
                                Vector& vector) {
  const RecordBatch& batch = *rows.slice->batch;
  if (column.id == ColumnId::kPosition) {
    write_fixed<int64_t>(rows, vector, [&](uint32_t row, int64_t* out) {
      *out = static_cast<int64_t>(batch.position(row));
      return true;
    });
    return;
  }
  // A kind and a time are always there.
  const bool always = column.id == ColumnId::kKind || column.id == ColumnId::kTime;
  if (!always && !batch.has_column(column.id)) {
    write_null(rows, vector);
    return;
  }
  switch (sql_shape(column)) {
    case SqlShape::kBigint:
    case SqlShape::kTimestampNs:
      return write_int64s(batch.int64s(column.id), rows, always, vector);
    case SqlShape::kSmallint: {
      const auto values = batch.uint8s(column.id);
      return write_fixed<int16_t>(rows, vector, [&](uint32_t row, int16_t* out) {
        *out = values[row];
        return *out != 0;
      });
    }
    case SqlShape::kKindName:
      return write_kinds(batch.uint8s(column.id), rows, vector);
    case SqlShape::kUuid:
      return write_ids(batch.ids(column.id), rows, true, vector);
    case SqlShape::kHex:
      if (column.type == ColumnType::kId8) return write_span_ids(batch.span_ids(), rows, vector);
      return write_ids(batch.ids(column.id), rows, false, vector);
    case SqlShape::kDouble: {
      const auto values = batch.float64s(column.id);
      return write_fixed<double>(rows, vector, [&](uint32_t row, double* out) {
        *out = values[row].value();
        return values[row] != kAbsentFloat64;
      });
    }
    case SqlShape::kText:
      return write_strings(column, rows, alone, vector);
  }
}

void VectorWriter::look_at(const ColumnSchema& column, const BatchPtr& batch) {
  if (batch_ == batch) return;
  batch_ = batch;
  strings_ = batch->strings(column.id);
  is_utf8_ = is_utf8(strings_);
  dictionary_.reset();
}

void VectorWriter::write_strings(const ColumnSchema& column, const RowRange& rows, bool alone,
                                 Vector& vector) {
  look_at(column, rows.slice->batch);
  // A dictionary pays when its entries are much fewer than the rows that will refer to it.
  if (alone && is_utf8_ && strings_.is_dictionary() && strings_.entries() <= rows.count / 4) {
    return write_dictionary(rows, vector);
  }
  if (is_utf8_) keep_alive(vector, batch_);
  write_fixed<string_t>(rows, vector, [&](uint32_t row, string_t* out) {
    const std::string_view text = strings_[row];
    if (text.empty()) return false;
    if (is_utf8_) {
      *out = borrow(text);
    } else {
      const std::string valid = to_utf8(text);
      *out = StringVector::AddString(vector, valid.data(), valid.size());
    }
    return true;
  });
}

void VectorWriter::write_dictionary(const RowRange& rows, Vector& vector) {
  if (dictionary_ == nullptr) {
    dictionary_ = std::make_unique<Vector>(duckdb::LogicalType::VARCHAR, strings_.entries());
    keep_alive(*dictionary_, batch_);
    string_t* out = FlatVector::GetData<string_t>(*dictionary_);
    for (uint32_t i = 0; i < strings_.entries(); ++i) {
      if (strings_.entry(i).empty()) {
        FlatVector::SetNull(*dictionary_, i, true);
      } else {
        out[i] = borrow(strings_.entry(i));
      }
    }
  }
  duckdb::SelectionVector selection(rows.count);
  for (uint32_t i = 0; i < rows.count; ++i) {
    selection.set_index(i, strings_.entry_of(rows.slice->row(rows.begin + i)));
  }
  vector.Dictionary(*dictionary_, strings_.entries(), selection, rows.count);
}

void VectorWriter::write_text(std::string_view text, const RowRange& rows, Vector& vector) {
  if (text.empty()) return write_null(rows, vector);
  const string_t value = StringVector::AddString(vector, text.data(), text.size());
  string_t* out = FlatVector::GetData<string_t>(vector) + rows.at;
  for (uint32_t i = 0; i < rows.count; ++i) out[i] = value;
}

void VectorWriter::write_raw(const RowRange& rows, Vector& vector) {
  if (batch_ != rows.slice->batch) {
    batch_ = rows.slice->batch;
    is_utf8_ = has_only_utf8(*batch_);
  }
  if (is_utf8_) return write_null(rows, vector);
  write_fixed<string_t>(rows, vector, [&](uint32_t row, string_t* out) {
    const std::string raw = encode_raw_texts(*batch_, row);
    if (raw.empty()) return false;
    *out = StringVector::AddStringOrBlob(vector, raw.data(), raw.size());
    return true;
  });
}

void VectorWriter::write_null(const RowRange& rows, Vector& vector) {
  FlatVector::Validity(vector).EnsureWritable();
  for (uint32_t i = 0; i < rows.count; ++i) FlatVector::SetNull(vector, rows.at + i, true);
}

}  // namespace firn
