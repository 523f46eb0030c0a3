#include "env/remove_tree.h"

#include <vector>

namespace firn {

Status remove_tree(Env* env, const std::string& path) {
  const Result<std::vector<DirectoryEntry>> entries = env->list_directory(path);
  if (entries.status().code() == StatusCode::kNotFound) return Status();
  FIRN_TRY(entries.status());
  for (const DirectoryEntry& entry : *entries) {
    const std::string child = join_path(path, entry.name);
    FIRN_TRY(entry.is_directory ? remove_tree(env, child) : env->remove(child));
  }
  return env->remove_directory(path);
}

}  // namespace firn
