#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "query/query.h"
#include "store/snapshot.h"

namespace firn {

struct SqlQuery {
  std::string sql;
  std::vector<SqlScalar> parameters;
  DurationNs time_limit_ns = kLimits.query_time_ns;
  uint64_t rows_limit = kLimits.query_rows;
  std::shared_ptr<QueryControl> control;  // may be null
};

struct SqlOutcome {
  SqlSummary summary;
  QueryCost cost;  // chunks that were opened, by tier
};

// Runs one reading statement over the tables of the snapshot's namespace and delivers its rows to
// the sink. Tables:
//   events  all rows of all tiers, with the columns of model/schema.h and `tier`
//   spans   the events that are spans, by OpenTelemetry's names
//   samples, series                  of (series, time), or of a series, what was written last
//   rollups_1, rollups_2, rollups_3  states of windows, of each what was written last
//   samples_written, series_written  all rows of all tiers
//   chunks  name, tier, state, start, end, rows, bytes, ... as GET .../chunks
//   tiers   name, backend, keep, chunks, rows, bytes
// Parquet is read by the engine itself; every other tier through its scan. Failures as Engine::run.
Result<SqlOutcome> run_sql(Engine* engine, const SnapshotPtr& snapshot, const SqlQuery& query,
                           ResultSink* sink);
// The same with the answer as bytes.
Result<SqlOutcome> run_sql(Engine* engine, const SnapshotPtr& snapshot, const SqlQuery& query,
                           SqlEncoding encoding, ByteSink* sink);

}  // namespace firn
