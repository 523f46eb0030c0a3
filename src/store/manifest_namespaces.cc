#include <algorithm>

#include "store/manifest.h"
#include "store/manifest_schema.h"

namespace firn {

namespace {

std::string series_limit_key(NamespaceId id) { return "series_limit/" + std::to_string(id); }

Status add_row(ManifestChange* change, const NamespaceRecord& record) {
  const ManifestValue key[] = {int64_t{record.id}};
  const ManifestValue values[] = {std::string_view(record.name), record.created_at,
                                  record.retention_ns, std::string_view(record.profile.description),
                                  ManifestBytes{record.profile.token_sha256}};
  FIRN_TRY(change->run(kAddNamespace, key, values));
  if (record.series_limit != 0) {
    FIRN_TRY(change->set_meta(series_limit_key(record.id), std::to_string(record.series_limit)));
  }
  return change->set_meta("next_namespace", std::to_string(record.id + 1));
}

Status delete_rows(ManifestChange* change, NamespaceId id) {
  const ManifestValue of_namespace[] = {int64_t{id}};
  for (const ManifestStatement& statement : kDeleteNamespace) {
    FIRN_TRY(change->run(statement, of_namespace, {}));
  }
  return Status();
}

Status load_series_limit(SqliteStatement* statement, NamespaceRecord* record) {
  statement->reset();
  FIRN_TRY(statement->bind_text(1, series_limit_key(record->id)));
  FIRN_ASSIGN(const bool row, statement->step());
  if (row) record->series_limit = static_cast<uint64_t>(statement->column_int64(0));
  return Status();
}

Status load_positions(SqliteStatement* statement, NamespaceRecord* record) {
  FIRN_TRY(statement->bind_int64(1, record->id));
  while (true) {
    FIRN_ASSIGN(const bool row, statement->step());
    if (!row) return Status();
    const size_t dataset = dataset_index(static_cast<Dataset>(statement->column_int64(0)));
    if (dataset >= kDatasetCount) continue;  // of a newer version
    record->next_positions[dataset] = static_cast<Position>(statement->column_int64(1));
  }
}

}  // namespace

Result<std::vector<NamespaceRecord>> Manifest::load_namespaces() {
  MutexLock lock(&read_mutex_);
  FIRN_ASSIGN(SqliteStatement statement,
              read_db_->prepare("SELECT id, name, created_at, retention_ns, description, "
                                "token_sha256 FROM namespaces ORDER BY id"));
  FIRN_ASSIGN(
      SqliteStatement positions,
      read_db_->prepare("SELECT dataset, next_position FROM positions WHERE namespace = ?"));
  FIRN_ASSIGN(SqliteStatement series_limit,
              read_db_->prepare("SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?"));
  std::vector<NamespaceRecord> namespaces;
  while (true) {
    FIRN_ASSIGN(const bool row, statement.step());
    if (!row) return namespaces;
    NamespaceRecord record;
    record.id = static_cast<NamespaceId>(statement.column_int64(0));
    record.name = statement.column_text(1);
    record.created_at = statement.column_int64(2);
    record.retention_ns = statement.column_int64(3);
    record.profile = {std::string(statement.column_text(4)), std::string(statement.column_blob(5))};
    FIRN_TRY(load_positions(&positions, &record));
    FIRN_TRY(load_series_limit(&series_limit, &record));
    namespaces.push_back(std::move(record));
  }
}

std::vector<NamespaceRecord> Manifest::namespaces() const {
  MutexLock lock(&version_mutex_);
  return namespaces_;
}

Result<NamespaceRecord> Manifest::create_namespace(const std::string& name, DurationNs retention,
                                                   TimeNs now, const NamespaceProfile& profile) {
  MutexLock write_lock(&write_mutex_);
  for (const NamespaceRecord& existing : namespaces()) {
    if (existing.name == name) return conflict("namespace '" + name + "' exists");
  }
  NamespaceRecord record;
  record.name = name;
  record.created_at = now;
  record.retention_ns = retention;
  record.profile = profile;
  {
    MutexLock lock(&version_mutex_);
    record.id = next_namespace_;
  }
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(add_row(&change, record));
  FIRN_TRY(commit(&change));
  MutexLock lock(&version_mutex_);
  namespaces_.push_back(record);
  next_namespace_ = record.id + 1;
  return record;
}

bool Manifest::was_deleted(NamespaceId id) const {
  MutexLock lock(&version_mutex_);
  return id != 0 && id < next_namespace_ &&
         std::none_of(namespaces_.begin(), namespaces_.end(),
                      [&](const NamespaceRecord& record) { return record.id == id; });
}

Status Manifest::set_profile(NamespaceId id, const NamespaceProfile& profile) {
  MutexLock write_lock(&write_mutex_);
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  const ManifestValue key[] = {int64_t{id}};
  const ManifestValue values[] = {std::string_view(profile.description),
                                  ManifestBytes{profile.token_sha256}};
  FIRN_TRY(change.run(kSetProfile, key, values));
  FIRN_TRY(commit(&change));
  MutexLock lock(&version_mutex_);
  for (NamespaceRecord& record : namespaces_) {
    if (record.id == id) record.profile = profile;
  }
  return Status();
}

Status Manifest::set_retention(NamespaceId id, DurationNs retention) {
  MutexLock write_lock(&write_mutex_);
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  const ManifestValue key[] = {int64_t{id}}, values[] = {retention};
  FIRN_TRY(change.run(kSetRetention, key, values));
  FIRN_TRY(commit(&change));
  MutexLock lock(&version_mutex_);
  for (NamespaceRecord& record : namespaces_) {
    if (record.id == id) record.retention_ns = retention;
  }
  return Status();
}

Status Manifest::set_series_limit(NamespaceId id, uint64_t limit) {
  MutexLock write_lock(&write_mutex_);
  if (!is_alive(id)) return not_found("the namespace was deleted");
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(change.set_meta(series_limit_key(id), std::to_string(limit)));
  FIRN_TRY(commit(&change));
  MutexLock lock(&version_mutex_);
  for (NamespaceRecord& record : namespaces_) {
    if (record.id == id) record.series_limit = limit;
  }
  return Status();
}

void Manifest::doom_chunks(NamespaceId id) {
  auto next = std::make_shared<ManifestVersion>(*current());
  for (auto& [key, record] : next->chunks) {
    if (key.namespace_id != id || record->state == ChunkState::kDropped) continue;
    auto dropped = std::make_shared<ChunkRecord>(*record);
    dropped->state = ChunkState::kDropped;
    dropped->id_lists = dropped->stream_lists = 0;
    dropped->lease->doomed.store(true);
    dropped->lease = nullptr;
    record = std::move(dropped);
  }
  publish(std::move(next));
}

Result<NamespaceRecord> Manifest::replace_namespace(NamespaceId id, TimeNs now) {
  MutexLock write_lock(&write_mutex_);
  NamespaceRecord record;
  {
    MutexLock lock(&version_mutex_);
    const auto old = std::find_if(namespaces_.begin(), namespaces_.end(),
                                  [&](const NamespaceRecord& known) { return known.id == id; });
    if (old == namespaces_.end()) return not_found("the namespace was deleted");
    record = *old;
    record.id = next_namespace_;
  }
  record.created_at = now;
  record.next_positions = NamespaceRecord().next_positions;
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(delete_rows(&change, id));
  FIRN_TRY(add_row(&change, record));
  FIRN_TRY(commit(&change));
  {
    MutexLock lock(&version_mutex_);
    std::erase_if(namespaces_, [&](const NamespaceRecord& known) { return known.id == id; });
    namespaces_.push_back(record);
    next_namespace_ = record.id + 1;
  }
  doom_chunks(id);
  return record;
}

Status Manifest::delete_namespace(NamespaceId id) {
  MutexLock write_lock(&write_mutex_);
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(delete_rows(&change, id));
  FIRN_TRY(commit(&change));
  {
    MutexLock lock(&version_mutex_);
    std::erase_if(namespaces_, [&](const NamespaceRecord& record) { return record.id == id; });
  }
  doom_chunks(id);
  return Status();
}

}  // namespace firn
