// The Parquet tier: writing, scanning, aggregating, and SQL beside DuckDB alone on the same files.
// Statements take turns with the peer's, so that other work on the machine meets both.
//
// bench_parquet [events] [rounds]     default 1,000,000 and 15

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "bench/duckdb_alone.h"
#include "bench/tier_events.h"
#include "engine/engine.h"
#include "env/test_directory.h"
#include "tier/parquet/parquet_tier.h"

namespace firn {
namespace {

using namespace bench;

constexpr uint64_t kFlushEvents = 250'000;

constexpr const char* kStatements[] = {
    "SELECT count(*) FROM {}",
    "SELECT type, count(*), max(time) FROM {} GROUP BY type",
    "SELECT source, severity, count(*) FROM {} WHERE severity >= 17 GROUP BY ALL",
    "SELECT stream, count(*), min(time), max(time) FROM {} GROUP BY stream ORDER BY ALL LIMIT 10",
    "SELECT count(*) FROM {} WHERE data LIKE '%orders/77/%'",
    "SELECT count(*) FROM {} WHERE trace_id = '00000000000000000000000000000001'",
};

class NoSink : public ResultSink {
 public:
  Status columns(std::span<const SqlColumn>) override { return {}; }
  Status row(std::span<const SqlValue>) override { return {}; }
};

// Time that passed, and time all threads of the process worked.
struct Cost {
  double wall_ms = 0, worked_ms = 0;
};

template <typename Action>
Cost cost_of(Action&& action) {
  const std::clock_t worked = std::clock();
  const TimeNs begin = posix_env()->monotonic();
  action();
  return {seconds_since(begin) * 1e3,
          static_cast<double>(std::clock() - worked) * 1e3 / static_cast<double>(CLOCKS_PER_SEC)};
}

Cost median(const std::vector<Cost>& costs) {
  std::vector<double> wall, worked;
  for (const Cost& cost : costs) {
    wall.push_back(cost.wall_ms);
    worked.push_back(cost.worked_ms);
  }
  std::sort(wall.begin(), wall.end());
  std::sort(worked.begin(), worked.end());
  return {wall[wall.size() / 2], worked[worked.size() / 2]};
}

void fill(Tier* tier, uint64_t events) {
  TierEvents source;
  Cost total;
  const auto add = [&](const Cost& cost) {
    total.wall_ms += cost.wall_ms;
    total.worked_ms += cost.worked_ms;
  };
  for (Position position = 1; position <= events;) {
    std::vector<BatchSlice> slices;
    for (; position <= events && slices.size() < kFlushEvents / kTierBatchRows;
         position += kTierBatchRows) {
      slices.push_back({source.next_batch(position), nullptr});
    }
    add(cost_of([&] { must(tier->write(kTierChunk, slices, position - 1)); }));
  }
  fmt::print("written: {} events, {:.0f} k/s, {:.0f} ns of work an event\n", events,
             static_cast<double>(events) / total.wall_ms,
             total.worked_ms * 1e6 / static_cast<double>(events));
  ChunkStats stats;
  total = cost_of([&] { stats = must(tier->seal(kTierChunk)); });
  fmt::print("sealed (merged and verified): {:.0f} k/s, {:.1f} bytes an event\n",
             static_cast<double>(events) / total.wall_ms,
             static_cast<double>(stats.bytes) / static_cast<double>(events));
  const Cost verify = cost_of([&] { must(tier->verify(kTierChunk)); });
  fmt::print("verified: {:.0f} k/s\n", static_cast<double>(events) / verify.wall_ms);
}

void read(Tier* tier, uint64_t events, int rounds) {
  full_scan(tier, events);
  AggregateSpec spec;
  spec.group_by = {ColumnId::kType};
  spec.measures = {ColumnId::kTime};
  std::vector<Cost> costs;
  for (int i = 0; i < rounds; ++i) {
    costs.push_back(cost_of([&] { must(tier->aggregate(kTierChunk, spec, nullptr)); }));
  }
  fmt::print("    aggregate by type: {:.1f} ms, {:.1f} ms of work\n", median(costs).wall_ms,
             median(costs).worked_ms);
}

void compare_sql(const std::vector<StoredFile>& files, int rounds) {
  EngineOptions options;
  auto engine = must(Engine::open(posix_env(), options));
  DuckDbAlone duckdb;
  std::string list;
  ParquetPart part;
  for (const StoredFile& file : files) {
    list += (list.empty() ? "" : ", ") + sql_quote(file.path);
    part.paths.push_back(file.path);
  }
  fmt::print("  {:>8} {:>8} {:>6}   {:>8} {:>8} {:>6}\n", "firn ms", "DuckDB", "ratio", "work ms",
             "DuckDB", "ratio");
  for (const char* statement : kStatements) {
    SqlRequest request;
    EventTable table;
    table.name = "events";
    table.parquet.push_back(part);
    request.event_tables = {table};
    request.sql = fmt::format(fmt::runtime(statement), "events");
    const std::string alone = fmt::format(fmt::runtime(statement), "read_parquet([" + list + "])");
    std::vector<Cost> own, peer;
    for (int i = 0; i < rounds; ++i) {
      NoSink sink;
      own.push_back(cost_of([&] { must(engine->run(request, &sink)); }));
      peer.push_back(cost_of([&] { duckdb.run(alone); }));
    }
    const Cost a = median(own), b = median(peer);
    fmt::print("  {:8.1f} {:8.1f} {:6.2f}   {:8.1f} {:8.1f} {:6.2f}   {}\n", a.wall_ms, b.wall_ms,
               a.wall_ms / b.wall_ms, a.worked_ms, b.worked_ms, a.worked_ms / b.worked_ms,
               statement);
  }
}

}  // namespace
}  // namespace firn

int main(int argc, char** argv) {
  using namespace firn;
  const uint64_t events = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 15;
  TestDirectory directory;
  ParquetOptions options;
  options.directory = directory.path();
  const auto tier = bench::must(open_parquet_tier(posix_env(), options));
  fill(tier.get(), events);
  read(tier.get(), events, rounds);
  compare_sql(tier->files(bench::kTierChunk), rounds);
  return 0;
}
