#include <cmath>

#include <fmt/format.h>

#include "engine/duck.h"
#include "model/raw_text.h"

namespace firn {

namespace {

constexpr size_t kMessageBytesMax = 1000;

using duckdb::LogicalTypeId;
using duckdb::Value;

void append_json_string(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\t':
        *out += "\\t";
        break;
      case '\r':
        *out += "\\r";
        break;
      default:
        if (static_cast<uint8_t>(c) < 0x20) {
          *out += fmt::format("\\u{:04x}", static_cast<int>(c));
        } else {
          *out += c;
        }
    }
  }
  *out += '"';
}

void append_json(const Value& value, std::string* out);

void append_json_list(const duckdb::vector<Value>& items, std::string* out) {
  *out += '[';
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) *out += ',';
    append_json(items[i], out);
  }
  *out += ']';
}

void append_json_struct(const Value& value, std::string* out) {
  const auto& items = duckdb::StructValue::GetChildren(value);
  *out += '{';
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) *out += ',';
    append_json_string(duckdb::StructType::GetChildName(value.type(), i), out);
    *out += ':';
    append_json(items[i], out);
  }
  *out += '}';
}

void append_json_map(const Value& value, std::string* out) {
  *out += '{';
  bool first = true;
  for (const Value& entry : duckdb::MapValue::GetChildren(value)) {
    const auto& pair = duckdb::StructValue::GetChildren(entry);
    if (!first) *out += ',';
    first = false;
    append_json_string(pair[0].ToString(), out);
    *out += ':';
    append_json(pair[1], out);
  }
  *out += '}';
}

// Nested values are rare in answers, so this goes value by value.
void append_json(const Value& value, std::string* out) {
  if (value.IsNull()) {
    *out += "null";
    return;
  }
  switch (value.type().id()) {
    case LogicalTypeId::LIST:
      return append_json_list(duckdb::ListValue::GetChildren(value), out);
    case LogicalTypeId::ARRAY:
      return append_json_list(duckdb::ArrayValue::GetChildren(value), out);
    case LogicalTypeId::STRUCT:
      return append_json_struct(value, out);
    case LogicalTypeId::MAP:
      return append_json_map(value, out);
    case LogicalTypeId::UNION:
      return append_json(duckdb::UnionValue::GetValue(value), out);
    case LogicalTypeId::BOOLEAN:
    case LogicalTypeId::TINYINT:
    case LogicalTypeId::SMALLINT:
    case LogicalTypeId::INTEGER:
    case LogicalTypeId::BIGINT:
    case LogicalTypeId::HUGEINT:
    case LogicalTypeId::UTINYINT:
    case LogicalTypeId::USMALLINT:
    case LogicalTypeId::UINTEGER:
    case LogicalTypeId::UBIGINT:
    case LogicalTypeId::UHUGEINT:
    case LogicalTypeId::DECIMAL:
      *out += value.ToString();
      return;
    case LogicalTypeId::FLOAT:
    case LogicalTypeId::DOUBLE: {
      const double real = value.GetValue<double>();
      if (std::isfinite(real)) {
        *out += fmt::format("{}", real);
      } else {
        append_json_string(value.ToString(), out);
      }
      return;
    }
    case LogicalTypeId::VARCHAR:
      if (value.type().IsJSONType()) {
        *out += duckdb::StringValue::Get(value);
        return;
      }
      [[fallthrough]];
    default:
      append_json_string(value.ToString(), out);
  }
}

bool is_nested(const duckdb::LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::LIST:
    case LogicalTypeId::ARRAY:
    case LogicalTypeId::STRUCT:
    case LogicalTypeId::MAP:
    case LogicalTypeId::UNION:
      return true;
    default:
      return false;
  }
}

// One column of a chunk, made readable row by row.
class ColumnReader {
 public:
  ColumnReader(duckdb::Vector& vector, duckdb::idx_t count) : vector_(vector) {
    vector.ToUnifiedFormat(count, format_);
  }

  SqlValue read(duckdb::idx_t row);

 private:
  template <typename T>
  const T& at(duckdb::idx_t index) const {
    return duckdb::UnifiedVectorFormat::GetData<T>(format_)[index];
  }
  SqlValue integer(int64_t value) const { return make(SqlKind::kInt64, value); }
  static SqlValue make(SqlKind kind, int64_t integer) {
    SqlValue value;
    value.kind = kind;
    value.integer = integer;
    return value;
  }
  SqlValue text(SqlKind kind, std::string_view text) const {
    SqlValue value;
    value.kind = kind;
    value.text = text;
    return value;
  }
  SqlValue real(double number) const {
    SqlValue value;
    value.kind = SqlKind::kDouble;
    value.real = number;
    return value;
  }
  // `count` units of `unit_ns` since the epoch; as text when that does not fit or is infinite.
  SqlValue time(int64_t count, DurationNs unit_ns, duckdb::idx_t row);
  SqlValue as_text(duckdb::idx_t row);

  duckdb::Vector& vector_;
  duckdb::UnifiedVectorFormat format_;
  std::string buffer_;  // text of the last value that had no bytes of its own
};

SqlValue ColumnReader::time(int64_t count, DurationNs unit_ns, duckdb::idx_t row) {
  const __int128 ns = static_cast<__int128>(count) * unit_ns;
  const bool infinite = count == INT64_MAX || count == -INT64_MAX;
  if (infinite || ns > INT64_MAX || ns < INT64_MIN) return as_text(row);
  return make(SqlKind::kTime, static_cast<int64_t>(ns));
}

SqlValue ColumnReader::as_text(duckdb::idx_t row) {
  buffer_ = vector_.GetValue(row).ToString();
  return text(SqlKind::kText, buffer_);
}

SqlValue ColumnReader::read(duckdb::idx_t row) {
  const duckdb::idx_t index = format_.sel->get_index(row);
  if (!format_.validity.RowIsValid(index)) return {};
  switch (vector_.GetType().id()) {
    case LogicalTypeId::BOOLEAN: {
      SqlValue value;
      value.kind = SqlKind::kBool;
      value.boolean = at<bool>(index);
      return value;
    }
    case LogicalTypeId::TINYINT:
      return integer(at<int8_t>(index));
    case LogicalTypeId::SMALLINT:
      return integer(at<int16_t>(index));
    case LogicalTypeId::INTEGER:
      return integer(at<int32_t>(index));
    case LogicalTypeId::BIGINT:
      return integer(at<int64_t>(index));
    case LogicalTypeId::UTINYINT:
      return integer(at<uint8_t>(index));
    case LogicalTypeId::USMALLINT:
      return integer(at<uint16_t>(index));
    case LogicalTypeId::UINTEGER:
      return integer(at<uint32_t>(index));
    case LogicalTypeId::UBIGINT: {
      SqlValue value = integer(static_cast<int64_t>(at<uint64_t>(index)));
      value.unsigned_integer = at<uint64_t>(index);
      if (value.unsigned_integer > INT64_MAX) value.kind = SqlKind::kUint64;
      return value;
    }
    case LogicalTypeId::FLOAT:
      return real(static_cast<double>(at<float>(index)));
    case LogicalTypeId::DOUBLE:
      return real(at<double>(index));
    case LogicalTypeId::TIMESTAMP_NS:
      return make(SqlKind::kTime, at<int64_t>(index));
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_TZ:
      return time(at<int64_t>(index), kMicrosecondNs, row);
    case LogicalTypeId::TIMESTAMP_MS:
      return time(at<int64_t>(index), kMillisecondNs, row);
    case LogicalTypeId::TIMESTAMP_SEC:
      return time(at<int64_t>(index), kSecondNs, row);
    case LogicalTypeId::VARCHAR: {
      const duckdb::string_t& value = at<duckdb::string_t>(index);
      return text(vector_.GetType().IsJSONType() ? SqlKind::kJson : SqlKind::kText,
                  {value.GetData(), value.GetSize()});
    }
    default:
      break;
  }
  if (!is_nested(vector_.GetType())) return as_text(row);
  buffer_.clear();
  append_json(vector_.GetValue(row), &buffer_);
  return text(SqlKind::kJson, buffer_);
}

StatusCode code_of(duckdb::ExceptionType type) {
  using duckdb::ExceptionType;
  switch (type) {
    case ExceptionType::OUT_OF_MEMORY:
    case ExceptionType::OBJECT_SIZE:
      return StatusCode::kTooLarge;
    case ExceptionType::INTERRUPT:
      return StatusCode::kCancelled;
    case ExceptionType::IO:
    case ExceptionType::HTTP:
    case ExceptionType::NETWORK:
    case ExceptionType::CONNECTION:
      return StatusCode::kIoError;
    case ExceptionType::SERIALIZATION:
      return StatusCode::kCorruption;
    case ExceptionType::INTERNAL:
    case ExceptionType::FATAL:
    case ExceptionType::NULL_POINTER:
    case ExceptionType::TRANSACTION:
    case ExceptionType::INVALID:
      return StatusCode::kInternal;
    default:
      return StatusCode::kInvalidArgument;
  }
}

}  // namespace

Value to_duck_value(const SqlScalar& scalar) {
  struct Convert {
    Value operator()(std::monostate) const { return Value(); }
    Value operator()(bool value) const { return Value::BOOLEAN(value); }
    Value operator()(int64_t value) const { return Value::BIGINT(value); }
    Value operator()(double value) const { return Value::DOUBLE(value); }
    Value operator()(const std::string& value) const { return Value(value); }
    Value operator()(SqlTime value) const {
      return Value::TIMESTAMPNS(duckdb::timestamp_ns_t(value.ns));
    }
  };
  return std::visit(Convert{}, scalar);
}

Status deliver_chunk(duckdb::DataChunk& chunk, ResultSink* sink) {
  std::vector<ColumnReader> columns;
  columns.reserve(chunk.ColumnCount());
  for (auto& vector : chunk.data) columns.emplace_back(vector, chunk.size());
  std::vector<SqlValue> row(columns.size());
  for (duckdb::idx_t r = 0; r < chunk.size(); ++r) {
    for (size_t c = 0; c < columns.size(); ++c) row[c] = columns[c].read(r);
    FIRN_TRY(sink->row(row));
  }
  return {};
}

// A statement that did not fit its memory could not be continued on the disk. The engine knows no
// such error, only what is said of its temporary files.
bool is_spill_without_space(const std::string& message) {
  if (message.find(kSpillWithoutSpace) != std::string::npos) return true;
  return message.find("duckdb_temp_storage") != std::string::npos &&
         message.find("No space left on device") != std::string::npos;
}

Status to_status(const duckdb::ErrorData& error, const Session& session) {
  if (Status own = session.failure(); !own.ok()) return own;
  StatusCode code = code_of(error.Type());
  std::string message = error.Message();
  // Internal errors carry a stack trace that helps nobody who reads an answer, and some errors
  // quote all of a damaged page.
  if (const size_t trace = message.find("\n\nStack Trace"); trace != std::string::npos) {
    message.resize(trace);
  }
  if (is_spill_without_space(message)) {
    return Status(
        StatusCode::kNoSpace,
        "the statement needs more than query_memory, and the disk has no room to go on there; "
        "make room, or ask for less");
  }
  if (message.size() > kMessageBytesMax) message = to_utf8(message.substr(0, kMessageBytesMax));
  bool names_file = false;
  for (size_t at; (at = message.find(kEnvPathPrefix)) != std::string::npos;) {
    message.erase(at, kEnvPathPrefix.size());
    names_file = true;
  }
  // Nothing that a user writes is invalid input about a file: the file is damaged.
  if (names_file && error.Type() == duckdb::ExceptionType::INVALID_INPUT) {
    code = StatusCode::kCorruption;
  }
  return Status(code, std::move(message));
}

}  // namespace firn
