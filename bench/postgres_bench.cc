// The PostgreSQL tier against bare binary COPY into the same table, with the same rows, on a server
// of its own. Usage: firn_bench_postgres [events]; the default is 300,000.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/tier_events.h"
#include "env/posix_env.h"
#include "env/test_postgres.h"
#include "tier/postgres/postgres_tier.h"

namespace firn {
namespace {

constexpr size_t kFlushBatches = 100;  // of 1000 events, as a flush of some 30 MB

struct Measured {
  double rate = 0;
  double bytes_an_event = 0;
};

PostgresTierOptions options_of(TestPostgres* server, PostgresLayout layout) {
  PostgresTierOptions options;
  options.server.dsn = server->dsn();
  options.schema = TestPostgres::new_schema();
  options.owner = "bench";
  options.layout = layout;
  return options;
}

std::vector<std::vector<BatchSlice>> make_flushes(uint64_t events) {
  bench::TierEvents source;
  std::vector<std::vector<BatchSlice>> flushes;
  for (Position position = 1; position <= events;) {
    std::vector<BatchSlice>& slices = flushes.emplace_back();
    for (size_t i = 0; i < kFlushBatches && position <= events; ++i) {
      slices.push_back({source.next_batch(position), nullptr});
      position += bench::kTierBatchRows;
    }
  }
  return flushes;
}

Measured bench_tier(const PostgresTierOptions& options, uint64_t events) {
  auto tier = bench::must(open_postgres_tier(posix_env(), options));
  const auto flushes = make_flushes(events);
  ChunkStats stats;
  const TimeNs begin = posix_env()->monotonic();
  for (const auto& slices : flushes) {
    const BatchSlice& last = slices.back();
    stats = bench::must(tier->write(bench::kTierChunk, slices, last.batch->last_position()));
  }
  const double seconds = bench::seconds_since(begin);
  const TimeNs scan_begin = posix_env()->monotonic();
  const uint64_t rows = bench::count_rows(tier.get(), {});
  const double scan_seconds = bench::seconds_since(scan_begin);
  if (rows != events) std::abort();
  const Measured measured{static_cast<double>(events) / seconds,
                          static_cast<double>(stats.bytes) / static_cast<double>(events)};
  fmt::print("  {:<7} {:8.1f} k events/s   {:6.1f} bytes an event   scan {:8.1f} k events/s\n",
             options.layout == PostgresLayout::kRows ? "rows" : "blocks", measured.rate / 1000,
             measured.bytes_an_event, static_cast<double>(events) / scan_seconds / 1000);
  return measured;
}

// The rows that the tier wrote, sent once more by nothing but COPY: into a partition made like the
// tier's, one transaction a flush, from buffers that are ready.
double bench_copy(TestPostgres* server, const PostgresTierOptions& options, uint64_t events) {
  const std::string table = options.schema + ".events_1", copy = options.schema + ".events_2";
  server->run("CREATE TABLE " + copy + " (LIKE " + table + " INCLUDING ALL)");
  server->run("ALTER TABLE " + copy + " DROP CONSTRAINT events_1_rows");
  const std::string check = server->text(
      "SELECT replace(pg_get_constraintdef(oid), 'chunk = 1', 'chunk = 2') FROM pg_constraint "
      "WHERE conname = 'events_1_rows' AND conrelid = '" +
      table + "'::regclass");
  server->run("ALTER TABLE " + copy + " ADD " + check);
  server->run("ALTER TABLE " + options.schema + ".events ATTACH PARTITION " + copy +
              " FOR VALUES IN (2)");
  auto connection = bench::must(PostgresConnection::open({.dsn = server->dsn()}));
  // What COPY is given is what COPY gives.
  const uint64_t flush_rows = kFlushBatches * bench::kTierBatchRows;
  std::vector<std::string> files;
  for (uint64_t first = 1; first <= events; first += flush_rows) {
    const std::string file = fmt::format("{}/copy-{}", server->directory(), first);
    server->run(fmt::format(
        "COPY (SELECT 2 AS chunk, kind, severity, namespace_id, position, time, time_ns, "
        "observed_time_ns, stream_position, duration_ns, id, parent_id, type, source, subject, "
        "stream, correlation_id, trace_id, span_id, data, metadata, context, raw FROM {} WHERE "
        "position >= {} AND position < {} ORDER BY position) TO '{}' (FORMAT binary)",
        table, first, first + flush_rows, file));
    files.push_back(bench::must(read_file(posix_env(), file, uint64_t{2} << 30)));
  }
  const TimeNs begin = posix_env()->monotonic();
  for (const std::string& bytes : files) {
    bench::must_ok(connection->exec("BEGIN"));
    bench::must_ok(connection->begin_copy("COPY " + copy + " FROM STDIN (FORMAT binary)"));
    for (size_t at = 0; at < bytes.size(); at += 256 * kKiB) {
      bench::must_ok(connection->copy(ByteView(bytes).substr(at, 256 * kKiB)));
    }
    bench::must_ok(connection->end_copy());
    bench::must_ok(connection->commit());
  }
  const double rate = static_cast<double>(events) / bench::seconds_since(begin);
  fmt::print("  COPY    {:8.1f} k events/s   bare, into a partition of the same table\n",
             rate / 1000);
  return rate;
}

int run(uint64_t events) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what was measured stays, whatever follows
  const auto server = TestPostgres::start(
      "wal_compression = lz4\nmax_wal_size = 4GB\nshared_buffers = 256MB\n", "/tmp");
  if (server == nullptr) return 1;
  for (int round = 1; round <= 3; ++round) {
    fmt::print("round {}, {} events\n", round, events);
    const PostgresTierOptions rows = options_of(server.get(), PostgresLayout::kRows);
    const Measured by_rows = bench_tier(rows, events);
    const double copied = bench_copy(server.get(), rows, events);
    const Measured by_blocks =
        bench_tier(options_of(server.get(), PostgresLayout::kBlocks), events);
    fmt::print("  rows {:.2f} x COPY, blocks {:.1f} x COPY, {:.1f} x smaller than rows\n",
               by_rows.rate / copied, by_blocks.rate / copied,
               by_rows.bytes_an_event / by_blocks.bytes_an_event);
  }
  return 0;
}

}  // namespace
}  // namespace firn

int main(int argc, char** argv) {
  return firn::run(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 300'000);
}
