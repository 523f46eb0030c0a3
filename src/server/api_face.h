#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "query/query.h"
#include "server/memory_budget.h"
#include "server/router.h"
#include "server/services.h"
#include "store/store.h"

namespace firn {

// The routes under /api/v1 (docs/http-api.md). `services` must outlive the handlers.
Face api_face(Services* services);

// Parts of it, one per file.
void add_event_routes(Services* services, Face* face);  // api_events.cc: append, one, page, count
void add_tail_routes(Services* services, Face* face);   // api_tail.cc
void add_sql_routes(Services* services, Face* face);    // api_sql.cc
void add_namespace_routes(Services* services,
                          Face* face);                  // api_namespaces.cc: also tiers, the clock
void add_chunk_routes(Services* services, Face* face);  // api_chunks.cc
void add_subscription_routes(Services* services, Face* face);  // api_subscriptions.cc
void add_retention_routes(Services* services, Face* face);     // api_retention.cc
void add_metric_routes(Services* services, Face* face);        // api_metrics.cc: reading
void add_metric_write_routes(Services* services, Face* face);  // api_metrics_write.cc
void add_check_routes(Services* services, Face* face);         // api_checks.cc: reading
void add_prometheus_routes(Services* services, Face* face);    // api_prometheus.cc: writes

// What handlers share.

// An open store with the namespace of the request's first path argument.
struct Target {
  OpenStorePtr open;
  NamespaceInfo name_space;
};
Result<Target> find_target(Services* services, const HttpRequest& request);

// Unpacks a gzip body; `memory` gets its share of the memory for that, for as long as the result
// lives. kUnavailable when none is left, else as gunzip().
Result<std::string> unpack(Services* services, ByteView body, MemoryBudget::Share* memory);
// The same for a snappy block, as unpack_snappy(). Give the result to Services::texts when it is
// not needed any more.
Result<std::string> unpack_block(Services* services, ByteView body, MemoryBudget::Share* memory);
// Unpacks the body of a request in place. `http_status` is what a failure is answered with.
Status unpack_body(Services* services, HttpRequest* request, int* http_status);

// Ends a query when nobody waits for it or its time is over. `request` must outlive the guard.
QueryGuard make_guard(Services* services, const HttpRequestPtr& request);

// A share of the budget for a query; waits a moment for others to finish. kUnavailable when they do
// not.
Result<MemoryBudget::Share> take_memory(Services* services, const HttpRequest& request,
                                        MemoryBudget* budget, uint64_t bytes);

// Runs `work` on the query executor and answers with what it returns; skips it when nobody waits,
// and refuses it when too many are waiting already.
void run_query(Services* services, const HttpRequestPtr& request, const Responder& respond,
               std::function<Result<HttpResponse>()> work);

// The same for work that is answered later: it gives the answer itself, from any thread.
void run_query_and_answer(Services* services, const HttpRequestPtr& request,
                          const Responder& respond, std::function<void()> work);

// `,"tiers":["hot","warm"]` without the comma and the key.
std::string tiers_json(const QueryCost& cost);
// "hot,warm"
std::string tiers_text(const QueryCost& cost);
bool accepts_ndjson(const HttpRequest& request);

}  // namespace firn
