#include "tier/postgres/schema.h"

#include <charconv>

namespace firn {

namespace {

// A standby may lack what the primary has, so that it would show chunks as shorter or missing.
Result<bool> has_settings(PostgresConnection* connection, const SessionPool& pool) {
  FIRN_ASSIGN(const PostgresRows rows,
              connection->query("SELECT to_regclass($1) IS NOT NULL, pg_is_in_recovery()",
                                PostgresParameters().add(pool.schema() + ".settings")));
  if (rows.number(0, 1) != 0) return unavailable("the server is a standby, which may lag behind");
  return rows.number(0, 0) != 0;
}

// The value of a setting; empty when there is none.
Result<std::string> setting(PostgresConnection* connection, const SessionPool& pool,
                            std::string_view key) {
  FIRN_ASSIGN(const PostgresRows rows,
              connection->query(pool.sql("SELECT value FROM @.settings WHERE key = $1"),
                                PostgresParameters().add(key)));
  return rows.rows() == 0 ? std::string() : std::string(rows.bytes(0, 0));
}

Status put_setting(PostgresConnection* connection, const SessionPool& pool, std::string_view key,
                   std::string_view value) {
  return connection
      ->query(pool.sql("INSERT INTO @.settings VALUES ($1, $2) "
                       "ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
              PostgresParameters().add(key).add(value))
      .status();
}

Status check_server(const PostgresConnection& connection) {
  if (connection.server_version() >= kPostgresServerVersionMin) return Status();
  return unsupported("PostgreSQL " + std::to_string(connection.server_version() / 10000) +
                     " is too old; 14 is the first that serves");
}

Status check_encoding(PostgresConnection* connection) {
  FIRN_ASSIGN(const PostgresRows rows,
              connection->query("SELECT current_setting('server_encoding')"));
  if (rows.bytes(0, 0) == "UTF8") return Status();
  return invalid_argument("the database has encoding " + std::string(rows.bytes(0, 0)) +
                          "; create one with ENCODING 'UTF8'");
}

Status check_version(PostgresConnection* connection, const SessionPool& pool) {
  FIRN_ASSIGN(const std::string text, setting(connection, pool, "format_version"));
  int64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || version < 1) {
    return corruption("the format_version in " + pool.schema() + ".settings is '" + text + "'");
  }
  if (version == kPostgresFormatVersion) return Status();
  return unsupported("schema " + pool.schema() + " was written by " +
                     (version > kPostgresFormatVersion ? "a newer" : "an unreleased") +
                     " Firn: format version " + text + ", this one reads " +
                     std::to_string(kPostgresFormatVersion));
}

Status check_owner(PostgresConnection* connection, const SessionPool& pool) {
  FIRN_ASSIGN(const std::string owner, setting(connection, pool, "owner"));
  if (owner == pool.options().owner) return Status();
  return conflict("schema " + pool.schema() + " belongs to another store or tier ('" + owner +
                  "', this one is '" + pool.options().owner +
                  "'); give this tier a schema or database of its own");
}

Status create_schema(PostgresConnection* connection, const SessionPool& pool) {
  FIRN_ASSIGN(const PostgresRows known,
              connection->query("SELECT FROM pg_namespace WHERE nspname = $1",
                                PostgresParameters().add(pool.options().schema)));
  if (known.rows() == 0) FIRN_TRY(connection->exec(pool.sql("CREATE SCHEMA @")));
  FIRN_TRY(connection->exec(pool.sql(kPostgresSchema)));
  FIRN_TRY(put_setting(connection, pool, "owner", pool.options().owner));
  return put_setting(connection, pool, "format_version", std::to_string(kPostgresFormatVersion));
}

}  // namespace

Status claim_schema(PostgresConnection* connection, const SessionPool& pool) {
  FIRN_TRY(check_server(*connection));
  FIRN_TRY(check_encoding(connection));
  FIRN_ASSIGN(bool exists, has_settings(connection, pool));
  // Before the lock: somebody else's schema will not become ours by waiting.
  if (exists) FIRN_TRY(check_schema(connection, pool));
  FIRN_TRY(connection->exec("SET lock_timeout = '2s'"));
  PostgresParameters lock;
  lock.add(int64_t{kPostgresLockClass}).add(pool.options().schema);
  const Status locked =
      connection->query("SELECT pg_advisory_lock($1::integer, hashtext($2))", lock).status();
  if (!locked.ok()) {
    return unavailable("another session writes schema " + pool.schema() +
                       ", or has not ended yet: " + std::string(locked.message()));
  }
  FIRN_TRY(connection->exec("BEGIN"));
  FIRN_TRY(check_durability(connection, pool, ""));
  FIRN_ASSIGN(exists, has_settings(connection, pool));
  if (!exists) FIRN_TRY(create_schema(connection, pool));
  FIRN_TRY(check_schema(connection, pool));
  return connection->commit();
}

Status check_schema(PostgresConnection* connection, const SessionPool& pool) {
  FIRN_ASSIGN(const bool exists, has_settings(connection, pool));
  if (!exists) return unavailable("schema " + pool.schema() + " is not made yet");
  FIRN_TRY(check_version(connection, pool));
  return check_owner(connection, pool);
}

Status check_durability(PostgresConnection* connection, const SessionPool& pool,
                        const std::string& table) {
  FIRN_ASSIGN(
      const PostgresRows rows,
      connection->query(
          "SELECT current_setting('data_sync_retry'), current_setting('fsync'), "
          "current_setting('full_page_writes'), "
          // As it is now until the transaction ends, whatever is reloaded meanwhile.
          "set_config('synchronous_commit', current_setting('synchronous_commit'), true), "
          "current_setting('synchronous_standby_names'), (SELECT min(c.relname) FROM pg_class c "
          "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname IN "
          "('chunks', $2) AND c.relpersistence <> 'p')::text",
          PostgresParameters().add(pool.options().schema).add(table)));
  const auto refuse = [](const std::string& what) {
    return invalid_argument("the server's setting " + what +
                            " can lose what was committed; Firn does not write under it");
  };
  if (rows.bytes(0, 0) != "off") return refuse("data_sync_retry = on");
  if (rows.bytes(0, 1) != "on") return refuse("fsync = off");
  if (rows.bytes(0, 2) != "on") return refuse("full_page_writes = off");
  const std::string_view commit = rows.bytes(0, 3);
  if (commit == "off") return refuse("synchronous_commit = off");
  if (commit == "local" && !rows.bytes(0, 4).empty()) {
    return refuse("synchronous_commit = local, while synchronous_standby_names is set,");
  }
  if (!rows.is_null(0, 5)) {
    return invalid_argument("table " + pool.schema() + "." + std::string(rows.bytes(0, 5)) +
                            " is unlogged, so a crash would empty it; ALTER TABLE ... SET LOGGED");
  }
  return Status();
}

}  // namespace firn
