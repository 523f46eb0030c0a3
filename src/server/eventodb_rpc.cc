#include "server/eventodb_rpc.h"

#include <algorithm>
#include <utility>

#include "server/api_face.h"
#include "wire/json_text.h"

namespace firn {

namespace {

// What a read takes of the memory for answers: its rows, twice while they are found, and its text.
constexpr uint64_t kReadCopies = 3;

RpcMethod find_method(std::string_view name) {
  for (const auto find : {find_stream_method, find_namespace_method, find_durable_method,
                          find_chunk_method, find_batch_method}) {
    if (RpcMethod method = find(name)) return method;
  }
  return nullptr;
}

void answer_rpc(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  HttpResponse refusal;
  EventodbCaller caller;
  if (!authenticate(services, *request, &caller, &refusal)) return respond(std::move(refusal));
  int http_status = 400;
  EventodbCall call;
  Status status = unpack_body(services, request.get(), &http_status);
  if (status.ok()) {
    status = parse_eventodb_call(request->body, services->limits.json_depth, &call);
  }
  if (!status.ok()) {
    return respond(eventodb_error(http_status, "INVALID_REQUEST", status.message(),
                                  error_details("error", status.message())));
  }
  answer_rpc_call(services, request, std::move(caller), std::move(call), respond);
}

// Whoever may not ask does not learn which methods there are.
void refuse_method(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  HttpResponse refusal;
  EventodbCaller caller;
  if (authenticate(services, *request, &caller, &refusal)) {
    refusal = eventodb_error(405, "INVALID_REQUEST", "/rpc answers to POST only");
    refusal.headers.emplace_back("Allow", "POST");
  }
  respond(std::move(refusal));
}

}  // namespace

void answer_rpc_call(Services* services, const HttpRequestPtr& request, EventodbCaller caller,
                     EventodbCall call, const Responder& respond) {
  const RpcMethod method = find_method(call.method);
  if (!method) {
    return respond(
        eventodb_error(404, "METHOD_NOT_FOUND", "there is no method '" + call.method + "'"));
  }
  const Status status = method(std::make_shared<RpcCall>(
      RpcCall{std::move(call), services, request, respond, std::move(caller)}));
  if (!status.ok()) respond(eventodb_error(status));
}

void add_rpc_route(Services* services, Face* face) {
  face->push_back({HttpMethod::kPost, "/rpc",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     answer_rpc(services, request, respond);
                   },
                   eventodb_route_error});
  for (const HttpMethod other : kRouteMethods) {
    if (other == HttpMethod::kPost) continue;
    face->push_back({other, "/rpc",
                     [services](const HttpRequestPtr& request, const Responder& respond) {
                       refuse_method(services, request, respond);
                     },
                     eventodb_route_error});
  }
}

Status run_rpc(const RpcCallPtr& call, std::function<Result<HttpResponse>()> work) {
  run_query(
      call->services, call->request, call->respond,
      [work = std::move(work)]() -> Result<HttpResponse> {
        Result<HttpResponse> answer = work();
        if (!answer.ok()) return eventodb_error(answer.status());
        if (answer->body.size() <= kRpcAnswerBytesMax) return answer;
        return eventodb_error(too_large("the answer has " + std::to_string(answer->body.size()) +
                                        " bytes; ask for less with batchSize"));
      });
  return Status();
}

uint64_t read_bytes_max(const Services& services) {
  return std::min(2 * services.limits.page_bytes,
                  services.answer_memory->bytes_max() / (2 * kReadCopies));
}

Status run_read(const RpcCallPtr& call, RpcWork work) {
  return run_on_snapshot(
      call,
      [call, work = std::move(work)](const Snapshot& snapshot,
                                     const QueryGuard& guard) -> Result<HttpResponse> {
        Services* const services = call->services;
        FIRN_ASSIGN(MemoryBudget::Share share,
                    take_memory(services, *call->request, services->answer_memory.get(),
                                kReadCopies * read_bytes_max(*services)));
        FIRN_ASSIGN(HttpResponse response, work(snapshot, guard));
        share.resize(std::min<uint64_t>(share.bytes(), response.body.capacity()));
        response.memory = std::move(share);
        return response;
      });
}

Status run_on_snapshot(const RpcCallPtr& call, RpcWork work) {
  if (!call->caller.info.has_value()) {
    return internal_error("there is no namespace '" + call->caller.name_space + "'");
  }
  return run_rpc(call, [call, work = std::move(work)]() -> Result<HttpResponse> {
    FIRN_ASSIGN(const SnapshotPtr snapshot,
                call->caller.open->store->snapshot(call->caller.info->id));
    return work(*snapshot, make_guard(call->services, call->request));
  });
}

Result<std::string> text_argument(const RpcCall& call, size_t index, std::string_view name) {
  if (index >= call.arguments.size()) {
    return invalid_argument("the argument '" + std::string(name) + "' is missing");
  }
  FIRN_ASSIGN(std::string text, json_text(call.arguments[index], name));
  if (!text.empty()) return text;
  return invalid_argument("'" + std::string(name) + "' must not be empty");
}

Status visit_options(const RpcCall& call, size_t index,
                     const std::function<Status(std::string_view, std::string_view)>& member) {
  if (index >= call.arguments.size() || call.arguments[index] == "null") return Status();
  if (!is_json_object(call.arguments[index])) {
    return invalid_argument("the options must be an object");
  }
  return visit_members(call.arguments[index], [&](std::string_view name, std::string_view value) {
    return value == "null" ? Status() : member(name, value);  // as if it were not there
  });
}

}  // namespace firn
