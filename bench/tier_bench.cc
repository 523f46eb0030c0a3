// Flushing to the SQLite tier and looking rows up in it and in memory. The peer is SQLite used the
// plain way, one row per event with indexes: layout `rows` of the same tier.
//
// bench_tier [events]     default 1,000,000; layout rows gets at most 200,000

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "bench/tier_events.h"
#include "env/posix_env.h"
#include "env/test_directory.h"
#include "tier/memory/memory_tier.h"
#include "tier/sqlite/sqlite_tier.h"

namespace firn {
namespace {

using namespace bench;

constexpr size_t kFlushBatches = 100;

struct Sample {
  Id id, trace;
  std::string correlation, stream;
};

Predicate equals(ColumnId column, const Id& id) {
  Predicate predicate;
  predicate.column = column;
  predicate.ids = {id};
  return predicate;
}
Predicate equals(ColumnId column, const std::string& text) {
  Predicate predicate;
  predicate.column = column;
  predicate.texts = {text};
  return predicate;
}

void lookups(Tier* tier, const char* label, const std::vector<Sample>& samples,
             Predicate (*make)(const Sample&)) {
  std::vector<double> ms;
  ScanCost cost;
  uint64_t rows = 0;
  double first = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    ScanSpec spec;
    spec.filter.predicates = {make(samples[i])};
    const TimeNs begin = posix_env()->monotonic();
    rows += count_rows(tier, spec, &cost);
    const double taken = seconds_since(begin) * 1000;
    if (i == 0) {
      first = taken;
    } else {
      ms.push_back(taken);
    }
  }
  std::sort(ms.begin(), ms.end());
  const double n = static_cast<double>(samples.size());
  fmt::print(
      "    {:<16} first {:8.2f} ms   p50 {:7.3f}   p99 {:7.3f}   {:8.1f} rows  {:6.1f} blocks "
      "read\n",
      label, first, ms[ms.size() / 2], ms[ms.size() * 99 / 100], static_cast<double>(rows) / n,
      static_cast<double>(cost.blocks_read) / n);
}

void all_lookups(Tier* tier, const std::vector<Sample>& samples) {
  lookups(tier, "id", samples, [](const Sample& s) { return equals(ColumnId::kId, s.id); });
  lookups(tier, "trace id", samples,
          [](const Sample& s) { return equals(ColumnId::kTraceId, s.trace); });
  lookups(tier, "correlation id", samples,
          [](const Sample& s) { return equals(ColumnId::kCorrelationId, s.correlation); });
  const std::vector<Sample> few(
      samples.begin(), samples.begin() + std::min<std::ptrdiff_t>(20, std::ssize(samples)));
  lookups(tier, "stream", few, [](const Sample& s) { return equals(ColumnId::kStream, s.stream); });
}

// Returns events per second.
double bench_sqlite(SqliteLayout layout, uint64_t events) {
  TestDirectory directory;
  SqliteTierOptions options;
  options.directory = directory.file("warm");
  options.layout = layout;
  auto tier = must(open_sqlite_tier(posix_env(), options));
  TierEvents source;
  std::vector<Sample> samples;
  double seconds = 0;
  ChunkStats stats;
  for (Position position = 1; position <= events;) {
    std::vector<BatchSlice> slices;
    for (size_t i = 0; i < kFlushBatches && position <= events; ++i) {
      const BatchPtr batch = source.next_batch(position);
      const auto row = static_cast<uint32_t>(position % kTierBatchRows);
      if (i % (events > 2'000'000 ? 25 : 3) == 0 && samples.size() < 400) {
        samples.push_back({batch->ids(ColumnId::kId)[row], batch->ids(ColumnId::kTraceId)[row],
                           std::string(batch->strings(ColumnId::kCorrelationId)[row]),
                           std::string(batch->strings(ColumnId::kStream)[row])});
      }
      slices.push_back({batch, nullptr});
      position += kTierBatchRows;
    }
    const TimeNs begin = posix_env()->monotonic();
    stats = must(tier->write(kTierChunk, slices, position - 1));
    seconds += seconds_since(begin);
  }
  const TimeNs begin = posix_env()->monotonic();
  stats = must(tier->seal(kTierChunk));
  seconds += seconds_since(begin);
  const double rate = static_cast<double>(events) / seconds;
  fmt::print(
      "  sqlite {}: {} events flushed and sealed, {:.0f} k/s, {:.1f} bytes an event (of {:.0f})\n",
      layout == SqliteLayout::kRows ? "rows" : "blocks", events, rate / 1000,
      static_cast<double>(stats.bytes) / static_cast<double>(events),
      static_cast<double>(stats.raw_bytes) / static_cast<double>(events));
  full_scan(tier.get(), events);
  all_lookups(tier.get(), samples);
  return rate;
}

void bench_memory(uint64_t events) {
  MemoryTier tier(posix_env(), "hot");
  TierEvents source;
  std::vector<Sample> samples;
  double seconds = 0;
  for (Position position = 1; position <= events; position += kTierBatchRows) {
    const std::vector<BatchSlice> slices = {{source.next_batch(position), nullptr}};
    const RecordBatch& batch = *slices[0].batch;
    if (samples.size() < 400 && position / kTierBatchRows % 2 == 0) {
      samples.push_back({batch.ids(ColumnId::kId)[7], batch.ids(ColumnId::kTraceId)[7],
                         std::string(batch.strings(ColumnId::kCorrelationId)[7]),
                         std::string(batch.strings(ColumnId::kStream)[7])});
    }
    const TimeNs begin = posix_env()->monotonic();
    must(tier.write(kTierChunk, slices, position + kTierBatchRows - 1));
    seconds += seconds_since(begin);
  }
  fmt::print("  memory: {} events, {:.2f} us a batch of {}, {:.0f} bytes an event\n", events,
             seconds * 1e6 / static_cast<double>(events / kTierBatchRows), kTierBatchRows,
             static_cast<double>(tier.memory_bytes()) / static_cast<double>(events));
  all_lookups(&tier, samples);
  fmt::print("    with indexes: {:.0f} bytes an event\n",
             static_cast<double>(tier.memory_bytes()) / static_cast<double>(events));
}

}  // namespace
}  // namespace firn

int main(int argc, char** argv) {
  const uint64_t events = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  firn::bench_memory(std::min<uint64_t>(events, 1'000'000));
  const double blocks = firn::bench_sqlite(firn::SqliteLayout::kBlocks, events);
  const double rows =
      firn::bench_sqlite(firn::SqliteLayout::kRows, std::min<uint64_t>(events, 200'000));
  fmt::print("  blocks against rows: {:.1f} times the rate\n", blocks / rows);
  return 0;
}
