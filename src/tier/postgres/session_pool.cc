#include "tier/postgres/session_pool.h"

#include <algorithm>

#include "tier/postgres/schema.h"

namespace firn {

std::string SessionPool::sql(std::string_view text) const {
  std::string sql;
  for (const char c : text) {
    if (c == '@') {
      sql += schema_;
    } else {
      sql += c;
    }
  }
  return sql;
}

Result<std::unique_ptr<PostgresConnection>> SessionPool::connect() {
  PostgresOptions server = options_.server;
  const TimeNs begun = env_->monotonic();
  {
    MutexLock lock(&mutex_);
    if (rest_until_ > begun) return last_failure_;
    if (short_attempts_until_ > begun) {
      server.connect_timeout_ns = std::min(server.connect_timeout_ns, kShortAttemptNs);
    }
  }
  auto connection = PostgresConnection::open(server);
  if (!connection.ok()) {
    const bool was_silent = env_->monotonic() - begun >= server.connect_timeout_ns;
    return leave_alone(connection.status().with_context("tier '" + options_.name + "'"),
                       was_silent);
  }
  note_answer();
  return connection;
}

void SessionPool::note_answer() {
  MutexLock lock(&mutex_);
  rest_until_ = short_attempts_until_ = INT64_MIN;
}

Status SessionPool::leave_alone(const Status& failure, bool was_silent) {
  const TimeNs now = env_->monotonic();
  MutexLock lock(&mutex_);
  last_failure_ = failure;
  rest_until_ =
      now + (was_silent ? std::min(kSilentRestNs, options_.server.answer_timeout_ns) : kRestNs);
  // Not longer by what fails meanwhile: a server may just take long to let anybody in.
  if (was_silent && short_attempts_until_ <= now) short_attempts_until_ = now + kShortAttemptsForNs;
  idle_.clear();
  return failure;
}

bool SessionPool::begin(PostgresConnection* connection, const std::string& sql) {
  const DurationNs usual = options_.server.answer_timeout_ns;
  connection->set_answer_timeout(std::min(usual, kBeginNs));
  const Status begun = connection->exec(sql);
  connection->set_answer_timeout(usual);
  if (begun.ok()) {
    note_answer();
  } else if (connection->timed_out()) {
    (void)leave_alone(unavailable("tier '" + options_.name +
                                  "': PostgreSQL does not answer; it is asked again soon"),
                      true);
  }
  return begun.ok();
}

void SessionPool::note_end(const PostgresConnection& connection) {
  if (!connection.timed_out()) return;
  MutexLock lock(&mutex_);
  short_attempts_until_ = env_->monotonic() + kShortAttemptsForNs;
}

std::unique_ptr<PostgresConnection> SessionPool::take_idle() {
  MutexLock lock(&mutex_);
  if (idle_.empty()) return nullptr;
  std::unique_ptr<PostgresConnection> connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void SessionPool::give_back(std::unique_ptr<PostgresConnection> connection) {
  if (connection != nullptr) note_end(*connection);
  // What is in the middle of something is not worth being brought to an end.
  if (connection != nullptr &&
      (connection->is_broken() || connection->is_streaming() || !connection->exec("COMMIT").ok())) {
    connection.reset();
  }
  MutexLock lock(&mutex_);
  --reading_;
  if (connection != nullptr && idle_.size() < kIdleMax) idle_.push_back(std::move(connection));
}

SessionPool::ReadSession::~ReadSession() { pool_->give_back(std::move(connection_)); }

Result<std::unique_ptr<SessionPool::ReadSession>> SessionPool::begin_read() {
  {
    MutexLock lock(&mutex_);
    if (reading_ >= options_.connections_max) {
      return unavailable("tier '" + options_.name + "': " + std::to_string(reading_) +
                         " reads at the same time are all that is allowed; try again");
    }
    ++reading_;
  }
  std::unique_ptr<ReadSession> session(new ReadSession(shared_from_this()));
  constexpr const char* kBegin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
  while ((session->connection_ = take_idle()) != nullptr) {
    if (begin(session->connection_.get(), kBegin)) return session;
  }
  // Joins the session when it is known to be good: what a session has is used again.
  FIRN_ASSIGN(auto fresh, connect());
  Status good = check_schema(fresh.get(), *this);
  if (good.ok()) good = fresh->exec(kBegin);
  if (!good.ok()) {
    note_end(*fresh);
    return good;
  }
  session->connection_ = std::move(fresh);
  return session;
}

}  // namespace firn
