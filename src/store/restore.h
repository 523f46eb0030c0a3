#pragma once

#include <map>
#include <string>

#include "store/store.h"

namespace firn {

// Makes a data directory of the backup at a destination of the options, as docs/backup.md says: all
// chunks in the last tier. What was interrupted goes on when it is called again. `progress` gets
// rows done and total.
//
// kConflict when the directory has a store or a process uses it; kNotFound when there is no such
// destination, or no backup there; kUnsupported when the options have no durable tier; kCorruption
// when the backup is damaged, by name. The options must have the chunk interval of the store that
// was backed up.
Result<BackupReport> restore_backup(Env* env, const StoreOptions& options,
                                    const std::string& destination,
                                    const Store::Progress& progress = nullptr);

// Makes a manifest for a data directory that has none, of what its durable tiers hold: the chunks
// with their rows, heads of streams, and positions, which go on behind the last row. Everything is
// read and checked. What only a manifest knows is lost: rows that were in lost tiers, names, tokens
// and retention of namespaces. Namespace 1 is "default", others are named by `names`, or
// "namespace-<id>".
//
// kConflict as above, and when two chunks hold the same positions and neither is a copy of the
// other; kCorruption for a damaged chunk, by name.
Result<BackupReport> rebuild_manifest(Env* env, const StoreOptions& options,
                                      const std::map<NamespaceId, std::string>& names,
                                      const Store::Progress& progress = nullptr);

}  // namespace firn
