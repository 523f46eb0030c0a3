#include "server/ops_face.h"

#include <string>
#include <utility>

#include "wal/sync_probe.h"
#include "wire/json_text.h"

namespace firn {

namespace {

// What a store's health comes to in one word.
std::string_view health_word(const StoreHealth& health) {
  if (!health.accepts_writes || health.fenced) return "failing";
  if (health.disk_full || health.clock_suspect || !health.mover_error.ok() ||
      !health.stray_chunks.empty()) {
    return "degraded";
  }
  return "ok";
}

std::string health_reason(const StoreHealth& health) {
  if (!health.write_refusal.ok()) return health.write_refusal.to_string();
  if (health.fenced) return "a write or sync of the log failed; restart to recover";
  if (health.disk_full) return "the disk is full; appends are refused until there is room";
  if (!health.mover_error.ok()) return health.mover_error.to_string();
  if (!health.stray_chunks.empty()) return health.stray_chunks.front();
  if (health.clock_suspect) {
    return "the wall clock jumped; retention waits until it is confirmed (firn confirm-clock)";
  }
  return "";
}

uint64_t wal_lag_bytes(const StoreHealth& health) { return health.queued_bytes; }

void append_wal(const StoreHealth& health, std::string* out) {
  JsonObjectWriter wal(out);
  wal.unsigned_integer("records", health.wal.records);
  wal.unsigned_integer("bytes", health.wal.bytes);
  wal.unsigned_integer("syncs", health.wal.syncs);
  wal.unsigned_integer("segments", health.wal.segments);
  wal.unsigned_integer("segment_bytes", health.wal.segment_bytes);
  wal.unsigned_integer("lag_bytes", wal_lag_bytes(health));
  wal.number("last_sync_seconds", static_cast<double>(health.wal.last_sync_ns) / 1e9);
  wal.number("max_sync_seconds", static_cast<double>(health.wal.max_sync_ns) / 1e9);
  wal.text("sync", wal_sync_name(health.wal.sync));
  wal.close();
}

void append_tiers(const StoreHealth& health, std::string* out) {
  out->push_back('[');
  bool first = true;
  for (const TierInfo& tier : health.tiers) {
    if (!std::exchange(first, false)) out->push_back(',');
    JsonObjectWriter object(out);
    object.text("name", tier.name);
    object.text("backend", tier.backend);
    object.unsigned_integer("chunks", tier.stats.chunks);
    object.unsigned_integer("rows", tier.stats.rows);
    object.unsigned_integer("bytes", tier.stats.bytes);
    object.close();
  }
  out->push_back(']');
}

HttpResponse starting_health(const Status& why) {
  const bool starting = why.code() == StatusCode::kUnavailable;
  HttpResponse response;
  response.status = 503;
  JsonObjectWriter object(&response.body);
  object.text("status", starting ? "starting" : "failing");
  object.boolean("accepts_writes", false);
  object.text("reason", why.message());
  object.close();
  response.body.push_back('\n');
  return response;
}

HttpResponse health_answer(const StoreHealth& health) {
  const std::string_view word = health_word(health);
  HttpResponse response;
  response.status = word == "failing" ? 503 : 200;
  JsonObjectWriter object(&response.body);
  object.text("status", word);
  object.text("version", FIRN_VERSION);
  object.boolean("accepts_writes", health.accepts_writes && !health.disk_full);
  object.boolean("fenced", health.fenced);
  object.boolean("disk_full", health.disk_full);
  object.boolean("clock_suspect", health.clock_suspect);
  object.unsigned_integer("stray_chunks", health.stray_chunks.size());
  object.text("reason", health_reason(health));
  object.text("mover_error", health.mover_error.ok() ? "" : health.mover_error.to_string());
  object.member("wal");
  append_wal(health, &response.body);
  object.member("memory");
  JsonObjectWriter memory(&response.body);
  memory.unsigned_integer("bytes", health.memory_bytes);
  memory.unsigned_integer("bytes_max", health.memory_bytes_max);
  memory.unsigned_integer("queued_bytes", health.queued_bytes);
  memory.close();
  object.member("tiers");
  append_tiers(health, &response.body);
  object.close();
  response.body.push_back('\n');
  return response;
}

HttpResponse plain(int status, std::string text) {
  HttpResponse response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text) + "\n";
  return response;
}

HttpResponse healthz(Services* services) {
  const OpenStorePtr open = services->gate->get();
  if (open == nullptr) return plain(503, std::string(services->gate->why_not().message()));
  const StoreHealth health = open->store->health();
  if (health.accepts_writes && !health.disk_full) return plain(200, "ok");
  return plain(503, health_reason(health));
}

HttpResponse readyz(Services* services) {
  if (services->gate->get() != nullptr) return plain(200, "ready");
  return plain(503, std::string(services->gate->why_not().message()));
}

HttpResponse health(Services* services) {
  const OpenStorePtr open = services->gate->get();
  if (open == nullptr) return starting_health(services->gate->why_not());
  return health_answer(open->store->health());
}

void render_tiers(const StoreHealth& health, MetricsText* text) {
  const auto each = [&](std::string_view name, std::string_view help, auto value) {
    text->family(name, "gauge", help);
    for (const TierInfo& tier : health.tiers) {
      text->sample({{"tier", tier.name}, {"backend", tier.backend}}, value(tier.stats));
    }
  };
  each("firn_tier_chunks", "Chunks of a tier", [](const TierStats& s) { return s.chunks; });
  each("firn_tier_rows", "Rows of a tier", [](const TierStats& s) { return s.rows; });
  each("firn_tier_bytes", "Bytes of a tier", [](const TierStats& s) { return s.bytes; });
}

void render_store(const StoreHealth& health, MetricsText* text) {
  text->gauge("firn_accepts_writes", "1 when appends are accepted",
              health.accepts_writes && !health.disk_full ? 1 : 0);
  text->gauge("firn_fenced", "1 when the log failed and a restart is needed",
              health.fenced ? 1 : 0);
  text->gauge("firn_disk_full", "1 while appends are refused for lack of space",
              health.disk_full ? 1 : 0);
  text->gauge("firn_mover_failing", "1 when the last move of a chunk failed",
              health.mover_error.ok() ? 0 : 1);
  text->gauge("firn_stray_chunks", "Chunks in the tiers that the manifest does not know",
              health.stray_chunks.size());
  text->gauge("firn_clock_suspect", "1 while retention waits for the clock to be confirmed",
              health.clock_suspect ? 1 : 0);
  text->counter("firn_wal_records_total", "Records written to the log", health.wal.records);
  text->counter("firn_wal_bytes_total", "Bytes written to the log", health.wal.bytes);
  text->counter("firn_wal_syncs_total", "Syncs of the log", health.wal.syncs);
  text->gauge("firn_wal_segments", "Files of the log", health.wal.segments);
  text->gauge("firn_wal_segment_bytes", "Bytes of the files of the log", health.wal.segment_bytes);
  text->gauge_seconds("firn_wal_last_sync_seconds", "Length of the last sync",
                      health.wal.last_sync_ns);
  text->gauge_seconds("firn_wal_max_sync_seconds", "Length of the longest sync",
                      health.wal.max_sync_ns);
  text->gauge("firn_memory_bytes",
              "Rows in memory and on their way to the log, ids and heads of streams kept for them",
              health.memory_bytes);
  text->gauge("firn_memory_max_bytes", "Budget for rows in memory", health.memory_bytes_max);
  text->gauge("firn_queued_bytes", "Rows on their way to the log", health.queued_bytes);
  render_tiers(health, text);
}

void render_query_memory(Services* services, MetricsText* text) {
  const auto both = [&](std::string_view name, std::string_view help, auto value) {
    text->family(name, "gauge", help);
    text->sample({{"part", "statements"}}, value(*services->statement_memory));
    text->sample({{"part", "answers"}}, value(*services->answer_memory));
  };
  both("firn_query_memory_bytes", "Shares of the memory for queries that are taken",
       [](const MemoryBudget& budget) { return budget.bytes_used(); });
  both("firn_query_memory_max_bytes", "Budget for queries",
       [](const MemoryBudget& budget) { return budget.bytes_max(); });
}

HttpResponse metrics(Services* services) {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  MetricsText text(&response.body);
  text.family("firn_build_info", "gauge", "The version that runs");
  text.sample({{"version", FIRN_VERSION}}, uint64_t{1});
  const OpenStorePtr open = services->gate->get();
  text.gauge("firn_ready", "1 when the store is open", open != nullptr ? 1 : 0);
  services->metrics->render(&text);
  render_query_memory(services, &text);
  if (open != nullptr) render_store(open->store->health(), &text);
  return response;
}

}  // namespace

Face ops_face(Services* services) {
  // What asks the store for its health may wait for a tier's counters, which may be in files.
  const auto on_pool = [services](HttpResponse (*function)(Services*)) -> HttpHandler {
    return [services, function](const HttpRequestPtr&, const Responder& respond) {
      services->health_executor([services, function, respond] { respond(function(services)); });
    };
  };
  Face face;
  // EventoDB's clients may ask with any method.
  for (const HttpMethod method : kRouteMethods) {
    face.push_back({method, "/health", on_pool(health)});
  }
  face.push_back({HttpMethod::kGet, "/healthz", on_pool(healthz)});
  face.push_back({HttpMethod::kGet, "/livez", [](const HttpRequestPtr&, const Responder& respond) {
                    respond(plain(200, "ok"));
                  }});
  face.push_back(
      {HttpMethod::kGet, "/readyz",
       [services](const HttpRequestPtr&, const Responder& respond) { respond(readyz(services)); }});
  face.push_back({HttpMethod::kGet, "/metrics", on_pool(metrics)});
  return face;
}

}  // namespace firn
