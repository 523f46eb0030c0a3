#include "tests/crash/damaged_store.h"

#include <algorithm>

namespace firn {

namespace {

constexpr const char* kManifestPath = "/data/manifest.db";
constexpr uint64_t kNearBytes = 8, kSparseStep = 1021;

bool names_a_place(const std::string& error) {
  return error.find("/data/") != std::string::npos ||
         error.find("ns1-events-") != std::string::npos;
}

FileKind kind_of(const std::string& path, const std::string& cold_backend) {
  const bool journal = path.ends_with("-wal") || path.ends_with("-journal");
  if (path.find("/manifest.db") != std::string::npos) {
    return journal ? FileKind::kManifestJournal : FileKind::kManifest;
  }
  if (path.ends_with(".spare") || path.ends_with(".new")) return FileKind::kSpareLog;
  if (path.find("/wal/") != std::string::npos) return FileKind::kLog;
  if (path.find("/warm/") != std::string::npos) {
    return journal ? FileKind::kBlocksJournal : FileKind::kBlocksChunk;
  }
  if (path.find("/cold/") == std::string::npos) return FileKind::kLock;
  if (cold_backend == "parquet") return FileKind::kParquetChunk;
  return journal ? FileKind::kRowsJournal : FileKind::kRowsChunk;
}

}  // namespace

std::vector<uint64_t> bytes_to_damage(const std::string& content) {
  std::vector<uint64_t> bytes;
  uint64_t near_until = 0;
  for (uint64_t i = 0; i < content.size(); ++i) {
    const uint64_t ahead = i + kNearBytes;
    if (content[i] != 0) near_until = ahead;
    const bool near = i < near_until || (ahead < content.size() && content[ahead] != 0);
    if (near || i % kSparseStep == 0) bytes.push_back(i);
  }
  return bytes;
}

DamagedStore::DamagedStore(uint64_t seed, const StoreOptions& options, uint32_t filler_bytes,
                           Ending ending)
    : machine_(seed) {
  machine_.options = options;
  machine_.options.tiers[1].keep_ns = 36'500 * kDayNs;  // only commands move chunks on
  machine_.filler_bytes = filler_bytes;
  fill(seed, ending);
  disk_ = machine_.env.snapshot();
  files_ = machine_.env.all_files();
}

void DamagedStore::fill(uint64_t seed, Ending ending) {
  FIRN_CHECK(machine_.boot());
  machine_.append(3, 0, true);
  machine_.append_together({1, 5, 2}, 0);
  machine_.command(ChunkAction::kFlush);
  machine_.command(ChunkAction::kMove);
  machine_.append(6, 0, false);
  machine_.command(ChunkAction::kFlush);
  machine_.append(4, 2, true);
  machine_.shut_down();
  for (const std::string& path : machine_.env.all_files()) earlier_files_[path] = content(path);
  // Each power cut makes the log go on in a new segment.
  for (int day = 1; day <= 3; ++day) {
    FIRN_CHECK(machine_.boot());
    machine_.append_together({2, 2}, day);
    if (day == 1) machine_.command(ChunkAction::kFlush);
    machine_.append(3, 2, day == 2);
    machine_.power_cut(CrashMode::kLoseAll, seed);
  }
  FIRN_CHECK(machine_.boot());
  move_one_chunk();
  machine_.append(2, 3, true);
  required_through_ = machine_.sent.back().last;
  machine_.append(2, 2, false);
  if (ending == Ending::kCleanly) required_through_ = machine_.sent.back().last;
  batches_ = machine_.sent.size();
  expected_ = read().rows;
  if (ending == Ending::kCleanly) {
    machine_.shut_down();
  } else {
    machine_.power_cut(CrashMode::kKeepAll, seed);
  }
  if (ending == Ending::kPowerCutInCommit) cut_power_in_commit(seed);
}

// Flushes again and again, with the power going one call later each time, until the first commit is
// about to end: its journal is complete, and the manifest is changed.
void DamagedStore::cut_power_in_commit(uint64_t seed) {
  const auto before = machine_.env.snapshot();
  std::shared_ptr<const SimSnapshot> found;
  for (uint64_t call = 1;; ++call) {
    machine_.env.restore(before);
    FIRN_CHECK(machine_.boot());
    const std::string manifest = content(kManifestPath);
    machine_.env.crash_at(machine_.env.io_count() + call);
    machine_.command(ChunkAction::kFlush);
    if (!machine_.has_crashed()) break;
    machine_.power_cut(CrashMode::kKeepAll, seed);
    const std::vector<std::string> files = machine_.env.all_files();
    const bool has_journal = std::find(files.begin(), files.end(),
                                       std::string(kManifestPath) + "-journal") != files.end();
    const bool in_commit = has_journal && content(kManifestPath) != manifest;
    if (in_commit) found = machine_.env.snapshot();
    if (!in_commit && found != nullptr) break;
  }
  machine_.shut_down();
  FIRN_CHECK(found != nullptr);
  machine_.env.restore(found);
}

void DamagedStore::move_one_chunk() {
  const SnapshotPtr snapshot =
      *machine_.store()->snapshot(machine_.store()->find_namespace("default")->id);
  for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kEvents, Filter{})) {
    if (chunk.tier != "warm") continue;
    machine_.command_on(ChunkAction::kMove, chunk.key.name());
    return;
  }
}

std::string DamagedStore::check_undamaged() {
  const Verdict verdict = judge();
  if (!verdict.problem.empty()) return verdict.problem;
  if (verdict.named) return "an undamaged directory is called damaged";
  restore();
  FIRN_CHECK(machine_.boot());
  std::string problem = machine_.check();
  if (problem.empty() && expected_.size() != machine_.acked_events()) problem = "incomplete";
  restore();
  return problem;
}

std::vector<std::string> DamagedStore::files(FileKind kind) const {
  std::vector<std::string> found;
  for (const std::string& path : files_) {
    if (kind_of(path, machine_.options.tiers[2].backend) == kind) found.push_back(path);
  }
  return found;
}

std::string DamagedStore::earlier_content(const std::string& path) const {
  const auto found = earlier_files_.find(path);
  return found == earlier_files_.end() ? "" : found->second;
}

void DamagedStore::restore() {
  machine_.shut_down();
  machine_.env.restore(disk_);
  machine_.sent.resize(batches_);
}

void DamagedStore::read_chunks(const Snapshot& snapshot, Reading* reading) {
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kEvents, Filter{})) {
    Result<std::unique_ptr<BatchReader>> reader = snapshot.scan(chunk, ScanSpec{}, nullptr);
    while (true) {
      BatchSlice slice;
      const Result<bool> more = reader.ok() ? (*reader)->next(&slice) : reader.status();
      if (!more.ok()) reading->errors.push_back(more.status().to_string());
      if (!more.ok() || !*more) break;
      for (uint32_t i = 0; i < slice.rows(); ++i) {
        const Position position = slice.batch->position(slice.row(i));
        const bool is_new =
            reading->rows.emplace(position, event_line(*slice.batch, slice.row(i))).second;
        if (!is_new) reading->problem = "dup: position " + std::to_string(position);
      }
    }
  }
}

void DamagedStore::read_by_query(const Snapshot& snapshot, Reading* reading) {
  const bool chunks_are_sound = reading->errors.empty();
  EventQuery query;
  query.limit = 10'000;
  const Result<EventPage> page = query_events(snapshot, query, nullptr);
  std::map<Position, std::string> rows;
  if (!page.ok()) {
    reading->errors.push_back(page.status().to_string());
  } else {
    for (const EventRef& event : page->events) {
      rows.emplace(event.batch->position(event.row), event_line(*event.batch, event.row));
    }
    // It may have got on without what a chunk failed at; then it must have got everything.
    const auto& all = chunks_are_sound ? reading->rows : expected_;
    if (rows != all)
      reading->problem = "a query shows other rows than the chunks, without an error";
  }
  const auto count = query_aggregate(snapshot, Dataset::kEvents, AggregateSpec{}, nullptr);
  if (!count.ok()) {
    reading->errors.push_back(count.status().to_string());
    return;
  }
  const uint64_t counted = count->states.empty() ? 0 : count->states.begin()->second.count;
  if (counted != reading->rows.size() && counted != expected_.size()) {
    reading->problem = "wrong count: " + std::to_string(counted);
  }
}

DamagedStore::Reading DamagedStore::read() {
  Reading reading;
  const Result<NamespaceInfo> info = machine_.store()->find_namespace("default");
  if (!info.ok()) return reading;  // then everything is missing
  const SnapshotPtr snapshot = *machine_.store()->snapshot(info->id);
  read_chunks(*snapshot, &reading);
  read_by_query(*snapshot, &reading);
  return reading;
}

std::string DamagedStore::compare(const Reading& reading,
                                  const std::vector<std::string>& evidence) const {
  if (!reading.problem.empty()) return reading.problem;
  bool may_be_changed = false;
  for (const std::string& error : evidence) {
    may_be_changed = may_be_changed || error.starts_with("verify: ns1-events-");
  }
  may_be_changed = may_be_changed && only_verify_finds_changes;
  for (const auto& [position, line] : reading.rows) {
    const auto found = expected_.find(position);
    if (found == expected_.end()) return "ghost: " + line;
    if (found->second == line || may_be_changed) continue;
    return "wrong data: " + line + " instead of " + found->second;
  }
  for (const auto& [position, line] : expected_) {
    if (reading.rows.contains(position) || !evidence.empty()) continue;
    if (position > required_through_) break;
    if (end_may_be_missing && ends_before(reading, position)) break;
    return "lost silently: " + line;
  }
  return "";
}

bool DamagedStore::ends_before(const Reading& reading, Position position) const {
  if (reading.rows.upper_bound(position) != reading.rows.end()) return false;
  return std::any_of(machine_.sent.begin(), machine_.sent.end(),
                     [&](const SentBatch& batch) { return batch.first == position; });
}

std::string DamagedStore::check_files() const {
  const std::vector<std::string> present = machine_.env.all_files();
  for (const std::string& path : files_) {
    if (path.ends_with("-wal") || path.ends_with("-journal") || path.ends_with(".spare") ||
        path.ends_with(".new")) {
      continue;
    }
    if (std::find(present.begin(), present.end(), path) == present.end()) {
      return "removed: " + path;
    }
  }
  return "";
}

std::string DamagedStore::work_on(const std::vector<std::string>& evidence) {
  machine_.append(2, 1, true);
  const SentBatch& batch = machine_.sent.back();
  if (!batch.acked) return evidence.empty() ? "refuses to append" : "";
  const Reading reading = read();
  for (Position position = batch.first; position <= batch.last; ++position) {
    const size_t index = position - batch.first;
    const auto found = reading.rows.find(position);
    if (found == reading.rows.end()) {
      if (reading.errors.empty())
        return "lost silently: a new event at " + std::to_string(position);
    } else if (found->second.find("\"" + batch.tokens[index] + "\"") == std::string::npos) {
      return "order: a new event got the position of " + found->second;
    }
  }
  return "";
}

Verdict DamagedStore::judge() {
  Verdict verdict;
  const Status opened = machine_.try_boot();
  if (!opened.ok()) {
    verdict.named = true;
    if (!names_a_place(opened.to_string())) verdict.problem = "no place: " + opened.to_string();
    if (verdict.problem.empty()) verdict.problem = check_files();
    return verdict;
  }
  machine_.settle();
  const Reading reading = read();
  std::vector<std::string> evidence = reading.errors;
  const StoreHealth health = machine_.store()->health();
  if (!health.accepts_writes) evidence.push_back(health.write_refusal.to_string());
  for (const VerifyFinding& finding : machine_.store()->verify().findings) {
    evidence.push_back("verify: " + finding.file + ": " + finding.status.to_string());
  }
  verdict.named = !evidence.empty();
  for (const std::string& error : evidence) {
    if (!names_a_place(error)) verdict.problem = "no place: " + error;
  }
  if (verdict.problem.empty()) verdict.problem = compare(reading, evidence);
  if (verdict.problem.empty()) verdict.problem = check_files();
  if (verdict.problem.empty() && health.accepts_writes) verdict.problem = work_on(evidence);
  if (!evidence.empty() && !verdict.problem.empty()) verdict.problem += " (" + evidence[0] + ")";
  return verdict;
}

}  // namespace firn
