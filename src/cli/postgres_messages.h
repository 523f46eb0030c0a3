#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/postgres_connection.h"

namespace firn {

// Messages as Message DB and EventoDB keep them on PostgreSQL: the table `messages` of a schema,
// with the columns id, stream_name, type, position, global_position, data, metadata, time. Thread
// rule: one thread.
class PostgresMessages {
 public:
  // kNotFound when the schema has no such table; else as PostgresConnection.
  static Result<std::unique_ptr<PostgresMessages>> open(const std::string& dsn,
                                                        const std::string& schema);

  Result<uint64_t> count();
  // Calls `on_line` with each message as EventoDB's line, in the order of global positions.
  Status read(const std::function<Status(std::string_view)>& on_line);

  // Takes a line, and stores it with others. Messages that are stored already under their id and
  // place are passed over; kConflict when another message has the id or the place. Times are cut to
  // microseconds.
  Status add(std::string_view line);
  // Stores what is left, and lets new messages of the database go on behind the last one.
  Status finish();

  uint64_t written() const { return written_; }
  uint64_t skipped() const { return skipped_; }

 private:
  PostgresMessages(std::unique_ptr<PostgresConnection> connection, std::string table)
      : connection_(std::move(connection)), table_(std::move(table)) {}
  Status store();

  // The columns of messages that wait to be stored.
  struct Columns {
    std::vector<int64_t> global_positions, positions, times_us;
    std::vector<std::string> streams, types, data, metadata;
    std::vector<Id> ids;
    size_t bytes = 0;
  };

  const std::unique_ptr<PostgresConnection> connection_;
  const std::string table_;  // quoted, with its schema
  Columns columns_;
  uint64_t written_ = 0, skipped_ = 0;
};

}  // namespace firn
