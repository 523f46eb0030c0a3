#include <algorithm>
#include <optional>
#include <string>

#include "server/api_face.h"
#include "server/body_reader.h"
#include "server/event_parameters.h"
#include "wire/json_text.h"

namespace firn {

namespace {

void append_namespace(const Store& store, const NamespaceInfo& info, std::string* out) {
  JsonObjectWriter object(out);
  object.text("name", info.name);
  object.unsigned_integer("last_position", info.last_position);
  object.text("retention", format_duration(info.retention_ns));
  object.unsigned_integer("series_limit", store.series_limit_of(info));
  object.close();
}

HttpResponse namespace_answer(const Store& store, const NamespaceInfo& info) {
  std::string body;
  append_namespace(store, info, &body);
  body.push_back('\n');
  return json_response(std::move(body));
}

void list_namespaces(Services* services, const HttpRequestPtr&, const Responder& respond) {
  const OpenStorePtr open = services->gate->get();
  if (open == nullptr) return respond(json_error(services->gate->why_not()));
  std::string body = "{\"namespaces\":[";
  bool first = true;
  for (const NamespaceInfo& info : open->store->namespaces()) {
    if (!std::exchange(first, false)) body.push_back(',');
    append_namespace(*open->store, info, &body);
  }
  respond(json_response(body + "]}\n"));
}

void get_namespace(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  const Result<Target> target = find_target(services, *request);
  respond(target.ok() ? namespace_answer(*target->open->store, target->name_space)
                      : json_error(target.status()));
}

// What a PUT changes; nothing: it stays.
struct NamespaceChange {
  std::optional<DurationNs> retention;
  std::optional<uint64_t> series_limit;  // 0: that of the configuration
};

Result<NamespaceChange> read_change(std::string_view body) {
  NamespaceChange change;
  const auto read = [&change](std::string_view name, JsonReader* json) -> Result<bool> {
    std::string_view text;
    if (name == "series_limit") {
      change.series_limit = 0;
      if (json->skip_null() || !json->read_number(&text)) return true;
      const auto number = parse_unsigned(text);
      if (!number || *number == 0) {
        return invalid_argument(
            "'series_limit' is " + std::string(text) +
            "; it must be a whole number from 1, or null for the configured one");
      }
      change.series_limit = *number;
      return true;
    }
    if (name != "retention") return false;
    if (!json->read_string(&text)) return true;
    change.retention = parse_duration(text);
    if (change.retention && *change.retention > 0) return true;
    return invalid_argument("'retention' is '" + std::string(text) +
                            "'; it must be a duration such as 30d, or forever");
  };
  FIRN_TRY(read_json_object(body, read));
  return change;
}

Result<HttpResponse> change_namespace(Store* store, const std::string& name,
                                      const NamespaceChange& change) {
  // Before anything is changed.
  if (change.series_limit) FIRN_TRY(store->options().check_series_limit(*change.series_limit));
  Result<NamespaceInfo> info = store->find_namespace(name);
  if (!info.ok() || change.retention) {
    info = store->put_namespace(name, change.retention.value_or(kForever));
  }
  FIRN_TRY(info.status());
  if (change.series_limit) info = store->set_series_limit(name, *change.series_limit);
  FIRN_TRY(info.status());
  return namespace_answer(*store, *info);
}

void put_namespace(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  // The manifest is a file, so this is work for a thread that may wait.
  run_query(services, request, respond, [services, request]() -> Result<HttpResponse> {
    const OpenStorePtr open = services->gate->get();
    if (open == nullptr) return services->gate->why_not();
    FIRN_ASSIGN(const NamespaceChange change, read_change(request->body));
    return change_namespace(open->store.get(), request->path_arguments[0], change);
  });
}

void delete_namespace(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  run_query(services, request, respond, [services, request]() -> Result<HttpResponse> {
    const OpenStorePtr open = services->gate->get();
    if (open == nullptr) return services->gate->why_not();
    FIRN_TRY(open->store->delete_namespace(request->path_arguments[0]));
    HttpResponse response;
    response.status = 204;
    return response;
  });
}

void list_tiers(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  run_query(services, request, respond, [services]() -> Result<HttpResponse> {
    const OpenStorePtr open = services->gate->get();
    if (open == nullptr) return services->gate->why_not();
    std::string body = "{\"tiers\":[";
    bool first = true;
    for (const TierInfo& tier : open->store->health().tiers) {
      if (!std::exchange(first, false)) body.push_back(',');
      JsonObjectWriter object(&body);
      object.text("name", tier.name);
      object.text("backend", tier.backend);
      object.text("keep", format_duration(tier.keep_ns));
      object.unsigned_integer("chunks", tier.stats.chunks);
      object.unsigned_integer("rows", tier.stats.rows);
      object.unsigned_integer("bytes", tier.stats.bytes);
      object.close();
    }
    return json_response(body + "]}\n");
  });
}

void confirm_clock(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  run_query(services, request, respond, [services]() -> Result<HttpResponse> {
    const OpenStorePtr open = services->gate->get();
    if (open == nullptr) return services->gate->why_not();
    open->store->confirm_clock();
    return json_response("{\"clock_suspect\":false}\n");
  });
}

}  // namespace

void add_namespace_routes(Services* services, Face* face) {
  const auto bind = [services](auto function) -> HttpHandler {
    return [services, function](const HttpRequestPtr& request, const Responder& respond) {
      function(services, request, respond);
    };
  };
  face->push_back({HttpMethod::kGet, "/api/v1/namespaces", bind(list_namespaces)});
  face->push_back({HttpMethod::kGet, "/api/v1/namespaces/{ns}", bind(get_namespace)});
  face->push_back({HttpMethod::kPut, "/api/v1/namespaces/{ns}", bind(put_namespace)});
  face->push_back({HttpMethod::kDelete, "/api/v1/namespaces/{ns}", bind(delete_namespace)});
  face->push_back({HttpMethod::kGet, "/api/v1/tiers", bind(list_tiers)});
  face->push_back({HttpMethod::kPost, "/api/v1/clock:confirm", bind(confirm_clock)});
}

}  // namespace firn
