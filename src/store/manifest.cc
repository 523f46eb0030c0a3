#include "store/manifest.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "store/manifest_rows.h"
#include "store/manifest_schema.h"

namespace firn {

namespace {

constexpr int64_t kFormatVersion = 5;
// After each commit the truth is in the file, whose pages are checked: a damaged log would read
// like a shorter one, and what it had committed would be gone without a word.
constexpr SqliteJournal kJournal = SqliteJournal::kRollback;

// The key of a chunk's list.
std::vector<ManifestValue> list_key(const ChunkKey& chunk, uint64_t sequence) {
  const auto key = key_values(chunk);
  std::vector<ManifestValue> values(key.begin(), key.end());
  values.push_back(pattern(sequence));
  return values;
}

Status write_extras(ManifestChange* change, const ChunkRecord& record, const FlushExtras& extras) {
  if (extras.ids != nullptr) {
    const ManifestValue values[] = {ManifestBytes{extras.ids->encoded()}};
    FIRN_TRY(change->run(kAddIds, list_key(record.key, record.id_lists), values));
  }
  if (extras.streams != nullptr) {
    const ManifestValue values[] = {int64_t{extras.streams->is_complete},
                                    ManifestBytes{extras.streams->hashes.encoded()}};
    FIRN_TRY(change->run(kAddStreams, list_key(record.key, record.stream_lists), values));
  }
  for (const auto& [stream, head] : extras.stream_heads) {
    const ManifestValue key[] = {int64_t{record.key.namespace_id}, ManifestBytes{stream}};
    const ManifestValue values[] = {head};
    FIRN_TRY(change->run(kRaiseHead, key, values));
  }
  return Status();
}

Status drop_lists(ManifestChange* change, const ChunkKey& key) {
  FIRN_TRY(change->run(kDropIds, key_values(key), {}));
  return change->run(kDropStreams, key_values(key), {});
}

template <typename Number>
Result<Number> parse_number(const std::string& key, std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return corruption("manifest: meta '" + key + "' is '" + std::string(text) + "', not a number");
  }
  return value;
}

// Keys of meta: "dropped_<dataset>/<namespace>/<start of the interval>".
constexpr std::string_view kDroppedRows = "dropped_";

bool tells_dropped_rows(const ChunkKey& key, RowsGone gone) {
  switch (key.dataset) {
    case Dataset::kSamples:
      return gone != RowsGone::kNone;
    case Dataset::kRollups1:
    case Dataset::kRollups2:
    case Dataset::kRollups3:
      return gone == RowsGone::kSomeSeries;
    default:
      return false;
  }
}

// Adds to what was dropped, and returns through which position that is.
Position add_dropped_rows(const ChunkRecord& record, ManifestVersion* version) {
  const ChunkKey& key = record.key;
  Position& through = version->dropped_rows[{key.namespace_id, key.dataset, key.start}];
  through = std::max(through, record.stats.watermark);
  return through;
}

Status write_dropped_rows(ManifestChange* change, const ChunkRecord& record,
                          const ManifestVersion& before) {
  const ChunkKey& key = record.key;
  ManifestVersion after;
  const auto known = before.dropped_rows.find({key.namespace_id, key.dataset, key.start});
  if (known != before.dropped_rows.end()) after.dropped_rows.insert(*known);
  const Position through = add_dropped_rows(record, &after);
  return change->set_meta(std::string(kDroppedRows) + std::string(dataset_name(key.dataset)) + "/" +
                              std::to_string(key.namespace_id) + "/" + std::to_string(key.start),
                          std::to_string(through));
}

}  // namespace

std::string_view chunk_state_name(ChunkState state) {
  switch (state) {
    case ChunkState::kOpen:
      return "open";
    case ChunkState::kSealed:
      return "sealed";
    case ChunkState::kDropped:
      return "dropped";
    case ChunkState::kCompressed:
      return "compressed";
  }
  return "unknown";
}

namespace {

// Visits the generations of an interval, ascending.
template <typename Visit>
void for_generations(const ManifestVersion& version, ChunkKey interval, Visit visit) {
  interval.generation = 0;
  for (auto it = version.chunks.lower_bound(interval); it != version.chunks.end(); ++it) {
    ChunkKey key = it->first;
    key.generation = 0;
    if (key != interval) break;
    visit(it->second);
  }
}

}  // namespace

Position ManifestVersion::watermark(const ChunkKey& interval) const {
  Position highest = 0;
  for_generations(*this, interval, [&](const ChunkRecordPtr& record) {
    highest = std::max(highest, record->stats.watermark);
  });
  return highest;
}

ChunkRecordPtr ManifestVersion::open_generation(const ChunkKey& interval) const {
  ChunkRecordPtr open;
  for_generations(*this, interval, [&](const ChunkRecordPtr& record) {
    if (record->state == ChunkState::kOpen) open = record;
  });
  return open;
}

std::vector<ChunkRecordPtr> ManifestVersion::live_generations(const ChunkKey& interval) const {
  std::vector<ChunkRecordPtr> live;
  for_generations(*this, interval, [&](const ChunkRecordPtr& record) {
    if (record->state != ChunkState::kDropped) live.push_back(record);
  });
  std::sort(live.begin(), live.end(), [](const ChunkRecordPtr& a, const ChunkRecordPtr& b) {
    return a->stats.watermark < b->stats.watermark;
  });
  return live;
}

uint32_t Manifest::next_generation() const { return next_generation_.load(); }

Result<uint32_t> Manifest::take_generation() {
  MutexLock write_lock(&write_mutex_);
  const uint32_t generation = next_generation_.load();
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(change.set_meta("next_generation", std::to_string(generation + 1)));
  FIRN_TRY(commit(&change));
  skip_generations(generation + 1);
  return generation;
}

Result<std::unique_ptr<Manifest>> Manifest::open(
    Env* env, const std::string& path, bool existing_data, DurationNs chunk_interval_ns,
    std::function<void(const std::string&, const ChunkKey&)> on_unused,
    std::function<void(const Status&)> on_failed_sync) {
  FIRN_ASSIGN(const bool exists, env->exists(path));
  if (!exists && existing_data) {
    return corruption(path +
                      " is missing although the data directory holds chunks or log segments; "
                      "restore a backup, or have a manifest made of what the tiers hold (firn "
                      "restore --rebuild). Firn does not start, because without it all of that "
                      "data would count as leftovers");
  }
  std::unique_ptr<Manifest> manifest(new Manifest());
  manifest->path_ = path;
  manifest->on_unused_ = std::move(on_unused);
  manifest->on_failed_sync_ = std::move(on_failed_sync);
  {
    MutexLock lock(&manifest->write_mutex_);
    FIRN_ASSIGN(manifest->db_, SqliteDb::open(env, path, {.create = true, .journal = kJournal}));
  }
  FIRN_TRY(manifest->create_schema(env, existing_data, chunk_interval_ns).with_context(path));
  {
    MutexLock lock(&manifest->read_mutex_);
    FIRN_ASSIGN(manifest->read_db_, SqliteDb::open(env, path, {.journal = kJournal}));
  }
  FIRN_TRY(manifest->load(chunk_interval_ns).with_context(path));
  return manifest;
}

Status Manifest::create_schema(Env* env, bool existing_data, DurationNs chunk_interval_ns) {
  MutexLock lock(&write_mutex_);
  // A crash may have left the file without its first transaction: then it is as good as new.
  FIRN_ASSIGN(SqliteStatement tables,
              db_->prepare("SELECT count(*) FROM sqlite_master WHERE name = 'meta'"));
  FIRN_ASSIGN(const bool row, tables.step());
  FIRN_CHECK(row);
  const bool present = tables.column_int64(0) != 0;
  tables.reset();
  if (present) return Status();
  if (existing_data) {
    return corruption(
        "is empty although the data directory holds chunks or log segments; restore it "
        "from a backup. Firn does not start, because all of that data would count as "
        "leftovers");
  }
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(db_->exec(kSchema));
  FIRN_TRY(change.set_meta("format_version", std::to_string(kFormatVersion)));
  FIRN_TRY(change.set_meta("chunk_interval_ns", std::to_string(chunk_interval_ns)));
  FIRN_TRY(change.set_meta("next_generation", "0"));
  FIRN_TRY(change.set_meta("next_namespace", "1"));
  FIRN_TRY(change.set_meta("id_secret", std::to_string(env->random_u64())));
  FIRN_TRY(set_wal_begin(Lsn{}, &change));
  FIRN_TRY(set_clock({env->now(), false}, &change));
  return change.commit();
}

Result<std::string> Manifest::meta(const std::string& key) {
  MutexLock lock(&read_mutex_);
  FIRN_ASSIGN(SqliteStatement statement, read_db_->prepare("SELECT value FROM meta WHERE key = ?"));
  FIRN_TRY(statement.bind_text(1, key));
  FIRN_ASSIGN(const bool row, statement.step());
  if (!row) return corruption("manifest: meta '" + key + "' is missing");
  return std::string(statement.column_text(0));
}

Status Manifest::check_content() {
  FIRN_TRY(db_->check_integrity());
  FIRN_ASSIGN(content_sum_, manifest_content_sum(db_.get()));
  FIRN_ASSIGN(SqliteStatement select,
              db_->prepare("SELECT value FROM meta WHERE key = 'content_sum'"));
  FIRN_ASSIGN(const bool row, select.step());
  if (row && std::string_view(select.column_text(0)) == std::to_string(content_sum_)) {
    return Status();
  }
  return corruption(
      "the rows do not fit their sum, so some of them are older than the rest or changed; restore "
      "the manifest from a backup");
}

Status Manifest::load(DurationNs chunk_interval_ns) {
  const auto number = [&](const char* key) -> Result<uint64_t> {
    FIRN_ASSIGN(const std::string text, meta(key));
    return parse_number<uint64_t>(key, text);
  };
  FIRN_ASSIGN(const uint64_t version, number("format_version"));
  if (version != kFormatVersion) {
    return unsupported("manifest format " + std::to_string(version) +
                       " was written by another "
                       "version of Firn; this one reads format " +
                       std::to_string(kFormatVersion));
  }
  {
    MutexLock lock(&write_mutex_);
    FIRN_TRY(check_content());
  }
  FIRN_ASSIGN(const uint64_t interval, number("chunk_interval_ns"));
  if (static_cast<DurationNs>(interval) != chunk_interval_ns) {
    return invalid_argument("chunk_interval is " + format_duration(chunk_interval_ns) +
                            " in the configuration, but this data directory was created with " +
                            format_duration(static_cast<DurationNs>(interval)) +
                            ", which is fixed; set it to that");
  }
  FIRN_ASSIGN(id_secret_, number("id_secret"));
  FIRN_ASSIGN(const uint64_t generation, number("next_generation"));
  next_generation_.store(static_cast<uint32_t>(generation));
  FIRN_ASSIGN(const uint64_t next_namespace, number("next_namespace"));
  FIRN_ASSIGN(const uint64_t wall_clock, number("wall_clock_ns"));
  FIRN_ASSIGN(const uint64_t clock_suspect, number("clock_suspect"));
  clock_at_open_ = {static_cast<TimeNs>(wall_clock), clock_suspect != 0};
  Lsn begin;
  FIRN_ASSIGN(begin.segment, number("wal_begin_segment"));
  FIRN_ASSIGN(begin.offset, number("wal_begin_offset"));
  FIRN_ASSIGN(std::vector<NamespaceRecord> namespaces, load_namespaces());
  {
    MutexLock lock(&version_mutex_);
    wal_begin_ = begin;
    namespaces_ = std::move(namespaces);
    next_namespace_ = static_cast<NamespaceId>(next_namespace);
  }
  return load_chunks();
}

Status Manifest::load_chunks() {
  auto version = std::make_shared<ManifestVersion>();
  {
    MutexLock lock(&read_mutex_);
    FIRN_ASSIGN(
        SqliteStatement statement,
        read_db_->prepare(
            "SELECT namespace, dataset, start_ns, end_ns, generation, tier, state, rows, bytes, "
            "raw_bytes, time_min, time_max, position_min, position_max, watermark, checksum, "
            "created_at, changed_at, keep_until, exported_at, (SELECT count(*) FROM id_lists i "
            "WHERE "
            "i.namespace = c.namespace AND i.dataset = c.dataset AND i.start_ns = c.start_ns AND "
            "i.end_ns = c.end_ns AND i.generation = c.generation), (SELECT count(*) FROM "
            "stream_lists s WHERE s.namespace = c.namespace AND s.dataset = c.dataset AND "
            "s.start_ns = c.start_ns AND s.end_ns = c.end_ns AND s.generation = c.generation) "
            "FROM chunks c"));
    while (true) {
      FIRN_ASSIGN(const bool row, statement.step());
      if (!row) break;
      const auto column = [&](int index) { return statement.column_int64(index); };
      const auto unsigned_column = [&](int index) { return static_cast<uint64_t>(column(index)); };
      auto record = std::make_shared<ChunkRecord>();
      record->key = {static_cast<NamespaceId>(column(0)), static_cast<Dataset>(column(1)),
                     column(2), column(3), static_cast<uint32_t>(column(4))};
      record->tier = statement.column_text(5);
      record->state = static_cast<ChunkState>(column(6));
      record->stats.rows = unsigned_column(7);
      record->stats.bytes = unsigned_column(8);
      record->stats.raw_bytes = unsigned_column(9);
      record->stats.time_min = column(10);
      record->stats.time_max = column(11);
      record->stats.position_min = unsigned_column(12);
      record->stats.position_max = unsigned_column(13);
      record->stats.watermark = unsigned_column(14);
      record->stats.checksum = unsigned_column(15);
      record->created_at = column(16);
      record->changed_at = column(17);
      record->keep_until = column(18);
      record->exported_at = column(19);
      record->id_lists = unsigned_column(20);
      record->stream_lists = unsigned_column(21);
      record->lease = make_lease(record->tier, record->key);
      version->chunks.emplace(record->key, std::move(record));
    }
  }
  FIRN_TRY(load_dropped_rows(version.get()));
  publish(std::move(version));
  return Status();
}

Status Manifest::load_dropped_rows(ManifestVersion* version) {
  MutexLock lock(&read_mutex_);
  FIRN_ASSIGN(SqliteStatement statement,
              read_db_->prepare("SELECT key, value FROM meta WHERE key GLOB 'dropped_*/*/*'"));
  while (true) {
    FIRN_ASSIGN(const bool row, statement.step());
    if (!row) return Status();
    const std::string key(statement.column_text(0));
    const std::string_view what = std::string_view(key).substr(kDroppedRows.size());
    const size_t first = what.find('/'), second = what.find('/', first + 1);
    const auto dataset = parse_dataset(what.substr(0, first));
    if (!dataset) return corruption("manifest: meta '" + key + "' names no dataset");
    FIRN_ASSIGN(const auto id,
                parse_number<NamespaceId>(key, what.substr(first + 1, second - first - 1)));
    FIRN_ASSIGN(const auto start, parse_number<TimeNs>(key, what.substr(second + 1)));
    FIRN_ASSIGN(const auto through, parse_number<Position>(key, statement.column_text(1)));
    version->dropped_rows[{id, *dataset, start}] = through;
  }
}

std::shared_ptr<ChunkLease> Manifest::make_lease(const std::string& tier, const ChunkKey& key) {
  return std::make_shared<ChunkLease>(tier, key, on_unused_);
}

ManifestVersionPtr Manifest::current() const {
  MutexLock lock(&version_mutex_);
  return version_;
}

void Manifest::publish(std::shared_ptr<ManifestVersion> next) {
  ManifestVersionPtr old;  // released outside the lock: a lease may report from its destructor
  MutexLock lock(&version_mutex_);
  next->number = version_ ? version_->number + 1 : 1;
  old = std::move(version_);
  version_ = std::move(next);
}

Lsn Manifest::wal_begin() const {
  MutexLock lock(&version_mutex_);
  return wal_begin_;
}

// SQLite's file layer refuses everything from now on, because a second sync would prove nothing.
Status Manifest::commit(ManifestChange* change) {
  Status status = change->commit();
  if (status.code() == StatusCode::kOutcomeUnknown && on_failed_sync_) {
    on_failed_sync_(
        outcome_unknown("a sync of the manifest failed; restart firn to recover what was synced (" +
                        std::string(status.message()) + ")"));
  }
  return status;
}

Status Manifest::settle() {
  if (!unsettled_.load()) return Status();
  MutexLock write_lock(&write_mutex_);
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(change.set_meta("next_generation", std::to_string(next_generation_.load())));
  FIRN_TRY(commit(&change));
  unsettled_.store(false);
  return Status();
}

void Manifest::skip_generations(uint32_t next) {
  next_generation_.store(std::max(next, next_generation_.load()));
}

Status Manifest::write_record(const ChunkRecord& record, const FlushExtras& extras, bool is_new) {
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(write_chunk(&change, record));
  FIRN_TRY(write_extras(&change, record, extras));
  if (is_new) {
    FIRN_TRY(change.set_meta("next_generation", std::to_string(record.key.generation + 1)));
  }
  if (record.state == ChunkState::kDropped) FIRN_TRY(drop_lists(&change, record.key));
  if (tells_dropped_rows(record.key, extras.gone)) {
    FIRN_TRY(write_dropped_rows(&change, record, *current()));
  }
  return commit(&change);
}

Status Manifest::copy_lists(ManifestChange* change, const std::vector<ChunkRecordPtr>& sources,
                            ChunkRecord* record) {
  const auto key = key_values(record->key);
  // Of a chunk without lists of streams nobody knows which it has; then of the new one neither.
  const bool has_streams =
      std::all_of(sources.begin(), sources.end(),
                  [](const ChunkRecordPtr& source) { return source->stream_lists > 0; });
  for (const ChunkRecordPtr& source : sources) {
    const int64_t from = source->key.generation;
    const ManifestValue ids[] = {from, pattern(record->id_lists)};
    FIRN_TRY(change->run(kCopyIds, key, ids));
    record->id_lists += source->id_lists;
    if (!has_streams) continue;
    const ManifestValue streams[] = {from, pattern(record->stream_lists)};
    FIRN_TRY(change->run(kCopyStreams, key, streams));
    record->stream_lists += source->stream_lists;
  }
  return Status();
}

Status Manifest::write_rewrite(ChunkRecord* record, const std::vector<ChunkRecordPtr>& sources,
                               RowsGone gone) {
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(write_chunk(&change, *record));
  FIRN_TRY(copy_lists(&change, sources, record));
  for (const ChunkRecordPtr& source : sources) {
    ChunkRecord tombstone = *source;
    tombstone.state = ChunkState::kDropped;
    tombstone.changed_at = record->changed_at;
    FIRN_TRY(write_chunk(&change, tombstone));
    FIRN_TRY(drop_lists(&change, source->key));
  }
  if (tells_dropped_rows(record->key, gone)) {
    FIRN_TRY(write_dropped_rows(&change, *record, *current()));
  }
  return commit(&change);
}

Status Manifest::commit_rewrite(ChunkRecord record, const std::vector<ChunkKey>& sources,
                                RowsGone gone) {
  MutexLock write_lock(&write_mutex_);
  const ManifestVersionPtr before = current();
  std::vector<ChunkRecordPtr> replaced;
  for (const ChunkKey& key : sources) {
    const auto found = before->chunks.find(key);
    if (found == before->chunks.end() || found->second->state == ChunkState::kDropped ||
        !is_alive(key.namespace_id)) {
      return not_found("chunk " + key.name() + " was dropped meanwhile");
    }
    replaced.push_back(found->second);
  }
  record.id_lists = record.stream_lists = 0;
  if (Status written = write_rewrite(&record, replaced, gone); !written.ok()) {
    unsettled_.store(true);
    return written;
  }
  unsettled_.store(false);
  auto next = std::make_shared<ManifestVersion>(*before);
  for (const ChunkRecordPtr& source : replaced) {
    auto dropped = std::make_shared<ChunkRecord>(*source);
    dropped->state = ChunkState::kDropped;
    dropped->changed_at = record.changed_at;
    dropped->id_lists = dropped->stream_lists = 0;
    dropped->lease = nullptr;
    source->lease->doomed.store(true);
    next->chunks[source->key] = std::move(dropped);
    ids_cache_.erase(source->key);
    streams_cache_.erase(source->key);
  }
  if (tells_dropped_rows(record.key, gone)) add_dropped_rows(record, next.get());
  record.lease = make_lease(record.tier, record.key);
  const ChunkKey key = record.key;
  next->chunks[key] = std::make_shared<const ChunkRecord>(std::move(record));
  publish(std::move(next));
  return Status();
}

Status Manifest::commit_chunk(ChunkRecord record, const FlushExtras& extras) {
  MutexLock write_lock(&write_mutex_);
  const ManifestVersionPtr before = current();
  const auto found = before->chunks.find(record.key);
  const ChunkRecord* old = found == before->chunks.end() ? nullptr : found->second.get();
  if (!is_alive(record.key.namespace_id) ||
      (old != nullptr && old->state == ChunkState::kDropped)) {
    return not_found("chunk " + record.key.name() + " was dropped meanwhile");
  }
  record.id_lists = old != nullptr ? old->id_lists : 0;
  record.stream_lists = old != nullptr ? old->stream_lists : 0;
  const bool drops = record.state == ChunkState::kDropped;
  if (Status written = write_record(record, extras, old == nullptr); !written.ok()) {
    unsettled_.store(true);
    return written;
  }
  unsettled_.store(false);
  if (old == nullptr) skip_generations(record.key.generation + 1);

  if (extras.ids != nullptr) ++record.id_lists;
  if (extras.streams != nullptr) ++record.stream_lists;
  if (drops) record.id_lists = record.stream_lists = 0;
  if (extras.ids != nullptr || drops) ids_cache_.erase(record.key);
  if (extras.streams != nullptr || drops) streams_cache_.erase(record.key);
  const bool stays = old != nullptr && old->tier == record.tier && !drops;
  if (stays) {
    record.lease = old->lease;
  } else {
    record.lease = drops ? nullptr : make_lease(record.tier, record.key);
    if (old != nullptr && old->lease != nullptr) old->lease->doomed.store(true);
  }
  auto next = std::make_shared<ManifestVersion>(*before);
  const ChunkKey key = record.key;
  if (tells_dropped_rows(key, extras.gone)) add_dropped_rows(record, next.get());
  next->chunks[key] = std::make_shared<const ChunkRecord>(std::move(record));
  publish(std::move(next));
  return Status();
}

bool Manifest::is_alive(NamespaceId id) const {
  MutexLock lock(&version_mutex_);
  return std::any_of(namespaces_.begin(), namespaces_.end(),
                     [&](const NamespaceRecord& ns) { return ns.id == id; });
}

Status Manifest::commit_clock(const ClockRecord& clock) {
  const MutexLock lock(&write_mutex_);
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(set_clock(clock, &change));
  return commit(&change);
}

Status Manifest::commit_trim(Lsn begin, const std::vector<NextPosition>& next_positions,
                             const std::vector<ChunkKey>& needless) {
  MutexLock write_lock(&write_mutex_);
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(set_wal_begin(begin, &change));
  for (const NextPosition& next : next_positions) {
    const ManifestValue key[] = {int64_t{next.id}, static_cast<int64_t>(next.dataset)};
    const ManifestValue values[] = {pattern(next.position)};
    FIRN_TRY(change.run(kRaisePosition, key, values));
  }
  for (const ChunkKey& tombstone : needless) {
    FIRN_TRY(change.run(kForgetTombstone, key_values(tombstone), {}));
  }
  FIRN_TRY(commit(&change));
  if (!needless.empty()) {
    auto next = std::make_shared<ManifestVersion>(*current());
    for (const ChunkKey& key : needless) next->chunks.erase(key);
    publish(std::move(next));
  }
  MutexLock lock(&version_mutex_);
  wal_begin_ = begin;
  return Status();
}

Status Manifest::verify() {
  MutexLock write_lock(&write_mutex_);
  return check_content().with_context("the manifest");
}

}  // namespace firn
