#include <optional>
#include <string>
#include <utility>

#include "server/api_face.h"
#include "server/body_reader.h"
#include "wire/json_text.h"

namespace firn {

namespace {

void append_chunk(const Snapshot& snapshot, const SnapshotChunk& chunk, std::string* out) {
  JsonObjectWriter object(out);
  object.text("name", chunk.key.name());
  object.text("dataset", dataset_name(chunk.key.dataset));
  object.text("tier", chunk.tier);
  object.text("backend", chunk.backend);
  object.text("state", snapshot.state_name(chunk));
  object.text("start", format_time(chunk.key.start));
  object.text("end", format_time(chunk.key.end));
  object.unsigned_integer("rows", chunk.stats.rows);
  object.unsigned_integer("bytes", chunk.stats.bytes);
  object.unsigned_integer("raw_bytes", chunk.stats.raw_bytes);
  if (const auto ratio = chunk.compression_ratio()) object.number("ratio", *ratio);
  if (chunk.keep_until != 0) {
    object.text("keep_until",
                chunk.keep_until == kForever ? "forever" : format_time(chunk.keep_until));
  }
  if (chunk.exported_at != 0) object.text("exported_at", format_time(chunk.exported_at));
  if (chunk.stats.rows > 0) {
    object.unsigned_integer("position_min", chunk.stats.position_min);
    object.unsigned_integer("position_max", chunk.stats.position_max);
    object.text("time_min", format_time(chunk.stats.time_min));
    object.text("time_max", format_time(chunk.stats.time_max));
  }
  object.close();
}

void list_chunks(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  run_query(services, request, respond, [services, request]() -> Result<HttpResponse> {
    FIRN_ASSIGN(const Target target, find_target(services, *request));
    FIRN_ASSIGN(const SnapshotPtr snapshot, target.open->store->snapshot(target.name_space.id));
    std::string body = "{\"chunks\":[";
    bool first = true;
    for (const SnapshotChunk& chunk : snapshot->all_chunks()) {
      if (!std::exchange(first, false)) body.push_back(',');
      append_chunk(*snapshot, chunk, &body);
    }
    return json_response(body + "]}\n");
  });
}

Result<DurationNs> read_duration(std::string_view name, std::string_view text) {
  const auto duration = parse_duration(text);
  if (duration.has_value() && *duration >= 0) return *duration;
  return invalid_argument("'" + std::string(name) + "' is '" + std::string(text) +
                          "'; it must be a duration such as 30d");
}

// Reads the value of one member of a command's body; false when there is no such member.
Result<bool> read_selection_member(std::string_view name, JsonReader* json, ChunkCommand* command,
                                   bool* all) {
  std::string_view text;
  if (name == "name") {
    if (json->read_string(&text)) command->names.emplace_back(text);
    return true;
  }
  if (name == "names") {
    if (!json->enter_array()) return true;
    while (json->next_element()) {
      if (json->read_string(&text)) command->names.emplace_back(text);
    }
    if (json->ok() && command->names.empty()) {
      return invalid_argument("'names' is empty; name the chunks");
    }
    return true;
  }
  if (name == "tier") {
    if (json->read_string(&text)) command->tier = std::string(text);
    return true;
  }
  if (name == "all") {
    json->read_bool(all);
    return true;
  }
  if (name == "dry_run") {
    json->read_bool(&command->dry_run);
    return true;
  }
  if (name != "older_than") return false;
  if (!json->read_string(&text)) return true;
  FIRN_ASSIGN(command->older_than_ns, read_duration(name, text));
  return true;
}

// The same for what only one action has.
Result<bool> read_action_member(std::string_view name, JsonReader* json, ChunkCommand* command) {
  std::string_view text;
  const bool rehydrates = command->action == ChunkAction::kRehydrate;
  if (name == "to" && (rehydrates || command->action == ChunkAction::kExport)) {
    if (json->read_string(&text)) (rehydrates ? command->to_tier : command->destination) = text;
    return true;
  }
  if (name != "for" || !rehydrates) return false;
  if (!json->read_string(&text)) return true;
  FIRN_ASSIGN(command->keep_ns, read_duration(name, text));
  return true;
}

// Why a command that was read whole cannot be given.
Status check_selection(const ChunkCommand& command, bool all) {
  const bool selects =
      !command.names.empty() || command.tier.has_value() || command.older_than_ns.has_value();
  if (all && selects) return invalid_argument("'all' goes with no other selection");
  if (command.action == ChunkAction::kDrop && !selects && !all) {
    return invalid_argument(
        "say what to drop: 'name', 'names', 'tier' or 'older_than'; {\"all\":true} drops "
        "everything");
  }
  if (command.action == ChunkAction::kExport && command.destination.empty()) {
    return invalid_argument("say where to: 'to' is a name under 'exports' of the configuration");
  }
  return Status();
}

Result<ChunkCommand> read_command(const HttpRequest& request, ChunkAction action,
                                  const Target& target) {
  ChunkCommand command;
  command.action = action;
  command.namespace_id = target.name_space.id;
  bool all = false;
  FIRN_TRY(read_json_object(request.body, [&](std::string_view name, JsonReader* json) {
    auto read = read_selection_member(name, json, &command, &all);
    return read.ok() && !*read ? read_action_member(name, json, &command) : read;
  }));
  FIRN_TRY(check_selection(command, all));
  if (command.tier.has_value()) {
    for (const TierConfig& tier : target.open->store->options().tiers) {
      if (tier.name == *command.tier) return command;
    }
    return not_found("there is no tier '" + *command.tier + "'");
  }
  return command;
}

HttpResponse command_answer(const ChunkCommandResult& result) {
  HttpResponse response;
  if (!result.status.ok()) {
    response = json_error(result.status);
    response.body.resize(response.body.size() - 2);  // opens the object again
    response.body += ",\"chunks\":[";
  } else {
    response.body = "{\"chunks\":[";
  }
  bool first = true;
  for (const ChunkOutcome& outcome : result.chunks) {
    if (!std::exchange(first, false)) response.body.push_back(',');
    JsonObjectWriter object(&response.body);
    object.text("chunk", outcome.chunk);
    object.text("from", outcome.from_tier);
    if (outcome.to_tier.empty()) {
      object.raw("to", "null");
    } else {
      object.text("to", outcome.to_tier);
    }
    if (!outcome.into.empty()) object.text("into", outcome.into);
    object.unsigned_integer("rows", outcome.rows);
    object.unsigned_integer("bytes", outcome.bytes);
    if (!outcome.status.ok()) object.text("error", outcome.status.to_string());
    object.close();
  }
  response.body += "]}\n";
  return response;
}

HttpHandler command_handler(Services* services, ChunkAction action) {
  return [services, action](const HttpRequestPtr& request, const Responder& respond) {
    const Result<Target> target = find_target(services, *request);
    if (!target.ok()) return respond(json_error(target.status()));
    Result<ChunkCommand> command = read_command(*request, action, *target);
    if (!command.ok()) return respond(json_error(command.status()));
    target->open->store->command(std::move(*command), [respond](const ChunkCommandResult& result) {
      respond(command_answer(result));
    });
  };
}

}  // namespace

void add_chunk_routes(Services* services, Face* face) {
  const std::string base = "/api/v1/namespaces/{ns}/chunks";
  face->push_back(
      {HttpMethod::kGet, base, [services](const HttpRequestPtr& request, const Responder& respond) {
         list_chunks(services, request, respond);
       }});
  for (const auto& [name, action] :
       {std::pair(":flush", ChunkAction::kFlush), std::pair(":compress", ChunkAction::kCompress),
        std::pair(":move", ChunkAction::kMove), std::pair(":rehydrate", ChunkAction::kRehydrate),
        std::pair(":export", ChunkAction::kExport), std::pair(":drop", ChunkAction::kDrop)}) {
    face->push_back({HttpMethod::kPost, base + name, command_handler(services, action)});
  }
}

}  // namespace firn
