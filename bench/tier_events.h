#pragma once

// What the benchmarks of tiers share: events, and reading a whole tier.

#include <fmt/format.h>

#include <cstdlib>
#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "env/posix_env.h"
#include "tier/tier.h"

namespace firn::bench {

constexpr uint32_t kTierBatchRows = 1000;
constexpr TimeNs kTierStart = 1'767'225'600 * kSecondNs;
inline const ChunkKey kTierChunk{1, Dataset::kEvents, kTierStart, kTierStart + kDayNs, 0};

// About 270 bytes an event: an id ordered by time, 20 types, 12 sources, 10,000 streams of which
// some are busier, a random trace id, a session, a JSON document with a path, numbers and a
// message. Some 40 bytes of it are random, so nothing can be smaller than that.
class TierEvents {
 public:
  BatchPtr next_batch(Position first_position) {
    texts_.clear();
    std::vector<int64_t> stream_positions;
    BatchBuilder builder(Dataset::kEvents);
    for (uint32_t i = 0; i < kTierBatchRows; ++i) {
      builder.add(next_row());
      stream_positions.push_back(static_cast<int64_t>(first_position + i));
    }
    auto batch = builder.finish();
    batch->stamp(1, first_position, stream_positions);
    return batch;
  }

 private:
  EventRow next_row() {
    EventRow row;
    time_ += static_cast<TimeNs>(random_() % (20 * kMicrosecondNs));
    row.time = time_;
    row.id = make_uuid7(static_cast<uint64_t>(time_ / kMillisecondNs), random_(), random_());
    row.type = keep(fmt::format("com.example.order.step{}", random_() % 20));
    row.source = keep(fmt::format("service-{}", random_() % 12));
    row.severity = static_cast<uint8_t>(random_() % 5 * 4 + 1);
    const uint64_t a = random_() % 10'000, b = random_() % 10'000;
    row.stream = keep(fmt::format("order-{}", a * b / 10'000));
    row.correlation_id = keep(fmt::format("session-{}", random_() % 1'000'000));
    Id trace;
    store_le<uint64_t>(trace.bytes.data(), random_());
    store_le<uint64_t>(trace.bytes.data() + 8, random_());
    row.trace_id = trace;
    row.data = keep(fmt::format(
        R"({{"path":"/api/v1/orders/{}/items","method":"GET","status":{},"duration_ms":{},"bytes":{},)"
        R"("user":"user-{}","region":"eu-central-1","message":"request handled by worker {}"}})",
        random_() % 100'000, 200 + random_() % 5, random_() % 1000, random_() % 100'000,
        random_() % 5000, random_() % 64));
    return row;
  }
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  std::mt19937_64 random_{42};
  std::deque<std::string> texts_;
  TimeNs time_ = kTierStart;
};

inline double seconds_since(TimeNs begin) {
  return static_cast<double>(posix_env()->monotonic() - begin) / static_cast<double>(kSecondNs);
}

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) {
    fmt::print(stderr, "{}\n", result.status().to_string());
    std::abort();
  }
  return std::move(result).value();
}

inline void must_ok(const Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", status.to_string());
  std::abort();
}

inline uint64_t count_rows(Tier* tier, const ScanSpec& spec, ScanCost* cost = nullptr) {
  auto reader = must(tier->scan(kTierChunk, spec, cost));
  BatchSlice slice;
  uint64_t rows = 0;
  while (must(reader->next(&slice))) rows += slice.rows();
  return rows;
}

inline void full_scan(Tier* tier, uint64_t events) {
  ScanSpec spec;
  spec.projection = Projection::none().add(ColumnId::kType);
  TimeNs begin = posix_env()->monotonic();
  count_rows(tier, spec, nullptr);
  const double narrow = seconds_since(begin);
  spec.projection = Projection::all();
  begin = posix_env()->monotonic();
  count_rows(tier, spec, nullptr);
  const double wide = seconds_since(begin);
  fmt::print("    scan: {:.1f} M events/s with one column, {:.1f} M with all\n",
             static_cast<double>(events) / narrow / 1e6, static_cast<double>(events) / wide / 1e6);
}

}  // namespace firn::bench
