#include "model/record_batch.h"

#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/status.h"
#include "model/batch_format.h"

namespace firn {
namespace {

constexpr size_t kRecycledMax = 2;
constexpr uint32_t kZeroIndex = 0;
constexpr uint32_t kEmptyOffsets[2] = {0, 0};
constexpr int64_t kAbsent = kAbsentInt64;
constexpr uint8_t kZeroByte = 0;
constexpr Id kZeroId{};
constexpr std::array<uint8_t, 8> kZeroSpanId{};

const char* payload(const uint64_t* buffer, const BatchColumnEntry& entry) {
  return reinterpret_cast<const char*>(buffer) + entry.offset;
}

const BatchHeader& header_of(const uint64_t* buffer) {
  return *reinterpret_cast<const BatchHeader*>(buffer);
}

ColumnEncoding encoding_of(const BatchColumnEntry& entry) {
  return static_cast<ColumnEncoding>(entry.encoding);
}

}  // namespace

Result<std::unique_ptr<RecordBatch>> RecordBatch::parse(ByteView encoded) {
  if (encoded.size() < sizeof(BatchHeader) || encoded.size() > kBatchBytesMax) {
    return corruption("batch: " + std::to_string(encoded.size()) + " bytes cannot be one");
  }
  const size_t words = (encoded.size() + 7) / 8;
  BatchBuffer buffer{std::make_unique_for_overwrite<uint64_t[]>(words), words * 8};
  buffer.words[words - 1] = 0;
  std::memcpy(buffer.words.get(), encoded.data(), encoded.size());
  FIRN_TRY(validate_batch(buffer.words.get(), encoded.size()));
  return std::unique_ptr<RecordBatch>(new RecordBatch(std::move(buffer), encoded.size()));
}

BatchBuffer BatchRecycler::take() {
  MutexLock lock(&kept_->mutex);
  if (kept_->buffers.empty()) return {};
  BatchBuffer buffer = std::move(kept_->buffers.back());
  kept_->buffers.pop_back();
  return buffer;
}

BatchPtr BatchRecycler::share(std::unique_ptr<RecordBatch> batch) {
  return BatchPtr(batch.release(), [kept = std::weak_ptr(kept_)](RecordBatch* gone) {
    const std::unique_ptr<RecordBatch> owned(gone);
    const auto to = kept.lock();
    if (to == nullptr) return;
    MutexLock lock(&to->mutex);
    if (to->buffers.size() < kRecycledMax) to->buffers.push_back(std::move(owned->buffer_));
  });
}

RecordBatch::RecordBatch(BatchBuffer buffer, size_t size_bytes)
    : buffer_(std::move(buffer)), size_bytes_(size_bytes) {
  const BatchHeader& header = header_of(buffer_.words.get());
  rows_ = header.rows;
  first_position_ = header.first_position;
  const auto* entries = reinterpret_cast<const BatchColumnEntry*>(&header + 1);
  for (size_t i = 0; i < header.column_count; ++i) {
    const auto id = static_cast<ColumnId>(entries[i].id);
    if (find_column(dataset(), id) != nullptr) directory_[entries[i].id] = &entries[i];
  }
  if (const BatchColumnEntry* positions = directory_[static_cast<size_t>(ColumnId::kPosition)]) {
    positions_ = reinterpret_cast<const int64_t*>(payload(buffer_.words.get(), *positions));
  }
}

Dataset RecordBatch::dataset() const {
  return static_cast<Dataset>(header_of(buffer_.words.get()).dataset);
}
TimeNs RecordBatch::time_min() const { return header_of(buffer_.words.get()).time_min; }
TimeNs RecordBatch::time_max() const { return header_of(buffer_.words.get()).time_max; }
NamespaceId RecordBatch::namespace_id() const {
  return header_of(buffer_.words.get()).namespace_id;
}
Position RecordBatch::first_position() const { return first_position_; }

bool RecordBatch::is_stampable() const {
  if (first_position_ != 0 || namespace_id() != 0 || positions_ != nullptr) return false;
  const BatchColumnEntry* positions = directory_[static_cast<size_t>(ColumnId::kStreamPosition)];
  if (has_column(ColumnId::kStream) != (positions != nullptr)) return false;
  return positions == nullptr || encoding_of(*positions) == ColumnEncoding::kPlain;
}

void RecordBatch::stamp(NamespaceId namespace_id, Position first_position,
                        std::span<const int64_t> stream_positions) {
  FIRN_CHECK(is_stampable());
  FIRN_CHECK(namespace_id != 0 && first_position != 0);
  FIRN_CHECK(first_position <= static_cast<Position>(INT64_MAX) - rows_);
  FIRN_CHECK(stream_positions.size() == (has_column(ColumnId::kStream) ? rows_ : 0));
  auto* header = reinterpret_cast<BatchHeader*>(buffer_.words.get());
  header->namespace_id = namespace_id;
  header->first_position = first_position;
  first_position_ = first_position;
  if (!stream_positions.empty()) {
    const BatchColumnEntry& entry = *directory_[static_cast<size_t>(ColumnId::kStreamPosition)];
    std::memcpy(reinterpret_cast<char*>(buffer_.words.get()) + entry.offset,
                stream_positions.data(), stream_positions.size_bytes());
  }
}

template <typename T>
FixedColumn<T> RecordBatch::fixed(ColumnId id, ColumnType type, const T& absent) const {
  const BatchColumnEntry* entry = directory_[static_cast<size_t>(id)];
  if (entry == nullptr) {
    FIRN_CHECK(column_schema(id).type == type);
    return FixedColumn<T>(&absent, 0);
  }
  FIRN_CHECK(entry->type == static_cast<uint8_t>(type));
  return FixedColumn<T>(reinterpret_cast<const T*>(payload(buffer_.words.get(), *entry)),
                        encoding_of(*entry) == ColumnEncoding::kConstant ? 0 : 1);
}

FixedColumn<int64_t> RecordBatch::int64s(ColumnId id) const {
  return fixed<int64_t>(id, ColumnType::kInt64, kAbsent);
}
FixedColumn<uint8_t> RecordBatch::uint8s(ColumnId id) const {
  return fixed<uint8_t>(id, ColumnType::kUint8, kZeroByte);
}
FixedColumn<Id> RecordBatch::ids(ColumnId id) const {
  return fixed<Id>(id, ColumnType::kId16, kZeroId);
}
FixedColumn<std::array<uint8_t, 8>> RecordBatch::span_ids() const {
  return fixed<std::array<uint8_t, 8>>(ColumnId::kSpanId, ColumnType::kId8, kZeroSpanId);
}
FixedColumn<Float64> RecordBatch::float64s(ColumnId id) const {
  return fixed<Float64>(id, ColumnType::kFloat64, kAbsentFloat64);
}

StringColumn RecordBatch::strings(ColumnId id) const {
  const BatchColumnEntry* entry = directory_[static_cast<size_t>(id)];
  if (entry == nullptr) {
    FIRN_CHECK(column_schema(id).type == ColumnType::kString);
    return StringColumn(&kZeroIndex, 0, kEmptyOffsets, "", 1);
  }
  FIRN_CHECK(entry->type == static_cast<uint8_t>(ColumnType::kString));
  const auto* numbers = reinterpret_cast<const uint32_t*>(payload(buffer_.words.get(), *entry));
  const uint32_t* indexes = nullptr;
  uint32_t index_stride = 1;
  const uint32_t* offsets = numbers;
  switch (encoding_of(*entry)) {
    case ColumnEncoding::kPlain:
      break;
    case ColumnEncoding::kConstant:
      indexes = &kZeroIndex;
      index_stride = 0;
      break;
    case ColumnEncoding::kDictionary:
      indexes = numbers;
      offsets = numbers + rows_;
      break;
  }
  const auto* bytes = reinterpret_cast<const char*>(offsets + entry->entries + 1);
  return StringColumn(indexes, index_stride, offsets, bytes, entry->entries);
}

size_t RecordBatch::row_bytes(uint32_t row) const {
  size_t bytes = 0;
  for (const ColumnSchema& column : dataset_columns(dataset())) {
    if (column.id == ColumnId::kPosition || !has_column(column.id)) continue;
    switch (column.type) {
      case ColumnType::kInt64:
        bytes += int64s(column.id)[row] == kAbsentInt64 ? 0 : sizeof(int64_t);
        break;
      case ColumnType::kUint8:
        bytes += uint8s(column.id)[row] == 0 ? 0 : 1;
        break;
      case ColumnType::kId16:
        bytes += ids(column.id)[row].is_zero() ? 0 : sizeof(Id);
        break;
      case ColumnType::kId8:
        bytes += span_ids()[row] == kZeroSpanId ? 0 : sizeof(kZeroSpanId);
        break;
      case ColumnType::kString:
        bytes += strings(column.id)[row].size();
        break;
      case ColumnType::kFloat64:
        bytes += float64s(column.id)[row] == kAbsentFloat64 ? 0 : sizeof(Float64);
        break;
    }
  }
  return bytes;
}

EventRow event_row(const RecordBatch& batch, uint32_t row) {
  EventRow event;
  event.time = batch.int64s(ColumnId::kTime)[row];
  event.observed_time = batch.int64s(ColumnId::kObservedTime)[row];
  event.id = batch.ids(ColumnId::kId)[row];
  event.kind = static_cast<EventKind>(batch.uint8s(ColumnId::kKind)[row]);
  event.type = batch.strings(ColumnId::kType)[row];
  event.source = batch.strings(ColumnId::kSource)[row];
  event.subject = batch.strings(ColumnId::kSubject)[row];
  event.severity = batch.uint8s(ColumnId::kSeverity)[row];
  event.stream = batch.strings(ColumnId::kStream)[row];
  event.stream_position = batch.int64s(ColumnId::kStreamPosition)[row];
  event.correlation_id = batch.strings(ColumnId::kCorrelationId)[row];
  event.trace_id = batch.ids(ColumnId::kTraceId)[row];
  event.span_id = batch.span_ids()[row];
  event.parent_id = batch.ids(ColumnId::kParentId)[row];
  event.duration = batch.int64s(ColumnId::kDuration)[row];
  event.data = batch.strings(ColumnId::kData)[row];
  event.metadata = batch.strings(ColumnId::kMetadata)[row];
  event.context = batch.strings(ColumnId::kContext)[row];
  if (batch.dataset() == Dataset::kEvents) return event;
  event.series = batch.strings(ColumnId::kSeries)[row];
  event.value = batch.float64s(ColumnId::kValue)[row];
  event.integer = batch.uint8s(ColumnId::kInteger)[row];
  event.start_time = batch.int64s(ColumnId::kStartTime)[row];
  event.flags = batch.int64s(ColumnId::kFlags)[row];
  event.name = batch.strings(ColumnId::kName)[row];
  event.labels = batch.strings(ColumnId::kLabels)[row];
  event.unit = batch.strings(ColumnId::kUnit)[row];
  event.temporality = batch.strings(ColumnId::kTemporality)[row];
  event.monotonic = batch.uint8s(ColumnId::kMonotonic)[row];
  event.description = batch.strings(ColumnId::kDescription)[row];
  if (!is_rollups(batch.dataset())) return event;
  event.count = batch.int64s(ColumnId::kCount)[row];
  event.through = batch.int64s(ColumnId::kThrough)[row];
  event.min = batch.float64s(ColumnId::kMin)[row];
  event.max = batch.float64s(ColumnId::kMax)[row];
  event.first = batch.float64s(ColumnId::kFirst)[row];
  event.first_time = batch.int64s(ColumnId::kFirstTime)[row];
  event.last = batch.float64s(ColumnId::kLast)[row];
  event.last_time = batch.int64s(ColumnId::kLastTime)[row];
  event.sum_low = batch.float64s(ColumnId::kSumLow)[row];
  return event;
}

}  // namespace firn
