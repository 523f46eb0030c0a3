#include "server/joined_appends.h"

#include <algorithm>
#include <utility>

#include "views/metrics/metric_append.h"

namespace firn {

void JoinedAppends::settle(const Result<AppendResult>& result, uint64_t bytes) {
  if (result.ok()) {
    metrics_->appended_events.add(result->count - result->duplicates);
    metrics_->appended_duplicates.add(result->duplicates);
    metrics_->appended_bytes.add(bytes);
  } else {
    metrics_->count_refusal(status_code_name(result.status().code()));
  }
  JoinedOutcome outcome;
  {
    MutexLock lock(&mutex_);
    if (!result.ok() && outcome_.status.ok()) outcome_.status = result.status();
    if (result.ok()) {
      outcome_.last_position = std::max(outcome_.last_position, result->last_position);
    }
    if (--left_ > 0) return;
    outcome = outcome_;
  }
  done_(outcome);
}

DecodeDefaults sample_defaults(Services* services, const Store& store, NamespaceId name_space) {
  DecodeDefaults defaults;
  defaults.now = services->env->now();
  defaults.limits = services->limits;
  defaults.series_cache = services->series_cache.get();
  defaults.knowledge = {&store.known_series(), name_space, store.options().chunk_interval_ns};
  return defaults;
}

void append_parts(Store* store, NamespaceId name_space, std::vector<DecodedSamples> parts,
                  AckLevel ack, const std::shared_ptr<JoinedAppends>& joined) {
  for (DecodedSamples& part : parts) {
    const uint64_t bytes = part.samples->size_bytes();
    append_samples(
        store, name_space,
        {std::move(part.samples), std::move(part.definitions), ack, part.known_epoch},
        [joined, bytes](const Result<AppendResult>& result) { joined->settle(result, bytes); });
  }
}

}  // namespace firn
