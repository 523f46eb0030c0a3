#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"
#include "env/postgres_connection.h"
#include "tier/postgres/postgres_tier.h"

namespace firn {

// The sessions of a tier: idle ones for the next read, and how long to leave a server alone that
// did not answer. Any thread. Held by shared_ptr: readers keep it alive.
class SessionPool : public std::enable_shared_from_this<SessionPool> {
 public:
  SessionPool(Env* env, PostgresTierOptions options)
      : env_(env), options_(std::move(options)), schema_("\"" + options_.schema + "\"") {}

  const PostgresTierOptions& options() const { return options_; }
  // The schema as an SQL identifier.
  const std::string& schema() const { return schema_; }
  // The SQL with the schema for each '@'.
  std::string sql(std::string_view text) const;

  // A new session; fails at once while the server is left alone.
  Result<std::unique_ptr<PostgresConnection>> connect();
  // Begins a transaction on a session that was idle; false when it has lost its server meanwhile.
  bool begin(PostgresConnection* connection, const std::string& sql);
  // For a session that did its work: whoever was told to leave the server alone may come again.
  void note_answer();
  // For a session that is given up. A statement that took too long may just be a long one; whether
  // the server hangs, the next attempt shows, and that one is short.
  void note_end(const PostgresConnection& connection);

  // A session in a read transaction: everything it reads is of one moment.
  class ReadSession {
   public:
    ~ReadSession();
    ReadSession(const ReadSession&) = delete;
    ReadSession& operator=(const ReadSession&) = delete;
    PostgresConnection* connection() { return connection_.get(); }
    SessionPool* pool() { return pool_.get(); }

   private:
    friend class SessionPool;
    explicit ReadSession(std::shared_ptr<SessionPool> pool) : pool_(std::move(pool)) {}
    std::shared_ptr<SessionPool> pool_;
    std::unique_ptr<PostgresConnection> connection_;
  };
  Result<std::unique_ptr<ReadSession>> begin_read();

 private:
  static constexpr size_t kIdleMax = 4;
  static constexpr DurationNs kRestNs = kSecondNs;  // after a failed attempt to connect
  // A server that hangs takes connections and says nothing, so that each attempt costs its whole
  // timeout, in the commit path too when an id has to be looked up. So: longer rests, and for a
  // while short attempts.
  static constexpr DurationNs kSilentRestNs = 5 * kSecondNs;
  static constexpr DurationNs kShortAttemptNs = 2 * kSecondNs;
  static constexpr DurationNs kShortAttemptsForNs = kMinuteNs;
  static constexpr DurationNs kBeginNs = 5 * kSecondNs;  // longest wait for BEGIN
  Status leave_alone(const Status& failure, bool was_silent);
  std::unique_ptr<PostgresConnection> take_idle();
  void give_back(std::unique_ptr<PostgresConnection> connection);

  Env* const env_;
  const PostgresTierOptions options_;
  const std::string schema_;
  Mutex mutex_;
  std::vector<std::unique_ptr<PostgresConnection>> idle_ GUARDED_BY(mutex_);
  uint32_t reading_ GUARDED_BY(mutex_) = 0;
  TimeNs rest_until_ GUARDED_BY(mutex_) = INT64_MIN;            // monotonic
  TimeNs short_attempts_until_ GUARDED_BY(mutex_) = INT64_MIN;  // monotonic
  Status last_failure_ GUARDED_BY(mutex_);
};

}  // namespace firn
