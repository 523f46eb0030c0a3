// What samples cost in the SQLite and the Parquet tier, and what reading one series does. Every
// round is a point of each series, sent in requests of up to 1,000 points whose order changes from
// round to round, as clients that do not wait for each other make it.
//
// bench_samples [series [points [rows a write]]]     default 1,000 of 8,640 (a day of 10 s),
// 500,000

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "bench/tier_events.h"
#include "env/posix_env.h"
#include "env/sqlite_db.h"
#include "env/test_directory.h"
#include "tier/parquet/parquet_tier.h"
#include "tier/sqlite/sqlite_tier.h"

namespace firn {
namespace {

using namespace bench;

constexpr uint32_t kRequestPoints = 1'000;
constexpr DurationNs kStepNs = 10 * kSecondNs;
constexpr TimeNs kBegin = 1'767'225'600 * kSecondNs;
constexpr ChunkKey kChunk{1, Dataset::kSamples, kBegin, kBegin + 30 * kDayNs, 0};

enum class Kind : uint8_t { kWalk, kSmallWalk, kCounter, kMixed };

// Where a series stands; the next value, and whether it is an integer.
class Values {
 public:
  Values(Kind kind, uint32_t series) : kind_(kind), levels_(series, 5'000), random_(7) {}

  double next(uint32_t series, bool* integer) {
    Kind kind = kind_;
    if (kind == Kind::kMixed) kind = series % 2 == 0 ? Kind::kCounter : Kind::kWalk;
    int64_t& level = levels_[series];
    *integer = kind == Kind::kCounter;
    switch (kind) {
      case Kind::kWalk:
        level += static_cast<int64_t>(random_() % 41) - 20;
        return static_cast<double>(level) / 10;
      case Kind::kSmallWalk:
        level += static_cast<int64_t>(random_() % 7) - 3;
        return static_cast<double>(level) / 10;
      default:
        level += static_cast<int64_t>(random_() % 100);
        return static_cast<double>(level);
    }
  }

 private:
  const Kind kind_;
  std::vector<int64_t> levels_;
  std::mt19937_64 random_;
};

class Points {
 public:
  Points(Kind kind, uint32_t series) : values_(kind, series), random_(11) {
    for (uint32_t i = 0; i < series; ++i) {
      Id id;
      for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(random_());
      ids_.push_back(id.to_hex());
    }
    for (uint32_t at = 0; at < series; at += kRequestPoints) requests_.push_back(at);
  }
  const std::string& id(uint32_t series) const { return ids_[series]; }

  void add_round(uint32_t round, Position* position, std::vector<BatchSlice>* slices) {
    std::shuffle(requests_.begin(), requests_.end(), random_);
    for (const uint32_t first : requests_) {
      const uint32_t end = std::min(first + kRequestPoints, static_cast<uint32_t>(ids_.size()));
      const TimeNs time = kBegin + round * kStepNs + random_() % 5 * kMillisecondNs;
      for (uint32_t series = first; series < end; ++series) {
        EventRow row;
        bool integer = false;
        row.time = time;
        row.series = ids_[series];
        row.value = Float64::of(values_.next(series, &integer));
        row.integer = integer ? 1 : 0;
        if (integer) row.start_time = kBegin;
        builder_.add(row);
      }
      auto batch = builder_.finish();
      batch->stamp(1, *position, {});
      *position += end - first;
      slices->push_back({std::move(batch), nullptr});
    }
  }

 private:
  Values values_;
  std::mt19937_64 random_;
  std::vector<std::string> ids_;
  std::vector<uint32_t> requests_;
  BatchBuilder builder_{Dataset::kSamples};
};

// As the mover copies a chunk.
ChunkStats copy(Tier* from, const ChunkKey& from_key, Tier* to, const ChunkKey& to_key) {
  ScanSpec spec;
  spec.order = ScanOrder::kPositionAscending;
  auto reader = must(from->scan(from_key, spec, nullptr));
  std::vector<BatchSlice> slices;
  uint64_t bytes = 0;
  Position through = 0;
  BatchSlice slice;
  while (must(reader->next(&slice))) {
    bytes += slice.batch->size_bytes();
    through = slice.batch->position(slice.row(slice.rows() - 1));
    slices.push_back(std::move(slice));
    if (bytes < 128 * kMiB) continue;
    must(to->write(to_key, slices, through));
    slices.clear();
    bytes = 0;
  }
  if (!slices.empty()) must(to->write(to_key, slices, through));
  return must(to->seal(to_key));
}

void print_columns(const std::string& path, uint64_t rows) {
  auto db = must(SqliteDb::open(posix_env(), path, {.read_only = true}));
  auto select = must(
      db->prepare("SELECT id % 32, sum(length(data)), count(*) FROM columns GROUP BY 1 UNION ALL "
                  "SELECT -1, sum(length(data)), count(*) FROM filters ORDER BY 1"));
  while (must(select.step())) {
    const int64_t id = select.column_int64(0);
    fmt::print("      {:<12} {:7.4f} bytes a sample, {} blocks\n",
               id < 0 ? "filters" : column_schema(static_cast<ColumnId>(id)).name,
               static_cast<double>(select.column_int64(1)) / static_cast<double>(rows),
               select.column_int64(2));
  }
}

void read_series(Tier* tier, const char* label, const ChunkKey& key, const Points& points,
                 uint32_t series) {
  std::vector<double> ms;
  ScanCost cost;
  uint64_t rows = 0;
  constexpr int kReads = 20;
  for (int i = 0; i < kReads; ++i) {
    ScanSpec spec;
    Predicate predicate;
    predicate.column = ColumnId::kSeries;
    predicate.texts = {points.id(static_cast<uint32_t>(i) * 37 % series)};
    spec.filter.predicates = {predicate};
    const TimeNs begin = posix_env()->monotonic();
    auto reader = must(tier->scan(key, spec, &cost));
    BatchSlice slice;
    while (must(reader->next(&slice))) rows += slice.rows();
    ms.push_back(seconds_since(begin) * 1000);
  }
  std::sort(ms.begin(), ms.end());
  fmt::print("    {}: one series p50 {:.2f} ms, {} rows, {:.1f} blocks read\n", label,
             ms[ms.size() / 2], rows / kReads, static_cast<double>(cost.blocks_read) / kReads);
}

void run(const char* name, Kind kind, uint32_t series, uint32_t points, uint64_t piece_rows) {
  TestDirectory directory;
  SqliteTierOptions sqlite_options;
  sqlite_options.directory = directory.file("warm");
  auto sqlite = must(open_sqlite_tier(posix_env(), sqlite_options));
  Points source(kind, series);
  std::vector<BatchSlice> slices;
  Position position = 1, written = 0;
  double seconds = 0;
  for (uint32_t round = 0; round < points; ++round) {
    source.add_round(round, &position, &slices);
    if (position - written <= piece_rows && round + 1 < points) continue;
    const TimeNs begin = posix_env()->monotonic();
    must(sqlite->write(kChunk, slices, position - 1));
    seconds += seconds_since(begin);
    written = position;
    slices.clear();
  }
  ChunkStats stats = must(sqlite->seal(kChunk));
  const auto rows = static_cast<double>(stats.rows);
  fmt::print("  {}, {} series of {}: flushed {:.2f} M/s, {:.3f} bytes a sample\n", name, series,
             points, rows / seconds / 1e6, static_cast<double>(stats.bytes) / rows);
  ChunkKey key = kChunk;
  if (!must(sqlite->is_compressed(kChunk))) {
    key.generation = 1;
    const TimeNs begin = posix_env()->monotonic();
    stats = copy(sqlite.get(), kChunk, sqlite.get(), key);
    fmt::print("    compressed {:.2f} M/s, {:.3f} bytes a sample\n",
               rows / seconds_since(begin) / 1e6, static_cast<double>(stats.bytes) / rows);
  }
  print_columns(sqlite->files(key)[0].path, stats.rows);
  read_series(sqlite.get(), "sqlite", key, source, series);

  ParquetOptions parquet_options;
  parquet_options.directory = directory.file("cold");
  auto parquet = must(open_parquet_tier(posix_env(), parquet_options));
  const TimeNs begin = posix_env()->monotonic();
  stats = copy(sqlite.get(), key, parquet.get(), key);
  fmt::print("    parquet moved {:.2f} M/s, {:.3f} bytes a sample\n",
             rows / seconds_since(begin) / 1e6, static_cast<double>(stats.bytes) / rows);
  read_series(parquet.get(), "parquet", key, source, series);
  must(parquet->verify(key));
}

}  // namespace
}  // namespace firn

int main(int argc, char** argv) {
  const auto argument = [&](int i, uint64_t otherwise) {
    return argc > i ? std::strtoull(argv[i], nullptr, 10) : otherwise;
  };
  const auto series = static_cast<uint32_t>(argument(1, 1'000));
  const auto points = static_cast<uint32_t>(argument(2, 8'640));
  const uint64_t piece_rows = argument(3, 500'000);
  firn::run("walk by +-2.0", firn::Kind::kWalk, series, points, piece_rows);
  firn::run("walk by +-0.3", firn::Kind::kSmallWalk, series, points, piece_rows);
  firn::run("half counters", firn::Kind::kMixed, series, points, piece_rows);
  return 0;
}
