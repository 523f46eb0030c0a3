#pragma once

#include "env/postgres_connection.h"
#include "tier/postgres/session_pool.h"

// What a session is checked for before it is used.

namespace firn {

// Makes this session the one that writes: waits a moment for the lock, makes or migrates the
// schema. Errors as open_postgres_tier(), and kUnavailable when another session writes.
Status claim_schema(PostgresConnection* connection, const SessionPool& pool);

// For reading: the schema is there, of our version and ours. kUnavailable when it is not made yet,
// and on a standby.
Status check_schema(PostgresConnection* connection, const SessionPool& pool);

// Inside a transaction that is going to write into `table` (without the schema; may be empty).
// kInvalidArgument naming the setting under which a commit could be lost. What the session itself
// can have changed stays as it was checked until the transaction ends.
Status check_durability(PostgresConnection* connection, const SessionPool& pool,
                        const std::string& table);

}  // namespace firn
