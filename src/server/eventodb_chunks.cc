#include "server/api_face.h"
#include "server/chunk_calls.h"
#include "server/eventodb_rpc.h"

// The methods chunks.*, which EventoDB does not have: the commands of docs/lifecycle.md for the
// chunks of the caller's namespace.

namespace firn {

namespace {

HttpResponse answer_failure(const Status& status, std::string_view details = {}) {
  if (status.code() != StatusCode::kNotFound) return eventodb_error(status, details);
  return eventodb_error(404, "NOT_FOUND", status.message(), details);
}

HttpResponse command_answer(const ChunkCommandResult& result) {
  const std::string body = "{\"chunks\":" + chunk_outcomes_json(result) + "}";
  if (!result.status.ok()) return answer_failure(result.status, body);
  return json_response(body + "\n");
}

Status list_chunks(const RpcCallPtr& call) {
  return run_on_snapshot(call,
                         [](const Snapshot& snapshot, const QueryGuard&) -> Result<HttpResponse> {
                           return json_response(chunk_list_json(snapshot) + "\n");
                         });
}

Status command_chunks(const RpcCallPtr& call, ChunkAction action) {
  if (!call->caller.info.has_value()) {
    return internal_error("there is no namespace '" + call->caller.name_space + "'");
  }
  std::string_view options;
  if (!call->arguments.empty() && call->arguments[0] != "null") options = call->arguments[0];
  Store* const store = call->caller.open->store.get();
  Result<ChunkCommand> command = read_chunk_command(options, action, call->caller.info->id, *store);
  if (!command.ok()) {
    call->respond(answer_failure(command.status()));
    return Status();
  }
  // Not the call itself: it holds the store, and this runs on the store's thread.
  store->command(std::move(*command), [respond = call->respond](const ChunkCommandResult& result) {
    respond(command_answer(result));
  });
  return Status();
}

}  // namespace

RpcMethod find_chunk_method(std::string_view name) {
  constexpr std::string_view kPrefix = "chunks.";
  if (!name.starts_with(kPrefix)) return nullptr;
  name.remove_prefix(kPrefix.size());
  if (name == "list") return list_chunks;
  const auto action = find_chunk_action(name);
  if (!action.has_value()) return nullptr;
  return [action = *action](const RpcCallPtr& call) { return command_chunks(call, action); };
}

}  // namespace firn
