#include "tier/sqlite/row_layout.h"

#include <algorithm>
#include <optional>
#include <variant>

#include "model/checksum.h"
#include "tier/slices.h"

namespace firn {

namespace {

constexpr uint64_t kPageRowsMax = 4096;
constexpr uint64_t kPageBytes = 16 * kMiB;      // aimed at, by the chunk's average row
constexpr uint64_t kPageBytesMax = 128 * kMiB;  // a page beyond it is read again in smaller ones

constexpr auto kEventKindMax = static_cast<int64_t>(EventKind::kCausal);

// Columns of the table that are NOT NULL.
bool is_required(ColumnId column) {
  return column == ColumnId::kPosition || column == ColumnId::kTime || column == ColumnId::kKind ||
         column == ColumnId::kSeverity;
}

std::string span_id_text(const std::array<uint8_t, 8>& id) {
  return hex_encode({reinterpret_cast<const char*>(id.data()), id.size()});
}

// The text form of a 16-byte id in its column.
std::string id_text(ColumnId column, const Id& id) {
  return column == ColumnId::kTraceId ? id.to_hex() : id.to_uuid();
}

Status bind_text_or_null(SqliteStatement* statement, int index, std::string_view text) {
  return text.empty() ? statement->bind_null(index) : statement->bind_text_static(index, text);
}

Status bind_number_or_null(SqliteStatement* statement, int index, int64_t number) {
  return number == kAbsentInt64 ? statement->bind_null(index)
                                : statement->bind_int64(index, number);
}

Status bind_id_or_null(SqliteStatement* statement, int index, ColumnId column, const Id& id) {
  return id.is_zero() ? statement->bind_null(index)
                      : statement->bind_text(index, id_text(column, id));
}

Status insert_row(SqliteStatement* insert, Position position, const EventRow& row) {
  FIRN_TRY(insert->bind_int64(1, static_cast<int64_t>(position)));
  FIRN_TRY(insert->bind_int64(2, row.time));
  FIRN_TRY(bind_number_or_null(insert, 3, row.observed_time));
  FIRN_TRY(bind_id_or_null(insert, 4, ColumnId::kId, row.id));
  FIRN_TRY(insert->bind_int64(5, static_cast<int64_t>(row.kind)));
  FIRN_TRY(bind_text_or_null(insert, 6, row.type));
  FIRN_TRY(bind_text_or_null(insert, 7, row.source));
  FIRN_TRY(bind_text_or_null(insert, 8, row.subject));
  FIRN_TRY(insert->bind_int64(9, row.severity));
  FIRN_TRY(bind_text_or_null(insert, 10, row.stream));
  FIRN_TRY(bind_number_or_null(insert, 11, row.stream_position));
  FIRN_TRY(bind_text_or_null(insert, 12, row.correlation_id));
  FIRN_TRY(bind_id_or_null(insert, 13, ColumnId::kTraceId, row.trace_id));
  const bool has_span = row.span_id != std::array<uint8_t, 8>{};
  FIRN_TRY(has_span ? insert->bind_text(14, span_id_text(row.span_id)) : insert->bind_null(14));
  FIRN_TRY(bind_id_or_null(insert, 15, ColumnId::kParentId, row.parent_id));
  FIRN_TRY(bind_number_or_null(insert, 16, row.duration));
  FIRN_TRY(bind_text_or_null(insert, 17, row.data));
  FIRN_TRY(bind_text_or_null(insert, 18, row.metadata));
  FIRN_TRY(bind_text_or_null(insert, 19, row.context));
  return insert->run();
}

// Conditions with their values, as SQL parameters.
class Conditions {
 public:
  using Value = std::variant<int64_t, std::string>;

  void add(const std::string& sql, Value value) {
    if (!sql_.empty()) sql_ += " AND ";
    sql_ += sql;
    values_.push_back(std::move(value));
  }
  void add_any_of(std::string_view column, std::vector<Value> values) {
    if (!sql_.empty()) sql_ += " AND ";
    sql_ += std::string(column) + " IN (";
    for (size_t i = 0; i < values.size(); ++i) sql_ += i == 0 ? "?" : ",?";
    sql_ += ")";
    std::move(values.begin(), values.end(), std::back_inserter(values_));
  }
  const std::string& sql() const { return sql_; }
  // From parameter `index` on.
  Status bind(SqliteStatement* statement, int index) const {
    for (const Value& value : values_) {
      const auto* number = std::get_if<int64_t>(&value);
      FIRN_TRY(number != nullptr ? statement->bind_int64(index, *number)
                                 : statement->bind_text(index, std::get<std::string>(value)));
      ++index;
    }
    return Status();
  }

 private:
  std::string sql_;
  std::vector<Value> values_;
};

// Adds the part of the predicate that SQL can tell. What it cannot tell exactly is left to
// apply_filter(), which sees every row anyway; absent values (NULL) in particular.
void add_predicate(const Predicate& predicate, Conditions* conditions) {
  constexpr size_t kValuesMax = 500;  // SQLite allows 32,766 parameters
  const ColumnSchema* column = find_column(Dataset::kEvents, predicate.column);
  if (column == nullptr || predicate.kind != PredicateKind::kEqual) return;
  std::vector<Conditions::Value> values;
  if (column->type == ColumnType::kString) {
    for (const std::string& text : predicate.texts) {
      if (text.empty()) return;
      values.emplace_back(text);
    }
  } else if (column->type == ColumnType::kId16) {
    for (const Id& id : predicate.ids) {
      if (id.is_zero()) return;
      values.emplace_back(id_text(predicate.column, id));
    }
  } else if (column->type == ColumnType::kUint8) {
    for (const int64_t number : predicate.numbers) values.emplace_back(number);
  } else {
    return;
  }
  if (values.size() <= kValuesMax) conditions->add_any_of(column->name, std::move(values));
}

constexpr int64_t kPositionMax = INT64_MAX;  // greater ones cannot be stored

int64_t clamp_position(Position position) {
  return position > static_cast<Position>(kPositionMax) ? kPositionMax
                                                        : static_cast<int64_t>(position);
}

Conditions conditions_of(const Filter& filter) {
  Conditions conditions;
  if (filter.time.from != INT64_MIN) conditions.add("time >= ?", filter.time.from);
  if (filter.time.to != INT64_MAX) conditions.add("time < ?", filter.time.to);
  for (const Predicate& predicate : filter.predicates) add_predicate(predicate, &conditions);
  return conditions;
}

// Collects rows into one batch; positions may have gaps.
class RowCollector {
 public:
  RowCollector(NamespaceId namespace_id)
      : namespace_id_(namespace_id), run_(Dataset::kEvents), all_(Dataset::kEvents) {}

  void add(Position position, const EventRow& row) {
    // A builder numbers the rows it is given without gaps: each gap starts a new batch, and they
    // are joined at the end.
    if (run_.rows() > 0 && position != next_) join();
    if (run_.rows() == 0) first_ = position;
    run_.add(row);
    stream_positions_.push_back(row.stream_position);
    has_stream_ |= !row.stream.empty();
    next_ = position + 1;
  }
  uint64_t size_bytes() const { return all_.size_bytes() + run_.size_bytes(); }
  // Null without rows.
  BatchPtr finish() {
    if (run_.rows() > 0 && all_.rows() == 0) return stamp();
    if (run_.rows() > 0) join();
    return all_.rows() > 0 ? BatchPtr(all_.finish()) : nullptr;
  }

 private:
  BatchPtr stamp() {
    std::unique_ptr<RecordBatch> batch = run_.finish();
    batch->stamp(
        namespace_id_, first_,
        has_stream_ ? std::span<const int64_t>(stream_positions_) : std::span<const int64_t>());
    stream_positions_.clear();
    has_stream_ = false;
    return batch;
  }
  void join() { all_.add_rows({stamp(), nullptr}); }

  const NamespaceId namespace_id_;
  BatchBuilder run_;  // positions first_ to next_ without gaps
  BatchBuilder all_;
  Position first_ = 0, next_ = 0;
  std::vector<int64_t> stream_positions_;
  bool has_stream_ = false;
};

// Reads pages of rows, ascending within a page.
class RowReader : public BatchReader {
 public:
  RowReader(std::unique_ptr<ChunkFile::Session> session, const ScanSpec& spec, ScanCost* cost)
      : session_(std::move(session)),
        filter_(spec.filter),
        conditions_(conditions_of(spec.filter)),
        descending_(spec.order == ScanOrder::kPositionDescending),
        cost_(cost),
        from_(clamp_position(filter_.positions.from)),
        to_(clamp_position(filter_.positions.to)) {
    const ChunkStats& stats = session_->meta().stats;
    const uint64_t row_bytes =
        stats.rows == 0 ? 1 : std::max<uint64_t>(1, stats.raw_bytes / stats.rows);
    page_rows_ = std::clamp<uint64_t>(kPageBytes / row_bytes, 1, kPageRowsMax);
    const Projection projection = spec.projection.with(spec.filter);
    for (const ColumnSchema& column : dataset_columns(Dataset::kEvents)) {
      // Stream positions are only kept for rows with a stream (RecordBatch::stamp).
      wanted_.push_back(
          column.id == ColumnId::kPosition || projection.has(column.id) ||
          (column.id == ColumnId::kStream && projection.has(ColumnId::kStreamPosition)));
    }
  }

  Result<bool> next(BatchSlice* out) override {
    while (from_ < to_) {
      Status status = read_page(out);
      if (status.ok() && from_ >= to_) status = check_count();
      if (!status.ok()) return status.with_context(session_->file()->path());
      if (out->batch != nullptr) return true;
    }
    return false;
  }

 private:
  // At the end: a reader that asked for everything knows how many rows there should have been.
  Status check_count() const {
    const ChunkStats& stats = session_->meta().stats;
    const PositionRange& wanted = filter_.positions;
    const bool is_all = conditions_.sql().empty() && wanted.from <= stats.position_min &&
                        wanted.to > stats.position_max;
    if (!is_all || rows_read_ == stats.rows) return Status();
    return corruption(std::to_string(rows_read_) + " rows, but meta counts " +
                      std::to_string(stats.rows) + " (positions " +
                      std::to_string(stats.position_min) + " to " +
                      std::to_string(stats.position_max) + ")");
  }

  std::string where() const {
    return " WHERE position >= ? AND position < ?" +
           (conditions_.sql().empty() ? "" : " AND " + conditions_.sql());
  }

  // Binds positions and conditions; they are numbered in the order of where().
  Status bind(SqliteStatement* statement, int64_t from, int64_t to) const {
    FIRN_TRY(statement->bind_int64(1, from));
    FIRN_TRY(statement->bind_int64(2, to));
    return conditions_.bind(statement, 3);
  }

  // Reads the next page and moves on; leaves a null batch when none of its rows is wanted.
  Status read_page(BatchSlice* out) {
    *out = {};
    int64_t from = from_;
    if (descending_) {
      FIRN_ASSIGN(const std::optional<int64_t> first, first_of_last_page());
      if (!first) {
        from_ = to_;
        return Status();
      }
      from = *first;
    }
    RowCollector rows(session_->file()->key().namespace_id);
    FIRN_ASSIGN(const std::optional<int64_t> last, collect(from, &rows));
    if (!last) {  // nothing left, or too much for one page: page_rows_ was lowered
      if (!oversized_) from_ = to_;
      return Status();
    }
    if (descending_) {
      to_ = from;
    } else {
      from_ = *last + 1;
    }
    const BatchPtr batch = rows.finish();
    rows_read_ += batch->rows();
    if (cost_ != nullptr) {
      ++cost_->blocks_read;
      cost_->rows_read += batch->rows();
      cost_->bytes_read += batch->size_bytes();
    }
    *out = apply_filter({batch, nullptr}, filter_);
    return Status();
  }

  Result<std::optional<int64_t>> first_of_last_page() {
    FIRN_ASSIGN(SqliteStatement select,
                session_->db()->prepare("SELECT min(position) FROM (SELECT position FROM events" +
                                        where() + " ORDER BY position DESC LIMIT " +
                                        std::to_string(page_rows_) + ")"));
    FIRN_TRY(bind(&select, from_, to_));
    FIRN_ASSIGN(const bool row, select.step());
    if (!row || select.column_is_null(0)) return std::optional<int64_t>();
    return std::optional<int64_t>(select.column_int64(0));
  }

  // Adds up to a page of rows from `from` on; the last one's position, or nothing when there is no
  // row. When the page grows beyond all bounds, sets oversized_ and halves page_rows_.
  Result<std::optional<int64_t>> collect(int64_t from, RowCollector* rows) {
    oversized_ = false;
    std::string columns;
    size_t index = 0;
    for (const ColumnSchema& column : dataset_columns(Dataset::kEvents)) {
      columns += (columns.empty() ? "" : ", ") +
                 (wanted_[index++] ? std::string(column.name) : std::string("NULL"));
    }
    FIRN_ASSIGN(SqliteStatement select,
                session_->db()->prepare("SELECT " + columns + " FROM events" + where() +
                                        " ORDER BY position LIMIT " + std::to_string(page_rows_)));
    FIRN_TRY(bind(&select, from, to_));
    std::optional<int64_t> last;
    while (true) {
      FIRN_ASSIGN(const bool row, select.step());
      if (!row) return last;
      const int64_t position = select.column_int64(0);
      if (position < std::max<int64_t>(1, last ? *last + 1 : from) || position >= to_) {
        return corruption("a row with position " + std::to_string(position) + " behind position " +
                          std::to_string(last.value_or(from - 1)));
      }
      FIRN_TRY(add_row(select, rows));
      last = position;
      if (rows->size_bytes() > kPageBytesMax && page_rows_ > 1) {
        if (!descending_) return last;
        page_rows_ /= 2;
        oversized_ = true;
        return std::optional<int64_t>();
      }
    }
  }

  // Before a column is read as what it should be.
  Status check_types(const SqliteStatement& select) const {
    int index = 0;
    for (const ColumnSchema& column : dataset_columns(Dataset::kEvents)) {
      const bool is_number = column.type == ColumnType::kInt64 || column.type == ColumnType::kUint8;
      const SqliteType type = select.column_type(index);
      const bool may_be_null = !wanted_[static_cast<size_t>(index)] || !is_required(column.id);
      bool fits = type == (is_number ? SqliteType::kInteger : SqliteType::kText) ||
                  (may_be_null && type == SqliteType::kNull);
      if (column.type == ColumnType::kUint8) {
        const int64_t most = column.id == ColumnId::kKind ? kEventKindMax : UINT8_MAX;
        const int64_t value = select.column_int64(index);
        fits = fits && value >= 0 && value <= most;
      }
      if (!fits) {
        return corruption("position " + std::to_string(select.column_int64(0)) + ": column " +
                          std::string(column.name) + " holds what it cannot hold");
      }
      ++index;
    }
    return Status();
  }

  Status add_row(const SqliteStatement& select, RowCollector* rows) const {
    const Position position = static_cast<Position>(select.column_int64(0));
    FIRN_TRY(check_types(select));
    bool intact = true;
    const auto number = [&](int column) {
      return select.column_is_null(column) ? kAbsentInt64 : select.column_int64(column);
    };
    const auto id = [&](int column) {
      if (select.column_is_null(column)) return Id();
      const auto parsed = Id::parse(select.column_text(column));
      intact &= parsed.has_value();
      return parsed.value_or(Id());
    };
    EventRow row;
    row.time = select.column_int64(1);
    row.observed_time = number(2);
    row.id = id(3);
    row.kind = static_cast<EventKind>(select.column_int64(4));
    row.type = select.column_text(5);
    row.source = select.column_text(6);
    row.subject = select.column_text(7);
    row.severity = static_cast<uint8_t>(select.column_int64(8));
    row.stream = select.column_text(9);
    row.stream_position = number(10);
    row.correlation_id = select.column_text(11);
    row.trace_id = id(12);
    if (!select.column_is_null(13)) {
      intact &= hex_decode(select.column_text(13), row.span_id.data(), row.span_id.size());
    }
    row.parent_id = id(14);
    row.duration = number(15);
    row.data = select.column_text(16);
    row.metadata = select.column_text(17);
    row.context = select.column_text(18);
    if (!intact) {
      return corruption("position " + std::to_string(position) + ": an id is not readable");
    }
    rows->add(position, row);
    return Status();
  }

  const std::unique_ptr<ChunkFile::Session> session_;
  const Filter filter_;
  const Conditions conditions_;
  const bool descending_;
  ScanCost* const cost_;
  int64_t from_, to_;  // what is still to be read
  uint64_t rows_read_ = 0;
  uint64_t page_rows_ = kPageRowsMax;
  bool oversized_ = false;
  std::vector<bool> wanted_;  // per column of the dataset
};

}  // namespace

Status write_rows(SqliteDb* db, std::span<const BatchSlice> slices, ChunkMeta* meta) {
  FIRN_ASSIGN(SqliteStatement insert,
              db->prepare("INSERT INTO events VALUES "
                          "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const BatchSlice& slice : slices) {
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      const uint32_t row = slice.row(i);
      FIRN_TRY(insert_row(&insert, slice.batch->position(row), event_row(*slice.batch, row)));
    }
    widen(&meta->stats, slice_zone(slice));
    meta->stats.rows += slice.rows();
    meta->stats.raw_bytes += slice.size_bytes();
    meta->stats.checksum += rows_checksum(slice);
  }
  return Status();
}

Result<std::unique_ptr<BatchReader>> read_rows(std::unique_ptr<ChunkFile::Session> session,
                                               const ScanSpec& spec, ScanCost* cost) {
  return std::unique_ptr<BatchReader>(std::make_unique<RowReader>(std::move(session), spec, cost));
}

Status verify_rows(std::unique_ptr<ChunkFile::Session> session) {
  const std::string path = session->file()->path();
  const ChunkKey key = session->file()->key();
  const ChunkStats told = session->meta().stats;
  RowReader reader(std::move(session), {}, nullptr);
  ChunkStats found;
  BatchSlice slice;
  while (true) {
    FIRN_ASSIGN(const bool more, reader.next(&slice));
    if (!more) break;
    widen(&found, slice_zone(slice));
    found.rows += slice.rows();
    found.checksum += rows_checksum(slice);
  }
  if (found.rows != told.rows || found.checksum != told.checksum) {
    return corruption(path + ": " + std::to_string(found.rows) + " rows with checksum " +
                      std::to_string(found.checksum) + ", but meta counts " +
                      std::to_string(told.rows) + " with " + std::to_string(told.checksum) +
                      " (positions " + std::to_string(told.position_min) + " to " +
                      std::to_string(told.position_max) + ")");
  }
  if (found.time_min != told.time_min || found.time_max != told.time_max ||
      found.position_min != told.position_min || found.position_max != told.position_max ||
      (found.rows > 0 &&
       (!key.covers(found.time_min, found.time_max) || found.position_max > told.watermark))) {
    return corruption(path + ": the rows' times or positions do not fit what meta says");
  }
  return Status();
}

}  // namespace firn
