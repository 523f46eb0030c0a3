#pragma once

// Inside the engine room only: what EXPLAIN and EXPLAIN ANALYZE say of a scan.

#include <atomic>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "engine/duck.h"
#include "model/scan_cost.h"

namespace firn {

// Lines of a box in the plan, each with a name.
using ReportLines = duckdb::InsertionOrderPreservingMap<std::string>;

// Counts the threads that read one scan. DuckDB asks each for its report when it is done, and keeps
// what it was told last; only the last reader knows everything.
class LastReader {
 public:
  void begin() { ++reading_; }
  // True when no other thread reads any more.
  bool end() { return --reading_ == 0; }

 private:
  std::atomic<int> reading_{0};
};

inline std::string count_of_chunks(uint64_t count) {
  return fmt::format("{} chunk{}", count, count == 1 ? "" : "s");
}

// What a scan of the dataset will look at.
inline ReportLines report_plan(const std::string& function, Dataset dataset,
                               const std::vector<TierPlan>& plans) {
  ReportLines lines;
  lines["Function"] = duckdb::StringUtil::Upper(function);
  lines["Dataset"] = std::string(dataset_name(dataset));
  for (const TierPlan& plan : plans) {
    lines["Tier " + plan.tier] =
        fmt::format("{}, {} pruned", count_of_chunks(plan.chunks), plan.chunks_pruned);
  }
  if (plans.empty()) lines["Tiers"] = "none";
  return lines;
}

}  // namespace firn
