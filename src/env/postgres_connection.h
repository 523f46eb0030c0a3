#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "base/status.h"
#include "base/time.h"

struct pg_conn;
struct pg_result;

namespace firn {

// The one way to talk to a PostgreSQL server. Values travel in binary form, as parameters; what is
// part of the SQL text is ours.
//
// Errors of everything below, with the server's own message: kInvalidArgument (wrong connection
// string, password, database or permissions), kUnavailable (no server, no answer in time, shutting
// down, a lock not granted, too many connections, a standby; nothing was changed), kNoSpace,
// kCorruption (the server found damaged pages), kConflict (a constraint), kIoError (the server's
// disk), kInternal (our SQL is wrong). While a commit is under way a lost connection is
// kOutcomeUnknown.

struct PostgresOptions {
  // Connection string or URI of libpq. What it leaves out comes from PG* environment variables and
  // the password file, as everywhere.
  std::string dsn;
  DurationNs connect_timeout_ns = 10 * kSecondNs;  // one attempt, all hosts together
  // A server that is silent for so long while it owes an answer is taken for dead.
  DurationNs answer_timeout_ns = 30 * kSecondNs;
};

// kInvalidArgument with the reason when libpq cannot read the connection string.
Status check_postgres_dsn(const std::string& dsn);
// The connection string without its secrets, for people.
std::string mask_postgres_dsn(const std::string& dsn);

// A timestamptz in its binary form: microseconds since 2000, rounded down.
int64_t postgres_timestamp(TimeNs time);

// Values of $1, $2, ... Copied in.
class PostgresParameters {
 public:
  PostgresParameters& add(int64_t number);
  PostgresParameters& add(std::string_view text);  // UTF-8 without NUL
  PostgresParameters& add(const Id& id);           // uuid
  PostgresParameters& add_time(TimeNs time);       // timestamptz, rounded down to microseconds
  PostgresParameters& add_bytes(ByteView bytes);
  PostgresParameters& add_bytes_or_null(const std::optional<ByteView>& bytes);
  PostgresParameters& add(std::span<const int64_t> numbers);    // bigint[]
  PostgresParameters& add(std::span<const std::string> texts);  // text[]
  PostgresParameters& add(std::span<const Id> ids);             // uuid[]
  size_t size() const { return types_.size(); }

 private:
  friend class PostgresConnection;
  std::string* start(uint32_t type);

  std::vector<uint32_t> types_;
  std::vector<std::string> values_;
  std::vector<bool> nulls_;
};

// Rows of a result. Cells are read by row and column, both from 0. NULL reads as 0 or "".
class PostgresRows {
 public:
  PostgresRows() = default;
  explicit PostgresRows(pg_result* result) : result_(result) {}

  size_t rows() const;
  bool is_null(size_t row, size_t column) const;
  // REQUIRES a smallint, integer, bigint, boolean or timestamptz.
  int64_t number(size_t row, size_t column) const;
  double real(size_t row, size_t column) const;  // double precision
  // Text or bytea; good as long as the rows are.
  std::string_view bytes(size_t row, size_t column) const;
  Id id(size_t row, size_t column) const;                           // uuid
  std::vector<std::string> texts(size_t row, size_t column) const;  // text[]
  // Rows an UPDATE or DELETE changed.
  int64_t changed() const;
  // What the server says it did: "COMMIT". Good as long as the rows are.
  std::string_view command() const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

// A session. Thread rule: one thread at a time. After a failure that leaves the session in doubt it
// is broken: everything else fails with kUnavailable, and it only is good for being destroyed.
class PostgresConnection {
 public:
  // Sets what a session of ours needs: UTF-8, UTC, no search path, keepalives on both ends, so that
  // a lost client's transaction and locks end soon.
  static Result<std::unique_ptr<PostgresConnection>> open(const PostgresOptions& options);
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  // One or more statements without parameters.
  Status exec(const std::string& sql);
  // COMMIT. kOutcomeUnknown when the connection is lost before the answer; kInternal when a
  // statement before it had failed, so that the server rolled back.
  Status commit();
  // One statement, with all its rows.
  Result<PostgresRows> query(const std::string& sql, const PostgresParameters& parameters = {});
  // Starts a statement without rows and returns before the server is done with it; finish() waits.
  // A second send() finishes the first.
  Status send(const std::string& sql, const PostgresParameters& parameters);
  Status finish();

  // A statement whose rows are fetched one by one with next(). Nothing else may run before the last
  // row was taken.
  Status stream(const std::string& sql, const PostgresParameters& parameters);
  // False at the end.
  Result<bool> next(PostgresRows* row);

  // COPY ... FROM STDIN. copy() takes any part of the data.
  Status begin_copy(const std::string& sql);
  Status copy(ByteView bytes);
  Status end_copy();

  // Longest silence from now on, for statements that are known to take long.
  void set_answer_timeout(DurationNs timeout) { answer_timeout_ns_ = timeout; }
  bool is_broken() const { return broken_; }
  // Broken because the server was silent for too long.
  bool timed_out() const { return timed_out_; }
  bool is_streaming() const { return streaming_; }
  // Nothing is under way: no stream, no copy, no transaction.
  bool is_idle() const;
  int server_version() const;  // 150004

 private:
  explicit PostgresConnection(pg_conn* connection) : connection_(connection) {}
  Status connect(const PostgresOptions& options);
  Status configure();
  Status check_usable();
  // Waits until the socket is readable or, if wanted, writable.
  Status wait(bool for_write);
  Status flush();
  Result<PostgresRows> run(const std::string& sql);
  Status submit(const std::string& sql, const PostgresParameters& parameters);
  // The next result; null at the end of a statement.
  Result<pg_result*> take_result();
  // Takes all results; the first error wins.
  Result<PostgresRows> collect();
  Status lost(const std::string& what);

  pg_conn* connection_;
  DurationNs answer_timeout_ns_ = 0;
  bool broken_ = false;
  bool timed_out_ = false;
  bool sent_ = false;       // send() without finish()
  bool streaming_ = false;  // stream() whose end was not reached
};

}  // namespace firn
