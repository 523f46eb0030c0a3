#include "engine/parquet_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/columns.h"
#include "engine/sql_condition.h"
#include "model/raw_text.h"

namespace firn {

namespace {

constexpr uint32_t kBatchRows = 8192;
constexpr uint64_t kBatchBytes = 8 * kMiB;
constexpr uint64_t kFirstWindowPositions = 4096;
constexpr uint64_t kWindowGrowth = 4;

// The columns to read, position first. A stream position means nothing without its stream.
Projection columns_to_read(const ParquetRead& read) {
  Projection projection = read.projection.with(read.filter);
  projection.add(ColumnId::kTime);
  if (projection.has(ColumnId::kStreamPosition)) projection.add(ColumnId::kStream);
  return projection;
}

Status bad_value(const ColumnSchema& column, std::string_view text) {
  return corruption(fmt::format("column {} holds \"{}\"", column.name, text));
}

// One row's value as it stands in the chunk.
class Cell {
 public:
  Cell(const duckdb::UnifiedVectorFormat& format, duckdb::idx_t row)
      : format_(format), index_(format.sel->get_index(row)) {}
  bool is_null() const { return !format_.validity.RowIsValid(index_); }
  template <typename T>
  const T& as() const {
    return duckdb::UnifiedVectorFormat::GetData<T>(format_)[index_];
  }
  std::string_view text() const {
    const auto& value = as<duckdb::string_t>();
    return {value.GetData(), value.GetSize()};
  }

 private:
  const duckdb::UnifiedVectorFormat& format_;
  duckdb::idx_t index_;
};

Status set_id(const ColumnSchema& column, std::string_view text, Id* id) {
  const std::optional<Id> parsed = Id::parse(text);
  if (!parsed) return bad_value(column, text);
  *id = *parsed;
  return {};
}

Status set_raw_texts(std::string_view raw, EventRow* row) {
  const std::optional<RawTexts> texts = decode_raw_texts(raw);
  if (!texts) return corruption("column _raw does not decode");
  for (size_t id = 0; id < texts->size(); ++id) {
    if (!(*texts)[id]) continue;
    const std::string_view raw_value = *(*texts)[id];
    Float64* const number = float_member(static_cast<ColumnId>(id), row);
    if (number != nullptr && raw_value.size() == sizeof(uint64_t)) {
      number->bits = load_le<uint64_t>(raw_value.data());
      continue;
    }
    std::string_view* member = text_member(static_cast<ColumnId>(id), row);
    if (member == nullptr) return corruption("column _raw names a column that is no text");
    *member = raw_value;
  }
  return {};
}

// REQUIRES: the cell is not null.
Status set_member(const ColumnSchema& column, const Cell& cell, EventRow* row) {
  switch (column.id) {
    case ColumnId::kTime:
      row->time = cell.as<int64_t>();
      return {};
    case ColumnId::kObservedTime:
      row->observed_time = cell.as<int64_t>();
      return {};
    case ColumnId::kStartTime:
      row->start_time = cell.as<int64_t>();
      return {};
    case ColumnId::kFlags:
      row->flags = cell.as<int64_t>();
      return {};
    case ColumnId::kInteger:
      row->integer = static_cast<uint8_t>(cell.as<int16_t>());
      return {};
    case ColumnId::kMonotonic:
      row->monotonic = static_cast<uint8_t>(cell.as<int16_t>());
      return {};
    case ColumnId::kCount:
      row->count = cell.as<int64_t>();
      return {};
    case ColumnId::kThrough:
      row->through = cell.as<int64_t>();
      return {};
    case ColumnId::kFirstTime:
      row->first_time = cell.as<int64_t>();
      return {};
    case ColumnId::kLastTime:
      row->last_time = cell.as<int64_t>();
      return {};
    case ColumnId::kStreamPosition:
      row->stream_position = cell.as<int64_t>();
      return {};
    case ColumnId::kDuration:
      row->duration = cell.as<int64_t>();
      return {};
    case ColumnId::kSeverity:
      row->severity = static_cast<uint8_t>(cell.as<int16_t>());
      return {};
    case ColumnId::kKind: {
      const auto kind = parse_kind_text(cell.text());
      if (!kind) return bad_value(column, cell.text());
      row->kind = static_cast<EventKind>(*kind);
      return {};
    }
    case ColumnId::kId:
      return set_id(column, cell.text(), &row->id);
    case ColumnId::kTraceId:
      return set_id(column, cell.text(), &row->trace_id);
    case ColumnId::kParentId:
      return set_id(column, cell.text(), &row->parent_id);
    case ColumnId::kSpanId:
      if (!hex_decode(cell.text(), row->span_id.data(), 8)) return bad_value(column, cell.text());
      return {};
    default: {
      if (Float64* const number = float_member(column.id, row); number != nullptr) {
        *number = Float64::of(cell.as<double>());
        return {};
      }
      std::string_view* member = text_member(column.id, row);
      if (member != nullptr) *member = cell.text();
      return {};
    }
  }
}

}  // namespace

ParquetReader::ParquetReader(std::unique_ptr<Client> client, const ParquetRead& read)
    : client_(std::move(client)), read_(read), builder_(read.dataset) {
  const Projection projection = columns_to_read(read_);
  std::string list;
  for (const ColumnSchema& column : dataset_columns(read_.dataset)) {
    if (column.id != ColumnId::kPosition && !projection.has(column.id)) continue;
    list += (list.empty() ? "" : ", ") + sql_identifier(column.name);
    columns_.push_back({&column});
  }
  if (read_.has_raw_rows) {
    list += ", " + sql_identifier(kRawColumnName);
    columns_.push_back({nullptr});
  }
  std::string where = make_sql_condition(read_.filter).sql;
  // What SQL sees of a row with raw texts is not what was written.
  if (read_.has_raw_rows) where = fmt::format("({} OR \"_raw\" IS NOT NULL)", where);
  select_ = fmt::format("SELECT {} FROM read_parquet({}, hive_partitioning = false) WHERE {}", list,
                        sql_quote(env_url(read_.path)), where);
  plan_windows();
}

ParquetReader::~ParquetReader() { count_bytes(); }

void ParquetReader::plan_windows() {
  if (!read_.descending) {
    windows_.push_back({});
    return;
  }
  std::vector<PositionRange> from_the_end;
  uint64_t width = kFirstWindowPositions;
  for (auto group = read_.row_groups.rbegin(); group != read_.row_groups.rend(); ++group) {
    const Position from = std::max(group->first, read_.filter.positions.from);
    Position to = std::min(group->last + 1, read_.filter.positions.to);
    while (from < to) {
      const Position start = to - from > width ? to - width : from;
      from_the_end.push_back({start, to});
      to = start;
      width *= kWindowGrowth;
    }
  }
  windows_.assign(from_the_end.rbegin(), from_the_end.rend());
}

Result<bool> ParquetReader::start_next_window() {
  if (windows_.empty()) return false;
  const PositionRange window = windows_.back();
  windows_.pop_back();
  last_position_ = 0;
  std::string sql = select_;
  if (read_.descending) {
    sql += fmt::format(" AND position >= {} AND position < {}", window.from, window.to);
  }
  const Status status = guarded(*client_->session, [&]() -> Status {
    auto pending = client_->connection.PendingQuery(sql, true);
    if (pending->HasError()) return to_status(pending->GetErrorObject(), *client_->session);
    auto result = pending->Execute();
    if (result->HasError()) return to_status(result->GetErrorObject(), *client_->session);
    result_ = std::move(result);
    return {};
  });
  if (!status.ok()) return as_damage(status, *client_->session, read_.path);
  return true;
}

Status ParquetReader::add_rows(duckdb::DataChunk& chunk) {
  std::vector<duckdb::UnifiedVectorFormat> formats(columns_.size());
  for (size_t c = 0; c < columns_.size(); ++c) {
    chunk.data[c].ToUnifiedFormat(chunk.size(), formats[c]);
  }
  for (duckdb::idx_t r = 0; r < chunk.size(); ++r) {
    EventRow row;
    const Cell position_cell(formats[0], r);
    const Position position =
        position_cell.is_null() ? 0 : static_cast<Position>(position_cell.as<int64_t>());
    if (position <= last_position_) {
      return corruption(fmt::format("position {} follows {}", position, last_position_));
    }
    last_position_ = position;
    for (size_t c = 1; c < columns_.size(); ++c) {
      const Cell cell(formats[c], r);
      if (cell.is_null()) continue;
      const ColumnSchema* schema = columns_[c].schema;
      Status status =
          schema != nullptr ? set_member(*schema, cell, &row) : set_raw_texts(cell.text(), &row);
      if (!status.ok()) return status.with_context(fmt::format("position {}", position));
    }
    builder_.add_stamped(row, read_.namespace_id, position);
  }
  return {};
}

Result<bool> ParquetReader::next_in_window(BatchSlice* out) {
  while (result_ != nullptr) {
    Status status = guarded(*client_->session, [&]() -> Status {
      while (builder_.rows() < kBatchRows && builder_.size_bytes() < kBatchBytes) {
        auto chunk = result_->FetchRaw();
        if (result_->HasError()) return to_status(result_->GetErrorObject(), *client_->session);
        if (chunk == nullptr || chunk->size() == 0) {
          result_.reset();
          return {};
        }
        FIRN_TRY(add_rows(*chunk));
      }
      return {};
    });
    count_bytes();
    if (!status.ok()) {
      result_.reset();
      windows_.clear();
      return as_damage(status, *client_->session, read_.path);
    }
    if (builder_.rows() == 0) break;
    const BatchSlice all{BatchPtr(builder_.finish()), nullptr};
    *out = apply_filter(all, read_.filter);
    if (out->batch != nullptr) return true;
  }
  return false;
}

Result<bool> ParquetReader::next_descending(BatchSlice* out) {
  while (reversed_.empty()) {
    FIRN_ASSIGN(const bool more, start_next_window());
    if (!more) return false;
    BatchSlice slice;
    while (true) {
      FIRN_ASSIGN(const bool found, next_in_window(&slice));
      if (!found) break;
      reversed_.push_front(std::move(slice));
    }
  }
  *out = std::move(reversed_.front());
  reversed_.pop_front();
  return true;
}

Result<bool> ParquetReader::next(BatchSlice* out) {
  if (read_.descending) return next_descending(out);
  while (true) {
    FIRN_ASSIGN(const bool found, next_in_window(out));
    if (found) return true;
    FIRN_ASSIGN(const bool more, start_next_window());
    if (!more) return false;
  }
}

void ParquetReader::count_bytes() {
  const uint64_t now = client_->session->bytes_read()[read_.path];
  if (read_.bytes_read != nullptr) *read_.bytes_read += now - bytes_counted_;
  bytes_counted_ = now;
}

}  // namespace firn
