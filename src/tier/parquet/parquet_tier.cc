#include "tier/parquet/parquet_tier.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/mutant.h"
#include "engine/checked_file.h"
#include "engine/engine.h"
#include "model/checksum.h"
#include "tier/object/object_env.h"
#include "tier/parquet/chunk_aggregate.h"
#include "tier/parquet/chunk_reader.h"
#include "tier/parquet/file_rows.h"
#include "tier/parquet/file_set.h"
#include "tier/parquet/parquet_files.h"
#include "tier/parquet/tree.h"
#include "tier/parquet/unpacked_files.h"
#include "tier/slices.h"

namespace firn {

namespace {

constexpr uint64_t kMergedFileBytes = 1 * kGiB;
// Raw bytes of a row group: this part of the engine's memory.
constexpr uint64_t kRowGroupShare = 16;
// The same of what is kept unpacked.
constexpr uint64_t kUnpackedShare = 16;
constexpr uint64_t kRowGroupUnit = 2048;  // rows; the engine packs so many at a time
// Samples are small rows, and each row group names their series again.
constexpr uint64_t kSampleRowGroupFactor = 5;

// Ascending by position, without overlaps. Never empty.
using ChunkFiles = std::vector<ParquetFilePtr>;

class ParquetTier : public Tier {
 public:
  ParquetTier(Env* env, ParquetOptions options, std::unique_ptr<ObjectEnv> objects)
      : objects_(std::move(objects)),
        env_(env),
        options_(std::move(options)),
        file_set_(std::make_shared<FileSet>(env)),
        unpacked_(options_.memory_bytes / kUnpackedShare) {}

  Status load() EXCLUDES(mutex_);

  std::string_view name() const override { return options_.name; }
  std::string_view backend() const override { return "parquet"; }
  bool is_durable() const override { return true; }

  Result<ChunkStats> write(const ChunkKey& key, std::span<const BatchSlice> slices,
                           Position through) override;
  Result<ChunkStats> write_all(const ChunkKey& key, const RowStream& stream) override;
  Result<ChunkStats> seal(const ChunkKey& key) override;
  Result<std::unique_ptr<BatchReader>> scan(const ChunkKey& key, const ScanSpec& spec,
                                            ScanCost* cost) override;
  Result<AggregateStates> aggregate(const ChunkKey& key, const AggregateSpec& spec,
                                    ScanCost* cost) override;
  Result<ChunkStats> verify(const ChunkKey& key) override;
  Status drop(const ChunkKey& key) override;
  Result<std::vector<ChunkKey>> list() override;
  TierStats stats() const override;
  std::vector<StoredFile> files(const ChunkKey& key) const override;
  Env* file_env() const override { return objects_.get(); }

 private:
  // Opened when the first file is read or written: a store may do without for long.
  Result<Engine*> opened_engine() const EXCLUDES(engine_mutex_);
  // A copy of the chunk's list of files; empty when the chunk is not here.
  ChunkFiles find(const ChunkKey& key) const EXCLUDES(mutex_);
  Result<ChunkStats> chunk_stats(const ChunkFiles& files) const;
  // Makes the file under a temporary name, then gives it its own, durably. With rows, name and
  // stats are at first what is expected of them.
  Result<ParquetFilePtr> publish(ParquetFileName name, ParquetFileStats stats, ParquetWrite write,
                                 FileRows* rows);
  uint32_t row_group_rows(Dataset dataset, const ParquetFileStats& stats) const;
  Status file_size(const std::string& path, uint64_t* size_bytes);
  Result<ParquetFilePtr> merge(const ChunkKey& key, std::span<const ParquetFilePtr> parts);
  Status verify_file(const ParquetFile& file) const;
  // Files that belong to no chunk any more.
  void retire(const ChunkFiles& files);

  const std::unique_ptr<ObjectEnv> objects_;  // null for a directory
  Env* const env_;                            // what opens all files: `objects_` if there are any
  const ParquetOptions options_;
  mutable Mutex engine_mutex_;
  mutable std::unique_ptr<Engine> engine_ GUARDED_BY(engine_mutex_);
  const std::shared_ptr<FileSet> file_set_;
  UnpackedFiles unpacked_;
  mutable Mutex mutex_;
  std::map<ChunkKey, ChunkFiles> chunks_ GUARDED_BY(mutex_);
};

Status ParquetTier::load() {
  for (const Dataset dataset : kDatasets) {
    FIRN_TRY(env_->create_directories(parquet_dataset_directory(options_.directory, dataset)));
  }
  FIRN_ASSIGN(const std::vector<FoundFile> found, load_parquet_tree(env_, options_.directory));
  MutexLock lock(&mutex_);
  for (const FoundFile& file : found) {
    chunks_[file.name.key].push_back(
        std::make_shared<ParquetFile>(file_set_, file.name, file.path, file.size_bytes));
  }
  return {};
}

Result<Engine*> ParquetTier::opened_engine() const {
  MutexLock lock(&engine_mutex_);
  if (engine_ == nullptr) {
    EngineOptions engine_options;
    engine_options.threads = options_.threads;
    engine_options.memory_bytes = options_.memory_bytes;
    FIRN_ASSIGN(engine_, Engine::open(env_, engine_options));
  }
  return engine_.get();
}

ChunkFiles ParquetTier::find(const ChunkKey& key) const {
  MutexLock lock(&mutex_);
  const auto chunk = chunks_.find(key);
  return chunk == chunks_.end() ? ChunkFiles() : chunk->second;
}

Result<ChunkStats> ParquetTier::chunk_stats(const ChunkFiles& files) const {
  FIRN_ASSIGN(Engine* const engine, opened_engine());
  FIRN_TRY(load_footers(engine, files));
  ParquetFileStats sum;
  ChunkStats stats;
  for (const ParquetFilePtr& file : files) {
    sum.add(file->footer()->stats);
    stats.bytes += file->size_bytes();
    stats.watermark = std::max(stats.watermark, file->name().last);
  }
  stats.rows = sum.rows;
  stats.raw_bytes = sum.raw_bytes;
  stats.checksum = sum.checksum;
  stats.time_min = sum.time_min;
  stats.time_max = sum.time_max;
  stats.position_min = sum.position_min;
  stats.position_max = sum.position_max;
  return stats;
}

// The engine holds some row groups while it packs, so large rows make them shorter.
uint32_t ParquetTier::row_group_rows(Dataset dataset, const ParquetFileStats& stats) const {
  const uint64_t row_bytes =
      std::max<uint64_t>(1, stats.raw_bytes / std::max<uint64_t>(1, stats.rows));
  const uint64_t units = options_.memory_bytes / kRowGroupShare / row_bytes / kRowGroupUnit;
  const uint64_t rows_max =
      options_.row_group_rows * (dataset == Dataset::kSamples ? kSampleRowGroupFactor : 1);
  return static_cast<uint32_t>(
      std::min<uint64_t>(std::max<uint64_t>(1, units) * kRowGroupUnit, rows_max));
}

Result<ParquetFilePtr> ParquetTier::publish(ParquetFileName name, ParquetFileStats stats,
                                            ParquetWrite write, FileRows* rows) {
  const std::string directory = parquet_chunk_directory(options_.directory, name.key);
  const std::string temporary = join_path(directory, name.text()) + std::string(kTemporarySuffix);
  FIRN_TRY(env_->create_directories(directory));
  // An attempt that failed before may have left its file.
  if (Status status = env_->remove(temporary);
      !status.ok() && status.code() != StatusCode::kNotFound) {
    return status;
  }
  write.path = temporary;
  write.dataset = name.key.dataset;
  if (write.dataset == Dataset::kEvents) write.attributes = options_.attributes;
  write.metadata = parquet_metadata(name, stats, write.attributes);
  write.row_group_rows = row_group_rows(write.dataset, stats);
  write.identity = {name.text(), name.first, name.last};
  if (rows != nullptr) {
    write.rows = rows;
    write.rows_about = stats.rows;
    write.at_end = [&](ParquetMetadata* metadata, FileIdentity* identity) {
      stats = rows->stats();
      name.last = rows->last();
      name.rows = stats.rows;
      *metadata = parquet_metadata(name, stats, write.attributes);
      *identity = {name.text(), name.first, name.last};
    };
  }
  uint64_t size_bytes = 0;
  FIRN_ASSIGN(Engine* const engine, opened_engine());
  Status status = engine->write_parquet(write);
  const std::string path = join_path(directory, name.text());
  if (status.ok()) status = file_size(temporary, &size_bytes);
  if (status.ok()) status = env_->rename(temporary, path);
  if (!status.ok()) {
    (void)env_->remove(temporary);
    return status;
  }
  status = mutant(19) ? Status() : env_->sync_directory(directory);
  if (!status.ok()) {
    // Whether the name is on disk cannot be known. Without the file a repetition starts afresh, and
    // if it comes back after a crash, the repetition's file covers it.
    (void)env_->remove(path);
    return status;
  }
  auto file = std::make_shared<ParquetFile>(file_set_, name, path, size_bytes);
  const uint64_t group_rows = write.row_group_rows;
  file->set_footer({stats, (stats.rows + group_rows - 1) / group_rows});
  return file;
}

Status ParquetTier::file_size(const std::string& path, uint64_t* size_bytes) {
  FIRN_ASSIGN(const auto file, env_->open(path, OpenMode::kRead));
  FIRN_ASSIGN(*size_bytes, file->size());
  return {};
}

Result<ChunkStats> ParquetTier::write(const ChunkKey& key, std::span<const BatchSlice> slices,
                                      Position through) {
  SlicesReader reader(slices);
  RowStream stream{.reader = &reader, .through = through};
  for (const BatchSlice& slice : slices) {
    stream.rows += slice.rows();
    stream.raw_bytes += slice.size_bytes();
  }
  return write_all(key, stream);
}

Result<ChunkStats> ParquetTier::write_all(const ChunkKey& key, const RowStream& stream) {
  ChunkFiles files = find(key);
  const Position watermark = files.empty() ? 0 : files.back()->name().last;
  if (stream.through <= watermark) return chunk_stats(files);
  FileRows rows(key, stream, watermark);
  while (!rows.has_ended()) {
    const ParquetFileName expected{key, rows.last() + 1, stream.through, stream.rows};
    rows.begin_file();
    FIRN_ASSIGN(ParquetFilePtr file, publish(expected, rows.about(), {}, &rows));
    files.push_back(file);
    MutexLock lock(&mutex_);
    chunks_[key].push_back(std::move(file));
  }
  return chunk_stats(files);
}

Result<ParquetFilePtr> ParquetTier::merge(const ChunkKey& key,
                                          std::span<const ParquetFilePtr> parts) {
  FIRN_ASSIGN(Engine* const engine, opened_engine());
  FIRN_TRY(load_footers(engine, parts));
  ParquetFileStats stats;
  ParquetWrite write;
  for (const ParquetFilePtr& part : parts) {
    stats.add(part->footer()->stats);
    write.merge.push_back(part->path());
  }
  const ParquetFileName merged_name{key, parts.front()->name().first, parts.back()->name().last,
                                    stats.rows};
  FIRN_ASSIGN(ParquetFilePtr merged, publish(merged_name, stats, std::move(write), nullptr));
  // The parts go only when the merged file is proved to hold what they held.
  Status status = verify_file(*merged);
  if (!status.ok()) {
    merged->make_obsolete();
    return status;
  }
  return merged;
}

Result<ChunkStats> ParquetTier::seal(const ChunkKey& key) {
  const ChunkFiles before = find(key);
  if (before.empty()) return not_found("chunk " + key.name() + " is not in tier " + options_.name);
  ChunkFiles after, replaced;
  size_t begin = 0;
  while (begin < before.size()) {
    size_t end = begin + 1;
    uint64_t bytes = before[begin]->size_bytes();
    while (bytes < options_.large_file_bytes && end < before.size() &&
           before[end]->size_bytes() < options_.large_file_bytes &&
           bytes + before[end]->size_bytes() <= kMergedFileBytes) {
      bytes += before[end++]->size_bytes();
    }
    const std::span<const ParquetFilePtr> parts(before.data() + begin, end - begin);
    if (parts.size() == 1) {
      after.push_back(parts[0]);
    } else {
      FIRN_ASSIGN(ParquetFilePtr merged, merge(key, parts));
      after.push_back(std::move(merged));
      replaced.insert(replaced.end(), parts.begin(), parts.end());
    }
    begin = end;
  }
  {
    MutexLock lock(&mutex_);
    chunks_[key] = after;
  }
  // A part that a scan still reads stays until then; one that cannot be removed goes with the
  // chunk, or at the next start, because the merged file covers it.
  retire(replaced);
  return chunk_stats(after);
}

Result<std::unique_ptr<BatchReader>> ParquetTier::scan(const ChunkKey& key, const ScanSpec& spec,
                                                       ScanCost* cost) {
  ChunkFiles files = find(key);
  if (files.empty()) return not_found("chunk " + key.name() + " is not in tier " + options_.name);
  FIRN_ASSIGN(Engine* const engine, opened_engine());
  return make_chunk_reader(engine, &unpacked_, std::move(files), spec, cost);
}

Result<AggregateStates> ParquetTier::aggregate(const ChunkKey& key, const AggregateSpec& spec,
                                               ScanCost* cost) {
  const ChunkFiles files = find(key);
  if (files.empty()) return not_found("chunk " + key.name() + " is not in tier " + options_.name);
  FIRN_ASSIGN(Engine* const engine, opened_engine());
  FIRN_TRY(load_footers(engine, files));
  for (const ParquetFilePtr& file : files) {
    if (key.dataset != Dataset::kEvents || !can_aggregate_in_sql(spec, file->footer()->stats)) {
      return Tier::aggregate(key, spec, cost);
    }
  }
  return aggregate_in_sql(engine, files, spec, cost);
}

Status ParquetTier::verify_file(const ParquetFile& file) const {
  const auto wrong = [&](const std::string& what) { return corruption(file.path() + ": " + what); };
  // From disk, whatever is remembered; also what no query looks at.
  if (objects_ != nullptr) objects_->forget_cached(file.path());
  FIRN_TRY(verify_checked_file(env_, file.path()));
  FIRN_ASSIGN(Engine* const engine, opened_engine());
  FIRN_ASSIGN(const auto infos, engine->parquet_info({&file.path(), 1}));
  Result<ParquetFileStats> stated = parse_parquet_metadata(file.name(), infos[0]);
  if (!stated.ok()) return stated.status().with_context(file.path());
  const ParquetFileStats written = *stated;
  ParquetRead read;
  read.path = file.path();
  read.dataset = file.name().key.dataset;
  read.namespace_id = file.name().key.namespace_id;
  read.has_raw_rows = true;  // whatever the metadata says
  FIRN_ASSIGN(const auto reader, engine->read_parquet(read));
  ParquetFileStats found;
  const ChunkKey& key = file.name().key;
  const TimeRange times{key.start, key.end};
  while (true) {
    BatchSlice slice;
    FIRN_ASSIGN(const bool more, reader->next(&slice));
    if (!more) break;
    const SliceZone zone = slice_zone(slice);
    if (zone.position_min < file.name().first || zone.position_max > file.name().last) {
      return wrong(fmt::format("positions {} to {} are outside of what the file accounts for",
                               zone.position_min, zone.position_max));
    }
    if (!times.contains(zone.time_min) || !times.contains(zone.time_max)) {
      return wrong(fmt::format("positions {} to {} hold a time outside of the chunk",
                               zone.position_min, zone.position_max));
    }
    found.rows += slice.rows();
    found.checksum += rows_checksum(slice);
  }
  if (found.rows != written.rows) {
    return wrong(fmt::format("{} rows read, {} written", found.rows, written.rows));
  }
  if (found.checksum != written.checksum) {
    return wrong(
        fmt::format("the checksum over {} rows, positions {} to {}, is not the one written",
                    found.rows, file.name().first, file.name().last));
  }
  return {};
}

Result<ChunkStats> ParquetTier::verify(const ChunkKey& key) {
  const ChunkFiles files = find(key);
  if (files.empty()) return not_found("chunk " + key.name() + " is not in tier " + options_.name);
  for (size_t i = 0; i < files.size(); ++i) {
    if (i > 0 && files[i]->name().first <= files[i - 1]->name().last) {
      return corruption(files[i]->path() + ": overlaps the positions of " + files[i - 1]->path());
    }
    FIRN_TRY(verify_file(*files[i]));
  }
  return chunk_stats(files);
}

void ParquetTier::retire(const ChunkFiles& files) {
  for (const ParquetFilePtr& file : files) {
    unpacked_.forget(*file);
    file->make_obsolete();
  }
}

Status ParquetTier::drop(const ChunkKey& key) {
  ChunkFiles files;
  {
    MutexLock lock(&mutex_);
    const auto chunk = chunks_.find(key);
    if (chunk != chunks_.end()) {
      files = std::move(chunk->second);
      chunks_.erase(chunk);
    }
  }
  retire(files);
  // Files that a scan still reads go with it, the others now.
  files.clear();
  const std::string directory = parquet_chunk_directory(options_.directory, key);
  FIRN_TRY(file_set_->remove_leftovers(join_path(directory, key.name() + "-p")));
  FIRN_ASSIGN(const bool has_directory, env_->exists(directory));
  if (!has_directory) return {};
  FIRN_TRY(env_->sync_directory(directory));
  // Directories of other chunks are not empty; of this one they may be held by a scan.
  const std::string parent = parquet_namespace_directory(options_.directory, key);
  if (env_->remove_directory(directory).ok()) {
    FIRN_TRY(env_->sync_directory(parent));
    (void)env_->remove_directory(parent);
  }
  return {};
}

Result<std::vector<ChunkKey>> ParquetTier::list() {
  MutexLock lock(&mutex_);
  std::vector<ChunkKey> keys;
  for (const auto& [key, files] : chunks_) keys.push_back(key);
  return keys;
}

TierStats ParquetTier::stats() const {
  MutexLock lock(&mutex_);
  TierStats stats;
  for (const auto& [key, files] : chunks_) {
    ++stats.chunks;
    for (const ParquetFilePtr& file : files) {
      stats.rows += file->name().rows;
      stats.bytes += file->size_bytes();
    }
  }
  return stats;
}

std::vector<StoredFile> ParquetTier::files(const ChunkKey& key) const {
  std::vector<StoredFile> files;
  for (const ParquetFilePtr& file : find(key)) files.push_back({file->path(), file->name().last});
  return files;
}

}  // namespace

Result<AttributeColumn> parse_attribute_column(std::string_view item) {
  constexpr std::pair<std::string_view, AttributeType> kTypes[] = {
      {"", AttributeType::kText},
      {"text", AttributeType::kText},
      {"integer", AttributeType::kInteger},
      {"number", AttributeType::kNumber},
      {"boolean", AttributeType::kBoolean}};
  const size_t colon = std::min(item.rfind(':'), item.size());
  const std::string_view type = item.substr(std::min(colon + 1, item.size()));
  const auto known = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const auto& entry) { return entry.first == type; });
  AttributeColumn column;
  column.key = item.substr(0, colon);
  if (column.key.empty() || known == std::end(kTypes)) {
    return invalid_argument("column '" + std::string(item) +
                            "': write an attribute, or attribute:type with type text, integer, "
                            "number or boolean");
  }
  column.type = known->second;
  column.name = "attr_";
  for (const char c : column.key) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool is_upper = c >= 'A' && c <= 'Z';
    column.name += is_plain ? c : is_upper ? static_cast<char>(c - 'A' + 'a') : '_';
  }
  // Another type is another column, so that files of all times fit together.
  if (column.type != AttributeType::kText) column.name += "_" + std::string(type);
  return column;
}

bool is_parquet_tier_key(std::string_view key) {
  return ParquetFileName::parse(key.substr(key.rfind('/') + 1)).has_value();
}

Result<std::unique_ptr<Tier>> open_parquet_tier(Env* env, const ParquetOptions& given,
                                                std::unique_ptr<ObjectEnv> objects) {
  ParquetOptions options = given;
  if (objects != nullptr) {
    options.directory = objects->root();
    env = objects.get();
  }
  if (options.directory.empty()) return invalid_argument("a parquet tier needs a directory");
  FIRN_TRY(Engine::check_library());
  auto tier = std::make_unique<ParquetTier>(env, options, std::move(objects));
  FIRN_TRY(tier->load());
  return std::unique_ptr<Tier>(std::move(tier));
}

}  // namespace firn
