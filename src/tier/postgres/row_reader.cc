#include <algorithm>
#include <bit>
#include <optional>

#include "model/checksum.h"
#include "model/raw_text.h"
#include "tier/postgres/row_conditions.h"
#include "tier/postgres/row_table.h"
#include "tier/slices.h"

namespace firn {

namespace {

constexpr size_t kPageRows = 2048;
constexpr size_t kPageBytes = 8 * kMiB;  // a page ends behind the row that passes it

// Which column of the result is which; position comes first.
struct Selected {
  std::string sql;
  std::vector<const ColumnSchema*> columns;
  std::optional<size_t> raw, time;  // columns of the result
};

Selected select_columns(const PostgresChunk& chunk, const Projection& projection, bool with_time) {
  Selected selected;
  bool texts = false;
  for (const ColumnSchema& column : dataset_columns(Dataset::kEvents)) {
    // Stream positions are only kept for rows with a stream.
    const bool wanted =
        column.id == ColumnId::kPosition || projection.has(column.id) ||
        (column.id == ColumnId::kStream && projection.has(ColumnId::kStreamPosition));
    if (!wanted) continue;
    selected.sql += (selected.columns.empty() ? "" : ", ") + row_column_name(column.id);
    selected.columns.push_back(&column);
    texts |= column.type == ColumnType::kString;
  }
  size_t next = selected.columns.size();
  if (texts && chunk.raw_rows > 0) {
    selected.sql += ", raw";
    selected.raw = next++;
  }
  if (with_time) {
    selected.sql += ", time";
    selected.time = next;
  }
  return selected;
}

bool set_id(std::string_view hex, uint8_t* out, size_t size) {
  return hex.size() == 2 * size && hex_decode(hex, out, size);
}

// False when the value cannot be one.
bool set_member(ColumnId column, const PostgresRows& cells, size_t cell, EventRow* row) {
  if (cells.is_null(0, cell)) return true;
  if (std::string_view* text = text_member(column, row)) {
    *text = cells.bytes(0, cell);
    return true;
  }
  switch (column) {
    case ColumnId::kTime:
      row->time = cells.number(0, cell);
      return true;
    case ColumnId::kObservedTime:
      row->observed_time = cells.number(0, cell);
      return true;
    case ColumnId::kKind:
      row->kind = static_cast<EventKind>(cells.number(0, cell));
      return true;
    case ColumnId::kSeverity:
      row->severity = static_cast<uint8_t>(cells.number(0, cell));
      return true;
    case ColumnId::kStreamPosition:
      row->stream_position = cells.number(0, cell);
      return true;
    case ColumnId::kDuration:
      row->duration = cells.number(0, cell);
      return true;
    case ColumnId::kId:
      row->id = cells.id(0, cell);
      return true;
    case ColumnId::kParentId:
      row->parent_id = cells.id(0, cell);
      return true;
    case ColumnId::kTraceId:
      return set_id(cells.bytes(0, cell), row->trace_id.bytes.data(), 16);
    case ColumnId::kSpanId:
      return set_id(cells.bytes(0, cell), row->span_id.data(), 8);
    default:
      return true;
  }
}

class RowReader : public BatchReader {
 public:
  RowReader(std::unique_ptr<SessionPool::ReadSession> session, PostgresChunk chunk,
            const ScanSpec& spec, ScanCost* cost, bool verifies)
      : session_(std::move(session)),
        chunk_(std::move(chunk)),
        place_(session_->pool()->schema() + "." + chunk_.table()),
        filter_(spec.filter),
        descending_(spec.order == ScanOrder::kPositionDescending),
        cost_(cost),
        selected_(select_columns(chunk_, spec.projection.with(spec.filter), verifies)) {}

  Status start() {
    PostgresConnection* const connection = session_->connection();
    RowConditions conditions = row_conditions(chunk_, filter_);
    // Rows lie in the order of positions, so walking the index costs little; a sort of a whole
    // chunk would come before the first row.
    if (!conditions.is_selective) FIRN_TRY(connection->exec("SET LOCAL enable_sort = off"));
    return connection->stream("SELECT " + selected_.sql + " FROM " + place_ + " WHERE " +
                                  conditions.sql + " ORDER BY position" +
                                  (descending_ ? " DESC" : ""),
                              conditions.parameters);
  }

  Result<bool> next(BatchSlice* out) override {
    while (!at_end_) {
      const Status status = read_page(out);
      if (!status.ok()) return status.with_context(place_);
      if (out->batch != nullptr) return true;
    }
    return false;
  }

 private:
  // Leaves a null batch when no row of the page satisfies the filter.
  Status read_page(BatchSlice* out) {
    *out = {};
    std::vector<PostgresRows> page;
    size_t bytes = 0;
    while (page.size() < kPageRows && bytes < kPageBytes) {
      PostgresRows row;
      FIRN_ASSIGN(const bool more, session_->connection()->next(&row));
      if (!more) {
        at_end_ = true;
        break;
      }
      for (size_t i = 0; i < selected_.columns.size(); ++i) bytes += row.bytes(0, i).size();
      page.push_back(std::move(row));
    }
    if (page.empty()) return Status();
    if (descending_) std::reverse(page.begin(), page.end());
    Position before = 0;
    for (const PostgresRows& cells : page) FIRN_TRY(add_row(cells, &before));
    const BatchPtr batch(builder_.finish());
    if (cost_ != nullptr) {
      ++cost_->blocks_read;
      cost_->rows_read += batch->rows();
      cost_->bytes_read += bytes;
    }
    *out = apply_filter({batch, nullptr}, filter_);
    return Status();
  }

  Status add_row(const PostgresRows& cells, Position* before) {
    const auto position = static_cast<Position>(cells.number(0, 0));
    const auto damaged = [&](const std::string& what) {
      return corruption("position " + std::to_string(position) + ": " + what);
    };
    if (position <= *before) return damaged("does not follow position " + std::to_string(*before));
    *before = position;
    EventRow row;
    for (size_t i = 1; i < selected_.columns.size(); ++i) {
      if (!set_member(selected_.columns[i]->id, cells, i, &row)) {
        return damaged("column " + std::string(selected_.columns[i]->name) + " is not readable");
      }
    }
    if (selected_.raw && !cells.is_null(0, *selected_.raw)) {
      const auto texts = decode_raw_texts(cells.bytes(0, *selected_.raw));
      if (!texts) return damaged("column raw does not decode");
      for (const ColumnSchema* column : selected_.columns) {
        const auto& text = (*texts)[static_cast<size_t>(column->id)];
        std::string_view* member = text_member(column->id, &row);
        if (text && member != nullptr) *member = *text;
      }
    }
    if (selected_.time && cells.number(0, *selected_.time) != postgres_timestamp(row.time)) {
      return damaged("time is not time_ns rounded down");
    }
    builder_.add_stamped(row, chunk_.key.namespace_id, position);
    return Status();
  }

  const std::unique_ptr<SessionPool::ReadSession> session_;
  const PostgresChunk chunk_;
  const std::string place_;
  const Filter filter_;
  const bool descending_;
  ScanCost* const cost_;
  const Selected selected_;
  BatchBuilder builder_{Dataset::kEvents};
  bool at_end_ = false;
};

}  // namespace

Result<std::unique_ptr<BatchReader>> read_rows(std::unique_ptr<SessionPool::ReadSession> session,
                                               PostgresChunk chunk, const ScanSpec& spec,
                                               ScanCost* cost) {
  auto reader =
      std::make_unique<RowReader>(std::move(session), std::move(chunk), spec, cost, false);
  FIRN_TRY(reader->start());
  return std::unique_ptr<BatchReader>(std::move(reader));
}

Status verify_rows(std::unique_ptr<SessionPool::ReadSession> session, const PostgresChunk& chunk) {
  const std::string place = session->pool()->schema() + "." + chunk.table();
  RowReader reader(std::move(session), chunk, {}, nullptr, true);
  FIRN_TRY(reader.start());
  ChunkStats found;
  uint64_t raw_rows = 0;
  BatchSlice slice;
  while (true) {
    FIRN_ASSIGN(const bool more, reader.next(&slice));
    if (!more) break;
    widen(&found, slice_zone(slice));
    found.rows += slice.rows();
    found.checksum += rows_checksum(slice);
    raw_rows += count_raw_rows(slice, TextRule::kUtf8WithoutNul);
  }
  const ChunkStats& told = chunk.counts.stats;
  if (found.rows != told.rows || found.checksum != told.checksum || raw_rows != chunk.raw_rows) {
    return corruption(place + ": " + std::to_string(found.rows) + " rows with checksum " +
                      std::to_string(found.checksum) + ", but chunks counts " +
                      std::to_string(told.rows) + " with " + std::to_string(told.checksum) +
                      " (positions " + std::to_string(told.position_min) + " to " +
                      std::to_string(told.position_max) + ")");
  }
  if (found.time_min != told.time_min || found.time_max != told.time_max ||
      found.position_min != told.position_min || found.position_max != told.position_max ||
      (found.rows > 0 && (!chunk.key.covers(found.time_min, found.time_max) ||
                          found.position_max > told.watermark))) {
    return corruption(place + ": the rows' times or positions do not fit what chunks says");
  }
  return Status();
}

}  // namespace firn
