#pragma once

#include <string>

#include "model/filter.h"
#include "tier/postgres/chunk_row.h"

namespace firn {

// A filter as SQL over a partition of layout `rows`.
struct RowConditions {
  std::string sql;  // "chunk = 17 AND ...": never empty
  PostgresParameters parameters;
  // The rows are exactly those that satisfy the filter; otherwise perhaps more, and apply_filter()
  // decides.
  bool is_exact = true;
  // A condition that an index answers with few rows.
  bool is_selective = false;
};

RowConditions row_conditions(const PostgresChunk& chunk, const Filter& filter);

// The column's name in the table.
std::string row_column_name(ColumnId column);

}  // namespace firn
