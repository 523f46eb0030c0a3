#include "tier/object/retry.h"

#include <algorithm>
#include <array>

namespace firn {

DurationNs retry_pause(const RetryOptions& options, uint32_t failed, uint64_t random) {
  FIRN_CHECK(failed >= 1);
  DurationNs limit = options.pause_min_ns;
  for (uint32_t i = 1; i < failed && limit < options.pause_max_ns; ++i) limit *= 2;
  limit = std::min(limit, options.pause_max_ns);
  return static_cast<DurationNs>(random % (static_cast<uint64_t>(limit) + 1));
}

bool is_retryable_answer(int status, std::string_view code) {
  constexpr std::array<int, 6> kStatuses = {408, 429, 500, 502, 503, 504};
  constexpr std::array<std::string_view, 10> kCodes = {
      "SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "TooManyRequests",
      "Throttling", "OperationAborted", "ConditionalRequestConflict",
      // The body was damaged on its way.
      "BadDigest", "XAmzContentSHA256Mismatch"};
  return std::find(kStatuses.begin(), kStatuses.end(), status) != kStatuses.end() ||
         std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
}

bool is_retryable(const Status& status) {
  return status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kCorruption;
}

}  // namespace firn
