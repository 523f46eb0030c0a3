#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/limits.h"
#include "base/mutex.h"
#include "base/status.h"
#include "engine/engine.h"
#include "env/env.h"
#include "env/stoppable_worker.h"
#include "server/memory_budget.h"
#include "server/metrics.h"
#include "server/text_memory.h"
#include "store/store.h"
#include "wire/series_cache.h"

namespace firn {

class RollupKeeper;
class Subscriptions;

struct OpenStore {
  OpenStore();
  ~OpenStore();
  // Runs the keeper of rollups from now on.
  void keep_rollups(Env* env);
  // The engine goes after the store: no query runs when either goes.
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Store> store;
  std::unique_ptr<Subscriptions> subscriptions;  // durable ones; goes before the store
  std::unique_ptr<RollupKeeper> rollups;         // likewise
  std::atomic<bool> closing{false};
  StoppableWorker rollup_worker;  // calls it; goes before it
};
using OpenStorePtr = std::shared_ptr<OpenStore>;

// Where faces get the store from, and what they learn while it is not there. Thread rule: any
// thread. A store that was got must not be held by the store's own callbacks, whose thread could
// then be the one that destroys it.
class StoreGate {
 public:
  // Null before the store is open and after close().
  OpenStorePtr get() const EXCLUDES(mutex_);
  // Why get() is null: kUnavailable with the progress while it opens, or what open() failed with.
  Status why_not() const EXCLUDES(mutex_);

  void set_progress(uint64_t bytes_done, uint64_t bytes_total) EXCLUDES(mutex_);
  void open(OpenStorePtr store) EXCLUDES(mutex_);
  void fail(const Status& status) EXCLUDES(mutex_);
  // Nobody gets the store any more. Returns it, so that the caller decides when it is destroyed.
  OpenStorePtr close() EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  OpenStorePtr store_ GUARDED_BY(mutex_);
  Status reason_ GUARDED_BY(mutex_) = unavailable("the server is starting; try again soon");
};

// Runs a function soon, on another thread that may wait; or never, when the server stops.
using Executor = std::function<void(std::function<void()>)>;

// What faces work with. Everything outlives the faces.
struct Services {
  Env* env = nullptr;
  std::shared_ptr<StoreGate> gate = std::make_shared<StoreGate>();
  ServerMetrics* metrics = nullptr;
  Limits limits = kLimits;
  // Query memory: half of it for statements in the engine, half for rows and texts of answers.
  std::shared_ptr<MemoryBudget> statement_memory =
      std::make_shared<MemoryBudget>(kLimits.query_memory_bytes / 2);
  std::shared_ptr<MemoryBudget> answer_memory =
      std::make_shared<MemoryBudget>(kLimits.query_memory_bytes / 2);
  // For bodies that came packed, beside request_memory for what they came as.
  std::shared_ptr<MemoryBudget> unpacked_memory = std::make_shared<MemoryBudget>(256 * kMiB);
  std::shared_ptr<TextMemory> texts = std::make_shared<TextMemory>(8 * kMiB);  // of such bodies
  std::shared_ptr<SeriesCache> series_cache;                                   // null: none
  std::atomic<uint64_t> queries_waiting{0};
  Executor query_executor;   // queries and commands
  Executor tail_executor;    // reads for tails, which must not wait behind slow queries
  Executor health_executor;  // health and metrics, which must not wait behind either
  std::string otlp_namespace = "default";
  bool eventodb_test_mode = false;  // the eventodb face believes every token (docs/eventodb.md)
};

}  // namespace firn
