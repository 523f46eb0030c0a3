#pragma once

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

}  // namespace firn
