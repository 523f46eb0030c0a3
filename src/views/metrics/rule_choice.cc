#include "views/metrics/rule_choice.h"

#include <string>

#include "views/metrics/sample_scan.h"

namespace firn {

Result<std::shared_ptr<const SeriesChoice>> choose_series(
    const Snapshot& snapshot, const TimeRange& interval, const MetricPolicy& policy,
    const std::vector<bool>& over, uint64_t series_max, const QueryGuard& guard) {
  auto choice = std::make_shared<SeriesChoice>();
  choice->listed_stay = over.back();
  const RuleMatcher rules(policy);
  const auto visit = [&](const RecordBatch& batch, uint32_t row) {
    const size_t decider = rules.decider_of(batch.strings(ColumnId::kName)[row],
                                            batch.strings(ColumnId::kLabels)[row]);
    if (over[decider] == over.back() || choice->listed.size() > series_max) return;
    const auto id = Id::parse(batch.strings(ColumnId::kSeries)[row]);
    if (id) choice->listed.insert(*id);
  };
  ScanSpec spec;
  spec.projection = Projection::none();
  spec.projection.add(ColumnId::kSeries).add(ColumnId::kName).add(ColumnId::kLabels);
  Filter filter;
  filter.time = interval;
  QueryCost cost;
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kSeries, filter)) {
    FIRN_TRY(for_each_row(snapshot, chunk, spec, guard, &cost, visit));
    if (choice->listed.size() <= series_max) continue;
    return too_large(
        "rules about how long metrics are kept decide otherwise than the namespace on " +
        std::string("more than ") + std::to_string(series_max) +
        " series of one chunk interval, for which there is memory; let the namespace's "
        "own ages be those of most series, or give more max_memory");
  }
  return std::shared_ptr<const SeriesChoice>(std::move(choice));
}

}  // namespace firn
