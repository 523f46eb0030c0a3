#include "engine/arrow_stream.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>

#include <flatbuffers/flatbuffers.h>
#include <fmt/format.h>

#include "base/bytes.h"
#include "duckdb/common/arrow/arrow.hpp"

namespace firn {

namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using flatbuffers::voffset_t;
using Column = ArrowStreamWriter::Column;
using Shape = ArrowStreamWriter::Shape;

constexpr size_t kAlignment = 8;
constexpr uint32_t kContinuation = 0xffffffff;  // begins every message
constexpr int16_t kMetadataV5 = 4;
enum class Header : uint8_t { kSchema = 1, kRecordBatch = 3 };

// Members of the union Type in Schema.fbs.
enum class Type : uint8_t {
  kNull = 1,
  kInt = 2,
  kFloatingPoint = 3,
  kBinary = 4,
  kUtf8 = 5,
  kBool = 6,
  kDecimal = 7,
  kDate = 8,
  kTime = 9,
  kTimestamp = 10,
  kInterval = 11,
  kList = 12,
  kStruct = 13,
  kFixedSizeBinary = 15,
  kFixedSizeList = 16,
  kMap = 17,
  kLargeBinary = 19,
  kLargeUtf8 = 20,
  kLargeList = 21,
};

// Field number of a flatbuffers table as its place in the table's directory.
constexpr voffset_t field(unsigned number) { return static_cast<voffset_t>(4 + 2 * number); }

// The structs of Message.fbs.
struct FieldNode {
  int64_t length, null_count;
};
struct BufferPlace {
  int64_t offset, length;
};

// A table that describes a type, its number in the union, and how its values lie.
struct TypeTable {
  Type type = Type::kNull;
  Offset<void> table;
  Column column;
};

// Builds the table of one type; its members are added by `add`.
template <typename Add>
Offset<void> make_table(FlatBufferBuilder* builder, const Add& add) {
  const auto start = builder->StartTable();
  add();
  return Offset<void>(builder->EndTable(start));
}

Offset<void> empty_table(FlatBufferBuilder* builder) {
  return make_table(builder, [] {});
}

TypeTable plain(FlatBufferBuilder* builder, Type type, Shape shape, size_t bits) {
  return {type, empty_table(builder), {shape, bits, 0, {}}};
}

TypeTable integer(FlatBufferBuilder* builder, int32_t bits, bool is_signed) {
  const auto table = make_table(builder, [&] {
    builder->AddElement<int32_t>(field(0), bits, 0);
    builder->AddElement<uint8_t>(field(1), is_signed ? 1 : 0, 0);
  });
  return {Type::kInt, table, {Shape::kFixed, static_cast<size_t>(bits), 0, {}}};
}

// A table whose first member is an enumeration of 16 bits, written even when it is the default.
TypeTable with_unit(FlatBufferBuilder* builder, Type type, int16_t unit, size_t bits) {
  const auto table = make_table(builder, [&] { builder->AddElement<int16_t>(field(0), unit); });
  return {type, table, {Shape::kFixed, bits, 0, {}}};
}

// Seconds, milliseconds, microseconds, nanoseconds.
std::optional<int16_t> time_unit(char letter) {
  const size_t unit = std::string_view("smun").find(letter);
  if (unit == std::string_view::npos) return std::nullopt;
  return static_cast<int16_t>(unit);
}

std::optional<int32_t> number(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "tdD", "ttu", "tsn:UTC", "tin".
std::optional<TypeTable> temporal(FlatBufferBuilder* builder, std::string_view format) {
  if (format == "tdD") return with_unit(builder, Type::kDate, 0, 32);
  if (format == "tin") return with_unit(builder, Type::kInterval, 2, 128);
  const auto unit = format.size() > 2 ? time_unit(format[2]) : std::nullopt;
  if (!unit.has_value()) return std::nullopt;
  if (format.starts_with("tt")) {
    const int32_t bits = *unit < 2 ? 32 : 64;
    const auto table = make_table(builder, [&] {
      builder->AddElement<int16_t>(field(0), *unit);
      builder->AddElement<int32_t>(field(1), bits, 0);
    });
    return TypeTable{Type::kTime, table, {Shape::kFixed, static_cast<size_t>(bits), 0, {}}};
  }
  if (!format.starts_with("ts") || format.size() < 4 || format[3] != ':') return std::nullopt;
  const std::string_view zone = format.substr(4);
  const auto zone_text = zone.empty() ? Offset<flatbuffers::String>()
                                      : builder->CreateString(zone.data(), zone.size());
  const auto table = make_table(builder, [&] {
    builder->AddElement<int16_t>(field(0), *unit);
    builder->AddOffset(field(1), zone_text);
  });
  return TypeTable{Type::kTimestamp, table, {Shape::kFixed, 64, 0, {}}};
}

// "d:18,3" or "d:18,3,128": precision and scale, of 128 bits.
std::optional<TypeTable> decimal(FlatBufferBuilder* builder, std::string_view format) {
  if (format.ends_with(",128")) format.remove_suffix(4);
  const size_t comma = format.find(',');
  if (!format.starts_with("d:") || comma == std::string_view::npos) return std::nullopt;
  const auto precision = number(format.substr(2, comma - 2));
  const auto scale = number(format.substr(comma + 1));
  if (!precision.has_value() || !scale.has_value()) return std::nullopt;
  const auto table = make_table(builder, [&] {
    builder->AddElement<int32_t>(field(0), *precision, 0);
    builder->AddElement<int32_t>(field(1), *scale, 0);
    builder->AddElement<int32_t>(field(2), 128, 0);
  });
  return TypeTable{Type::kDecimal, table, {Shape::kFixed, 128, 0, {}}};
}

// "w:16" and "+w:3": so many bytes, so many values.
std::optional<TypeTable> fixed_size(FlatBufferBuilder* builder, std::string_view format) {
  const bool is_list = format[0] == '+';
  const auto size = number(format.substr(is_list ? 3 : 2));
  if (!size.has_value() || *size < 0) return std::nullopt;
  const auto table = make_table(builder, [&] { builder->AddElement<int32_t>(field(0), *size, 0); });
  const auto count = static_cast<size_t>(*size);
  if (is_list) return TypeTable{Type::kFixedSizeList, table, {Shape::kFixedList, 0, count, {}}};
  return TypeTable{Type::kFixedSizeBinary, table, {Shape::kFixed, 8 * count, 0, {}}};
}

// Nothing when the type of the C data interface is none of ours.
std::optional<TypeTable> describe(FlatBufferBuilder* builder, std::string_view format) {
  if (format.starts_with("w:") || format.starts_with("+w:")) return fixed_size(builder, format);
  if (format.starts_with('d')) return decimal(builder, format);
  if (format.starts_with('t')) return temporal(builder, format);
  if (format == "+l") return plain(builder, Type::kList, Shape::kList, 32);
  if (format == "+L") return plain(builder, Type::kLargeList, Shape::kList, 64);
  if (format == "+s") return plain(builder, Type::kStruct, Shape::kStruct, 0);
  if (format == "+m") return plain(builder, Type::kMap, Shape::kList, 32);
  if (format.size() != 1) return std::nullopt;
  switch (format[0]) {
    case 'n':
      return plain(builder, Type::kNull, Shape::kNull, 0);
    case 'b':
      return plain(builder, Type::kBool, Shape::kFixed, 1);
    case 'c':
    case 'C':
      return integer(builder, 8, format[0] == 'c');
    case 's':
    case 'S':
      return integer(builder, 16, format[0] == 's');
    case 'i':
    case 'I':
      return integer(builder, 32, format[0] == 'i');
    case 'l':
    case 'L':
      return integer(builder, 64, format[0] == 'l');
    case 'f':
      return with_unit(builder, Type::kFloatingPoint, 1, 32);
    case 'g':
      return with_unit(builder, Type::kFloatingPoint, 2, 64);
    case 'u':
      return plain(builder, Type::kUtf8, Shape::kBytes, 32);
    case 'U':
      return plain(builder, Type::kLargeUtf8, Shape::kBytes, 64);
    case 'z':
      return plain(builder, Type::kBinary, Shape::kBytes, 32);
    case 'Z':
      return plain(builder, Type::kLargeBinary, Shape::kBytes, 64);
    default:
      return std::nullopt;
  }
}

// The table Field of a column, and of what is inside it.
Result<Offset<void>> add_field(FlatBufferBuilder* builder, const ArrowSchema& schema, Column* out) {
  std::vector<Offset<void>> children;
  std::vector<Column> columns(static_cast<size_t>(schema.n_children));
  for (size_t i = 0; i < columns.size(); ++i) {
    FIRN_ASSIGN(const Offset<void> child, add_field(builder, *schema.children[i], &columns[i]));
    children.push_back(child);
  }
  auto type = describe(builder, schema.format);
  if (!type.has_value() || schema.dictionary != nullptr) {
    return unsupported(
        fmt::format("the column \"{}\" has no form in an Arrow stream ({}); cast it "
                    "to VARCHAR",
                    schema.name, schema.format));
  }
  *out = std::move(type->column);
  out->children = std::move(columns);
  const auto name = builder->CreateString(schema.name == nullptr ? "" : schema.name);
  const auto inner = builder->CreateVector(children.data(), children.size());
  const bool nullable = (schema.flags & ARROW_FLAG_NULLABLE) != 0;
  return make_table(builder, [&] {
    builder->AddOffset(field(0), name);
    builder->AddElement<uint8_t>(field(1), nullable ? 1 : 0, 0);
    builder->AddElement<uint8_t>(field(2), static_cast<uint8_t>(type->type), 0);
    builder->AddOffset(field(3), type->table);
    builder->AddOffset(field(5), inner);
  });
}

size_t padded(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// The metadata of a message, behind its length and padded so that a body may follow.
std::string finish_message(FlatBufferBuilder* builder, Header type, Offset<void> header,
                           size_t body_bytes) {
  builder->Finish(make_table(builder, [&] {
    builder->AddElement<int64_t>(field(3), static_cast<int64_t>(body_bytes), 0);
    builder->AddOffset(field(2), header);
    builder->AddElement<int16_t>(field(0), kMetadataV5, 0);
    builder->AddElement<uint8_t>(field(1), static_cast<uint8_t>(type), 0);
  }));
  std::string message;
  append_le<uint32_t>(&message, kContinuation);
  append_le<uint32_t>(&message, static_cast<uint32_t>(padded(builder->GetSize())));
  message.append(reinterpret_cast<const char*>(builder->GetBufferPointer()), builder->GetSize());
  message.resize(padded(message.size()));
  return message;
}

// Collects what a record batch consists of, in the order of the format: a column before what is
// inside it.
class BatchLayout {
 public:
  void add(const Column& column, const ArrowArray& array) {
    FIRN_CHECK(array.offset == 0 && array.null_count >= 0);
    nodes_.push_back({array.length, array.null_count});
    const auto length = static_cast<size_t>(array.length);
    if (column.shape != Shape::kNull) {
      add_buffer(array.null_count == 0 ? nullptr : array.buffers[0], (length + 7) / 8);
    }
    switch (column.shape) {
      case Shape::kFixed:
        add_buffer(array.null_count == 0 ? array.buffers[1] : without_nulls(column, array),
                   (length * column.bits + 7) / 8);
        break;
      case Shape::kBytes:
        add_buffer(array.buffers[1], (length + 1) * column.bits / 8);
        add_buffer(array.buffers[2], last_offset(column, array));
        break;
      case Shape::kList:
        add_buffer(array.buffers[1], (length + 1) * column.bits / 8);
        break;
      case Shape::kNull:
      case Shape::kFixedList:
      case Shape::kStruct:
        break;
    }
    FIRN_CHECK(static_cast<size_t>(array.n_children) == column.children.size());
    for (size_t i = 0; i < column.children.size(); ++i) add(column.children[i], *array.children[i]);
  }

  const std::vector<FieldNode>& nodes() const { return nodes_; }
  const std::vector<BufferPlace>& places() const { return places_; }
  size_t body_bytes() const { return body_bytes_; }
  Status write_body(ByteSink* sink) const {
    constexpr std::string_view kZeros("\0\0\0\0\0\0\0", kAlignment - 1);
    for (size_t i = 0; i < places_.size(); ++i) {
      const auto length = static_cast<size_t>(places_[i].length);
      FIRN_TRY(sink->write({static_cast<const char*>(buffers_[i]), length}));
      FIRN_TRY(sink->write(kZeros.substr(0, padded(length) - length)));
    }
    return {};
  }

 private:
  // The values with zeros where they are null: what DuckDB leaves there is older memory, which
  // must not leave the process.
  const void* without_nulls(const Column& column, const ArrowArray& array) {
    if (array.buffers[1] == nullptr) return nullptr;
    const auto* is_valid = static_cast<const uint8_t*>(array.buffers[0]);
    const auto length = static_cast<size_t>(array.length);
    std::string& values = copies_.emplace_back(static_cast<const char*>(array.buffers[1]),
                                               (length * column.bits + 7) / 8);
    const size_t value_bytes = column.bits / 8;
    for (size_t i = 0; i < length; ++i) {
      if ((is_valid[i / 8] >> (i % 8) & 1) != 0) continue;
      if (column.bits == 1) {
        values[i / 8] = static_cast<char>(values[i / 8] & ~(1 << (i % 8)));
      } else {
        std::fill_n(values.begin() + static_cast<ptrdiff_t>(i * value_bytes), value_bytes, '\0');
      }
    }
    return values.data();
  }
  // Without an address: a column without nulls may leave out which values are null.
  void add_buffer(const void* from, size_t bytes) {
    if (from == nullptr) bytes = 0;
    buffers_.push_back(from == nullptr ? "" : from);
    places_.push_back({static_cast<int64_t>(body_bytes_), static_cast<int64_t>(bytes)});
    body_bytes_ += padded(bytes);
  }
  static size_t last_offset(const Column& column, const ArrowArray& array) {
    if (array.buffers[1] == nullptr) return 0;
    if (column.bits == 32) {
      return static_cast<size_t>(static_cast<const int32_t*>(array.buffers[1])[array.length]);
    }
    return static_cast<size_t>(static_cast<const int64_t*>(array.buffers[1])[array.length]);
  }

  std::vector<FieldNode> nodes_;
  std::vector<const void*> buffers_;
  std::deque<std::string> copies_;
  std::vector<BufferPlace> places_;
  size_t body_bytes_ = 0;
};

}  // namespace

Status ArrowStreamWriter::start(const ArrowSchema& schema) {
  FlatBufferBuilder builder;
  std::vector<Offset<void>> fields;
  rows_.children.resize(static_cast<size_t>(schema.n_children));
  for (size_t i = 0; i < rows_.children.size(); ++i) {
    FIRN_ASSIGN(const Offset<void> column,
                add_field(&builder, *schema.children[i], &rows_.children[i]));
    fields.push_back(column);
  }
  const auto all = builder.CreateVector(fields.data(), fields.size());
  const auto header = make_table(&builder, [&] { builder.AddOffset(field(1), all); });
  return sink_->write(finish_message(&builder, Header::kSchema, header, 0));
}

Status ArrowStreamWriter::add_batch(const ArrowArray& rows) {
  BatchLayout layout;
  FIRN_CHECK(static_cast<size_t>(rows.n_children) == rows_.children.size());
  for (size_t i = 0; i < rows_.children.size(); ++i) {
    layout.add(rows_.children[i], *rows.children[i]);
  }
  FlatBufferBuilder builder;
  const auto nodes = builder.CreateVectorOfStructs(layout.nodes().data(), layout.nodes().size());
  const auto places = builder.CreateVectorOfStructs(layout.places().data(), layout.places().size());
  const auto header = make_table(&builder, [&] {
    builder.AddElement<int64_t>(field(0), rows.length, 0);
    builder.AddOffset(field(1), nodes);
    builder.AddOffset(field(2), places);
  });
  FIRN_TRY(
      sink_->write(finish_message(&builder, Header::kRecordBatch, header, layout.body_bytes())));
  return layout.write_body(sink_);
}

Status ArrowStreamWriter::finish() {
  std::string end;
  append_le<uint32_t>(&end, kContinuation);
  append_le<uint32_t>(&end, 0);
  return sink_->write(end);
}

}  // namespace firn
