#pragma once

// Inside the engine room only, see duck.h.

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "base/mutex.h"
#include "base/time.h"
#include "engine/duck.h"
#include "env/env.h"

namespace firn {

// Interrupts statements whose time is over, from one worker that starts with the first of them.
// Thread rule: any thread.
class Watch {
 public:
  explicit Watch(Env* env);
  ~Watch();

  // Calls `interrupt` once `deadline` (monotonic) has passed, again and again until remove(). Never
  // returns 0. `interrupt` must be quick and must not call back.
  uint64_t add(TimeNs deadline, std::function<void()> interrupt) EXCLUDES(mutex_);
  // Afterwards the interrupt is not running and will not be called.
  void remove(uint64_t ticket) EXCLUDES(mutex_);

 private:
  struct Entry {
    TimeNs deadline;
    std::function<void()> interrupt;
  };
  void step() EXCLUDES(mutex_);

  Env* const env_;
  Mutex mutex_;
  std::map<uint64_t, Entry> entries_ GUARDED_BY(mutex_);
  uint64_t last_ticket_ GUARDED_BY(mutex_) = 0;
  TimeNs wakes_at_ GUARDED_BY(mutex_) = INT64_MAX;  // the worker looks then, or earlier
  std::unique_ptr<Worker> worker_ GUARDED_BY(mutex_);
};

// Thread rule: any thread.
struct Engine::Instance {
  Instance(Env* environment, EngineOptions settings)
      : env(environment), options(std::move(settings)), watch(environment) {}
  // Runs `execute` with a connection that sees what the request names, within the request's time
  // and until it is cancelled.
  Result<SqlSummary> run(const SqlRequest& request,
                         const std::function<Status(Client&, SqlSummary*)>& execute);
  // A connection of its own. DuckDB itself is started by the first: that takes tens of milliseconds
  // and as many megabytes, which a store that only takes events in never needs.
  Result<std::unique_ptr<Client>> connect() EXCLUDES(mutex);

  Env* const env;
  const EngineOptions options;
  Mutex mutex;
  std::unique_ptr<duckdb::DuckDB> database GUARDED_BY(mutex);
  Watch watch;
};

}  // namespace firn
