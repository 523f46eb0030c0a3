// Building, parsing, packing and unpacking batches of events of about 270 bytes, on one core.
// The unit of comparison is a plain copy of the same bytes (bench "copy").

#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/aggregate.h"
#include "model/checksum.h"
#include "model/filter.h"
#include "model/packed.h"
#include "model/record_batch.h"

namespace firn {
namespace {

// Twenty types, twelve sources, five severities, ten thousand streams, and a JSON document of about
// 210 bytes with a random trace id in it.
class Events {
 public:
  explicit Events(uint32_t count) {
    std::mt19937_64 random(7);
    texts_.reserve(count * 2);
    for (uint32_t i = 0; i < count; ++i) {
      EventRow row;
      row.time = 1'767'225'600 * kSecondNs + i * 12'345 + static_cast<int64_t>(random() % 5'000);
      row.id = make_uuid7(static_cast<uint64_t>(row.time / kMillisecondNs), random(), random());
      row.kind = EventKind::kLog;
      row.type = kTypes[random() % 20];
      row.source = kSources[random() % 12];
      row.severity = static_cast<uint8_t>(5 + 4 * (random() % 5));
      const uint64_t skewed = (random() % 100) * (random() % 100);
      row.stream = texts_.emplace_back("order-" + std::to_string(100'000 + skewed));
      const std::string trace = make_uuid7(random(), random(), random()).to_hex();
      row.data = texts_.emplace_back(
          R"({"trace_id":")" + trace + R"(","path":"/api/v1/orders/)" +
          std::to_string(random() % 1'000'000) + R"(","method":"POST","status":)" +
          std::to_string(200 + random() % 4) + R"(,"duration_ms":)" +
          std::to_string(random() % 5'000) + R"(,"bytes":)" + std::to_string(random() % 100'000) +
          R"(,"message":"request handled by worker )" + std::to_string(random() % 64) +
          R"(","region":"eu-central-1"})");
      rows_.push_back(row);
    }
  }
  const std::vector<EventRow>& rows() const { return rows_; }

  BatchPtr batch() const {
    BatchBuilder builder(Dataset::kEvents);
    for (const EventRow& row : rows_) builder.add(row);
    auto batch = builder.finish();
    std::vector<int64_t> positions(rows_.size());
    for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int64_t>(i);
    batch->stamp(1, 1'000'000, positions);
    return batch;
  }

 private:
  static constexpr const char* kTypes[] = {
      "order.created",  "order.paid",      "order.shipped",   "order.cancelled", "order.returned",
      "cart.updated",   "cart.abandoned",  "user.login",      "user.logout",     "user.registered",
      "payment.failed", "payment.retried", "payment.settled", "stock.reserved",  "stock.released",
      "stock.low",      "email.sent",      "email.bounced",   "session.started", "session.ended"};
  static constexpr const char* kSources[] = {"shop-web", "shop-api",   "cart",       "checkout",
                                             "payments", "warehouse",  "shipping",   "mailer",
                                             "identity", "gateway-eu", "gateway-us", "batch"};
  std::vector<std::string> texts_;
  std::vector<EventRow> rows_;
};

void report(benchmark::State& state, const RecordBatch& batch) {
  state.SetItemsProcessed(state.iterations() * batch.rows());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(batch.size_bytes()));
  state.counters["bytes_per_row"] =
      static_cast<double>(batch.size_bytes()) / static_cast<double>(batch.rows());
}

void copy(benchmark::State& state) {
  const BatchPtr batch = Events(static_cast<uint32_t>(state.range(0))).batch();
  std::string to(batch->size_bytes(), '\0');
  for (auto _ : state) {
    std::memcpy(to.data(), batch->encoded().data(), to.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  report(state, *batch);
}

void build(benchmark::State& state) {
  const Events events(static_cast<uint32_t>(state.range(0)));
  BatchBuilder builder(Dataset::kEvents);
  for (auto _ : state) {
    for (const EventRow& row : events.rows()) builder.add(row);
    benchmark::DoNotOptimize(builder.finish());
  }
  report(state, *events.batch());
}

void append_batch(benchmark::State& state) {
  const BatchPtr batch = Events(static_cast<uint32_t>(state.range(0))).batch();
  BatchBuilder builder(Dataset::kEvents);
  for (auto _ : state) {
    builder.add_rows({batch, nullptr});
    benchmark::DoNotOptimize(builder.finish());
  }
  report(state, *batch);
}

void parse(benchmark::State& state) {
  const BatchPtr batch = Events(static_cast<uint32_t>(state.range(0))).batch();
  for (auto _ : state) benchmark::DoNotOptimize(RecordBatch::parse(batch->encoded()));
  report(state, *batch);
}

void pack(benchmark::State& state) {
  const BatchPtr batch = Events(static_cast<uint32_t>(state.range(0))).batch();
  size_t packed_bytes = 0;
  for (const PackedColumn& column : pack_columns(*batch)) packed_bytes += column.bytes.size();
  for (auto _ : state) benchmark::DoNotOptimize(pack_columns(*batch));
  report(state, *batch);
  state.counters["packed_bytes_per_row"] =
      static_cast<double>(packed_bytes) / static_cast<double>(batch->rows());
}

void unpack(benchmark::State& state) {
  const BatchPtr batch = Events(static_cast<uint32_t>(state.range(0))).batch();
  const auto columns = pack_columns(*batch);
  UnpackMemory scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(unpack_columns(Dataset::kEvents, 1, batch->rows(), columns, &scratch));
  }
  report(state, *batch);
}

void checksum(benchmark::State& state) {
  const BatchPtr batch = Events(static_cast<uint32_t>(state.range(0))).batch();
  for (auto _ : state) benchmark::DoNotOptimize(rows_checksum({batch, nullptr}));
  report(state, *batch);
}

void run_filter(benchmark::State& state, const Predicate& predicate) {
  const BatchPtr batch = Events(static_cast<uint32_t>(state.range(0))).batch();
  Filter filter;
  filter.predicates.push_back(predicate);
  for (auto _ : state) benchmark::DoNotOptimize(apply_filter({batch, nullptr}, filter));
  report(state, *batch);
}

void filter_type(benchmark::State& state) {
  run_filter(state, {.column = ColumnId::kType, .texts = {"order.paid"}});
}
void filter_contains(benchmark::State& state) {
  run_filter(state, {.kind = PredicateKind::kContains, .texts = {"worker 17\""}});
}
void filter_attribute(benchmark::State& state) {
  run_filter(state, {.kind = PredicateKind::kAttribute, .key = "status", .texts = {"203"}});
}
void filter_attribute_nowhere(benchmark::State& state) {
  run_filter(state, {.kind = PredicateKind::kAttribute, .key = "k8s.pod", .texts = {"web-1"}});
}

void aggregate(benchmark::State& state) {
  const BatchPtr batch = Events(static_cast<uint32_t>(state.range(0))).batch();
  AggregateSpec spec;
  spec.window_ns = kSecondNs;
  spec.group_by = {ColumnId::kType, ColumnId::kSeverity};
  spec.measures = {ColumnId::kSeverity};
  for (auto _ : state) {
    AggregateStates states;
    aggregate_slice({batch, nullptr}, spec, &states);
    benchmark::DoNotOptimize(states);
  }
  report(state, *batch);
}

// Gauges with one decimal of `range` series that walk, scraped in turn every ten seconds, as a
// block of samples holds them.
BatchPtr gauges(int64_t series) {
  constexpr uint32_t kRows = 32'768;
  std::mt19937_64 random(7);
  std::vector<std::string> names;
  std::vector<int64_t> levels;
  for (int64_t i = 0; i < series; ++i) {
    names.push_back(make_uuid7(random(), random(), random()).to_hex());
    levels.push_back(static_cast<int64_t>(random() % 1000));
  }
  BatchBuilder builder(Dataset::kSamples);
  for (uint32_t i = 0; i < kRows; ++i) {
    const size_t at = i % names.size();
    levels[at] += static_cast<int64_t>(random() % 21) - 10;
    EventRow row;
    row.time = 1'767'225'600 * kSecondNs + static_cast<int64_t>(i / names.size()) * 10 * kSecondNs;
    row.series = names[at];
    row.value = Float64::of(static_cast<double>(levels[at]) / 10);
    builder.add(row);
  }
  auto batch = builder.finish();
  batch->stamp(1, 1'000'000, {});
  return batch;
}

void pack_gauges(benchmark::State& state) {
  const BatchPtr batch = gauges(state.range(0));
  size_t packed_bytes = 0;
  for (const PackedColumn& column : pack_columns(*batch)) packed_bytes += column.bytes.size();
  for (auto _ : state) benchmark::DoNotOptimize(pack_columns(*batch));
  report(state, *batch);
  state.counters["packed_bytes_per_row"] =
      static_cast<double>(packed_bytes) / static_cast<double>(batch->rows());
}

void unpack_gauges(benchmark::State& state) {
  const BatchPtr batch = gauges(state.range(0));
  const auto columns = pack_columns(*batch);
  UnpackMemory scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        unpack_columns(Dataset::kSamples, 1, batch->rows(), columns, &scratch));
  }
  report(state, *batch);
}

BENCHMARK(pack_gauges)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK(unpack_gauges)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK(copy)->Arg(1000)->Arg(4096);
BENCHMARK(build)->Arg(1000)->Arg(4096);
BENCHMARK(append_batch)->Arg(1000)->Arg(4096);
BENCHMARK(parse)->Arg(1000)->Arg(4096);
BENCHMARK(pack)->Arg(1000)->Arg(4096);
BENCHMARK(unpack)->Arg(1000)->Arg(4096);
BENCHMARK(checksum)->Arg(4096);
BENCHMARK(filter_type)->Arg(4096);
BENCHMARK(filter_contains)->Arg(4096);
BENCHMARK(filter_attribute)->Arg(4096);
BENCHMARK(filter_attribute_nowhere)->Arg(4096);
BENCHMARK(aggregate)->Arg(4096);

}  // namespace
}  // namespace firn
