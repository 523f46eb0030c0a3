#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/service_check.h"
#include "query/query.h"
#include "views/metrics/sample_state.h"

namespace firn {

// What the checks of a service say about a range of time (docs/uptime.md).
struct Uptime {
  TimeNs start = 0, end = 0;  // half-open
  // By CheckStatus: how many checks, and how long that was the state.
  std::array<uint64_t, 3> checks{};
  std::array<DurationNs, 3> known_ns{};
  SampleState response_ms;  // with a sketch

  uint64_t count(CheckStatus status) const { return checks[static_cast<size_t>(status)]; }
  DurationNs known(CheckStatus status) const { return known_ns[static_cast<size_t>(status)]; }
};

struct UptimeQuery {
  std::string service;
  TimeRange time{};                          // with both ends
  DurationNs window_ns = 0;                  // 0: none
  DurationNs gap_max_ns = 5 * kMinuteNs;     // a state lasts no longer
  TimeNs now = 0;                            // nothing is known of what lies behind it
  uint64_t windows_max = 10'000;             // kTooLarge when there are more
  uint64_t samples_max = uint64_t{8} << 20;  // held at a time, as in a SampleScan
};

struct UptimeAnswer {
  Uptime whole;
  std::vector<Uptime> windows;  // all that the range touches, cut to it
  QueryCost cost;
};

// REQUIRES: time.from <= time.to, durations that are not negative. Fails with what a tier returns,
// with the guard's status, or kTooLarge. Any thread.
Result<UptimeAnswer> query_uptime(const Snapshot& snapshot, const UptimeQuery& query,
                                  const QueryGuard& guard);

}  // namespace firn
