#include "server/api_face.h"

#include "server/eventodb_face.h"
#include "wire/gzip.h"
#include "wire/json_text.h"
#include "wire/snappy_block.h"

namespace firn {

namespace {

// What a body takes that came packed; false when there is not enough memory for it.
std::function<bool(uint64_t)> take_unpacked(Services* services, MemoryBudget::Share* memory) {
  return [services, memory](uint64_t bytes) {
    if (memory->bytes() > 0) return memory->resize(bytes);
    std::optional<MemoryBudget::Share> share = services->unpacked_memory->take(bytes, 0);
    if (!share.has_value() || share->bytes() < bytes) return false;
    *memory = std::move(*share);
    return true;
  };
}

}  // namespace

Face api_face(Services* services) {
  Face face;
  add_event_routes(services, &face);
  add_tail_routes(services, &face);
  add_sql_routes(services, &face);
  add_namespace_routes(services, &face);
  add_chunk_routes(services, &face);
  add_metric_routes(services, &face);
  add_retention_routes(services, &face);
  add_metric_write_routes(services, &face);
  add_check_routes(services, &face);
  add_prometheus_routes(services, &face);
  add_subscription_routes(services, &face);
  add_import_api_route(services, &face);
  add_export_api_route(services, &face);
  return face;
}

Result<Target> find_target(Services* services, const HttpRequest& request) {
  Target target;
  target.open = services->gate->get();
  if (target.open == nullptr) return services->gate->why_not();
  FIRN_CHECK(!request.path_arguments.empty());
  FIRN_ASSIGN(target.name_space, target.open->store->find_namespace(request.path_arguments[0]));
  return target;
}

Result<std::string> unpack(Services* services, ByteView body, MemoryBudget::Share* memory) {
  const Limits& limits = services->limits;
  return gunzip(body, limits.request_bytes, limits.decompression_ratio,
                take_unpacked(services, memory));
}

Result<std::string> unpack_block(Services* services, ByteView body, MemoryBudget::Share* memory) {
  const Limits& limits = services->limits;
  return unpack_snappy(body, limits.request_bytes, limits.decompression_ratio,
                       take_unpacked(services, memory), services->texts->take());
}

Status unpack_body(Services* services, HttpRequest* request, int* http_status) {
  *http_status = 400;
  const std::string& encoding = request->content_encoding;
  if (encoding.empty() || equals_ignoring_case(encoding, "identity")) return Status();
  if (!equals_ignoring_case(encoding, "gzip") && !equals_ignoring_case(encoding, "x-gzip")) {
    *http_status = 415;
    return invalid_argument("Content-Encoding '" + encoding +
                            "' is not supported; send gzip or none");
  }
  Result<std::string> body = unpack(services, request->body, &request->unpacked_memory);
  if (!body.ok()) {
    *http_status = http_status_of(body.status().code());
    return body.status().with_context("the gzip body");
  }
  request->body = std::move(*body);
  return Status();
}

QueryGuard make_guard(Services* services, const HttpRequestPtr& request) {
  Env* env = services->env;
  const TimeNs started = env->monotonic();
  const DurationNs limit = services->limits.query_time_ns;
  return [env, started, limit, request]() -> Status {
    if (request->cancellation.cancelled()) return cancelled("nobody waits for the answer");
    if (env->monotonic() - started <= limit) return Status();
    return deadline_exceeded("the query took longer than the limit query_time, " +
                             format_duration(limit) + "; narrow it");
  };
}

Result<MemoryBudget::Share> take_memory(Services* services, const HttpRequest& request,
                                        MemoryBudget* budget, uint64_t bytes) {
  auto share = budget->take(bytes, services->limits.query_patience_ns,
                            [&request] { return request.cancellation.cancelled(); });
  if (share.has_value()) return std::move(*share);
  services->metrics->queries_without_memory.add();
  return unavailable("other queries use the memory for queries (query_memory); try again later");
}

void run_query(Services* services, const HttpRequestPtr& request, const Responder& respond,
               std::function<Result<HttpResponse>()> work) {
  run_query_and_answer(services, request, respond, [respond, work = std::move(work)] {
    Result<HttpResponse> response = work();
    respond(response.ok() ? std::move(*response) : json_error(response.status()));
  });
}

void run_query_and_answer(Services* services, const HttpRequestPtr& request,
                          const Responder& respond, std::function<void()> work) {
  // Counts as long as the executor holds the function, also when it drops it.
  const uint64_t before = services->queries_waiting.fetch_add(1);
  std::shared_ptr<void> waiting(nullptr,
                                [services](void*) { services->queries_waiting.fetch_sub(1); });
  if (before >= services->limits.queries_waiting) {
    services->metrics->queries_not_queued.add();
    return respond(
        json_error(unavailable("more than " + std::to_string(services->limits.queries_waiting) +
                               " queries are waiting (queries_waiting); try again later")));
  }
  services->query_executor([request, respond, waiting, work = std::move(work)]() mutable {
    waiting.reset();
    if (request->cancellation.cancelled()) {
      return respond(json_error(cancelled("nobody waits for the answer")));
    }
    work();
  });
}

std::string tiers_json(const QueryCost& cost) {
  std::string out = "[";
  for (const std::string& tier : cost.tier_names()) {
    if (out.size() > 1) out.push_back(',');
    append_json_string(tier, &out);
  }
  out.push_back(']');
  return out;
}

std::string tiers_text(const QueryCost& cost) {
  std::string out;
  for (const std::string& tier : cost.tier_names()) {
    if (!out.empty()) out.push_back(',');
    out += tier;
  }
  return out;
}

bool accepts_ndjson(const HttpRequest& request) {
  return request.accept.find("application/x-ndjson") != std::string::npos;
}

}  // namespace firn
