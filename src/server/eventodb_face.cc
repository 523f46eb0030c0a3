#include "server/eventodb_face.h"

#include "base/time.h"
#include "server/api_face.h"
#include "server/eventodb_token.h"
#include "wire/json_text.h"

namespace firn {

namespace {

constexpr const char* kDefaultNamespace = "default";

void answer_version(const HttpRequestPtr&, const Responder& respond) {
  std::string body;
  JsonObjectWriter object(&body);
  object.text("version", kEventodbVersion);
  object.close();
  respond(json_response(body + "\n"));
}

// The query parameter wins over the header.
Result<std::string> find_token(const HttpRequest& request) {
  constexpr std::string_view kBearer = "Bearer ";
  FIRN_ASSIGN(const QueryParameters parameters, parse_query(request.query));
  const auto parameter = query_parameter(parameters, "token");
  if (parameter.has_value() && !parameter->empty()) return *parameter;
  if (!std::string_view(request.authorization).starts_with(kBearer)) return std::string();
  return request.authorization.substr(kBearer.size());
}

}  // namespace

Face eventodb_face(Services* services) {
  Face face;
  for (const HttpMethod method : kRouteMethods) {
    face.push_back({method, "/version", answer_version, eventodb_route_error});
  }
  add_rpc_route(services, &face);
  add_subscribe_route(services, &face);
  add_import_route(services, &face);
  add_export_route(services, &face);
  return face;
}

Status prepare_eventodb(Env* env, Store* store, const EventodbConfig& config) {
  FIRN_ASSIGN(const NamespaceInfo info, store->find_namespace(kDefaultNamespace));
  NamespaceProfile profile = *info.profile;
  std::string made;
  if (!config.token.empty()) {
    FIRN_ASSIGN(const std::string name, namespace_of_token(config.token));
    if (name != kDefaultNamespace) {
      return invalid_argument("the token is for namespace '" + name + "'; give one for 'default'");
    }
    if (token_matches(config.token, profile.token_sha256)) return Status();
    profile.token_sha256 = token_sha256(config.token);
  } else if (config.show_token != nullptr && profile.token_sha256.empty()) {
    made = make_token(env, kDefaultNamespace);
    profile.token_sha256 = token_sha256(made);
  } else {
    return Status();
  }
  if (profile.description.empty()) profile.description = "Default namespace";
  FIRN_TRY(store->set_namespace_profile(kDefaultNamespace, std::move(profile)));
  if (!made.empty()) config.show_token(made);
  return Status();
}

HttpResponse eventodb_error(int http_status, std::string_view code, std::string_view message,
                            std::string_view details) {
  HttpResponse response;
  response.status = http_status;
  response.body = "{\"error\":";
  JsonObjectWriter object(&response.body);
  object.text("code", code);
  object.text("message", message);
  if (!details.empty()) object.raw("details", details);
  object.close();
  response.body += "}\n";
  return response;
}

std::string error_details(std::string_view name, std::string_view value) {
  std::string details;
  JsonObjectWriter object(&details);
  object.text(name, value);
  object.close();
  return details;
}

HttpResponse eventodb_error(const Status& status) { return eventodb_error(status, {}); }

HttpResponse eventodb_error(const Status& status, std::string_view details) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kTooLarge:
      return eventodb_error(400, "INVALID_REQUEST", status.message(), details);
    case StatusCode::kUnavailable:
    case StatusCode::kNoSpace:
    case StatusCode::kCancelled: {
      HttpResponse response = eventodb_error(503, "BACKEND_ERROR", status.message(), details);
      response.headers.emplace_back("Retry-After", "1");
      return response;
    }
    default:
      return eventodb_error(500, "BACKEND_ERROR", status.message(), details);
  }
}

HttpResponse eventodb_route_error(const HttpRequest&, int http_status, std::string_view,
                                  std::string_view message) {
  if (http_status == 404) return eventodb_error(404, "NOT_FOUND", "Endpoint not found");
  const bool ours = http_status >= 500;
  return eventodb_error(http_status, ours ? "BACKEND_ERROR" : "INVALID_REQUEST", message);
}

bool authenticate(Services* services, const HttpRequest& request, EventodbCaller* caller,
                  HttpResponse* refusal) {
  const auto refuse = [refusal](HttpResponse response) {
    *refusal = std::move(response);
    return false;
  };
  caller->open = services->gate->get();
  if (caller->open == nullptr) return refuse(eventodb_error(services->gate->why_not()));
  const Result<std::string> token = find_token(request);
  if (!token.ok()) return refuse(eventodb_error(token.status()));
  Result<std::string> name = namespace_of_token(*token);
  if (!name.ok()) {
    if (!services->eventodb_test_mode && token->empty()) {
      return refuse(eventodb_error(401, "AUTH_REQUIRED", "Authorization: Bearer TOKEN is missing"));
    }
    if (!services->eventodb_test_mode) {
      return refuse(eventodb_error(401, "AUTH_INVALID_TOKEN", "Invalid token",
                                   error_details("error", name.status().message())));
    }
    name = std::string(kDefaultNamespace);
  }
  caller->name_space = *name;
  Result<NamespaceInfo> info = caller->open->store->find_namespace(*name);
  if (info.ok()) caller->info = std::move(*info);
  if (services->eventodb_test_mode) return true;
  if (caller->info.has_value() && token_matches(*token, caller->info->profile->token_sha256)) {
    return true;
  }
  // The same for an unknown namespace and a wrong token.
  return refuse(eventodb_error(403, "AUTH_UNAUTHORIZED", "The token is not valid for its namespace",
                               error_details("namespace", *name)));
}

bool authenticate_to_namespace(Services* services, const HttpRequest& request,
                               EventodbCaller* caller, HttpResponse* refusal) {
  if (!authenticate(services, request, caller, refusal)) return false;
  if (caller->info.has_value()) return true;
  *refusal = eventodb_error(internal_error("there is no namespace '" + caller->name_space + "'"));
  return false;
}

Status find_caller(Services* services, const HttpRequest& request, EventodbCaller* caller) {
  FIRN_ASSIGN(Target target, find_target(services, request));
  caller->open = std::move(target.open);
  caller->name_space = target.name_space.name;
  caller->info = std::move(target.name_space);
  return Status();
}

std::optional<std::string> query_parameter(const QueryParameters& parameters,
                                           std::string_view name) {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void append_document(std::string_view document, std::string_view absent, std::string* out) {
  out->append(document.empty() ? absent : document);
}

void append_message_tuple(const RecordBatch& batch, uint32_t row, bool with_stream,
                          std::string* out) {
  const EventRow event = event_row(batch, row);
  *out += "[\"" + event.id.to_uuid() + "\",";
  if (with_stream) {
    append_json_string(event.stream, out);
    out->push_back(',');
  }
  append_json_string(event.type, out);
  out->push_back(',');
  append_json_integer(event.stream_position, out);
  out->push_back(',');
  append_json_unsigned(batch.position(row), out);
  out->push_back(',');
  append_document(event.data, "{}", out);
  out->push_back(',');
  append_document(event.metadata, "null", out);
  *out += ",\"" + format_time(event.time) + "\"]";
}

}  // namespace firn
