#include <algorithm>

#include "base/mutant.h"
#include "model/checksum.h"
#include "store/mover.h"

// The mover's ways between durable tiers, and out of them (docs/lifecycle.md).

namespace firn {

namespace {

// While it lives the chunks are shown as moving.
class BusyMark {
 public:
  BusyMark(BusyChunks* busy, std::set<ChunkKey> keys) : busy_(busy) { busy_->set(std::move(keys)); }
  ~BusyMark() { busy_->set({}); }
  BusyMark(const BusyMark&) = delete;
  BusyMark& operator=(const BusyMark&) = delete;

 private:
  BusyChunks* const busy_;
};

}  // namespace

Status Mover::seal_chunk(ChunkRecordPtr* record) {
  if ((*record)->is_complete()) return Status();
  const ChunkKey key = (*record)->key;
  // A flush that was interrupted before its manifest commit left rows in the tier that are still
  // memory's. Flushing once more settles them, so that the sealed chunk is exactly its record.
  ChunkKey interval = key;
  interval.generation = 0;
  const NamespacePtr ns = core_->find_namespace(key.namespace_id);
  if (ns == nullptr) return not_found("the namespace of chunk " + key.name() + " was deleted");
  FIRN_TRY(flush_chunk(ns, interval));
  const ManifestVersionPtr version = core_->manifest->current();
  const auto flushed = version->chunks.find(key);
  if (flushed == version->chunks.end()) return not_found("chunk " + key.name() + " was dropped");
  ChunkRecord sealed = *flushed->second;
  FIRN_ASSIGN(sealed.stats, core_->find_tier(sealed.tier)->seal(key));
  if (sealed.stats.watermark != flushed->second->stats.watermark) {
    return corruption("chunk " + key.name() + " in tier " + sealed.tier +
                      " holds rows that neither the manifest nor the log knows");
  }
  sealed.state = ChunkState::kSealed;
  return commit_changed(std::move(sealed), record);
}

Status Mover::commit_changed(ChunkRecord changed, ChunkRecordPtr* record) {
  const ChunkKey key = changed.key;
  changed.changed_at = core_->env->now();
  FIRN_TRY(core_->manifest->commit_chunk(std::move(changed), {}));
  const ManifestVersionPtr after = core_->manifest->current();
  const auto found = after->chunks.find(key);
  if (found == after->chunks.end()) return not_found("chunk " + key.name() + " was dropped");
  *record = found->second;
  return Status();
}

ChunkCopy Mover::copy_of(const ChunkRecord& record, Tier* target, const ChunkKey& target_key) {
  return {.source = core_->find_tier(record.tier),
          .record = &record,
          .target = target,
          .target_key = target_key,
          .piece_bytes = core_->options.move_bytes(),
          .stopping = &core_->stopping};
}

Status Mover::move_chunk(const ChunkRecordPtr& open_record, size_t target_index) {
  ChunkRecordPtr record = open_record;
  Tier* source = core_->find_tier(record->tier);
  Tier* target = core_->tiers[target_index].get();
  const BusyMark busy(&core_->busy_chunks, {record->key});
  FIRN_TRY(leftovers_.check_swept(target));
  FIRN_TRY(seal_chunk(&record));
  FIRN_TRY(check_complete(source, *record));
  // What an interrupted move left behind.
  FIRN_TRY(target->drop(record->key));
  ChunkRecord moved = *record;
  const auto copy = [&]() -> Status {
    FIRN_TRY(copy_chunk(copy_of(*record, target, record->key)).status());
    if (mutant(9)) FIRN_TRY(source->drop(record->key));
    FIRN_ASSIGN(moved.stats, finish_copy(target, record->key, record->stats));
    return {};
  };
  FIRN_TRY(copy_beside_flushes(target, copy));
  moved.tier = target->name();
  moved.state = ChunkState::kSealed;
  moved.keep_until = 0;
  return commit_changed(std::move(moved), &record);
}

Result<ChunkKey> Mover::rewrite(Rewrite work) {
  FIRN_TRY(leftovers_.check_swept(work.target));
  std::set<ChunkKey> keys;
  for (const ChunkRecordPtr& source : work.sources) keys.insert(source->key);
  const BusyMark busy(&core_->busy_chunks, keys);
  ChunkRecord record;
  record.key = work.sources.front()->key;
  record.tier = work.target->name();
  record.state = work.compresses ? ChunkState::kCompressed : ChunkState::kSealed;
  record.keep_until = work.keep_until;
  record.exported_at = INT64_MAX;
  ChunkStats expected;
  for (ChunkRecordPtr& source : work.sources) {
    FIRN_TRY(seal_chunk(&source));
    FIRN_TRY(check_complete(core_->find_tier(source->tier), *source));
    FIRN_CHECK(source->stats.watermark > expected.watermark);
    expected.watermark = source->stats.watermark;
    record.exported_at = std::min(record.exported_at, source->exported_at);  // 0: not all of it
  }
  FIRN_ASSIGN(record.key.generation, core_->manifest->take_generation());
  unfinished_.emplace(record.key, work.target);
  if (work.compresses) FIRN_TRY(work.target->create_compressed(record.key));
  const auto copy = [&]() -> Status {
    for (const ChunkRecordPtr& source : work.sources) {
      CopiedRows copied{source->stats.rows, source->stats.checksum};
      ChunkCopy rows = copy_of(*source, work.target, record.key);
      if (work.without != nullptr) {
        copied = {};
        rows.without = work.without;
        rows.copied = &copied;
      }
      FIRN_TRY(copy_chunk(rows).status());
      expected.rows += copied.rows;
      expected.checksum += copied.checksum;
    }
    FIRN_ASSIGN(record.stats, finish_copy(work.target, record.key, expected));
    return {};
  };
  FIRN_TRY(copy_beside_flushes(work.target, copy));
  record.created_at = record.changed_at = core_->env->now();
  const ChunkKey key = record.key;
  FIRN_TRY(core_->manifest->commit_rewrite(
      std::move(record), {keys.begin(), keys.end()},
      work.without == nullptr ? RowsGone::kNone : RowsGone::kSomeSeries));
  unfinished_.erase(key);
  return key;
}

Result<ChunkKey> Mover::compress(std::vector<ChunkRecordPtr> run) {
  Tier* tier = core_->find_tier(run.front()->tier);
  for (ChunkRecordPtr& record : run) FIRN_TRY(seal_chunk(&record));
  ChunkRecordPtr record = run.front();
  bool is_done = run.size() == 1;
  if (is_done && record->state != ChunkState::kCompressed) {
    FIRN_ASSIGN(is_done, tier->is_compressed(record->key));
  }
  if (!is_done) return rewrite({std::move(run), tier, true, record->keep_until});
  if (record->state == ChunkState::kCompressed) return record->key;
  ChunkRecord compressed = *record;
  compressed.state = ChunkState::kCompressed;
  FIRN_TRY(commit_changed(std::move(compressed), &record));
  return record->key;
}

namespace {

// Ok when what the destination has of the chunk is the beginning of its rows, as an interrupted
// export leaves it.
Status check_beginning(Tier* source, const ChunkRecord& record, const ChunkStats& present,
                       const std::string& destination) {
  uint64_t rows = 0, checksum = 0;
  if (present.watermark <= record.stats.watermark) {
    ScanSpec spec;
    spec.filter.positions = {0, present.watermark + 1};
    spec.complete_through = record.stats.watermark;
    FIRN_ASSIGN(const auto reader, source->scan(record.key, spec, nullptr));
    while (true) {
      BatchSlice slice;
      FIRN_ASSIGN(const bool more, reader->next(&slice));
      if (!more) break;
      rows += slice.rows();
      checksum += rows_checksum(slice);
    }
    if (rows == present.rows && checksum == present.checksum) return Status();
  }
  return conflict("'" + destination + "' holds other rows as chunk " + record.key.name() +
                  ", perhaps of another store; export to another destination");
}

}  // namespace

Status Mover::export_chunk(const ChunkRecordPtr& open_record, Tier* destination) {
  ChunkRecordPtr record = open_record;
  const BusyMark busy(&core_->busy_chunks, {record->key});
  FIRN_TRY(seal_chunk(&record));
  Tier* source = core_->find_tier(record->tier);
  FIRN_TRY(check_complete(source, *record));
  const auto copy = [&]() -> Status {
    Result<ChunkStats> present = destination->verify(record->key);
    const bool is_absent = present.status().code() == StatusCode::kNotFound;
    if (!is_absent) FIRN_TRY(present.status());
    const bool is_there = !is_absent && present->watermark == record->stats.watermark &&
                          present->rows == record->stats.rows &&
                          present->checksum == record->stats.checksum;
    if (is_there) return {};
    if (!is_absent) {
      FIRN_TRY(check_beginning(source, *record, *present, std::string(destination->name())));
    }
    FIRN_TRY(copy_chunk(copy_of(*record, destination, record->key)).status());
    return finish_copy(destination, record->key, record->stats).status();
  };
  FIRN_TRY(copy_beside_flushes(destination, copy));
  ChunkRecord exported = *record;
  exported.exported_at = core_->env->now();
  return commit_changed(std::move(exported), &record);
}

}  // namespace firn
