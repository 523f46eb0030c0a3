#include "cli/postgres_messages.h"

#include "base/size.h"
#include "base/time.h"
#include "cli/message_line.h"
#include "wire/json_text.h"

namespace firn {

namespace {

constexpr size_t kStoredTogether = 1000;
constexpr size_t kStoredBytes = 4 * kMiB;
constexpr DurationNs kPatienceNs = 10 * kMinuteNs;  // sorting a large table takes a while

std::string quote_name(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted.push_back('"');
    quoted.push_back(c);
  }
  return quoted + "\"";
}

}  // namespace

Result<std::unique_ptr<PostgresMessages>> PostgresMessages::open(const std::string& dsn,
                                                                 const std::string& schema) {
  FIRN_ASSIGN(auto connection, PostgresConnection::open({.dsn = dsn}));
  connection->set_answer_timeout(kPatienceNs);
  PostgresParameters names;
  names.add(schema);
  FIRN_ASSIGN(const PostgresRows found,
              connection->query("SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = "
                                "$1::text AND tablename = 'messages'",
                                names));
  if (found.number(0, 0) == 0) {
    return not_found("the database has no table messages in schema " + schema +
                     "; name the schema with --schema, and install Message DB or EventoDB there "
                     "before anything is written to it");
  }
  return std::unique_ptr<PostgresMessages>(
      new PostgresMessages(std::move(connection), quote_name(schema) + ".messages"));
}

Result<uint64_t> PostgresMessages::count() {
  FIRN_ASSIGN(const PostgresRows rows, connection_->query("SELECT count(*) FROM " + table_));
  return static_cast<uint64_t>(rows.number(0, 0));
}

Status PostgresMessages::read(const std::function<Status(std::string_view)>& on_line) {
  // The epoch of a time without zone is that of the same time in UTC, which is what both mean.
  FIRN_TRY(connection_->stream(
      "SELECT id::text, stream_name::text, type::text, position::bigint, global_position::bigint, "
      "data::text, metadata::text, (extract(epoch from time) * 1000000)::bigint FROM " +
          table_ + " ORDER BY global_position",
      {}));
  PostgresRows row;
  while (true) {
    FIRN_ASSIGN(const bool more, connection_->next(&row));
    if (!more) return Status();
    MessageLine message;
    message.id = row.bytes(0, 0);
    message.stream = row.bytes(0, 1);
    message.type = row.bytes(0, 2);
    message.position = row.number(0, 3);
    message.global_position = row.number(0, 4);
    if (!row.is_null(0, 5)) message.data = row.bytes(0, 5);
    if (!row.is_null(0, 6)) message.metadata = row.bytes(0, 6);
    message.time = row.number(0, 7) * kMicrosecondNs;
    FIRN_TRY(on_line(message_line(message)));
  }
}

Status PostgresMessages::add(std::string_view line) {
  FIRN_ASSIGN(const ParsedMessageLine parsed, parse_message_line(line));
  const EventodbRecord& record = parsed.record;
  if (!record.id.has_value()) return invalid_argument("a message has no id");
  columns_.global_positions.push_back(parsed.global_position);
  columns_.positions.push_back(record.position);
  columns_.times_us.push_back(interval_start(record.time, kMicrosecondNs) / kMicrosecondNs);
  columns_.streams.push_back(record.stream);
  columns_.types.push_back(record.type);
  columns_.data.emplace_back(record.data);
  columns_.metadata.emplace_back(record.metadata);
  columns_.ids.push_back(*record.id);
  columns_.bytes += line.size();
  const bool is_full = columns_.ids.size() >= kStoredTogether || columns_.bytes >= kStoredBytes;
  return is_full ? store() : Status();
}

Status PostgresMessages::store() {
  if (columns_.ids.empty()) return Status();
  PostgresParameters parameters;
  parameters.add(std::span<const int64_t>(columns_.global_positions))
      .add(std::span<const int64_t>(columns_.positions))
      .add(std::span<const int64_t>(columns_.times_us))
      .add(std::span<const std::string>(columns_.streams))
      .add(std::span<const std::string>(columns_.types))
      .add(std::span<const std::string>(columns_.data))
      .add(std::span<const std::string>(columns_.metadata))
      .add(std::span<const Id>(columns_.ids));
  const std::string given =
      "WITH given AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], "
      "$5::text[], $6::text[], $7::text[], $8::uuid[]) AS g(global_position, position, time_us, "
      "stream_name, type, data, metadata, id)) ";
  FIRN_TRY(connection_->exec("BEGIN"));
  FIRN_ASSIGN(const PostgresRows stored,
              connection_->query(
                  given + "INSERT INTO " + table_ +
                      " (global_position, position, time, stream_name, type, data, metadata, id) "
                      "SELECT global_position, position, timestamp 'epoch' + time_us * interval '1 "
                      "microsecond', stream_name, type, data::jsonb, nullif(metadata, '')::jsonb, "
                      "id FROM given ORDER BY global_position ON CONFLICT (id) DO NOTHING",
                  parameters));
  FIRN_ASSIGN(const PostgresRows same,
              connection_->query(given + "SELECT count(*) FROM given JOIN " + table_ +
                                     " m ON m.id = given.id AND m.stream_name = given.stream_name "
                                     "AND m.position = given.position",
                                 parameters));
  if (static_cast<size_t>(same.number(0, 0)) != columns_.ids.size()) {
    (void)connection_->exec("ROLLBACK");
    return conflict("another message of " + table_ + " has the id of one to be written, from " +
                    columns_.ids.front().to_uuid() + " to " + columns_.ids.back().to_uuid());
  }
  FIRN_TRY(connection_->commit());
  written_ += static_cast<uint64_t>(stored.changed());
  skipped_ += columns_.ids.size() - static_cast<size_t>(stored.changed());
  columns_ = Columns();
  return Status();
}

Status PostgresMessages::finish() {
  FIRN_TRY(store());
  PostgresParameters names;
  names.add(table_);
  FIRN_ASSIGN(const PostgresRows sequence,
              connection_->query(
                  "SELECT pg_catalog.pg_get_serial_sequence($1::text, 'global_position')", names));
  if (sequence.is_null(0, 0)) return Status();
  PostgresParameters sequence_name;
  sequence_name.add(sequence.bytes(0, 0));
  return connection_
      ->query("SELECT setval($1::text::regclass, greatest(max(global_position), 1)) FROM " +
                  table_ + " HAVING count(*) > 0",
              sequence_name)
      .status();
}

}  // namespace firn
