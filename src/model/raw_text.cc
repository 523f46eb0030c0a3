#include "model/raw_text.h"

#include <simdjson.h>

#include "base/bytes.h"

namespace firn {

namespace {

bool is_continuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

// -0.0 and NaNs, but not the one that stands for NULL.
bool has_bits_of_its_own(Float64 value) {
  return value.value() != value.value() ? value != kAbsentFloat64 : value == Float64::of(-0.0);
}

}  // namespace

bool is_utf8(std::string_view text, TextRule rule) {
  if (rule == TextRule::kUtf8WithoutNul && text.find('\0') != std::string_view::npos) return false;
  return simdjson::validate_utf8(text.data(), text.size());
}

bool is_utf8(const StringColumn& column, TextRule rule) {
  if (column.entries() == 0) return true;
  const char* begin = column.entry(0).data();
  const std::string_view last = column.entry(column.entries() - 1);
  if (!is_utf8({begin, static_cast<size_t>(last.data() + last.size() - begin)}, rule)) return false;
  // Valid as a whole; an entry could still begin in the middle of a sequence.
  for (uint32_t i = 1; i < column.entries(); ++i) {
    const std::string_view entry = column.entry(i);
    if (!entry.empty() && is_continuation(entry[0])) return false;
  }
  return true;
}

std::string to_utf8(std::string_view text, TextRule rule) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string out;
  out.reserve(text.size());
  size_t at = 0;
  while (at < text.size()) {
    const uint8_t lead = static_cast<uint8_t>(text[at]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (at + length <= text.size() && is_utf8(text.substr(at, length), rule)) {
      out += text.substr(at, length);
      at += length;
    } else {
      out += kReplacement;
      ++at;
    }
  }
  return out;
}

std::string encode_raw_texts(const RecordBatch& batch, uint32_t row, TextRule rule) {
  std::string raw;
  for (const ColumnSchema& column : dataset_columns(batch.dataset())) {
    if (!batch.has_column(column.id)) continue;
    if (column.type == ColumnType::kFloat64) {
      const Float64 value = batch.float64s(column.id)[row];
      if (!has_bits_of_its_own(value)) continue;
      raw += static_cast<char>(column.id);
      append_le<uint32_t>(&raw, sizeof(value.bits));
      append_le(&raw, value.bits);
    }
    if (column.type != ColumnType::kString) continue;
    const std::string_view text = batch.strings(column.id)[row];
    if (is_utf8(text, rule)) continue;
    raw += static_cast<char>(column.id);
    append_le<uint32_t>(&raw, static_cast<uint32_t>(text.size()));
    raw += text;
  }
  return raw;
}

bool has_only_utf8(const RecordBatch& batch, TextRule rule) {
  for (const ColumnSchema& column : dataset_columns(batch.dataset())) {
    if (!batch.has_column(column.id)) continue;
    if (column.type == ColumnType::kFloat64) {
      const auto values = batch.float64s(column.id);
      for (uint32_t row = 0; row < batch.rows(); ++row) {
        if (has_bits_of_its_own(values[row])) return false;
      }
    }
    if (column.type == ColumnType::kString && !is_utf8(batch.strings(column.id), rule)) {
      return false;
    }
  }
  return true;
}

uint64_t count_raw_rows(const BatchSlice& slice, TextRule rule) {
  const RecordBatch& batch = *slice.batch;
  if (has_only_utf8(batch, rule)) return 0;
  uint64_t count = 0;
  for (uint32_t i = 0; i < slice.rows(); ++i) {
    if (!encode_raw_texts(batch, slice.row(i), rule).empty()) ++count;
  }
  return count;
}

std::optional<RawTexts> decode_raw_texts(std::string_view raw) {
  RawTexts texts;
  while (!raw.empty()) {
    if (raw.size() < 5) return std::nullopt;
    const size_t id = static_cast<uint8_t>(raw[0]);
    const uint32_t size = load_le<uint32_t>(raw.data() + 1);
    raw.remove_prefix(5);
    if (id >= texts.size() || size > raw.size()) return std::nullopt;
    texts[id] = raw.substr(0, size);
    raw.remove_prefix(size);
  }
  return texts;
}

std::string_view* text_member(ColumnId id, EventRow* row) {
  switch (id) {
    case ColumnId::kType:
      return &row->type;
    case ColumnId::kSource:
      return &row->source;
    case ColumnId::kSubject:
      return &row->subject;
    case ColumnId::kStream:
      return &row->stream;
    case ColumnId::kCorrelationId:
      return &row->correlation_id;
    case ColumnId::kData:
      return &row->data;
    case ColumnId::kMetadata:
      return &row->metadata;
    case ColumnId::kContext:
      return &row->context;
    case ColumnId::kSeries:
      return &row->series;
    case ColumnId::kName:
      return &row->name;
    case ColumnId::kLabels:
      return &row->labels;
    case ColumnId::kUnit:
      return &row->unit;
    case ColumnId::kTemporality:
      return &row->temporality;
    case ColumnId::kDescription:
      return &row->description;
    default:
      return nullptr;
  }
}

Float64* float_member(ColumnId id, EventRow* row) {
  switch (id) {
    case ColumnId::kValue:
      return &row->value;
    case ColumnId::kMin:
      return &row->min;
    case ColumnId::kMax:
      return &row->max;
    case ColumnId::kFirst:
      return &row->first;
    case ColumnId::kLast:
      return &row->last;
    case ColumnId::kSumLow:
      return &row->sum_low;
    default:
      return nullptr;
  }
}

}  // namespace firn
