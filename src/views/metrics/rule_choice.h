#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "store/series_choice.h"
#include "views/metrics/metric_policy.h"

namespace firn {

// Of a chunk interval, the series that are kept no longer when the age of some who decide is over:
// `over` by decider (MetricPolicy::deciders()). Listed are those whose fate is not that of the
// namespace's own age, so a series without a definition goes as the namespace says. kTooLarge when
// they are more than `series_max`; sixteen to fifty bytes of memory for each. Else what a tier or
// the guard returns.
Result<std::shared_ptr<const SeriesChoice>> choose_series(
    const Snapshot& snapshot, const TimeRange& interval, const MetricPolicy& policy,
    const std::vector<bool>& over, uint64_t series_max, const QueryGuard& guard);

}  // namespace firn
