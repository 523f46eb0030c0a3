#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "server/api_face.h"
#include "server/body_reader.h"
#include "server/metric_parameters.h"
#include "views/metrics/rollup_keeper.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"

// How long metrics are kept in which resolution: docs/formats/rollups.md, docs/http-api.md.

namespace firn {

namespace {

// A policy to set, and the time to apply it at.
struct RetentionRequest {
  std::optional<MetricPolicy> policy;
  std::optional<TimeNs> now;
};

// Whole seconds; null is for ever.
Result<DurationNs> read_seconds(std::string_view name, JsonReader* json) {
  if (json->skip_null()) return kForever;
  std::string_view text;
  if (!json->read_number(&text)) return json->status();
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  DurationNs duration = 0;
  if (error != std::errc() || end != text.data() + text.size() || seconds < 1 ||
      __builtin_mul_overflow(seconds, kSecondNs, &duration)) {
    return invalid_argument("'" + std::string(name) + "' is " + std::string(text) +
                            "; it must be whole seconds, at least 1, or null for ever");
  }
  return duration;
}

Status read_rollup(JsonReader* json, RollupLevel* level) {
  if (!json->enter_object()) return json->status();
  std::string_view key;
  while (json->next_member(&key)) {
    if (key == "window_s") {
      FIRN_ASSIGN(level->window_ns, read_seconds(key, json));
    } else if (key == "keep_s") {
      FIRN_ASSIGN(level->keep_ns, read_seconds(key, json));
    } else {
      return invalid_argument("a rollup has no member '" + std::string(key) +
                              "'; there are window_s and keep_s");
    }
  }
  FIRN_TRY(json->status());
  if (level->window_ns > 0 && level->window_ns != kForever) return Status();
  return invalid_argument("a rollup has no 'window_s'");
}

Status read_rollups(JsonReader* json, std::vector<RollupLevel>* levels) {
  levels->clear();
  if (!json->enter_array()) return json->status();
  while (json->next_element()) FIRN_TRY(read_rollup(json, &levels->emplace_back()));
  return json->status();
}

Status read_match(JsonReader* json, SeriesMatch* match) {
  if (!json->enter_object()) return json->status();
  std::string_view word, value;
  while (json->next_member(&word)) {
    const bool is_second_name = !match->name.empty() && (word == "name" || word == "metric_type");
    if (!json->read_string(&value)) return json->status();
    if (is_second_name) return invalid_argument("a match has more than one name");
    if (!add_matcher(word, value, match)) {
      return invalid_argument("a match has no member '" + std::string(word) +
                              "'; there are name, metric_type, server_id and label.<key>");
    }
  }
  return json->status();
}

Status read_rule(JsonReader* json, RetentionRule* rule) {
  if (!json->enter_object()) return json->status();
  std::string_view key;
  while (json->next_member(&key)) {
    if (key == "match") {
      FIRN_TRY(read_match(json, &rule->match));
    } else if (key == "raw_s") {
      FIRN_ASSIGN(rule->raw_ns, read_seconds(key, json));
    } else if (key == "rollups") {
      FIRN_TRY(read_rollups(json, &rule->rollups));
    } else {
      return invalid_argument("a rule has no member '" + std::string(key) +
                              "'; there are match, raw_s and rollups");
    }
  }
  return json->status();
}

Result<RetentionRequest> read_request(std::string_view body) {
  RetentionRequest request;
  if (body.empty()) return request;
  const auto policy = [&]() -> MetricPolicy& {
    if (!request.policy) request.policy = MetricPolicy();
    return *request.policy;
  };
  const auto read = [&](std::string_view name, JsonReader* json) -> Result<bool> {
    if (name == "raw_s") {
      FIRN_ASSIGN(policy().raw_ns, read_seconds(name, json));
    } else if (name == "rollups") {
      FIRN_TRY(read_rollups(json, &policy().rollups));
    } else if (name == "rules") {
      policy().rules.clear();
      if (!json->enter_array()) return json->status();
      while (json->next_element()) FIRN_TRY(read_rule(json, &policy().rules.emplace_back()));
    } else if (name == "now") {
      std::string_view text;
      const bool is_text = json->peek() == JsonReader::Kind::kString;
      if (is_text ? !json->read_string(&text) : !json->read_number(&text)) return json->status();
      request.now = parse_time(text);
      if (!request.now) {
        return invalid_argument("'now' is '" + std::string(text) +
                                "'; it must be RFC 3339 or a Unix time");
      }
    } else {
      return false;
    }
    return true;
  };
  FIRN_TRY(read_json_object(body, read));
  return request;
}

void append_seconds(std::string_view key, DurationNs duration, JsonObjectWriter* object) {
  if (duration == kForever) {
    object->raw(key, "null");
  } else {
    object->integer(key, duration / kSecondNs);
  }
}

// {"match":{"name":"debug","label.env":"dev"},"raw_s":86400,"rollups":[{"window_s":300,"keep_s":9}]}
void append_rule(const RetentionRule& rule, std::string* body) {
  JsonObjectWriter object(body);
  object.member("match");
  JsonObjectWriter match(body);
  if (!rule.match.name.empty()) match.text("name", rule.match.name);
  for (const auto& [label, value] : rule.match.labels) match.text("label." + label, value);
  match.close();
  if (rule.raw_ns) append_seconds("raw_s", *rule.raw_ns, &object);
  object.list("rollups", rule.rollups, [&](const RollupLevel& level) {
    JsonObjectWriter rollup(body);
    append_seconds("window_s", level.window_ns, &rollup);
    append_seconds("keep_s", level.keep_ns, &rollup);
    rollup.close();
  });
  object.close();
}

// {"raw_s":...,"rollups":[{"window_s":300,"keep_s":null,"intervals":3,"intervals_rolled":2}],
// "rules":[...]
Result<std::string> policy_body(RollupKeeper* keeper, NamespaceId id, const QueryGuard& guard) {
  FIRN_ASSIGN(const MetricPolicy policy, keeper->policy(id));
  FIRN_ASSIGN(const std::vector<RollupProgress> progress, keeper->progress(id, guard));
  std::string body;
  JsonObjectWriter object(&body);
  append_seconds("raw_s", policy.raw_ns, &object);
  object.member("rollups");
  body.push_back('[');
  for (const RollupProgress& one : progress) {
    if (body.back() != '[') body.push_back(',');
    JsonObjectWriter rollup(&body);
    append_seconds("window_s", one.level.window_ns, &rollup);
    append_seconds("keep_s", one.level.keep_ns, &rollup);
    rollup.unsigned_integer("intervals", one.intervals);
    rollup.unsigned_integer("intervals_rolled", one.intervals_rolled);
    rollup.close();
  }
  body += "],\"rules\":[";
  for (const RetentionRule& rule : policy.rules) {
    if (body.back() != '[') body.push_back(',');
    append_rule(rule, &body);
  }
  body.push_back(']');
  return body;
}

Result<HttpResponse> get_retention(Services* services, const HttpRequestPtr& request) {
  FIRN_ASSIGN(const Target target, find_target(services, *request));
  FIRN_ASSIGN(std::string body, policy_body(target.open->rollups.get(), target.name_space.id,
                                            make_guard(services, request)));
  return json_response(std::move(body) + "}\n");
}

Result<HttpResponse> post_retention(Services* services, const HttpRequestPtr& request) {
  FIRN_ASSIGN(const Target target, find_target(services, *request));
  FIRN_ASSIGN(const RetentionRequest wanted, read_request(request->body));
  RollupKeeper* const keeper = target.open->rollups.get();
  const NamespaceId id = target.name_space.id;
  if (wanted.policy) FIRN_TRY(keeper->set_policy(id, *wanted.policy));
  // As long as it takes, or as somebody waits for it.
  const QueryGuard guard = [request] {
    return request->cancellation.cancelled() ? cancelled("nobody waits for the answer") : Status();
  };
  FIRN_ASSIGN(const RollupRun run,
              keeper->run(id, wanted.now.value_or(services->env->now()), guard));
  FIRN_ASSIGN(std::string body, policy_body(keeper, id, guard));
  const auto append_chunks = [&](std::string_view key, const std::vector<std::string>& chunks) {
    body += ",\"" + std::string(key) + "\":[";
    for (const std::string& chunk : chunks) {
      if (body.back() != '[') body.push_back(',');
      append_json_string(chunk, &body);
    }
    body.push_back(']');
  };
  body += ",\"rows_written\":" + std::to_string(run.rows_written);
  append_chunks("chunks_dropped", run.chunks_dropped);
  append_chunks("chunks_pruned", run.chunks_pruned);
  return json_response(std::move(body) + "}\n");
}

}  // namespace

void add_retention_routes(Services* services, Face* face) {
  const std::string path = "/api/v1/namespaces/{ns}/metrics/retention";
  face->push_back(
      {HttpMethod::kGet, path, [services](const HttpRequestPtr& request, const Responder& respond) {
         run_query(services, request, respond,
                   [services, request] { return get_retention(services, request); });
       }});
  face->push_back({HttpMethod::kPost, path,
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     run_query(services, request, respond,
                               [services, request] { return post_retention(services, request); });
                   }});
}

}  // namespace firn
