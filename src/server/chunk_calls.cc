#include "server/chunk_calls.h"

#include <array>
#include <utility>

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

}  // namespace

std::optional<ChunkAction> find_chunk_action(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, ChunkAction>, 6> kActions = {{
      {"flush", ChunkAction::kFlush},
      {"compress", ChunkAction::kCompress},
      {"move", ChunkAction::kMove},
      {"rehydrate", ChunkAction::kRehydrate},
      {"export", ChunkAction::kExport},
      {"drop", ChunkAction::kDrop},
  }};
  for (const auto& [known, action] : kActions) {
    if (known == name) return action;
  }
  return std::nullopt;
}

Result<ChunkCommand> read_chunk_command(std::string_view json, ChunkAction action,
                                        NamespaceId name_space, const Store& store) {
  ChunkCommand command;
  command.action = action;
  command.namespace_id = name_space;
  bool all = false;
  FIRN_TRY(read_json_object(json, [&](std::string_view name, JsonReader* reader) {
    auto read = read_selection_member(name, reader, &command, &all);
    return read.ok() && !*read ? read_action_member(name, reader, &command) : read;
  }));
  FIRN_TRY(check_selection(command, all));
  if (command.tier.has_value()) {
    for (const TierConfig& tier : store.options().tiers) {
      if (tier.name == *command.tier) return command;
    }
    return not_found("there is no tier '" + *command.tier + "'");
  }
  return command;
}

std::string chunk_outcomes_json(const ChunkCommandResult& result) {
  std::string out = "[";
  for (const ChunkOutcome& outcome : result.chunks) {
    if (out.size() > 1) out.push_back(',');
    JsonObjectWriter object(&out);
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
  return out + "]";
}

std::string chunk_list_json(const Snapshot& snapshot) {
  std::string out = "{\"chunks\":[";
  bool first = true;
  for (const SnapshotChunk& chunk : snapshot.all_chunks()) {
    if (!std::exchange(first, false)) out.push_back(',');
    append_chunk(snapshot, chunk, &out);
  }
  return out + "]}";
}

}  // namespace firn
