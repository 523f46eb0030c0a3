#pragma once

#include <firn/database.h>

#include <memory>

#include "base/mutex.h"
#include "engine/engine.h"
#include "query/query.h"
#include "store/store.h"
#include "views/metrics/rollup_keeper.h"
#include "views/subscriptions/subscriptions.h"

namespace firn {

// What the classes of the public headers share. Thread rule: any thread.
struct Database::Parts {
  std::unique_ptr<Store> store;
  std::unique_ptr<Subscriptions> subscriptions;  // goes before the store
  std::unique_ptr<RollupKeeper> rollups;         // likewise
  Mutex mutex;
  std::unique_ptr<Engine> engine GUARDED_BY(mutex);  // opened with the first SQL statement

  Result<NamespaceId> namespace_id(std::string_view name) {
    FIRN_ASSIGN(const NamespaceInfo info, store->find_namespace(name));
    return info.id;
  }
  Result<SnapshotPtr> snapshot(std::string_view name) {
    FIRN_ASSIGN(const NamespaceId id, namespace_id(name));
    return store->snapshot(id);
  }
  Status command(std::string_view name, ChunkAction action) {
    FIRN_ASSIGN(const NamespaceId id, namespace_id(name));
    ChunkCommand command;
    command.action = action;
    command.namespace_id = id;
    return store->command_and_wait(std::move(command)).status;
  }
};

StoredEvent stored_event(const EventRef& ref);

}  // namespace firn
