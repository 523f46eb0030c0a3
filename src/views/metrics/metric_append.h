#pragma once

#include <functional>
#include <memory>

#include "base/status.h"
#include "store/store.h"

namespace firn {

// Samples to append. `definitions` has a row for each of their series; its times do not matter.
struct NewSamples {
  std::unique_ptr<RecordBatch> samples;      // unstamped
  std::unique_ptr<RecordBatch> definitions;  // unstamped
  AckLevel ack = AckLevel::kFsync;           // of the samples; definitions are always synced
};

// Appends the samples, all or nothing, after those definitions of their series that are not known
// to be stored for the chunk intervals of the samples (docs/formats/samples.md). `done` is called
// exactly once, as Store::append() does, with the result of the samples: with an ok status they and
// their definitions are durable. `store` must outlive that. Any thread.
void append_samples(Store* store, NamespaceId name_space, NewSamples samples, AppendCallback done);

}  // namespace firn
