#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/size.h"
#include "base/status.h"
#include "env/env.h"
#include "env/postgres_connection.h"
#include "tier/postgres/postgres_format.h"
#include "tier/tier.h"

namespace firn {

struct PostgresTierOptions {
  std::string name = "warm";
  PostgresOptions server;
  std::string schema = "firn";  // made when missing; a-z, 0-9 and '_'
  // Names the store and the tier. A schema belongs to the first owner that opened it.
  std::string owner;
  PostgresLayout layout = PostgresLayout::kRows;  // of chunks to come; present ones keep theirs
  // Attributes whose equality is looked up by filter (layout `blocks`); at most
  // kPromotedAttributesMax. A chunk keeps the list it was made with.
  std::vector<std::string> promoted_attributes;
  uint32_t connections_max = 32;          // for reading, at the same time
  uint64_t cache_bytes_max = 128 * kMiB;  // of block filters
};

// A tier in a PostgreSQL database (docs/formats/postgres.md).
//
// A scan is one transaction on a connection of its own: it sees the chunk as of one write, and
// streams. drop() answers kUnavailable while somebody reads the partition or the whole table.
// stats() tells what was known when the server last answered.
//
// Opening makes or migrates the schema. A server that is away is no reason to fail: everything
// answers kUnavailable until it is back, and is found again without reopening. What waiting does
// not cure is refused: kInvalidArgument for options, password, permissions and settings of the
// server that are weakly durable; kConflict when the schema belongs to another store;
// kUnsupported for a schema of a newer Firn or a server that is too old. After a failed attempt to
// connect the next one is made a second later at the earliest.
//
// `env` must outlive the tier. Readers may outlive the tier.
Result<std::unique_ptr<Tier>> open_postgres_tier(Env* env, const PostgresTierOptions& options);

// kInvalidArgument when options cannot be applied, without asking the server.
Status check_postgres_options(const PostgresTierOptions& options);

}  // namespace firn
