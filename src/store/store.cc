#include "store/store.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "base/limits.h"
#include "store/backup.h"
#include "store/mover.h"
#include "store/places.h"
#include "store/recovery.h"
#include "store/sequencer.h"
#include "store/series_limit.h"
#include "wal/open_wal.h"

namespace firn {

namespace {

constexpr const char* kDefaultNamespace = "default";

Status check_namespace_name(const std::string& name) {
  const auto is_lower_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  bool good =
      !name.empty() && name.size() <= kLimits.namespace_name_bytes && is_lower_or_digit(name[0]);
  for (const char c : name) good = good && (is_lower_or_digit(c) || c == '-' || c == '_');
  if (good) return Status();
  return invalid_argument("a namespace name must be 1 to " +
                          std::to_string(kLimits.namespace_name_bytes) +
                          " characters a-z, 0-9, '-' or '_', the first a letter or digit");
}

// Each interval of a batch costs a chunk, so a batch may not be scattered over too many.
Status check_intervals(const RecordBatch& batch, DurationNs interval_ns) {
  const auto span = static_cast<double>(batch.time_max()) - static_cast<double>(batch.time_min());
  const auto most = static_cast<double>(kLimits.batch_intervals);
  if (span / static_cast<double>(interval_ns) < most || batch.rows() <= kLimits.batch_intervals) {
    return Status();
  }
  std::set<TimeNs> starts;
  const auto times = batch.int64s(ColumnId::kTime);
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    starts.insert(interval_start(times[row], interval_ns));
    if (starts.size() <= kLimits.batch_intervals) continue;
    return too_large("the batch has times in more than " + std::to_string(kLimits.batch_intervals) +
                     " chunk intervals, the limit batch_intervals. Split it by time");
  }
  return Status();
}

// Tiers index these texts, and a backend's index does not take any length.
Status check_text_lengths(const RecordBatch& batch) {
  constexpr ColumnId kIndexed[] = {ColumnId::kType, ColumnId::kSource, ColumnId::kSubject,
                                   ColumnId::kCorrelationId, ColumnId::kStream};
  for (const ColumnId id : kIndexed) {
    if (!batch.has_column(id)) continue;
    const bool is_stream = id == ColumnId::kStream;
    const uint64_t bytes_max = is_stream ? kLimits.stream_name_bytes : kLimits.type_bytes;
    const StringColumn texts = batch.strings(id);
    for (uint32_t i = 0; i < texts.entries(); ++i) {
      const size_t bytes = texts.entry(i).size();
      if (bytes <= bytes_max) continue;
      return too_large("a " + std::string(find_column(batch.dataset(), id)->name) + " has " +
                       std::to_string(bytes) + " bytes; the limit " +
                       (is_stream ? "stream_name_bytes" : "type_bytes") + " is " +
                       std::to_string(bytes_max));
    }
  }
  return Status();
}

Status check_limits(const RecordBatch& batch) {
  if (batch.size_bytes() > kLimits.batch_bytes) {
    return too_large("the batch has " + std::to_string(batch.size_bytes()) +
                     " bytes; the limit batch_bytes is " + std::to_string(kLimits.batch_bytes) +
                     ". Split it");
  }
  if (batch.rows() > kLimits.batch_events) {
    return too_large("the batch has " + std::to_string(batch.rows()) +
                     " events; the limit batch_events is " + std::to_string(kLimits.batch_events) +
                     ". Split it");
  }
  FIRN_TRY(check_text_lengths(batch));
  if (batch.size_bytes() <= kLimits.event_bytes) return Status();
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    if (batch.row_bytes(row) <= kLimits.event_bytes) continue;
    return too_large("event " + std::to_string(row) + " has " +
                     std::to_string(batch.row_bytes(row)) + " bytes; the limit event_bytes is " +
                     std::to_string(kLimits.event_bytes));
  }
  return Status();
}

NamespaceInfo info_of(const NamespaceState& state) {
  return {state.id,
          state.name,
          state.sequences[dataset_index(Dataset::kEvents)].published.load(),
          state.retention_ns.load(),
          state.created_at.load(),
          state.series_limit.load(),
          state.profile()};
}

// Lets a thread wait for a callback. Shared with the callback, which may outlive the wait.
template <typename T>
struct Waiter {
  Mutex mutex;
  CondVar changed;
  std::optional<T> outcome GUARDED_BY(mutex);

  void set(T value) {
    MutexLock lock(&mutex);
    outcome = std::move(value);
    changed.notify_all();
  }
  T wait() {
    MutexLock lock(&mutex);
    while (!outcome.has_value()) changed.wait(&mutex);
    return std::move(*outcome);
  }
};

}  // namespace

// Declared so that workers stop before what they use goes: sequencer and mover first, then the log,
// then the rest with the core.
struct Store::Parts {
  std::shared_ptr<StoreCore> core = std::make_shared<StoreCore>();
  SeriesLimit series_limit{core};  // stops first, goes last: the log's last answers tell it
  std::unique_ptr<Mover> mover;
  std::unique_ptr<BackupMaker> backups;
  std::unique_ptr<Sequencer> sequencer;
  std::optional<IdTagger> tagger;
  Mutex admin_mutex;  // one change of namespaces at a time
};

Store::Store() : parts_(std::make_unique<Parts>()) {}

// The commit worker and the mover stop first, because both use the log; then the log, whose last
// answers still use the sequencer.
Store::~Store() {
  StoreCore* core = parts_->core.get();
  parts_->series_limit.stop();
  if (parts_->sequencer != nullptr) parts_->sequencer->stop();
  if (parts_->backups != nullptr) parts_->backups->stop();
  if (parts_->mover != nullptr) parts_->mover->stop();
  {
    MutexLock lock(&core->unused->mutex);
    core->unused->wake = nullptr;
  }
  // Records that were not durable yet are dropped; their commits answer "outcome unknown".
  core->wal.reset();
  parts_->sequencer.reset();
  parts_->backups.reset();
  parts_->mover.reset();
  core->directory_lock.reset();  // a snapshot may keep the rest for a while
}

Result<std::unique_ptr<Store>> Store::open(Env* env, StoreOptions options,
                                           const Progress& progress) {
  FIRN_TRY(validate_options(options));
  std::unique_ptr<Store> store(new Store());
  FIRN_TRY(store->open_parts(env, std::move(options), progress));
  return store;
}

Status Store::open_tiers() {
  StoreCore* core = parts_->core.get();
  for (const TierConfig& configured : core->options.tiers) {
    if (configured.backend == "memory") {
      core->memory = std::make_shared<MemoryTier>(core->env, configured.name);
      core->tiers.push_back(core->memory);
      continue;
    }
    FIRN_ASSIGN(std::unique_ptr<Tier> tier, open_tier(core->env, core->options, configured));
    core->tiers.push_back(std::move(tier));
  }
  return Status();
}

Status Store::open_parts(Env* env, StoreOptions options, const Progress& progress) {
  StoreCore* core = parts_->core.get();
  core->env = env;
  core->options = std::move(options);
  core->known_series = std::make_unique<KnownSeries>(core->options.memory_bytes_max / 8);
  const std::string& data_dir = core->options.data_dir;
  if (core->options.read_only) {
    FIRN_ASSIGN(const bool exists, env->exists(join_path(data_dir, "manifest.db")));
    if (!exists) return not_found(data_dir + " holds no Firn store: it has no manifest.db");
  }
  FIRN_TRY(env->create_directories(data_dir).with_context("cannot create the data directory"));
  FIRN_ASSIGN(core->directory_lock, lock_data_dir(env, data_dir));
  FIRN_TRY(open_tiers());

  WalOptions wal_options;
  wal_options.directory = join_path(data_dir, "wal");
  wal_options.type = core->options.wal_type;
  // Nothing is appended to a store that is only read, so nothing needs to be probed.
  wal_options.sync = core->options.read_only ? WalSync::kBuffered : core->options.wal_sync;
  wal_options.segment_bytes = core->options.wal_segment_bytes;
  wal_options.group_bytes_max = core->options.wal_group_bytes;
  wal_options.disk_reserve_bytes = core->options.disk_reserve_bytes;
  FIRN_TRY(env->create_directories(wal_options.directory));
  FIRN_ASSIGN(const auto log_files, env->list_directory(wal_options.directory));
  bool existing_data = !log_files.empty();
  FIRN_ASSIGN(const bool has_manifest, env->exists(join_path(data_dir, "manifest.db")));
  for (const auto& tier : core->tiers) {
    const Result<std::vector<ChunkKey>> chunks = tier->list();
    // A server may be away, but not before it was seen once: it might hold a store's data.
    if (has_manifest && chunks.status().code() == StatusCode::kUnavailable) continue;
    FIRN_TRY(chunks.status());
    existing_data = existing_data || !chunks->empty();
  }
  const auto unused = core->unused;
  FIRN_ASSIGN(
      core->manifest,
      Manifest::open(
          env, join_path(data_dir, "manifest.db"), existing_data, core->options.chunk_interval_ns,
          [unused](const std::string& tier, const ChunkKey& key) {
            MutexLock unused_lock(&unused->mutex);
            unused->chunks.emplace_back(tier, key);
            if (unused->wake) unused->wake();
          },
          [core](const Status& failure) { core->condition.fence(failure); }));
  FIRN_ASSIGN(core->wal, open_wal(env, wal_options));
  parts_->tagger.emplace(core->manifest->id_secret());
  parts_->mover = std::make_unique<Mover>(parts_->core);
  Mover* mover = parts_->mover.get();
  core->wake_mover = [mover] { mover->wake(); };
  FIRN_TRY(recover(progress));
  parts_->sequencer = std::make_unique<Sequencer>(parts_->core);
  core->prune_indexes = [sequencer = parts_->sequencer.get()] { sequencer->prune(); };
  if (!core->condition.accepts_writes()) return Status();
  parts_->series_limit.start();
  mover->start();
  parts_->backups = std::make_unique<BackupMaker>(parts_->core, mover);
  parts_->backups->start();
  MutexLock unused_lock(&unused->mutex);
  unused->wake = core->wake_mover;
  return Status();
}

Status Store::recover(const Progress& progress) {
  StoreCore* core = parts_->core.get();
  FIRN_TRY(load_namespaces(core));
  FIRN_TRY(check_chunk_tiers(*core));
  if (core->options.read_only) {
    core->condition.make_read_only(unavailable("the store was opened for reading only"));
  }
  FIRN_TRY(replay_log(core, parts_->mover.get(), progress));
  FIRN_TRY(parts_->mover->sweep_leftovers(core->condition.accepts_writes()));
  if (core->options.read_only || core->find_namespace(kDefaultNamespace) != nullptr) {
    return Status();
  }
  return put_namespace(kDefaultNamespace, kForever).status();
}

void Store::append(NamespaceId namespace_id, AppendRequest request, AppendCallback done) {
  StoreCore* core = parts_->core.get();
  FIRN_CHECK(request.batch != nullptr);
  if (!core->condition.accepts_writes()) return done(core->condition.refusal());
  const NamespacePtr ns = core->find_namespace(namespace_id);
  if (ns == nullptr) return done(not_found("there is no such namespace"));
  const Status good = check_request(request);
  if (!good.ok()) return done(good);
  if (core->condition.reserve_used()) {
    return done(Status(StatusCode::kNoSpace,
                       "less than the reserve of " + format_size(core->options.disk_reserve_bytes) +
                           " is free where " + core->options.data_dir +
                           " is; appends are taken again when there is room"));
  }
  if (core->memory_in_use() + request.batch->size_bytes() > core->options.memory_bytes_max) {
    core->wake_mover();
    const Status mover_error = core->condition.mover_error();
    std::string why = "the memory budget of " + format_size(core->options.memory_bytes_max) +
                      " is used up by rows that wait for the next tier; try again later";
    if (!mover_error.ok()) why += " (" + std::string(mover_error.message()) + ")";
    return done(unavailable(std::move(why)));
  }
  parts_->sequencer->submit(ns, std::move(request), std::move(done));
}

Status Store::check_request(const AppendRequest& request) const {
  FIRN_TRY(check_limits(*request.batch));
  return check_intervals(*request.batch, options().chunk_interval_ns);
}

Result<AppendResult> Store::append_and_wait(NamespaceId namespace_id, AppendRequest request) {
  auto waiter = std::make_shared<Waiter<Result<AppendResult>>>();
  append(namespace_id, std::move(request),
         [waiter](const Result<AppendResult>& result) { waiter->set(result); });
  return waiter->wait();
}

std::function<Id()> Store::id_source() const {
  Env* env = parts_->core->env;
  const auto unix_ms = static_cast<uint64_t>(env->now() / kMillisecondNs);
  Uuid7Sequence sequence(unix_ms, env->random_u64(), env->random_u64());
  return [tagger = &*parts_->tagger, sequence]() mutable { return tagger->tag(sequence.next()); };
}

Result<NamespaceInfo> Store::find_namespace(std::string_view name) const {
  const NamespacePtr ns = parts_->core->find_namespace(name);
  if (ns != nullptr) return info_of(*ns);
  return not_found("there is no namespace '" + std::string(name) +
                   "'; create it with PUT /api/v1/namespaces/" + std::string(name));
}

std::vector<NamespaceInfo> Store::namespaces() const {
  std::vector<NamespaceInfo> infos;
  for (const NamespacePtr& ns : parts_->core->all_namespaces()) infos.push_back(info_of(*ns));
  return infos;
}

Result<NamespaceInfo> Store::put_namespace(const std::string& name, DurationNs retention_ns) {
  StoreCore* core = parts_->core.get();
  FIRN_TRY(check_namespace_name(name));
  if (retention_ns <= 0) return invalid_argument("retention must be positive, or 'forever'");
  if (!core->condition.accepts_writes()) return core->condition.refusal();
  MutexLock admin_lock(&parts_->admin_mutex);
  if (const NamespacePtr existing = core->find_namespace(name); existing != nullptr) {
    FIRN_TRY(core->manifest->set_retention(existing->id, retention_ns));
    existing->retention_ns.store(retention_ns);
    return info_of(*existing);
  }
  return add_namespace(name, retention_ns, {});
}

Result<NamespaceInfo> Store::set_series_limit(const std::string& name, uint64_t limit) {
  StoreCore* core = parts_->core.get();
  FIRN_TRY(core->options.check_series_limit(limit));
  if (!core->condition.accepts_writes()) return core->condition.refusal();
  MutexLock admin_lock(&parts_->admin_mutex);
  const NamespacePtr ns = core->find_namespace(name);
  if (ns == nullptr) return not_found("there is no namespace '" + name + "'");
  FIRN_TRY(core->manifest->set_series_limit(ns->id, limit));
  ns->series_limit.store(limit);
  return info_of(*ns);
}

Result<NamespaceInfo> Store::create_namespace(const std::string& name,
                                              const NamespaceProfile& profile) {
  FIRN_TRY(check_namespace_name(name));
  if (!parts_->core->condition.accepts_writes()) return parts_->core->condition.refusal();
  MutexLock admin_lock(&parts_->admin_mutex);
  if (parts_->core->find_namespace(name) != nullptr) {
    return conflict("namespace '" + name + "' exists");
  }
  return add_namespace(name, kForever, profile);
}

Result<NamespaceInfo> Store::add_namespace(const std::string& name, DurationNs retention_ns,
                                           const NamespaceProfile& profile) {
  StoreCore* core = parts_->core.get();
  if (core->all_namespaces().size() >= kLimits.namespaces) {
    return too_large("there are " + std::to_string(kLimits.namespaces) +
                     " namespaces, the limit; delete one first");
  }
  FIRN_ASSIGN(const NamespaceRecord record,
              core->manifest->create_namespace(name, retention_ns, core->env->now(), profile));
  return show_namespace(record);
}

NamespaceInfo Store::show_namespace(const NamespaceRecord& record) {
  StoreCore* core = parts_->core.get();
  auto state = std::make_shared<NamespaceState>(record.id, record.name);
  state->retention_ns.store(record.retention_ns);
  state->created_at.store(record.created_at);
  state->series_limit.store(record.series_limit);
  state->set_profile(record.profile);
  MutexLock lock(&core->namespaces_mutex);
  core->namespaces_by_name.insert_or_assign(record.name, state);
  core->namespaces_by_id.emplace(record.id, state);
  return info_of(*state);
}

Status Store::set_namespace_profile(const std::string& name, NamespaceProfile profile) {
  StoreCore* core = parts_->core.get();
  if (!core->condition.accepts_writes()) return core->condition.refusal();
  MutexLock admin_lock(&parts_->admin_mutex);
  const NamespacePtr ns = core->find_namespace(name);
  if (ns == nullptr) return not_found("there is no namespace '" + name + "'");
  FIRN_TRY(core->manifest->set_profile(ns->id, profile));
  ns->set_profile(std::move(profile));
  return Status();
}

Status Store::clear_namespace(const std::string& name) {
  StoreCore* core = parts_->core.get();
  if (!core->condition.accepts_writes()) return core->condition.refusal();
  MutexLock admin_lock(&parts_->admin_mutex);
  const NamespacePtr ns = core->find_namespace(name);
  if (ns == nullptr) return not_found("there is no namespace '" + name + "'");
  FIRN_ASSIGN(const NamespaceRecord record,
              core->manifest->replace_namespace(ns->id, core->env->now()));
  show_namespace(record);
  forget_namespace(ns);
  return Status();
}

Status Store::delete_namespace(const std::string& name) {
  StoreCore* core = parts_->core.get();
  if (!core->condition.accepts_writes()) return core->condition.refusal();
  MutexLock admin_lock(&parts_->admin_mutex);
  if (name == kDefaultNamespace) {
    return invalid_argument("namespace 'default' cannot be deleted; drop its chunks instead");
  }
  const NamespacePtr ns = core->find_namespace(name);
  if (ns == nullptr) return not_found("there is no namespace '" + name + "'");
  FIRN_TRY(core->manifest->delete_namespace(ns->id));
  forget_namespace(ns);
  return Status();
}

void Store::forget_namespace(const NamespacePtr& ns) {
  StoreCore* core = parts_->core.get();
  ns->deleted.store(true);
  {
    MutexLock lock(&core->namespaces_mutex);
    const auto named = core->namespaces_by_name.find(ns->name);
    if (named != core->namespaces_by_name.end() && named->second == ns) {
      core->namespaces_by_name.erase(named);
    }
    core->namespaces_by_id.erase(ns->id);
  }
  for (const Dataset dataset : kDatasets) {
    core->subscribers.notify(ns->id, dataset, kNamespaceGone);
  }
  core->wake_mover();
}

Result<SnapshotPtr> Store::snapshot(NamespaceId namespace_id) const {
  const NamespacePtr ns = parts_->core->find_namespace(namespace_id);
  if (ns == nullptr) return not_found("there is no such namespace");
  return std::make_shared<const Snapshot>(parts_->core, ns);
}

void Store::command(ChunkCommand command, ChunkCommandCallback done) {
  if (!parts_->core->condition.accepts_writes()) {
    return done({parts_->core->condition.refusal(), {}});
  }
  parts_->mover->submit(std::move(command), std::move(done));
}

ChunkCommandResult Store::command_and_wait(ChunkCommand chunk_command) {
  auto waiter = std::make_shared<Waiter<ChunkCommandResult>>();
  command(std::move(chunk_command),
          [waiter](const ChunkCommandResult& result) { waiter->set(result); });
  return waiter->wait();
}

void Store::backup(const std::string& destination, BackupCallback done) {
  StoreCore* core = parts_->core.get();
  if (!core->condition.accepts_writes()) return done(core->condition.refusal());
  const Status known = find_destination(core->options, destination).status();
  if (!known.ok()) return done(known);
  parts_->backups->submit(destination, std::move(done));
}

Result<BackupReport> Store::backup_and_wait(const std::string& destination) {
  auto waiter = std::make_shared<Waiter<Result<BackupReport>>>();
  backup(destination, [waiter](const Result<BackupReport>& report) { waiter->set(report); });
  return waiter->wait();
}

uint64_t Store::subscribe(NamespaceId namespace_id, std::function<void(Position)> on_published,
                          Dataset dataset) {
  return parts_->core->subscribers.add(namespace_id, dataset, std::move(on_published));
}

void Store::unsubscribe(uint64_t subscription) { parts_->core->subscribers.remove(subscription); }

StoreHealth Store::health() const {
  const StoreCore& core = *parts_->core;
  StoreHealth health;
  health.accepts_writes = core.condition.accepts_writes();
  health.fenced = core.condition.fenced();
  health.disk_full = core.condition.disk_full();
  health.clock_suspect = core.condition.clock_suspect();
  if (!health.accepts_writes) health.write_refusal = core.condition.refusal();
  health.mover_error = core.condition.mover_error();
  for (const StrayChunk& stray : core.stray_chunks.all()) {
    health.stray_chunks.push_back(stray.describe());
  }
  health.wal = core.wal->stats();
  health.memory_bytes = core.memory_in_use();
  health.memory_bytes_max = core.options.memory_bytes_max;
  health.queued_bytes = core.queued_bytes.load();
  health.tiers = core.tier_infos();
  return health;
}

SeriesLimit& Store::series_limit() const { return parts_->series_limit; }
KnownSeries& Store::known_series() const { return *parts_->core->known_series; }

const StoreOptions& Store::options() const { return parts_->core->options; }

void Store::confirm_clock() { parts_->core->condition.confirm_clock(); }

VerifyReport Store::verify(const Progress& progress) {
  return verify_store(parts_->core.get(), progress);
}

}  // namespace firn
