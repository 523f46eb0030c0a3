#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/env.h"
#include "wal/wal.h"

namespace firn {

// "segment", "rocksdb": as in the configuration.
std::string_view wal_type_name(WalType type);
// Nothing when there is no type of that name.
std::optional<WalType> parse_wal_type(std::string_view name);

// The type of the log that the directory holds; nothing when it holds none or does not exist.
// kCorruption when it holds both.
Result<std::optional<WalType>> find_wal_type(Env* env, const std::string& directory);

// Opens or makes the log of options.type in options.directory. kInvalidArgument when the directory
// holds one of another type, which is left as it is, or when an option is out of range. The Env
// must outlive the log.
Result<std::unique_ptr<Wal>> open_wal(Env* env, const WalOptions& options);

// Reads a whole log, of whichever type the directory holds, that nobody appends to meanwhile, and
// lists its damage; empty: none. A torn, unacknowledged end is listed with acknowledged = false. A
// Status only when files cannot be read.
Result<std::vector<WalDamage>> verify_wal(Env* env, const std::string& directory);

}  // namespace firn
