#include <cstring>

#include "model/checksum.h"
#include "model/raw_text.h"
#include "tier/postgres/row_table.h"
#include "tier/slices.h"

namespace firn {

namespace {

constexpr size_t kCopyBytes = 256 * kKiB;
constexpr TextRule kRule = TextRule::kUtf8WithoutNul;

constexpr const char* kCopyColumns =
    "chunk, kind, severity, namespace_id, position, time, time_ns, observed_time_ns, "
    "stream_position, duration_ns, id, parent_id, type, source, subject, stream, correlation_id, "
    "trace_id, span_id, data, metadata, context, raw";
constexpr int16_t kCopyFields = 23;

// Rows of one slice in the binary form of COPY.
class RowEncoder {
 public:
  RowEncoder(const PostgresChunk& chunk, const BatchSlice& slice)
      : chunk_(chunk),
        slice_(slice),
        batch_(*slice.batch),
        is_clean_(has_only_utf8(batch_, kRule)),
        times_(batch_.int64s(ColumnId::kTime)),
        kinds_(batch_.uint8s(ColumnId::kKind)),
        severities_(batch_.uint8s(ColumnId::kSeverity)),
        observed_times_(batch_.int64s(ColumnId::kObservedTime)),
        stream_positions_(batch_.int64s(ColumnId::kStreamPosition)),
        durations_(batch_.int64s(ColumnId::kDuration)),
        ids_(batch_.ids(ColumnId::kId)),
        parent_ids_(batch_.ids(ColumnId::kParentId)),
        trace_ids_(batch_.ids(ColumnId::kTraceId)),
        span_ids_(batch_.span_ids()) {
    for (size_t i = 0; i < kTextColumns.size(); ++i) texts_[i] = batch_.strings(kTextColumns[i]);
  }

  // Appends the slice's row `index`. True when it has bytes that text cannot hold.
  bool encode(uint32_t index, std::string* out) {
    out_ = out;
    const uint32_t row = slice_.row(index);
    integer<int16_t>(kCopyFields);
    field<int32_t>(chunk_.number);
    field<int16_t>(kinds_[row]);
    field<int16_t>(severities_[row]);
    field<int64_t>(chunk_.key.namespace_id);
    field<int64_t>(static_cast<int64_t>(batch_.position(row)));
    field<int64_t>(postgres_timestamp(times_[row]));
    field<int64_t>(times_[row]);
    number_or_null(observed_times_[row]);
    number_or_null(stream_positions_[row]);
    number_or_null(durations_[row]);
    uuid_or_null(ids_[row]);
    uuid_or_null(parent_ids_[row]);
    for (size_t i = 0; i < kTextsBeforeTrace; ++i) text_or_null(texts_[i][row]);
    hex_or_null(trace_ids_[row].bytes);
    hex_or_null(span_ids_[row]);
    for (size_t i = kTextsBeforeTrace; i < texts_.size(); ++i) text_or_null(texts_[i][row]);
    const std::string raw = is_clean_ ? std::string() : encode_raw_texts(batch_, row, kRule);
    bytes_or_null(raw);
    return !raw.empty();
  }

 private:
  static constexpr size_t kTextsBeforeTrace = 5;
  static constexpr std::array<ColumnId, 8> kTextColumns = {
      ColumnId::kType,          ColumnId::kSource, ColumnId::kSubject,  ColumnId::kStream,
      ColumnId::kCorrelationId, ColumnId::kData,   ColumnId::kMetadata, ColumnId::kContext};

  template <typename T>
  void integer(T value) {
    const auto bits = static_cast<std::make_unsigned_t<T>>(value);
    char bytes[sizeof(T)];
    for (size_t i = 0; i < sizeof(T); ++i) {
      bytes[i] = static_cast<char>(bits >> (8 * (sizeof(T) - 1 - i)));
    }
    out_->append(bytes, sizeof(T));
  }
  template <typename T>
  void field(T value) {
    integer<int32_t>(sizeof(T));
    integer<T>(value);
  }
  void null() { integer<int32_t>(-1); }
  void bytes(std::string_view value) {
    integer<int32_t>(static_cast<int32_t>(value.size()));
    out_->append(value);
  }
  void bytes_or_null(std::string_view value) { value.empty() ? null() : bytes(value); }
  void number_or_null(int64_t value) { value == kAbsentInt64 ? null() : field<int64_t>(value); }
  void uuid_or_null(const Id& id) {
    if (id.is_zero()) return null();
    bytes({reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
  }
  void text_or_null(std::string_view text) {
    if (is_clean_ || is_utf8(text, kRule)) return bytes_or_null(text);
    bytes(to_utf8(text, kRule));
  }
  template <size_t kSize>
  void hex_or_null(const std::array<uint8_t, kSize>& id) {
    if (id == std::array<uint8_t, kSize>{}) return null();
    constexpr char kDigits[] = "0123456789abcdef";
    char text[2 * kSize];
    for (size_t i = 0; i < kSize; ++i) {
      text[2 * i] = kDigits[id[i] >> 4];
      text[2 * i + 1] = kDigits[id[i] & 15];
    }
    bytes({text, sizeof(text)});
  }

  const PostgresChunk& chunk_;
  const BatchSlice& slice_;
  const RecordBatch& batch_;
  const bool is_clean_;
  const FixedColumn<int64_t> times_;
  const FixedColumn<uint8_t> kinds_, severities_;
  const FixedColumn<int64_t> observed_times_, stream_positions_, durations_;
  const FixedColumn<Id> ids_, parent_ids_, trace_ids_;
  const FixedColumn<std::array<uint8_t, 8>> span_ids_;
  std::array<StringColumn, kTextColumns.size()> texts_;
  std::string* out_ = nullptr;
};

}  // namespace

Status write_rows(PostgresConnection* connection, const SessionPool& pool,
                  std::span<const BatchSlice> slices, PostgresChunk* chunk) {
  if (slices.empty()) return Status();
  FIRN_TRY(connection->begin_copy("COPY " + pool.schema() + "." + chunk->table() + " (" +
                                  kCopyColumns + ") FROM STDIN (FORMAT binary)"));
  // Signature, no flags, no extension.
  std::string buffer("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", 19);
  ChunkStats& stats = chunk->counts.stats;
  for (const BatchSlice& slice : slices) {
    RowEncoder encoder(*chunk, slice);
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      if (encoder.encode(i, &buffer)) ++chunk->raw_rows;
      if (buffer.size() < kCopyBytes) continue;
      FIRN_TRY(connection->copy(buffer));
      buffer.clear();
    }
    widen(&stats, slice_zone(slice));
    stats.rows += slice.rows();
    stats.raw_bytes += slice.size_bytes();
    stats.checksum += rows_checksum(slice);
  }
  buffer.append("\xff\xff", 2);
  FIRN_TRY(connection->copy(buffer));
  return connection->end_copy();
}

}  // namespace firn
