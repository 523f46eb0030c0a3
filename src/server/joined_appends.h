#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "server/services.h"
#include "store/append.h"
#include "wire/sample_rows.h"

namespace firn {

// What became of all appends of a request.
struct JoinedOutcome {
  Status status;               // the first failure; the other appends may be stored
  Position last_position = 0;  // the greatest; 0: nothing was stored
};

// One outcome for the several appends that a large request becomes; counts them in the metrics.
// Thread rule: settle() from any thread.
class JoinedAppends {
 public:
  // `done` is called once, when settle() was called for each of `appends`, which must be some.
  JoinedAppends(ServerMetrics* metrics, size_t appends,
                std::function<void(const JoinedOutcome&)> done)
      : metrics_(metrics), done_(std::move(done)), left_(appends) {}

  // The result of one of them, whose batch had `bytes`.
  void settle(const Result<AppendResult>& result, uint64_t bytes) EXCLUDES(mutex_);

 private:
  ServerMetrics* const metrics_;
  const std::function<void(const JoinedOutcome&)> done_;
  Mutex mutex_;
  size_t left_ GUARDED_BY(mutex_);
  JoinedOutcome outcome_ GUARDED_BY(mutex_);
};

// What samples for the namespace are decoded with.
DecodeDefaults sample_defaults(Services* services, const Store& store, NamespaceId name_space);

// Appends samples with their definitions, each part all or nothing; they settle `joined`. `store`
// must outlive that. Any thread.
void append_parts(Store* store, NamespaceId name_space, std::vector<DecodedSamples> parts,
                  AckLevel ack, const std::shared_ptr<JoinedAppends>& joined);

}  // namespace firn
