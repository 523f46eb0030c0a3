#include <string>
#include <utility>

#include "server/api_face.h"
#include "server/body_reader.h"
#include "server/chunk_calls.h"
#include "wire/json_text.h"

namespace firn {

namespace {

void list_chunks(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  run_query(services, request, respond, [services, request]() -> Result<HttpResponse> {
    FIRN_ASSIGN(const Target target, find_target(services, *request));
    FIRN_ASSIGN(const SnapshotPtr snapshot, target.open->store->snapshot(target.name_space.id));
    return json_response(chunk_list_json(*snapshot) + "\n");
  });
}

HttpResponse command_answer(const ChunkCommandResult& result) {
  HttpResponse response;
  if (!result.status.ok()) {
    response = json_error(result.status);
    response.body.resize(response.body.size() - 2);  // opens the object again
    response.body.push_back(',');
  } else {
    response.body = "{";
  }
  response.body += "\"chunks\":" + chunk_outcomes_json(result) + "}\n";
  return response;
}

HttpHandler command_handler(Services* services, ChunkAction action) {
  return [services, action](const HttpRequestPtr& request, const Responder& respond) {
    const Result<Target> target = find_target(services, *request);
    if (!target.ok()) return respond(json_error(target.status()));
    Store* const store = target->open->store.get();
    Result<ChunkCommand> command =
        read_chunk_command(request->body, action, target->name_space.id, *store);
    if (!command.ok()) return respond(json_error(command.status()));
    store->command(std::move(*command), [respond](const ChunkCommandResult& result) {
      respond(command_answer(result));
    });
  };
}

Result<std::string> read_backup_request(std::string_view json) {
  std::string destination;
  FIRN_TRY(read_json_object(json, [&](std::string_view name, JsonReader* reader) -> Result<bool> {
    std::string_view text;
    if (name != "to") return false;
    if (reader->read_string(&text)) destination = text;
    return true;
  }));
  if (!destination.empty()) return destination;
  return invalid_argument("say where to: 'to' is a name under 'exports' of the configuration");
}

HttpResponse backup_answer(const BackupReport& report) {
  std::string body;
  JsonObjectWriter object(&body);
  object.unsigned_integer("chunks", report.chunks);
  object.unsigned_integer("rows", report.rows);
  object.unsigned_integer("copied_chunks", report.copied_chunks);
  object.unsigned_integer("copied_rows", report.copied_rows);
  object.close();
  return json_response(body + "\n");
}

void back_up(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  const OpenStorePtr open = services->gate->get();
  if (open == nullptr) return respond(json_error(services->gate->why_not()));
  const Result<std::string> destination = read_backup_request(request->body);
  if (!destination.ok()) return respond(json_error(destination.status()));
  open->store->backup(*destination, [respond](const Result<BackupReport>& report) {
    respond(report.ok() ? backup_answer(*report) : json_error(report.status()));
  });
}

}  // namespace

void add_chunk_routes(Services* services, Face* face) {
  const std::string base = "/api/v1/namespaces/{ns}/chunks";
  face->push_back(
      {HttpMethod::kGet, base, [services](const HttpRequestPtr& request, const Responder& respond) {
         list_chunks(services, request, respond);
       }});
  for (const char* name : {"flush", "compress", "move", "rehydrate", "export", "drop"}) {
    face->push_back({HttpMethod::kPost, base + ":" + name,
                     command_handler(services, *find_chunk_action(name))});
  }
  face->push_back({HttpMethod::kPost, "/api/v1/backup",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     back_up(services, request, respond);
                   }});
}

}  // namespace firn
