#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "server/config.h"
#include "server/router.h"
#include "server/services.h"
#include "store/store.h"

namespace firn {

// What EventoDB's clients expect (docs/eventodb.md): POST /rpc, GET /subscribe, POST /import,
// GET /export, GET /version. `services` must outlive the handlers.
Face eventodb_face(Services* services);

// Gives the namespace "default" the configured token. Without one, "default" keeps what it has;
// when that is none, and somebody wants to see it (EventodbConfig::show_token), it gets a new one.
// kInvalidArgument for a token that is malformed or names another namespace.
Status prepare_eventodb(Env* env, Store* store, const EventodbConfig& config);

// Parts of the face, one per file.
void add_rpc_route(Services* services, Face* face);        // eventodb_rpc.cc
void add_subscribe_route(Services* services, Face* face);  // eventodb_subscribe.cc
void add_import_route(Services* services, Face* face);     // eventodb_import.cc
void add_export_route(Services* services, Face* face);     // eventodb_export.cc
// POST .../messages:import and GET .../messages:export, for api_face().
void add_import_api_route(Services* services, Face* face);  // eventodb_import.cc
void add_export_api_route(Services* services, Face* face);  // eventodb_export.cc

// What the parts share.

// The release whose contract the face keeps.
inline constexpr std::string_view kEventodbVersion = "0.7.0";

// {"error":{"code":...,"message":...,"details":...}}; no details when `details` is empty.
HttpResponse eventodb_error(int http_status, std::string_view code, std::string_view message,
                            std::string_view details = {});
// Details with one member: {"name":"value"}.
std::string error_details(std::string_view name, std::string_view value);
// A failure of the store or of a query.
HttpResponse eventodb_error(const Status& status);
HttpResponse eventodb_error(const Status& status, std::string_view details);
// How a handler that has routes of this face and of the API words a failure: eventodb_error or
// json_error.
using EventodbStatusEncoder = HttpResponse (*)(const Status&);
// For failures that the handler never saw.
HttpResponse eventodb_route_error(const HttpRequest& request, int http_status,
                                  std::string_view code, std::string_view message);

// Who asks, and what for.
struct EventodbCaller {
  OpenStorePtr open;
  std::string name_space;
  // Of `name_space`; nothing in test mode when there is no such namespace.
  std::optional<NamespaceInfo> info;
};
// Checks the token. Otherwise false, and `refusal` is the answer.
bool authenticate(Services* services, const HttpRequest& request, EventodbCaller* caller,
                  HttpResponse* refusal);
// The same, and the namespace must exist.
bool authenticate_to_namespace(Services* services, const HttpRequest& request,
                               EventodbCaller* caller, HttpResponse* refusal);
// For routes of the API: the caller works in the namespace of the path.
Status find_caller(Services* services, const HttpRequest& request, EventodbCaller* caller);

// The value of a query parameter, the first when it is repeated.
std::optional<std::string> query_parameter(const QueryParameters& parameters,
                                           std::string_view name);

// A row as [id, type, position, globalPosition, data, metadata, time], with the stream's name
// behind the id when `with_stream`. The documents keep their bytes.
void append_message_tuple(const RecordBatch& batch, uint32_t row, bool with_stream,
                          std::string* out);
// A JSON document as it is stored; `absent` when there is none.
void append_document(std::string_view document, std::string_view absent, std::string* out);

}  // namespace firn
