#pragma once

#include <vector>

#include "engine/engine.h"
#include "model/aggregate.h"
#include "tier/parquet/file_set.h"
#include "tier/tier.h"

namespace firn {

// Whether aggregate_in_sql() over files with these stats gives the very states that aggregating the
// rows one by one would.
bool can_aggregate_in_sql(const AggregateSpec& spec, const ParquetFileStats& stats);

// The states of all rows of the files, computed by one SQL statement over them. REQUIRES:
// can_aggregate_in_sql() for every file.
Result<AggregateStates> aggregate_in_sql(Engine* engine, const std::vector<ParquetFilePtr>& files,
                                         const AggregateSpec& spec, ScanCost* cost);

}  // namespace firn
