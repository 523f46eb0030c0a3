#include <algorithm>

#include "base/mutant.h"
#include "store/flush_extras.h"
#include "store/mover.h"

// The mover's way from memory to the second tier.

namespace firn {

namespace {

constexpr int kFlushesPerStep = 16;

}  // namespace

// Leaves some of the work to the next step when there is much of it, so that commands and the other
// policies get their turn.
Status Mover::relieve_pressure() {
  // What indexes occupy, rows cannot. They shrink behind a flush, when the commit worker gets to
  // it.
  const uint64_t flush_bytes = core_->options.flush_bytes();
  const uint64_t rows_bytes_max = flush_bytes - std::min(flush_bytes, core_->index_bytes.load());
  for (int flushes = 0; core_->memory->memory_bytes() > rows_bytes_max; ++flushes) {
    if (core_->stopping.load()) return Status();
    if (flushes == kFlushesPerStep) {
      worker_.notify();
      return Status();
    }
    FIRN_ASSIGN(const bool flushed, flush_largest());
    if (!flushed) break;
    FIRN_TRY(trim_log());
  }
  return Status();
}

Result<bool> Mover::flush_largest() {
  if (core_->tiers.size() < 2) return false;
  struct Candidate {
    uint64_t bytes;
    NamespacePtr ns;
    ChunkKey key;
  };
  std::vector<Candidate> candidates;
  for (const NamespacePtr& ns : core_->all_namespaces()) {
    for (const MemoryChunkInfo& chunk : memory_chunks(ns)) {
      const Position published = ns->positions(chunk.key.dataset).published.load();
      if (chunk.stats.position_min > published) continue;
      candidates.push_back({chunk.stats.bytes, ns, chunk.key});
    }
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.bytes > b.bytes; });
  Status first;
  for (const Candidate& candidate : candidates) {
    const Position through = candidate.ns->positions(candidate.key.dataset).published.load();
    // A piece that ends within a run of memory frees nothing yet.
    Result<FlushedPiece> piece = FlushedPiece{.more = true};
    while (piece.ok() && piece->more && !piece->freed) {
      piece = flush_piece(candidate.ns, candidate.key, through);
    }
    if (piece.ok() && piece->freed) return true;
    // One chunk that cannot be flushed must not keep the others in memory.
    if (first.ok()) first = piece.status();
  }
  if (!first.ok()) return first;
  return false;
}

Status Mover::flush_chunk(const NamespacePtr& ns, const ChunkKey& interval) {
  return flush_through(ns, interval, ns->positions(interval.dataset).published.load());
}

Status Mover::flush_through(const NamespacePtr& ns, const ChunkKey& interval, Position through) {
  while (true) {
    FIRN_ASSIGN(const FlushedPiece piece, flush_piece(ns, interval, through));
    if (!piece.more) return Status();
    if (core_->stopping.load()) return cancelled("the store is closing");
  }
}

// No other flush comes between, so no chunk has a row above the cut.
Result<ManifestVersionPtr> Mover::make_cut(const std::string& manifest_path) {
  if (core_->tiers.size() < 2) {
    return unsupported(
        "a store that has only a memory tier cannot be backed up while it runs; give it a durable "
        "tier below");
  }
  FIRN_TRY(core_->manifest->settle());
  std::vector<NextPosition> next;
  for (const NamespacePtr& ns : core_->all_namespaces()) {
    std::array<Position, kDatasetCount> through{};
    for (const Dataset dataset : kDatasets) {
      const Position published = ns->positions(dataset).published.load();
      through[dataset_index(dataset)] = published;
      next.push_back({ns->id, dataset, published + 1});
    }
    for (const MemoryChunkInfo& chunk : memory_chunks(ns)) {
      FIRN_TRY(flush_through(ns, chunk.key, through[dataset_index(chunk.key.dataset)]));
    }
  }
  FIRN_TRY(core_->manifest->commit_trim(core_->manifest->wal_begin(), next, {}));
  return core_->manifest->copy_to(core_->env, manifest_path);
}

Status Mover::collect(const MemorySnapshot& memory, const ChunkKey& interval,
                      PositionRange positions, uint64_t bytes_max, Collected* found) {
  found->through = positions.to - 1;
  ScanSpec spec;
  spec.filter.positions = positions;
  spec.order = ScanOrder::kPositionAscending;
  Result<std::unique_ptr<BatchReader>> scanned = memory.scan(interval, spec, nullptr);
  if (scanned.status().code() == StatusCode::kNotFound) return Status();  // nothing is there
  FIRN_ASSIGN(const auto reader, std::move(scanned));
  uint64_t bytes = 0;
  while (true) {
    BatchSlice slice;
    FIRN_ASSIGN(const bool more, reader->next(&slice));
    if (!more) break;
    if (bytes >= bytes_max) {
      const BatchSlice& last = found->slices.back();
      found->through = last.batch->position(last.row(last.rows() - 1));
      break;
    }
    bytes += slice.size_bytes();
    found->slices.push_back(std::move(slice));
  }
  return Status();
}

ChunkRecord Mover::new_generation(const ChunkKey& interval, const Tier& target) const {
  ChunkRecord record;
  record.key = interval;
  record.key.generation = core_->manifest->next_generation();
  record.tier = target.name();
  record.created_at = core_->env->now();
  return record;
}

Result<Mover::FlushedPiece> Mover::flush_piece(const NamespacePtr& ns, const ChunkKey& interval,
                                               Position through) {
  const MemorySnapshot memory = core_->memory->snapshot();
  const ManifestVersionPtr version = core_->manifest->current();
  const Position watermark = version->watermark(interval);
  Collected rows;
  FIRN_TRY(collect(memory, interval, {watermark + 1, through + 1},
                   core_->options.flush_piece_bytes(), &rows));
  if (rows.slices.empty()) {
    return FlushedPiece{.freed = core_->memory->release(interval, std::min(watermark, through))};
  }
  Tier* target = core_->tiers[1].get();
  FIRN_TRY(leftovers_.check_swept(target));
  const ChunkRecordPtr open = version->open_generation(interval);
  const bool goes_on = open != nullptr && open->tier == target->name();
  ChunkRecord record = goes_on ? *open : new_generation(interval, *target);
  if (!goes_on) unfinished_.emplace(record.key, target);
  // More rows must not hide that earlier ones are gone.
  const Status complete = goes_on ? check_complete(target, record) : Status();
  Result<ChunkStats> written =
      complete.ok() ? target->write(record.key, rows.slices, rows.through) : complete;
  if (goes_on && written.status().code() == StatusCode::kCorruption) {
    // The damaged generation stays as it is, for reading what can be read and for verify to name;
    // what arrives from now on must not wait for it.
    record = new_generation(interval, *target);
    unfinished_.emplace(record.key, target);
    written = target->write(record.key, rows.slices, rows.through);
  }
  FIRN_ASSIGN(record.stats, std::move(written));
  record.changed_at = core_->env->now();
  if (record.stats.watermark > ns->positions(interval.dataset).published.load()) {
    // A flush that was interrupted before its manifest commit came further than the replay has: its
    // rows' ids and stream positions are not known yet.
    return unavailable("chunk " + record.key.name() + " waits for the rest of the log");
  }
  if (record.stats.watermark > rows.through) {
    // Such a flush again, but all its rows are here: they are committed now.
    rows = Collected();
    FIRN_TRY(
        collect(memory, interval, {watermark + 1, record.stats.watermark + 1}, UINT64_MAX, &rows));
  }
  FlushExtras extras = extras_of(rows.slices, IdTagger(core_->manifest->id_secret()));
  if (mutant(17)) extras.ids = nullptr;
  if (mutant(10)) core_->memory->release(interval, rows.through);
  const ChunkKey key = record.key;
  FIRN_TRY(core_->manifest->commit_chunk(std::move(record), extras));
  unfinished_.erase(key);
  const bool freed = core_->memory->release(interval, rows.through);
  log_may_shrink_ = true;
  update_flushed_through();
  return FlushedPiece{.more = rows.through < through, .freed = freed};
}

void Mover::update_flushed_through() {
  for (const NamespacePtr& ns : core_->all_namespaces()) {
    // Published first: what arrives meanwhile is above it.
    std::array<Position, kDatasetCount> through{};
    for (size_t i = 0; i < kDatasetCount; ++i) through[i] = ns->sequences[i].published.load();
    for (const MemoryChunkInfo& chunk : memory_chunks(ns)) {
      Position& of_dataset = through[dataset_index(chunk.key.dataset)];
      if (chunk.stats.rows > 0) of_dataset = std::min(of_dataset, chunk.stats.position_min - 1);
    }
    for (size_t i = 0; i < kDatasetCount; ++i) {
      std::atomic<Position>& flushed = ns->sequences[i].flushed_through;
      flushed.store(std::max(through[i], flushed.load()));
    }
  }
  core_->prune_indexes();
}

}  // namespace firn
