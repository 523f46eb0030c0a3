#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "query/query.h"
#include "server/eventodb_face.h"
#include "wire/eventodb_json.h"
#include "wire/json_values.h"

namespace firn {

// One call of POST /rpc. The arguments are views of the request's body.
struct RpcCall : EventodbCall {
  Services* services = nullptr;
  HttpRequestPtr request;
  Responder respond;
  EventodbCaller caller;
};
using RpcCallPtr = std::shared_ptr<const RpcCall>;
// Answers the call, now or later. A failure is answered by the caller.
using RpcMethod = std::function<Status(const RpcCallPtr&)>;

// The header of a read that says how many messages of its range were dropped.
inline constexpr const char* kDroppedHeader = "Firn-Dropped";

// Each file's methods; null for another name.
RpcMethod find_namespace_method(std::string_view name);  // ns.*, sys.*: eventodb_namespaces.cc
RpcMethod find_stream_method(std::string_view name);     // stream.*, category.*
RpcMethod find_durable_method(std::string_view name);  // subscription.*: eventodb_subscriptions.cc
RpcMethod find_chunk_method(std::string_view name);    // chunks.*: eventodb_chunks.cc
RpcMethod find_batch_method(std::string_view name);    // batch: eventodb_batch.cc

// Runs one call that the request's body holds; `respond` gets its answer, whatever it is.
void answer_rpc_call(Services* services, const HttpRequestPtr& request, EventodbCaller caller,
                     EventodbCall call, const Responder& respond);
// An answer that grew beyond this is refused, because it cannot be cut without saying so.
inline constexpr size_t kRpcAnswerBytesMax = 64 * kMiB;

// Runs `work` on the query executor with a snapshot of the caller's namespace and answers what it
// returns; kInternal when the namespace does not exist. For reads a share of the memory for answers
// is taken before; they may bring rows of read_bytes_max() together.
using RpcWork = std::function<Result<HttpResponse>(const Snapshot&, const QueryGuard&)>;
Status run_on_snapshot(const RpcCallPtr& call, RpcWork work);
Status run_read(const RpcCallPtr& call, RpcWork work);
uint64_t read_bytes_max(const Services& services);
// The same without a snapshot.
Status run_rpc(const RpcCallPtr& call, std::function<Result<HttpResponse>()> work);

// Reading arguments. All fail with kInvalidArgument that names the argument.
Result<std::string> text_argument(const RpcCall& call, size_t index, std::string_view name);
// As visit_members(), of the options, which may be left out or null, one by one or all together.
Status visit_options(const RpcCall& call, size_t index,
                     const std::function<Status(std::string_view, std::string_view)>& member);

}  // namespace firn
