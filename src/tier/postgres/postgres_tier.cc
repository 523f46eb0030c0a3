#include "tier/postgres/postgres_tier.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/mutex.h"
#include "tier/postgres/block_table.h"
#include "tier/postgres/chunk_row.h"
#include "tier/postgres/row_table.h"
#include "tier/postgres/schema.h"
#include "tier/slices.h"

namespace firn {

namespace {

constexpr DurationNs kSealTimeNs = 10 * kMinuteNs;  // statistics and block ranges of a whole chunk

// Of what is just done again, whether it happened or not.
Status to_be_repeated(Status status) {
  if (status.code() != StatusCode::kOutcomeUnknown) return status;
  return unavailable(std::string(status.message()));
}

// The indexes of chunks' blocks, the longest unused ones dropped beyond a size.
class BlockIndexes {
 public:
  std::shared_ptr<BlockIndex> get(int32_t chunk, uint64_t bytes_max) {
    MutexLock lock(&mutex_);
    Entry& entry = entries_[chunk];
    if (entry.index == nullptr) entry.index = std::make_shared<BlockIndex>();
    entry.used = ++uses_;
    std::shared_ptr<BlockIndex> index = entry.index;
    uint64_t bytes = 0;
    for (const auto& [number, other] : entries_) bytes += other.index->cache_bytes();
    while (bytes > bytes_max && entries_.size() > 1) {
      const auto oldest = std::min_element(
          entries_.begin(), entries_.end(),
          [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
      bytes -= oldest->second.index->cache_bytes();
      entries_.erase(oldest);
    }
    return index;
  }
  void forget(int32_t chunk) {
    MutexLock lock(&mutex_);
    entries_.erase(chunk);
  }

 private:
  struct Entry {
    std::shared_ptr<BlockIndex> index;
    uint64_t used = 0;
  };
  Mutex mutex_;
  std::map<int32_t, Entry> entries_ GUARDED_BY(mutex_);
  uint64_t uses_ GUARDED_BY(mutex_) = 0;
};

class PostgresTier : public Tier {
 public:
  PostgresTier(Env* env, const PostgresTierOptions& options)
      : pool_(std::make_shared<SessionPool>(env, options)), packing_(env, "pack") {}

  // Ok also when the server is away.
  Status open() {
    MutexLock lock(&writer_mutex_);
    const Status status = open_writer();
    return status.code() == StatusCode::kUnavailable ? Status() : status;
  }

  std::string_view name() const override { return pool_->options().name; }
  std::string_view backend() const override { return "postgres"; }
  // A write under settings that are weaker is refused (schema.h).
  bool is_durable() const override { return true; }

  Result<ChunkStats> write(const ChunkKey& key, std::span<const BatchSlice> slices,
                           Position through) override;
  Result<ChunkStats> seal(const ChunkKey& key) override;
  Result<bool> is_compressed(const ChunkKey& key) override;
  Status create_compressed(const ChunkKey& key) override;
  Result<std::unique_ptr<BatchReader>> scan(const ChunkKey& key, const ScanSpec& spec,
                                            ScanCost* cost) override;
  Result<AggregateStates> aggregate(const ChunkKey& key, const AggregateSpec& spec,
                                    ScanCost* cost) override;
  Result<ChunkStats> verify(const ChunkKey& key) override;
  Status drop(const ChunkKey& key) override;
  Result<std::vector<ChunkKey>> list() override;
  TierStats stats() const override;
  std::vector<StoredFile> files(const ChunkKey& key) const override;

 private:
  struct Known {
    std::string table;
    ChunkStats stats;
  };
  struct OpenChunk {
    std::unique_ptr<SessionPool::ReadSession> session;
    PostgresChunk chunk;
  };

  Status open_writer() REQUIRES(writer_mutex_);
  Status learn_chunks() REQUIRES(writer_mutex_);
  // Begins a transaction on the session that writes.
  Status begin_write() REQUIRES(writer_mutex_);
  // Runs `work` in a transaction of the session that writes.
  Status transact(const std::function<Status(PostgresConnection*)>& work);
  // Makes a new chunk.
  Status add_chunk(PostgresConnection* connection, PostgresLayout layout, PostgresChunk* chunk);
  // The same for one that is not there yet.
  Status add_compressed_chunk(PostgresConnection* connection, PostgresChunk* chunk);
  // Both leave the chunk as it is afterwards, with stats.bytes.
  Status write_chunk(PostgresConnection* connection, std::span<const BatchSlice> slices,
                     Position through, PostgresChunk* chunk);
  Status seal_chunk(PostgresConnection* connection, PostgresChunk* chunk);
  Status drop_chunk(PostgresConnection* connection, const PostgresChunk& chunk);
  // `complete_through` as in a ScanSpec.
  Result<OpenChunk> open_chunk(const ChunkKey& key, Position complete_through);
  Result<std::unique_ptr<BatchReader>> read(OpenChunk open, const ScanSpec& spec, ScanCost* cost);
  ChunkStats note(const PostgresChunk& chunk);
  Status absent(const ChunkKey& key) const {
    return not_found("chunk " + key.name() + " is not in tier '" + pool_->options().name + "'");
  }

  const std::shared_ptr<SessionPool> pool_;
  BlockIndexes indexes_;
  ParallelTasks packing_;
  Mutex writer_mutex_;  // one transaction at a time; taken before mutex_
  std::unique_ptr<PostgresConnection> writer_ GUARDED_BY(writer_mutex_);
  mutable Mutex mutex_;
  std::map<ChunkKey, Known> known_ GUARDED_BY(mutex_);  // for stats() and files()
};

Status PostgresTier::open_writer() {
  FIRN_ASSIGN(writer_, pool_->connect());
  Status status = to_be_repeated(claim_schema(writer_.get(), *pool_));
  if (status.ok()) status = learn_chunks();
  if (!status.ok()) {
    pool_->note_end(*writer_);
    writer_.reset();
  }
  return status.with_context("tier '" + pool_->options().name + "'");
}

Status PostgresTier::learn_chunks() {
  FIRN_ASSIGN(
      const PostgresRows rows,
      writer_->query(
          pool_->sql(
              "SELECT name, row_count, raw_bytes, layout, chunk, "
              "coalesce(pg_total_relation_size(to_regclass(quote_ident($1) || '.' || CASE layout "
              "WHEN 'rows' THEN 'events_' ELSE 'blocks_' END || chunk)), 0) FROM @.chunks"),
          PostgresParameters().add(pool_->options().schema)));
  MutexLock lock(&mutex_);
  known_.clear();
  for (size_t row = 0; row < rows.rows(); ++row) {
    const auto key = ChunkKey::parse(rows.bytes(row, 0));
    if (!key) continue;
    PostgresChunk chunk;
    chunk.number = static_cast<int32_t>(rows.number(row, 4));
    chunk.layout = rows.bytes(row, 3) == "rows" ? PostgresLayout::kRows : PostgresLayout::kBlocks;
    Known& known = known_[*key];
    known.table = chunk.table();
    known.stats.rows = static_cast<uint64_t>(rows.number(row, 1));
    known.stats.raw_bytes = static_cast<uint64_t>(rows.number(row, 2));
    known.stats.bytes = static_cast<uint64_t>(rows.number(row, 5));
  }
  return Status();
}

Status PostgresTier::begin_write() {
  if (writer_ != nullptr) {
    if (pool_->begin(writer_.get(), "BEGIN READ WRITE")) return Status();
    writer_.reset();
  }
  FIRN_TRY(open_writer());
  return writer_->exec("BEGIN READ WRITE");
}

Status PostgresTier::transact(const std::function<Status(PostgresConnection*)>& work) {
  MutexLock lock(&writer_mutex_);
  FIRN_TRY(begin_write());
  Status status = work(writer_.get());
  writer_->set_answer_timeout(pool_->options().server.answer_timeout_ns);  // seal() takes longer
  if (status.ok()) status = writer_->commit();
  if (status.ok()) return status;
  pool_->note_end(*writer_);
  // Its transaction ends with the session at the latest.
  if (writer_->is_broken() || !writer_->exec("ROLLBACK").ok()) writer_.reset();
  return status.with_context("tier '" + pool_->options().name + "'");
}

ChunkStats PostgresTier::note(const PostgresChunk& chunk) {
  MutexLock lock(&mutex_);
  known_[chunk.key] = {chunk.table(), chunk.counts.stats};
  return chunk.counts.stats;
}

Result<ChunkStats> PostgresTier::write(const ChunkKey& key, std::span<const BatchSlice> slices,
                                       Position through) {
  FIRN_TRY(check_slices(key, slices, through));
  PostgresChunk chunk;
  chunk.key = key;
  FIRN_TRY(transact([&](PostgresConnection* connection) {
    return write_chunk(connection, slices, through, &chunk);
  }));
  return note(chunk);
}

Status PostgresTier::add_chunk(PostgresConnection* connection, PostgresLayout layout,
                               PostgresChunk* chunk) {
  chunk->layout = layout;
  chunk->counts.attributes = pool_->options().promoted_attributes;
  return create_chunk(connection, *pool_, chunk);
}

Status PostgresTier::create_compressed(const ChunkKey& key) {
  if (pool_->options().layout == PostgresLayout::kBlocks) return Status();  // write() does
  PostgresChunk chunk;
  chunk.key = key;
  FIRN_TRY(to_be_repeated(transact(
      [&](PostgresConnection* connection) { return add_compressed_chunk(connection, &chunk); })));
  note(chunk);
  return Status();
}

Status PostgresTier::add_compressed_chunk(PostgresConnection* connection, PostgresChunk* chunk) {
  FIRN_ASSIGN(std::optional<PostgresChunk> stored,
              load_chunk(connection, *pool_, chunk->key, true));
  if (stored) {
    *chunk = std::move(*stored);
    return Status();
  }
  FIRN_TRY(add_chunk(connection, PostgresLayout::kBlocks, chunk));
  return store_chunk(connection, *pool_, *chunk);  // the crc covers the number
}

Result<bool> PostgresTier::is_compressed(const ChunkKey& key) {
  FIRN_ASSIGN(const OpenChunk open, open_chunk(key, 0));
  return open.chunk.layout == PostgresLayout::kBlocks;
}

Status PostgresTier::write_chunk(PostgresConnection* connection, std::span<const BatchSlice> slices,
                                 Position through, PostgresChunk* chunk) {
  FIRN_ASSIGN(std::optional<PostgresChunk> stored,
              load_chunk(connection, *pool_, chunk->key, true));
  if (stored) {
    *chunk = std::move(*stored);
  } else {
    // Plain tables are for events.
    const bool are_events = chunk->key.dataset == Dataset::kEvents;
    FIRN_TRY(add_chunk(connection, are_events ? pool_->options().layout : PostgresLayout::kBlocks,
                       chunk));
  }
  FIRN_TRY(check_durability(connection, *pool_, chunk->table()));
  const Position watermark = chunk->counts.stats.watermark;
  if (through > watermark) {
    std::vector<BatchSlice> fresh;
    for (const BatchSlice& slice : slices) {
      BatchSlice rest = rows_after(slice, watermark);
      if (rest.batch != nullptr) fresh.push_back(std::move(rest));
    }
    FIRN_TRY(chunk->layout == PostgresLayout::kRows
                 ? write_rows(connection, *pool_, fresh, chunk)
                 : write_blocks(connection, *pool_, &packing_, fresh, chunk));
    chunk->counts.stats.watermark = through;
    FIRN_TRY(store_chunk(connection, *pool_, *chunk));
  }
  FIRN_ASSIGN(chunk->counts.stats.bytes, partition_bytes(connection, *pool_, *chunk));
  return Status();
}

Status PostgresTier::seal_chunk(PostgresConnection* connection, PostgresChunk* chunk) {
  FIRN_ASSIGN(std::optional<PostgresChunk> stored,
              load_chunk(connection, *pool_, chunk->key, true));
  if (!stored) return absent(chunk->key);
  *chunk = std::move(*stored);
  FIRN_TRY(check_durability(connection, *pool_, chunk->table()));
  const DurationNs usual = pool_->options().server.answer_timeout_ns;
  const std::string table = pool_->schema() + "." + chunk->table();
  connection->set_answer_timeout(std::max(usual, kSealTimeNs));
  FIRN_TRY(connection->exec("ANALYZE " + table));
  FIRN_TRY(connection
               ->query("SELECT brin_summarize_new_values(i.indexrelid) FROM pg_index i JOIN "
                       "pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam "
                       "WHERE i.indrelid = to_regclass($1) AND a.amname = 'brin'",
                       PostgresParameters().add(table))
               .status());
  FIRN_ASSIGN(chunk->counts.stats.bytes, partition_bytes(connection, *pool_, *chunk));
  return Status();
}

Result<ChunkStats> PostgresTier::seal(const ChunkKey& key) {
  PostgresChunk chunk;
  chunk.key = key;
  FIRN_TRY(
      transact([&](PostgresConnection* connection) { return seal_chunk(connection, &chunk); }));
  return note(chunk);
}

Result<PostgresTier::OpenChunk> PostgresTier::open_chunk(const ChunkKey& key,
                                                         Position complete_through) {
  FIRN_ASSIGN(auto session, pool_->begin_read());
  auto chunk = load_chunk(session->connection(), *pool_, key, false);
  if (!chunk.ok()) return chunk.status().with_context("tier '" + pool_->options().name + "'");
  if (!*chunk) return absent(key);
  const Status complete =
      check_complete_through(key, (*chunk)->counts.stats.watermark, complete_through);
  if (!complete.ok()) return complete.with_context("tier '" + pool_->options().name + "'");
  return OpenChunk{std::move(session), std::move(**chunk)};
}

Result<std::unique_ptr<BatchReader>> PostgresTier::read(OpenChunk open, const ScanSpec& spec,
                                                        ScanCost* cost) {
  if (open.chunk.layout == PostgresLayout::kRows) {
    return read_rows(std::move(open.session), std::move(open.chunk), spec, cost);
  }
  auto index = indexes_.get(open.chunk.number, pool_->options().cache_bytes_max);
  return read_blocks(
      make_block_session(std::move(open.session), std::move(open.chunk), std::move(index)), spec,
      cost);
}

Result<std::unique_ptr<BatchReader>> PostgresTier::scan(const ChunkKey& key, const ScanSpec& spec,
                                                        ScanCost* cost) {
  FIRN_ASSIGN(OpenChunk open, open_chunk(key, spec.complete_through));
  return read(std::move(open), spec, cost);
}

Result<AggregateStates> PostgresTier::aggregate(const ChunkKey& key, const AggregateSpec& spec,
                                                ScanCost* cost) {
  FIRN_ASSIGN(OpenChunk open, open_chunk(key, spec.complete_through));
  if (open.chunk.layout == PostgresLayout::kRows) {
    FIRN_ASSIGN(auto states, aggregate_rows(open.session.get(), open.chunk, spec, cost));
    if (states) return std::move(*states);
  }
  ScanSpec scan_spec;
  scan_spec.filter = spec.filter;
  scan_spec.projection = aggregate_projection(spec);
  FIRN_ASSIGN(const auto reader, read(std::move(open), scan_spec, cost));
  return aggregate_reader(reader.get(), spec);
}

Result<ChunkStats> PostgresTier::verify(const ChunkKey& key) {
  FIRN_ASSIGN(OpenChunk open, open_chunk(key, 0));
  ChunkStats stats = open.chunk.counts.stats;
  FIRN_ASSIGN(stats.bytes, partition_bytes(open.session->connection(), *pool_, open.chunk));
  if (open.chunk.layout == PostgresLayout::kRows) {
    FIRN_TRY(verify_rows(std::move(open.session), open.chunk));
    return stats;
  }
  const auto blocks = make_block_session(std::move(open.session), std::move(open.chunk),
                                         std::make_shared<BlockIndex>());
  FIRN_TRY(verify_blocks(blocks.get()));
  return stats;
}

Status PostgresTier::drop_chunk(PostgresConnection* connection, const PostgresChunk& chunk) {
  FIRN_TRY(connection->exec("DROP TABLE IF EXISTS " + pool_->schema() + "." + chunk.table()));
  return connection
      ->query(pool_->sql("DELETE FROM @.chunks WHERE chunk = $1"),
              PostgresParameters().add(int64_t{chunk.number}))
      .status();
}

Status PostgresTier::drop(const ChunkKey& key) {
  std::optional<PostgresChunk> chunk;
  FIRN_TRY(to_be_repeated(transact([&](PostgresConnection* connection) {
    auto found = find_chunk(connection, *pool_, key);
    if (!found.ok()) return found.status();
    chunk = std::move(*found);
    return chunk ? drop_chunk(connection, *chunk) : Status();
  })));
  if (chunk) indexes_.forget(chunk->number);
  MutexLock lock(&mutex_);
  known_.erase(key);
  return Status();
}

// By the session that writes, which makes the schema where there is none.
Result<std::vector<ChunkKey>> PostgresTier::list() {
  std::vector<ChunkKey> keys;
  FIRN_TRY(to_be_repeated(transact([&](PostgresConnection* connection) {
    const auto rows = connection->query(pool_->sql("SELECT name FROM @.chunks ORDER BY chunk"));
    for (size_t row = 0; rows.ok() && row < rows->rows(); ++row) {
      if (const auto key = ChunkKey::parse(rows->bytes(row, 0))) keys.push_back(*key);
    }
    return rows.status();
  })));
  return keys;
}

TierStats PostgresTier::stats() const {
  TierStats sum;
  MutexLock lock(&mutex_);
  for (const auto& [key, known] : known_) {
    ++sum.chunks;
    sum.rows += known.stats.rows;
    sum.bytes += known.stats.bytes;
  }
  return sum;
}

std::vector<StoredFile> PostgresTier::files(const ChunkKey& key) const {
  MutexLock lock(&mutex_);
  const auto known = known_.find(key);
  if (known == known_.end()) return {};
  return {{pool_->options().schema + "." + known->second.table}};
}

}  // namespace

Status check_postgres_options(const PostgresTierOptions& options) {
  const auto refuse = [&](const std::string& what) {
    return invalid_argument("tier '" + options.name + "': " + what);
  };
  if (options.server.dsn.empty()) {
    return refuse("dsn is needed, such as 'host=/run/postgresql dbname=firn user=firn'");
  }
  FIRN_TRY(check_postgres_dsn(options.server.dsn).with_context("tier '" + options.name + "'"));
  const std::string& schema = options.schema;
  const bool good =
      !schema.empty() && schema.size() <= 40 && !schema.starts_with("pg_") &&
      schema.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos &&
      (schema[0] < '0' || schema[0] > '9');
  if (!good) {
    return refuse("schema '" + schema +
                  "' must be a-z, 0-9 and '_', at most 40 characters, not begin with a digit or "
                  "with pg_");
  }
  if (options.promoted_attributes.size() > kPromotedAttributesMax) {
    return refuse("more than " + std::to_string(kPromotedAttributesMax) + " promoted attributes");
  }
  return Status();
}

Result<std::unique_ptr<Tier>> open_postgres_tier(Env* env, const PostgresTierOptions& options) {
  FIRN_TRY(check_postgres_options(options));
  if (!env->has_real_paths()) return unsupported("a simulation has no PostgreSQL server");
  auto tier = std::make_unique<PostgresTier>(env, options);
  FIRN_TRY(tier->open());
  return std::unique_ptr<Tier>(std::move(tier));
}

}  // namespace firn
