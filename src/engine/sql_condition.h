#pragma once

#include <string>

#include "model/filter.h"

namespace firn {

// A filter as SQL. When it is not exact, some predicate had no SQL form and was left out, so more
// rows satisfy the condition than the filter.
struct SqlCondition {
  std::string sql;  // "TRUE" when there is nothing to ask
  bool exact = true;
};

SqlCondition make_sql_condition(const Filter& filter);

}  // namespace firn
