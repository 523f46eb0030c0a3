#include "wal/rocksdb_log.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <charconv>

#include "base/size.h"
#include "wal/rocksdb_marks.h"

namespace firn::wal {

namespace {

// Records in memory that are in RocksDB's log but in no table yet; as much is read back at a start.
constexpr uint64_t kMemoryBytes = 128 * kMiB;
constexpr uint64_t kMemtableBytes = 64 * kMiB;
constexpr uint64_t kArenaBytes = 256 * kKiB;
constexpr uint64_t kTableBlockBytes = 64 * kKiB;
constexpr uint64_t kReadAheadBytes = 2 * kMiB;
constexpr uint64_t kKeptBatchBytes = 16 * kMiB;  // a larger batch lets go of its memory
constexpr size_t kIdDigits = 20;
constexpr size_t kKeyBytes = sizeof(uint64_t);

// RocksDB's own diary would be a file that grows; what matters comes back as a Status.
class NoDiary final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::DBOptions database_options(rocksdb::Env* env, bool accept_torn_end) {
  rocksdb::DBOptions options;
  options.env = env;
  options.info_log = std::make_shared<NoDiary>();
  options.wal_recovery_mode = accept_torn_end ? rocksdb::WALRecoveryMode::kPointInTimeRecovery
                                              : rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  options.paranoid_checks = true;
  options.track_and_verify_wals_in_manifest = true;
  options.verify_sst_unique_id_in_manifest = true;
  options.write_dbid_to_manifest = true;  // the marks' log id must not depend on one small file
  options.avoid_flush_during_recovery = false;  // what recovery shows is durable by that
  options.max_bgerror_resume_count = 0;         // nothing is tried again
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(kMemoryBytes, nullptr, /*allow_stall=*/true);
  options.max_total_wal_size = kMemoryBytes;
  options.max_open_files = 128;
  options.max_file_opening_threads = 1;
  options.max_background_jobs = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.db_host_id = "";
  return options;
}

// Segments are written once, read at a start, and dropped as a whole: nothing to compact.
rocksdb::ColumnFamilyOptions segment_options() {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kMemtableBytes;
  options.arena_block_size = kArenaBytes;
  options.disable_auto_compactions = true;
  options.compression = rocksdb::kNoCompression;
  options.paranoid_file_checks = true;  // before the other copy, in the log, is removed
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  table.block_size = kTableBlockBytes;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

std::string segment_name(uint64_t id, uint64_t first_number) {
  return fmt::format("{:020}-{:020}", id, first_number);
}

std::optional<std::pair<uint64_t, uint64_t>> parse_segment_name(const std::string& name) {
  uint64_t id = 0;
  uint64_t first_number = 0;
  const char* end = name.data() + name.size();
  const auto read_id = std::from_chars(name.data(), end, id);
  if (read_id.ec != std::errc() || name.size() != 2 * kIdDigits + 1) return std::nullopt;
  const auto read_first = std::from_chars(name.data() + kIdDigits + 1, end, first_number);
  if (read_first.ec != std::errc() || name != segment_name(id, first_number)) return std::nullopt;
  return std::make_pair(id, first_number);
}

// Big-endian, so that keys are in the order of the numbers.
void encode_key(uint64_t number, char* key) { store_le(key, __builtin_bswap64(number)); }
std::optional<uint64_t> decode_key(const rocksdb::Slice& key) {
  if (key.size() != kKeyBytes) return std::nullopt;
  return __builtin_bswap64(load_le<uint64_t>(key.data()));
}

}  // namespace

RocksdbLog::RocksdbLog(Env* env, std::string directory)
    : env_(env),
      directory_(std::move(directory)),
      files_(std::make_unique<RocksdbFiles>(env)),
      group_(std::make_unique<rocksdb::WriteBatch>()) {}

RocksdbLog::~RocksdbLog() { close(); }

void RocksdbLog::close() {
  if (database_ == nullptr) return;
  {
    const MutexLock lock(&mutex_);
    for (const Segment& segment : segments_) {
      (void)database_->DestroyColumnFamilyHandle(segment.handle);
    }
    segments_.clear();
  }
  if (default_handle_ != nullptr) (void)database_->DestroyColumnFamilyHandle(default_handle_);
  default_handle_ = nullptr;
  (void)database_->Close();
  database_.reset();
}

uint64_t RocksdbLog::record_bytes(uint64_t payload_bytes) { return kKeyBytes + payload_bytes; }

// --- Opening ------------------------------------------------------------------------------------

Status RocksdbLog::open(Access access) {
  Status status = check_files();
  if (status.ok()) status = open_database(access, /*accept_torn_end=*/false);
  if (status.code() == StatusCode::kCorruption) status = judge(status, access);
  // RocksDB overlooks some failures at first; nothing could be written after them.
  FIRN_TRY(files_->failure());
  if (status.code() != StatusCode::kCorruption) return status;
  damage_ = damage_of(status);
  return {};
}

// Without CURRENT RocksDB would begin a new database over what is there.
Status RocksdbLog::check_files() const {
  FIRN_ASSIGN(const std::vector<DirectoryEntry> entries, env_->list_directory(directory_));
  bool has_current = false;
  bool has_records = false;
  for (const DirectoryEntry& entry : entries) {
    if (entry.name == "CURRENT") has_current = true;
    if (entry.name.ends_with(".log") || entry.name.ends_with(".sst")) has_records = true;
  }
  if (has_current || !has_records) return {};
  return corruption(fmt::format("{}: the file is missing, but records are there",
                                join_path(directory_, "CURRENT")));
}

Status RocksdbLog::open_database(Access access, bool accept_torn_end) {
  close();
  rocksdb::DBOptions options = database_options(files_->rocksdb_env(), accept_torn_end);
  FIRN_ASSIGN(const bool exists, env_->exists(join_path(directory_, "CURRENT")));
  if (!exists && access == Access::kRead) return {};
  options.create_if_missing = !exists;
  std::vector<std::string> names = {rocksdb::kDefaultColumnFamilyName};
  if (exists) {
    names.clear();
    FIRN_TRY(files_->to_status(rocksdb::DB::ListColumnFamilies(options, directory_, &names)));
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.reserve(names.size());
  for (const std::string& name : names) families.emplace_back(name, segment_options());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* database = nullptr;
  FIRN_TRY(files_->to_status(
      access == Access::kWrite
          ? rocksdb::DB::Open(options, directory_, families, &handles, &database)
          : rocksdb::DB::OpenForReadOnly(options, directory_, families, &handles, &database)));
  database_.reset(database);
  FIRN_TRY(adopt(handles));
  FIRN_TRY(files_->to_status(database_->GetDbIdentity(log_id_)));
  return find_end();
}

Status RocksdbLog::adopt(const std::vector<rocksdb::ColumnFamilyHandle*>& handles) {
  std::string unknown;
  const MutexLock lock(&mutex_);
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    const auto parsed = parse_segment_name(handle->GetName());
    if (parsed.has_value()) {
      segments_.push_back({parsed->first, parsed->second, 0, handle});
    } else if (handle->GetName() == rocksdb::kDefaultColumnFamilyName) {
      default_handle_ = handle;
    } else {
      unknown = handle->GetName();
      (void)database_->DestroyColumnFamilyHandle(handle);
    }
  }
  if (!unknown.empty()) {
    return corruption(directory_ + ": a column family '" + unknown + "' is no segment of a log");
  }
  std::sort(segments_.begin(), segments_.end(),
            [](const Segment& a, const Segment& b) { return a.id < b.id; });
  for (size_t i = 1; i < segments_.size(); ++i) {
    if (segments_[i].id == segments_[i - 1].id + 1) continue;
    return corruption(
        fmt::format("{}: log segment {} is missing", directory_, segments_[i - 1].id + 1));
  }
  return {};
}

Status RocksdbLog::find_end() {
  const MutexLock lock(&mutex_);
  if (segments_.empty()) return {};
  const Segment& newest = segments_.back();
  next_number_ = newest.first_number;
  const std::unique_ptr<rocksdb::Iterator> last(
      database_->NewIterator(rocksdb::ReadOptions(), newest.handle));
  last->SeekToLast();
  if (!last->Valid()) return files_->to_status(last->status());
  const auto number = decode_key(last->key());
  if (!number.has_value() || *number < newest.first_number) {
    return corruption(fmt::format("{}: segment {} ends with a foreign key", directory_, newest.id));
  }
  next_number_ = *number + 1;
  return {};
}

// RocksDB found something wrong. Read as far as its log goes: when every mark agrees that nothing
// behind it had been synced, it is the torn end that a crash leaves.
Status RocksdbLog::judge(const Status& strict, Access access) {
  FIRN_TRY(open_database(Access::kRead, /*accept_torn_end=*/true));
  if (database_ == nullptr) return strict;
  FIRN_ASSIGN(const std::vector<Mark> marks, find_marks(env_, directory_, log_id_));
  const bool is_acknowledged = !marks.empty() && marks.back().next_number > next_number_;
  if (!is_acknowledged && access == Access::kWrite) {
    const uint64_t end = next_number_;
    FIRN_TRY(open_database(Access::kWrite, /*accept_torn_end=*/true));
    if (next_number_ == end) return {};
    return corruption(fmt::format("{}: recovery ended at record {}, reading at {}", directory_,
                                  next_number_, end));
  }
  damage_ = WalDamage{directory_, 0, std::string(strict.message()), is_acknowledged};
  for (const Mark& mark : marks) {
    if (mark.next_number > next_number_) break;
    damage_->file = mark.file;
    damage_->offset = mark.offset;
  }
  if (is_acknowledged) {
    damage_->reason += fmt::format("; records {} to {} had been synced and cannot be read",
                                   next_number_, marks.back().next_number - 1);
  }
  return {};
}

WalDamage RocksdbLog::damage_of(const Status& status) const {
  return {directory_, 0, std::string(status.message()), true};
}

// --- Reading ------------------------------------------------------------------------------------

Result<size_t> RocksdbLog::find_start(Lsn from) const {
  const MutexLock lock(&mutex_);
  if (from.segment == 0) return size_t{0};
  const auto missing = [&] {
    return corruption(
        fmt::format("{}: the store knows of records in log segment {} from {} on, "
                    "which are missing",
                    directory_, from.segment, from.offset));
  };
  if (segments_.empty()) {
    if (from <= Lsn{1, 1}) return size_t{0};
    return missing();
  }
  if (from.segment < segments_.front().id || from.segment > segments_.back().id) return missing();
  if (from.segment == segments_.back().id && from.offset > next_number_) return missing();
  return static_cast<size_t>(from.segment - segments_.front().id);
}

Status RocksdbLog::read_segment(Segment* segment, uint64_t from_number, uint64_t* expected,
                                const WalReplayVisitor& visit,
                                const std::function<void(uint64_t)>& progress) {
  const auto gap = [&](uint64_t found) {
    return corruption(fmt::format("{}: log segment {}: records {} to {} are missing", directory_,
                                  segment->id, *expected, found - 1));
  };
  if (*expected != segment->first_number) return gap(segment->first_number);
  *expected = std::max(from_number, segment->first_number);
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = kReadAheadBytes;
  const std::unique_ptr<rocksdb::Iterator> record(database_->NewIterator(options, segment->handle));
  char key[kKeyBytes];
  encode_key(*expected, key);
  for (record->Seek(rocksdb::Slice(key, sizeof(key))); record->Valid(); record->Next()) {
    const auto number = decode_key(record->key());
    if (number != *expected) return gap(number.value_or(*expected + 1));
    const rocksdb::Slice payload = record->value();
    FIRN_TRY(visit({segment->id, *number}, ByteView(payload.data(), payload.size())));
    ++*expected;
    segment->bytes += record_bytes(payload.size());
    progress(record_bytes(payload.size()));
  }
  return files_->to_status(record->status());
}

Status RocksdbLog::read(Lsn from, const WalReplayVisitor& visit,
                        const std::function<void(uint64_t, uint64_t)>& progress) {
  FIRN_ASSIGN(const size_t start, find_start(from));
  if (database_ == nullptr) return {};
  std::deque<Segment> segments;
  {
    const MutexLock lock(&mutex_);
    segments = segments_;
  }
  uint64_t total = 0;
  for (size_t i = start; i < segments.size(); ++i) {
    uint64_t tables = 0;
    uint64_t memory = 0;
    (void)database_->GetIntProperty(segments[i].handle, rocksdb::DB::Properties::kTotalSstFilesSize,
                                    &tables);
    (void)database_->GetIntProperty(segments[i].handle,
                                    rocksdb::DB::Properties::kCurSizeAllMemTables, &memory);
    total += tables + memory;
  }
  uint64_t done = 0;
  const auto advance = [&](uint64_t bytes) {
    done = std::min(done + bytes, total);  // the total counts what is stored, and is an estimate
    if (progress) progress(done, total);
  };
  uint64_t expected = segments.size() > start ? segments[start].first_number : next_number_;
  for (size_t i = start; i < segments.size(); ++i) {
    Segment& segment = segments[i];
    const uint64_t from_number = segment.id == from.segment ? from.offset : 0;
    FIRN_TRY(read_segment(&segment, from_number, &expected, visit, advance));
    const MutexLock lock(&mutex_);
    segments_[i].bytes = segment.bytes;
  }
  advance(total);
  return {};
}

void RocksdbLog::verify(std::vector<WalDamage>* damage) {
  std::deque<Segment> segments;
  {
    const MutexLock lock(&mutex_);
    segments = segments_;
  }
  for (size_t i = 0; i < segments.size(); ++i) {
    uint64_t expected = segments[i].first_number;
    Status status = read_segment(
        &segments[i], 0, &expected, [](Lsn, ByteView) { return Status(); }, [](uint64_t) {});
    const uint64_t end = i + 1 < segments.size() ? segments[i + 1].first_number : next_number_;
    if (status.ok() && expected != end) {
      status = corruption(fmt::format("log segment {}: records {} to {} are missing",
                                      segments[i].id, expected, end - 1));
    }
    if (!status.ok()) damage->push_back(damage_of(status));
  }
}

// --- The group ----------------------------------------------------------------------------------

Status RocksdbLog::begin_segment() {
  FIRN_CHECK(group_bytes_ == 0);
  Segment segment;
  {
    const MutexLock lock(&mutex_);
    segment.id = segments_.empty() ? 1 : segments_.back().id + 1;
  }
  segment.first_number = next_number_;
  FIRN_TRY(files_->to_status(database_->CreateColumnFamily(
      segment_options(), segment_name(segment.id, next_number_), &segment.handle)));
  const MutexLock lock(&mutex_);
  segments_.push_back(segment);
  return {};
}

std::optional<uint64_t> RocksdbLog::newest_segment_bytes() const {
  const MutexLock lock(&mutex_);
  if (segments_.empty()) return std::nullopt;
  return segments_.back().bytes;
}

Lsn RocksdbLog::add(std::span<const ByteView> parts) {
  if (group_bytes_ == 0) (void)group_->PutLogData(encode_mark(log_id_, next_number_));
  std::vector<rocksdb::Slice> values;
  values.reserve(parts.size());
  uint64_t payload_bytes = 0;
  for (const ByteView part : parts) {
    values.emplace_back(part.data(), part.size());
    payload_bytes += part.size();
  }
  char key_bytes[kKeyBytes];
  encode_key(next_number_, key_bytes);
  const rocksdb::Slice key(key_bytes, sizeof(key_bytes));
  const uint64_t bytes = record_bytes(payload_bytes);
  group_bytes_ += bytes;
  const MutexLock lock(&mutex_);
  Segment& newest = segments_.back();
  newest.bytes += bytes;
  // Fails only beyond 4 GiB.
  FIRN_CHECK(group_
                 ->Put(newest.handle, rocksdb::SliceParts(&key, 1),
                       rocksdb::SliceParts(values.data(), static_cast<int>(values.size())))
                 .ok());
  return {newest.id, next_number_++};
}

Status RocksdbLog::write_group() {
  if (group_bytes_ == 0) (void)group_->PutLogData(encode_mark(log_id_, next_number_));
  rocksdb::WriteOptions options;
  options.sync = true;
  Status status = files_->to_status(database_->Write(options, group_.get()));
  if (group_->GetDataSize() > kKeptBatchBytes) group_ = std::make_unique<rocksdb::WriteBatch>();
  group_->Clear();
  group_bytes_ = 0;
  return status;
}

Lsn RocksdbLog::end() const {
  const MutexLock lock(&mutex_);
  return {segments_.empty() ? 1 : segments_.back().id, next_number_};
}

Status RocksdbLog::trim(uint64_t segment_id) {
  while (true) {
    Segment oldest;
    {
      const MutexLock lock(&mutex_);
      if (segments_.size() <= 1 || segments_.front().id >= segment_id) return {};
      oldest = segments_.front();
    }
    FIRN_TRY(files_->to_status(database_->DropColumnFamily(oldest.handle)));
    {
      const MutexLock lock(&mutex_);
      segments_.pop_front();
    }
    (void)database_->DestroyColumnFamilyHandle(oldest.handle);
  }
}

Lsn RocksdbLog::begin() const {
  const MutexLock lock(&mutex_);
  if (segments_.empty()) return {1, 1};
  return {segments_.front().id, segments_.front().first_number};
}

uint64_t RocksdbLog::segments() const {
  const MutexLock lock(&mutex_);
  return segments_.size();
}

uint64_t RocksdbLog::bytes() const {
  const MutexLock lock(&mutex_);
  uint64_t sum = 0;
  for (const Segment& segment : segments_) sum += segment.bytes;
  return sum;
}

}  // namespace firn::wal
