#include <string>
#include <utility>

#include "server/api_face.h"
#include "server/chunk_calls.h"

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
}

}  // namespace firn
