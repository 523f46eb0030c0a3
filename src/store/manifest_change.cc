#include "store/manifest_change.h"

#include "base/hash.h"

namespace firn {

namespace {

constexpr std::string_view kSumKey = "content_sum";
constexpr const char* kTables[] = {"meta",     "namespaces",   "positions",   "chunks",
                                   "id_lists", "stream_lists", "stream_heads"};
// The row that holds the sum is no part of it.
constexpr const char* kSelectMeta = "SELECT * FROM meta WHERE key <> 'content_sum'";

constexpr ManifestStatement kPutMeta{"meta", "key = ?1",
                                     "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)"};

void append_number(std::string* out, int64_t number) {
  char bytes[8];
  store_le<uint64_t>(bytes, static_cast<uint64_t>(number));
  out->append(bytes, sizeof(bytes));
}

// Of the row that the statement stands on.
uint64_t row_hash(const char* table, const SqliteStatement& row) {
  std::string content = table;
  for (int column = 0; column < row.column_count(); ++column) {
    const SqliteType type = row.column_type(column);
    content += static_cast<char>(type);
    if (type == SqliteType::kInteger) {
      append_number(&content, row.column_int64(column));
    } else {
      const ByteView bytes = row.column_blob(column);
      append_number(&content, static_cast<int64_t>(bytes.size()));
      content += bytes;
    }
  }
  return hash_bytes(content);
}

// The sum of what the statement finds.
Result<uint64_t> rows_sum(const char* table, SqliteStatement* rows) {
  uint64_t sum = 0;
  while (true) {
    FIRN_ASSIGN(const bool row, rows->step());
    if (!row) return sum;
    sum += row_hash(table, *rows);
  }
}

Status bind(SqliteStatement* statement, std::span<const ManifestValue> values, int first) {
  for (const ManifestValue& value : values) {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      FIRN_TRY(statement->bind_int64(first, *number));
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      FIRN_TRY(statement->bind_text(first, *text));
    } else {
      FIRN_TRY(statement->bind_blob(first, std::get<ManifestBytes>(value).bytes));
    }
    ++first;
  }
  return Status();
}

}  // namespace

Result<uint64_t> manifest_content_sum(SqliteDb* db) {
  uint64_t sum = 0;
  for (const char* table : kTables) {
    const bool is_meta = table == kTables[0];
    FIRN_ASSIGN(SqliteStatement rows,
                db->prepare(is_meta ? kSelectMeta : "SELECT * FROM " + std::string(table)));
    FIRN_ASSIGN(const uint64_t part, rows_sum(table, &rows));
    sum += part;
  }
  return sum;
}

Result<ManifestChange::Prepared*> ManifestChange::prepare(const ManifestStatement& what) {
  const auto known = prepared_.find(&what);
  if (known != prepared_.end()) return &known->second;
  FIRN_ASSIGN(SqliteStatement rows,
              db_->prepare("SELECT * FROM " + std::string(what.table) + " WHERE " + what.where));
  FIRN_ASSIGN(SqliteStatement change, db_->prepare(what.sql));
  Prepared prepared{std::move(rows), std::move(change)};
  return &prepared_.emplace(&what, std::move(prepared)).first->second;
}

Status ManifestChange::run(const ManifestStatement& what, std::span<const ManifestValue> key,
                           std::span<const ManifestValue> rest) {
  FIRN_ASSIGN(Prepared* const prepared, prepare(what));
  FIRN_TRY(bind(&prepared->rows, key, 1));
  FIRN_TRY(bind(&prepared->change, key, 1));
  FIRN_TRY(bind(&prepared->change, rest, static_cast<int>(key.size()) + 1));
  FIRN_ASSIGN(const uint64_t before, rows_sum(what.table, &prepared->rows));
  FIRN_TRY(prepared->change.run());
  FIRN_ASSIGN(const uint64_t after, rows_sum(what.table, &prepared->rows));
  next_ += after - before;
  return Status();
}

Status ManifestChange::set_meta(std::string_view key, std::string_view value) {
  const ManifestValue keys[] = {key}, values[] = {value};
  return run(kPutMeta, keys, values);
}

Status ManifestChange::commit() {
  prepared_.clear();
  FIRN_ASSIGN(SqliteStatement put, db_->prepare(kPutMeta.sql));
  FIRN_TRY(put.bind_text(1, kSumKey));
  FIRN_TRY(put.bind_text(2, std::to_string(next_)));
  FIRN_TRY(put.run());
  FIRN_TRY(transaction_.commit());
  *sum_ = next_;
  return Status();
}

}  // namespace firn
