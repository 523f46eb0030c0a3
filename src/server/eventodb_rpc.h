#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "query/query.h"
#include "server/eventodb_face.h"

namespace firn {

// One call of POST /rpc: ["method", argument...].
struct RpcCall {
  Services* services = nullptr;
  HttpRequestPtr request;  // the arguments are views of its body
  Responder respond;
  EventodbCaller caller;
  std::string method;
  std::vector<std::string_view> arguments;  // JSON values, as they came
};
using RpcCallPtr = std::shared_ptr<const RpcCall>;
// Answers the call, now or later. A failure is answered by the caller.
using RpcMethod = std::function<Status(const RpcCallPtr&)>;

// Null when there is no such method.
const RpcMethod* find_namespace_method(
    std::string_view name);                                  // ns.*, sys.*: eventodb_namespaces.cc
const RpcMethod* find_stream_method(std::string_view name);  // stream.*, category.*

// Runs `work` on the query executor with a snapshot of the caller's namespace and answers what it
// returns; kInternal when the namespace does not exist.
using RpcWork = std::function<Result<HttpResponse>(const Snapshot&, const QueryGuard&)>;
Status run_on_snapshot(const RpcCallPtr& call, RpcWork work);
// The same without a snapshot.
Status run_rpc(const RpcCallPtr& call, std::function<Result<HttpResponse>()> work);

// Reading arguments. All fail with kInvalidArgument that names the argument.
Result<std::string> text_argument(const RpcCall& call, size_t index, std::string_view name);
Result<std::string> json_text(std::string_view json, std::string_view name);
// Truncated to a whole number.
Result<int64_t> json_integer(std::string_view json, std::string_view name);
bool is_json_object(std::string_view json);
// Calls `member` with the name and value of each member of an object.
Status visit_members(std::string_view json,
                     const std::function<Status(std::string_view, std::string_view)>& member);
// The same for the options, which may be left out or null.
Status visit_options(const RpcCall& call, size_t index,
                     const std::function<Status(std::string_view, std::string_view)>& member);

}  // namespace firn
