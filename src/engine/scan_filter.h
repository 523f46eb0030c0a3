#pragma once

#include "duckdb/planner/expression.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "model/filter.h"
#include "model/schema.h"

namespace firn {

// Adds to `filter` what `condition`, one of the conditions above the scan `get`, says about columns
// that tiers can search by: ranges of time and position, equality and IN on texts, ids and numbers,
// ranges of severity. Every row that satisfies the condition satisfies the addition; conditions
// that have no such form add nothing.
void narrow_filter(const duckdb::Expression& condition, const duckdb::LogicalGet& get,
                   Dataset dataset, Filter* filter);

}  // namespace firn
