#include "tier/parquet/tree.h"

#include <algorithm>
#include <map>

namespace firn {

namespace {

bool contains(const ParquetFileName& outer, const ParquetFileName& inner) {
  return outer.first <= inner.first && inner.last <= outer.last;
}

// The tier's files in one directory; temporary ones are removed.
Status load_directory(Env* env, const std::string& directory,
                      std::map<ChunkKey, std::vector<FoundFile>>* chunks) {
  FIRN_ASSIGN(const auto entries, env->list_directory(directory));
  bool removed = false;
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory) continue;
    std::string_view text = entry.name;
    const bool temporary = text.ends_with(kTemporarySuffix);
    if (temporary) text.remove_suffix(kTemporarySuffix.size());
    const auto name = ParquetFileName::parse(text);
    if (!name) continue;
    const std::string path = join_path(directory, entry.name);
    if (temporary) {
      FIRN_TRY(env->remove(path));
      removed = true;
    } else {
      (*chunks)[name->key].push_back({*name, path, entry.size_bytes});
    }
  }
  return removed ? env->sync_directory(directory) : Status();
}

Status load_dataset(Env* env, const std::string& top,
                    std::map<ChunkKey, std::vector<FoundFile>>* chunks) {
  FIRN_ASSIGN(const auto namespaces, env->list_directory(top));
  for (const DirectoryEntry& space : namespaces) {
    if (!space.is_directory || !space.name.starts_with("namespace=")) continue;
    const std::string space_directory = join_path(top, space.name);
    FIRN_ASSIGN(const auto dates, env->list_directory(space_directory));
    for (const DirectoryEntry& date : dates) {
      if (!date.is_directory || !date.name.starts_with("date=")) continue;
      FIRN_TRY(load_directory(env, join_path(space_directory, date.name), chunks));
    }
  }
  return {};
}

Status remove_covered(Env* env, std::vector<FoundFile>* files) {
  // A file comes behind every file that contains it.
  std::sort(files->begin(), files->end(), [](const FoundFile& a, const FoundFile& b) {
    return a.name.first != b.name.first ? a.name.first < b.name.first : a.name.last > b.name.last;
  });
  std::vector<FoundFile> kept;
  for (FoundFile& file : *files) {
    if (!kept.empty() && contains(kept.back().name, file.name)) {
      FIRN_TRY(env->remove(file.path));
      FIRN_TRY(env->sync_directory(parent_path(file.path)));
      continue;
    }
    if (!kept.empty() && file.name.first <= kept.back().name.last) {
      return corruption(file.path + ": overlaps the positions of " + kept.back().path);
    }
    kept.push_back(std::move(file));
  }
  *files = std::move(kept);
  return {};
}

}  // namespace

Result<std::vector<FoundFile>> load_parquet_tree(Env* env, const std::string& directory) {
  std::map<ChunkKey, std::vector<FoundFile>> chunks;
  for (const Dataset dataset : kDatasets) {
    const std::string top = parquet_dataset_directory(directory, dataset);
    FIRN_TRY(load_dataset(env, top, &chunks));
  }
  std::vector<FoundFile> all;
  for (auto& [key, files] : chunks) {
    FIRN_TRY(remove_covered(env, &files));
    std::move(files.begin(), files.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace firn
