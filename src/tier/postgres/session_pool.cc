#include "tier/postgres/session_pool.h"

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
  {
    MutexLock lock(&mutex_);
    if (rest_until_ > env_->monotonic()) return last_failure_;
  }
  auto connection = PostgresConnection::open(options_.server);
  if (connection.ok()) return connection;
  MutexLock lock(&mutex_);
  last_failure_ = connection.status().with_context("tier '" + options_.name + "'");
  rest_until_ = env_->monotonic() + kRestNs;
  idle_.clear();
  return last_failure_;
}

std::unique_ptr<PostgresConnection> SessionPool::take_idle() {
  MutexLock lock(&mutex_);
  if (idle_.empty()) return nullptr;
  std::unique_ptr<PostgresConnection> connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void SessionPool::give_back(std::unique_ptr<PostgresConnection> connection) {
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
  // A session that was idle may have lost its server meanwhile.
  while ((session->connection_ = take_idle()) != nullptr) {
    if (session->connection_->exec(kBegin).ok()) return session;
  }
  FIRN_ASSIGN(session->connection_, connect());
  FIRN_TRY(check_schema(session->connection(), *this));
  FIRN_TRY(session->connection()->exec(kBegin));
  return session;
}

}  // namespace firn
