#include "server/eventodb_rpc.h"

#include <charconv>
#include <cmath>

#include "server/api_face.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"

namespace firn {

namespace {

// An answer that grew beyond this is refused, because it cannot be cut without saying so.
constexpr size_t kAnswerBytes = 64 * kMiB;

Status parse_call(const Services& services, RpcCall* call) {
  const std::string_view body = call->request->body;
  FIRN_TRY(check_utf8(body));
  StringPool pool;
  JsonReader reader(body, services.limits.json_depth, &pool);
  if (reader.peek() != JsonReader::Kind::kArray) {
    FIRN_TRY(reader.status());
    return invalid_argument("the request must be an array: [\"method\", argument...]");
  }
  (void)reader.enter_array();
  bool has_method = false, is_text = true;
  while (reader.next_element()) {
    std::string_view value;
    if (has_method) {
      if (reader.read_raw(&value)) call->arguments.push_back(value);
      continue;
    }
    has_method = true;
    is_text = reader.peek() == JsonReader::Kind::kString;
    if (is_text ? reader.read_string(&value) : reader.skip_value()) call->method = value;
  }
  FIRN_TRY(reader.finish());
  if (!has_method) return invalid_argument("Missing method name");
  if (!is_text) return invalid_argument("the method must be a string");
  return Status();
}

void answer_rpc(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  HttpResponse refusal;
  auto call = std::make_shared<RpcCall>(RpcCall{services, request, respond, {}, {}, {}});
  if (!authenticate(services, *request, &call->caller, &refusal)) {
    return respond(std::move(refusal));
  }
  int http_status = 400;
  Status status = unpack_body(request.get(), services->limits, &http_status);
  if (status.ok()) status = parse_call(*services, call.get());
  if (!status.ok())
    return respond(eventodb_error(http_status, "INVALID_REQUEST", status.message()));
  const RpcMethod* method = find_stream_method(call->method);
  if (method == nullptr) method = find_namespace_method(call->method);
  if (method == nullptr) {
    return respond(
        eventodb_error(404, "METHOD_NOT_FOUND", "there is no method '" + call->method + "'"));
  }
  status = (*method)(call);
  if (!status.ok()) respond(eventodb_error(status));
}

}  // namespace

void add_rpc_route(Services* services, Face* face) {
  face->push_back({HttpMethod::kPost, "/rpc",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     answer_rpc(services, request, respond);
                   },
                   eventodb_route_error});
}

Status run_rpc(const RpcCallPtr& call, std::function<Result<HttpResponse>()> work) {
  run_query(
      call->services, call->request, call->respond,
      [work = std::move(work)]() -> Result<HttpResponse> {
        Result<HttpResponse> answer = work();
        if (!answer.ok()) return eventodb_error(answer.status());
        if (answer->body.size() <= kAnswerBytes) return answer;
        return eventodb_error(too_large("the answer has " + std::to_string(answer->body.size()) +
                                        " bytes; ask for less with batchSize"));
      });
  return Status();
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

Result<std::string> json_text(std::string_view json, std::string_view name) {
  StringPool pool;
  JsonReader reader(json, 1, &pool);
  std::string_view text;
  if (json.starts_with('"') && reader.read_string(&text)) return std::string(text);
  return invalid_argument("'" + std::string(name) + "' must be a string");
}

Result<int64_t> json_integer(std::string_view json, std::string_view name) {
  const char* const end = json.data() + json.size();
  int64_t whole = 0;
  const auto [after, error] = std::from_chars(json.data(), end, whole);
  if (error == std::errc() && after == end) return whole;
  double number = 0;
  const auto [behind, failed] = std::from_chars(json.data(), end, number);
  constexpr double kMost = 9.2e18;
  if (failed == std::errc() && behind == end && std::abs(number) < kMost) {
    return static_cast<int64_t>(number);
  }
  return invalid_argument("'" + std::string(name) + "' must be a number of 64 bits");
}

bool is_json_object(std::string_view json) { return json.starts_with('{'); }

Status visit_members(std::string_view json,
                     const std::function<Status(std::string_view, std::string_view)>& member) {
  StringPool pool;
  JsonReader reader(json, JsonReader::kDepthMax, &pool);
  std::string_view name, value;
  if (!reader.enter_object()) return reader.status();
  while (reader.next_member(&name)) {
    if (!reader.read_raw(&value)) break;
    FIRN_TRY(member(name, value));
  }
  return reader.finish();
}

Status visit_options(const RpcCall& call, size_t index,
                     const std::function<Status(std::string_view, std::string_view)>& member) {
  if (index >= call.arguments.size() || call.arguments[index] == "null") return Status();
  if (!is_json_object(call.arguments[index])) {
    return invalid_argument("the options must be an object");
  }
  return visit_members(call.arguments[index], member);
}

}  // namespace firn
