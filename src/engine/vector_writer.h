#pragma once

#include <memory>
#include <string_view>

#include "duckdb.hpp"
#include "model/record_batch.h"
#include "model/schema.h"

namespace firn {

// Rows [begin, begin + count) of a slice, to be written behind the first `at` values of a vector.
struct RowRange {
  const BatchSlice* slice;
  uint32_t begin;
  uint32_t count;
  duckdb::idx_t at;
};

// Writes one column of batches into DuckDB's vectors, and remembers between calls what it found out
// about the batch's column. Long texts are not copied: the vector keeps the batch alive. Thread
// rule: one thread.
class VectorWriter {
 public:
  // `alone`: the rows are all that the vector will hold, so it may become a dictionary.
  void write_column(const ColumnSchema& column, const RowRange& rows, bool alone,
                    duckdb::Vector& vector);
  // The same text in all rows; null when empty.
  void write_text(std::string_view text, const RowRange& rows, duckdb::Vector& vector);
  // The `_raw` column (model/raw_text.h).
  void write_raw(const RowRange& rows, duckdb::Vector& vector);
  void write_null(const RowRange& rows, duckdb::Vector& vector);

 private:
  void look_at(const ColumnSchema& column, const BatchPtr& batch);
  void write_strings(const ColumnSchema& column, const RowRange& rows, bool alone,
                     duckdb::Vector& vector);
  void write_dictionary(const RowRange& rows, duckdb::Vector& vector);

  BatchPtr batch_;       // that the rest is about
  bool is_utf8_ = true;  // every text of the column; for `_raw`, of all columns
  StringColumn strings_;
  std::unique_ptr<duckdb::Vector> dictionary_;  // built on demand
};

}  // namespace firn
