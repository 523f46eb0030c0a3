#include "server/api_face.h"
#include "server/eventodb_rpc.h"
#include "server/subscription_calls.h"

// The methods subscription.*, which EventoDB does not have (docs/subscriptions.md).

namespace firn {

namespace {

HttpResponse encode_failure(const Status& status) {
  switch (status.code()) {
    case StatusCode::kNotFound:
      return eventodb_error(404, "NOT_FOUND", status.message());
    case StatusCode::kConflict:
      return eventodb_error(409, "SUBSCRIPTION_EXISTS", status.message());
    default:
      return eventodb_error(status);
  }
}

Status answer_call(const RpcCallPtr& rpc, std::string_view name, SubscriptionMethod method) {
  if (!rpc->caller.info.has_value()) {
    return internal_error("there is no namespace '" + rpc->caller.name_space + "'");
  }
  SubscriptionCall call;
  call.services = rpc->services;
  call.request = rpc->request;
  call.open = rpc->caller.open;
  call.name_space = rpc->caller.info->id;
  call.published = rpc->caller.info->last_position;
  if (name != "list") {
    FIRN_ASSIGN(call.name, text_argument(*rpc, 0, "subscription"));
    FIRN_TRY(visit_options(*rpc, 1, [&](std::string_view option, std::string_view value) {
      return set_subscription_option(option, value, &call.options);
    }));
  }
  const Responder respond = rpc->respond;
  run_query_and_answer(
      rpc->services, rpc->request, respond, [call = std::move(call), method, respond] {
        method(call, [respond](Result<std::string> body, MemoryBudget::Share share) {
          if (!body.ok()) return respond(encode_failure(body.status()));
          HttpResponse response = json_response(std::move(*body) + "\n");
          response.memory = std::move(share);
          respond(std::move(response));
        });
      });
  return Status();
}

}  // namespace

RpcMethod find_durable_method(std::string_view name) {
  constexpr std::string_view kPrefix = "subscription.";
  if (!name.starts_with(kPrefix)) return nullptr;
  name.remove_prefix(kPrefix.size());
  const SubscriptionMethod method = find_subscription_method(name);
  if (method == nullptr) return nullptr;
  return [name = std::string(name), method](const RpcCallPtr& call) {
    return answer_call(call, name, method);
  };
}

}  // namespace firn
