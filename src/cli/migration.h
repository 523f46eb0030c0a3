#pragma once

#include <cstdint>
#include <string>

#include "cli/place.h"

// Messages between Firn and other stores (docs/migrating.md). All keep ids, places and times, may
// be repeated and go on where they ended, and show their progress.

namespace firn {

struct Migrated {
  uint64_t messages = 0, skipped = 0;  // skipped: they were there
};

// `migrated` is set also when they fail.
Status migrate_from_postgres(const std::string& dsn, const std::string& schema, Place* place,
                             Migrated* migrated);
Status migrate_from_csv(const std::string& path, Place* place, Migrated* migrated);
Status migrate_to_postgres(Place* place, const std::string& dsn, const std::string& schema,
                           Migrated* migrated);
Status migrate_to_csv(Place* place, const std::string& path, Migrated* migrated);

}  // namespace firn
