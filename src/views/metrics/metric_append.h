#pragma once

#include <functional>
#include <memory>

#include "base/status.h"
#include "store/store.h"
#include "views/metrics/metric_reads.h"

namespace firn {

// Samples to append. `definitions` has a row for each of their series, but for those that
// Store::known_series() knew in the epoch; its times do not matter.
struct NewSamples {
  std::unique_ptr<RecordBatch> samples;      // unstamped
  std::unique_ptr<RecordBatch> definitions;  // unstamped; null: none
  AckLevel ack = AckLevel::kFsync;           // of the samples; definitions are always synced
  uint64_t known_epoch = 0;                  // 0: there is a row for each
};

// Appends the samples, all or nothing, after those definitions of their series that are not known
// to be stored for the chunk intervals of the samples (docs/formats/samples.md). `done` is called
// exactly once, as Store::append() does, with the result of the samples: with an ok status they and
// their definitions are durable; kSeriesLimit: the namespace would have too many series, and
// nothing was written; kOutcomeUnknown also when what was known was just being dropped, so that
// they have to be sent again. `store` must outlive that. Any thread.
void append_samples(Store* store, NamespaceId name_space, NewSamples samples, AppendCallback done);

// The same for a thread that may wait.
Result<AppendResult> append_samples_and_wait(Store* store, NamespaceId name_space,
                                             NewSamples samples);

// Deletes the points of all matching series in the range, as far as they are shown when it begins:
// each is written again with the mark of a deleted one (docs/formats/samples.md). Returns how many;
// what was deleted before a failure stays so. For a thread that may wait.
Result<uint64_t> delete_points(Store* store, NamespaceId name_space, const SeriesMatch& match,
                               const TimeRange& time, const QueryGuard& guard);

}  // namespace firn
