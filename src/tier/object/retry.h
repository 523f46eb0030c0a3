#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace firn {

struct RetryOptions {
  uint32_t attempts_max = 8;
  DurationNs pause_min_ns = 100 * kMillisecondNs;  // most before the second attempt; then doubled
  DurationNs pause_max_ns = 10 * kSecondNs;
  DurationNs total_time_ns = 30 * kSecondNs;  // no attempt begins later
};

// How long to wait after `failed` attempts (at least 1) have failed: uniformly between 0 and the
// doubled limit, decided by `random` ("full jitter", so that clients do not come back together).
DurationNs retry_pause(const RetryOptions& options, uint32_t failed, uint64_t random);

// Whether another attempt may help after an answer that is not 2xx. `code` is the error document's,
// perhaps empty.
bool is_retryable_answer(int status, std::string_view code);

// Whether another attempt may help after an attempt that ended with this.
bool is_retryable(const Status& status);

}  // namespace firn
