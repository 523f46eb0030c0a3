#include "server/api_face.h"
#include "server/subscription_calls.h"
#include "wire/json_reader.h"

// Durable subscriptions under /api/v1 (docs/subscriptions.md).

namespace firn {

namespace {

Result<SubscriptionCall> make_call(Services* services, const HttpRequestPtr& request) {
  SubscriptionCall call;
  call.services = services;
  call.request = request;
  FIRN_ASSIGN(Target target, find_target(services, *request));
  call.open = std::move(target.open);
  call.name_space = target.name_space.id;
  call.published = target.name_space.last_position;
  if (request->path_arguments.size() > 1) call.name = request->path_arguments[1];
  FIRN_ASSIGN(const QueryParameters parameters, parse_query(request->query));
  for (const auto& [name, value] : parameters) {
    FIRN_TRY(set_subscription_option(name, value, &call.options));
  }
  return call;
}

void answer_call(Services* services, SubscriptionMethod method, const HttpRequestPtr& request,
                 const Responder& respond) {
  Result<SubscriptionCall> call = make_call(services, request);
  Status status = call.status();
  int http_status = 400;
  if (status.ok()) status = unpack_body(services, request.get(), &http_status);
  if (status.ok() && !request->body.empty()) {
    status = check_json(request->body, services->limits.json_depth);
    if (status.ok()) status = read_subscription_options(request->body, &call->options);
  }
  if (!status.ok()) return respond(json_error(status));
  run_query_and_answer(services, request, respond, [call = std::move(*call), method, respond] {
    method(call, [respond](Result<std::string> body, MemoryBudget::Share share) {
      if (!body.ok()) return respond(json_error(body.status()));
      HttpResponse response = json_response(std::move(*body) + "\n");
      response.memory = std::move(share);
      respond(std::move(response));
    });
  });
}

}  // namespace

void add_subscription_routes(Services* services, Face* face) {
  const std::string all = "/api/v1/namespaces/{ns}/subscriptions";
  const std::string one = all + "/{name}";
  const auto add = [&](HttpMethod http_method, const std::string& pattern, const char* name) {
    const SubscriptionMethod method = find_subscription_method(name);
    FIRN_CHECK(method != nullptr);
    face->push_back({http_method, pattern,
                     [services, method](const HttpRequestPtr& request, const Responder& respond) {
                       answer_call(services, method, request, respond);
                     }});
  };
  add(HttpMethod::kGet, all, "list");
  add(HttpMethod::kPut, one, "create");
  add(HttpMethod::kGet, one, "info");
  add(HttpMethod::kDelete, one, "delete");
  for (const char* name : {"receive", "ack", "nack", "replay", "discard"}) {
    add(HttpMethod::kPost, one + "/" + name, name);
  }
  add(HttpMethod::kGet, one + "/parked", "parked");
}

}  // namespace firn
