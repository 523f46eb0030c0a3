#include "query/sql.h"

#include <atomic>

#include "base/mutex.h"

namespace firn {

namespace {

// The rows of all chunks that are not Parquet, one partition per chunk. Notes which were opened.
class SnapshotSource : public BatchSource {
 public:
  SnapshotSource(SnapshotPtr snapshot, std::vector<SnapshotChunk> chunks)
      : snapshot_(std::move(snapshot)), chunks_(std::move(chunks)) {}

  Result<std::vector<Partition>> open(const Projection& projection, const Filter& filter) override {
    std::vector<Partition> partitions;
    for (const SnapshotChunk& chunk : chunks_) {
      if (!may_match(chunk, filter)) {
        pruned_.fetch_add(1);
        continue;
      }
      ScanCost* cost = nullptr;
      {
        MutexLock lock(&mutex_);
        costs_.push_back(
            std::make_unique<std::pair<std::string, ScanCost>>(chunk.tier, ScanCost{}));
        cost = &costs_.back()->second;
      }
      ScanSpec spec;
      spec.filter = filter;
      spec.projection = projection;
      FIRN_ASSIGN(auto reader, snapshot_->scan(chunk, std::move(spec), cost));
      partitions.push_back({std::move(reader), {chunk.tier}, chunk.tier, cost});
    }
    return partitions;
  }

  std::vector<TierPlan> plan(const Filter& filter) const override {
    std::map<std::string, TierPlan> plans;
    for (const SnapshotChunk& chunk : chunks_) {
      TierPlan& plan = plans[chunk.tier];
      plan.tier = chunk.tier;
      ++(may_match(chunk, filter) ? plan.chunks : plan.chunks_pruned);
    }
    std::vector<TierPlan> all;
    all.reserve(plans.size());
    for (const auto& [tier, plan] : plans) all.push_back(plan);
    return all;
  }

  uint64_t rows_estimated() const override {
    uint64_t rows = 0;
    for (const SnapshotChunk& chunk : chunks_) rows += chunk.stats.rows;
    return rows;
  }

  // REQUIRES: no reader is in use any more.
  void add_cost(QueryCost* cost) {
    MutexLock lock(&mutex_);
    for (const auto& entry : costs_) {
      TierCost& tier = cost->tiers[entry->first];
      ++tier.chunks;
      tier.cost.rows_read += entry->second.rows_read;
      tier.cost.bytes_read += entry->second.bytes_read;
      tier.cost.blocks_read += entry->second.blocks_read;
      tier.cost.blocks_pruned += entry->second.blocks_pruned;
    }
    cost->chunks_pruned += pruned_.load();
  }

 private:
  static bool may_match(const SnapshotChunk& chunk, const Filter& filter) {
    return filter.time.overlaps(chunk.stats.time_min, chunk.stats.time_max) &&
           filter.positions.overlaps(chunk.stats.position_min, chunk.stats.position_max);
  }

  const SnapshotPtr snapshot_;
  const std::vector<SnapshotChunk> chunks_;
  std::atomic<uint64_t> pruned_{0};
  Mutex mutex_;
  std::vector<std::unique_ptr<std::pair<std::string, ScanCost>>> costs_ GUARDED_BY(mutex_);
};

// What statements see of rows that can be written again: the last one.
// 2^62 is the flag of deleted samples.
constexpr const char* kLastSamples =
    "SELECT * FROM (SELECT * FROM written QUALIFY row_number() OVER (PARTITION BY series, time "
    "ORDER BY position DESC) = 1) WHERE flags IS NULL OR flags & 4611686018427387904 = 0";
constexpr const char* kLastSeries =
    "SELECT * EXCLUDE (time) FROM written QUALIFY row_number() OVER (PARTITION BY series "
    "ORDER BY time DESC, position DESC) = 1";
// "-" marks what is rolled up (docs/formats/rollups.md).
constexpr const char* kLastRollups =
    "SELECT series, time, duration, count, value AS sum, min, max, first, first_time, last, "
    "last_time, data AS sketch, through, position, tier FROM written WHERE series <> '-' "
    "QUALIFY row_number() OVER (PARTITION BY series, duration, time ORDER BY position DESC) = 1";
constexpr const char* kSpans =
    "SELECT trace_id, span_id, substr(parent_id, 17) AS parent_span_id, type AS name, source, "
    "time AS start_time, duration, metadata ->> '$.kind' AS span_kind, "
    "metadata ->> '$.status.code' AS status, data -> '$.events' AS events, "
    "data -> '$.links' AS links, metadata, context, position, tier "
    "FROM written WHERE kind = 'span'";

// The tables of datasets that a statement may name, and what reading them cost.
class Tables {
 public:
  explicit Tables(SnapshotPtr snapshot) : snapshot_(std::move(snapshot)) {}

  // Tables over the rows of one dataset: each a name and what it shows.
  void add(Dataset dataset, std::initializer_list<std::pair<const char*, const char*>> shown) {
    EventTable table;
    table.dataset = dataset;
    table.extra_columns = {"tier"};
    std::vector<SnapshotChunk> scanned;
    for (SnapshotChunk& chunk : snapshot_->chunks(dataset, Filter{})) {
      if (chunk.backend != "parquet") {
        scanned.push_back(std::move(chunk));
        continue;
      }
      table.parquet.push_back(part_of(chunk));
      parquet_chunks_.push_back({chunk.tier, table.parquet.back().paths});
    }
    if (!scanned.empty()) {
      sources_.push_back(std::make_shared<SnapshotSource>(snapshot_, std::move(scanned)));
      table.batches = sources_.back();
    }
    for (const auto& [name, shows] : shown) {
      table.name = name;
      table.shows = shows;
      tables_.push_back(table);
    }
  }

  std::vector<EventTable> take() { return std::move(tables_); }

  // REQUIRES: no reader is in use any more.
  void add_cost(const SqlSummary& summary, QueryCost* cost) {
    for (const auto& source : sources_) source->add_cost(cost);
    for (const auto& [name, paths] : parquet_chunks_) {
      TierCost read;
      for (const std::string& path : paths) {
        const auto found = summary.parquet_bytes.find(path);
        if (found == summary.parquet_bytes.end()) continue;
        read.chunks = 1;
        read.cost.bytes_read += found->second;
      }
      if (read.chunks == 0) continue;
      TierCost& tier = cost->tiers[name];
      tier.chunks += read.chunks;
      tier.cost.bytes_read += read.cost.bytes_read;
    }
  }

 private:
  ParquetPart part_of(const SnapshotChunk& chunk) const {
    ParquetPart part;
    for (StoredFile& file : snapshot_->files(chunk)) {
      if (file.last < chunk.owned.to) ++part.whole_paths;
      part.paths.push_back(std::move(file.path));
    }
    part.positions = chunk.owned;
    part.extras = {chunk.tier};
    part.env = snapshot_->file_env(chunk);
    part.tier = chunk.tier;
    part.time_min = chunk.stats.time_min;
    part.time_max = chunk.stats.time_max;
    part.position_min = chunk.stats.position_min;
    part.position_max = chunk.stats.position_max;
    return part;
  }

  const SnapshotPtr snapshot_;
  std::vector<EventTable> tables_;
  std::vector<std::shared_ptr<SnapshotSource>> sources_;
  std::vector<std::pair<std::string, std::vector<std::string>>> parquet_chunks_;  // tier, files
};

SqlScalar number(uint64_t value) { return static_cast<int64_t>(value); }

SqlScalar time_or_null(TimeNs time, bool present) {
  if (!present) return SqlScalar{};
  return SqlTime{time};
}

ValueTable chunks_table(const SnapshotPtr& snapshot) {
  ValueTable table;
  table.name = "chunks";
  table.columns = {{"name", SqlColumnType::kText},          {"dataset", SqlColumnType::kText},
                   {"tier", SqlColumnType::kText},          {"backend", SqlColumnType::kText},
                   {"state", SqlColumnType::kText},         {"start", SqlColumnType::kTime},
                   {"end", SqlColumnType::kTime},           {"generation", SqlColumnType::kInt64},
                   {"rows", SqlColumnType::kInt64},         {"bytes", SqlColumnType::kInt64},
                   {"raw_bytes", SqlColumnType::kInt64},    {"time_min", SqlColumnType::kTime},
                   {"time_max", SqlColumnType::kTime},      {"position_min", SqlColumnType::kInt64},
                   {"position_max", SqlColumnType::kInt64}, {"ratio", SqlColumnType::kDouble},
                   {"keep_until", SqlColumnType::kTime},    {"exported_at", SqlColumnType::kTime}};
  table.load = [snapshot]() -> Result<std::vector<std::vector<SqlScalar>>> {
    std::vector<std::vector<SqlScalar>> rows;
    for (const SnapshotChunk& chunk : snapshot->all_chunks()) {
      const ChunkStats& stats = chunk.stats;
      const bool any = stats.rows > 0;
      const std::optional<double> ratio = chunk.compression_ratio();
      rows.push_back(
          {chunk.key.name(), std::string(dataset_name(chunk.key.dataset)), chunk.tier,
           chunk.backend, std::string(snapshot->state_name(chunk)), SqlTime{chunk.key.start},
           SqlTime{chunk.key.end}, number(chunk.key.generation), number(stats.rows),
           number(stats.bytes), number(stats.raw_bytes), time_or_null(stats.time_min, any),
           time_or_null(stats.time_max, any), number(any ? stats.position_min : 0),
           number(stats.position_max), ratio.has_value() ? SqlScalar(*ratio) : SqlScalar(),
           time_or_null(chunk.keep_until, chunk.keep_until != 0),
           time_or_null(chunk.exported_at, chunk.exported_at != 0)});
    }
    return rows;
  };
  return table;
}

ValueTable tiers_table(const SnapshotPtr& snapshot) {
  ValueTable table;
  table.name = "tiers";
  table.columns = {{"name", SqlColumnType::kText},  {"backend", SqlColumnType::kText},
                   {"keep", SqlColumnType::kText},  {"chunks", SqlColumnType::kInt64},
                   {"rows", SqlColumnType::kInt64}, {"bytes", SqlColumnType::kInt64}};
  table.load = [snapshot]() -> Result<std::vector<std::vector<SqlScalar>>> {
    std::vector<std::vector<SqlScalar>> rows;
    for (const TierInfo& tier : snapshot->tiers()) {
      rows.push_back({tier.name, tier.backend, format_duration(tier.keep_ns),
                      number(tier.stats.chunks), number(tier.stats.rows),
                      number(tier.stats.bytes)});
    }
    return rows;
  };
  return table;
}

// Runs the query by `run`, which gets what the engine needs to know.
template <typename Run>
Result<SqlOutcome> run_over_tables(const SnapshotPtr& snapshot, const SqlQuery& query,
                                   const Run& run) {
  SqlRequest request;
  request.sql = query.sql;
  request.parameters = query.parameters;
  request.time_limit_ns = query.time_limit_ns;
  request.rows_limit = query.rows_limit;
  request.control = query.control;

  Tables tables(snapshot);
  tables.add(Dataset::kEvents, {{"events", ""}, {"spans", kSpans}});
  tables.add(Dataset::kSamples, {{"samples", kLastSamples}, {"samples_written", ""}});
  tables.add(Dataset::kSeries, {{"series", kLastSeries}, {"series_written", ""}});
  tables.add(Dataset::kRollups1, {{"rollups_1", kLastRollups}});
  tables.add(Dataset::kRollups2, {{"rollups_2", kLastRollups}});
  tables.add(Dataset::kRollups3, {{"rollups_3", kLastRollups}});
  request.event_tables = tables.take();
  request.value_tables.push_back(chunks_table(snapshot));
  request.value_tables.push_back(tiers_table(snapshot));

  SqlOutcome outcome;
  FIRN_ASSIGN(outcome.summary, run(request));
  tables.add_cost(outcome.summary, &outcome.cost);
  return outcome;
}

}  // namespace

Result<SqlOutcome> run_sql(Engine* engine, const SnapshotPtr& snapshot, const SqlQuery& query,
                           ResultSink* sink) {
  return run_over_tables(snapshot, query,
                         [&](const SqlRequest& request) { return engine->run(request, sink); });
}

Result<SqlOutcome> run_sql(Engine* engine, const SnapshotPtr& snapshot, const SqlQuery& query,
                           SqlEncoding encoding, ByteSink* sink) {
  return run_over_tables(snapshot, query, [&](const SqlRequest& request) {
    return engine->run(request, encoding, sink);
  });
}

}  // namespace firn
