#include "server/api_append.h"

#include <string>
#include <utility>

#include "server/ack_fields.h"
#include "wire/json_text.h"

namespace firn {

namespace {

// The query parameter wins over the header.
Result<AckLevel> parse_ack(const HttpRequest& request) {
  FIRN_ASSIGN(const QueryParameters parameters, parse_query(request.query));
  std::string_view wanted = request.firn_ack;
  for (const auto& [name, value] : parameters) {
    if (name != "ack") {
      return invalid_argument("unknown query parameter '" + name + "'; there is ack");
    }
    wanted = value;
  }
  return parse_ack_field(wanted);
}

HttpResponse append_answer(const AppendResult& result) {
  std::string body;
  body.reserve(128);
  JsonObjectWriter object(&body);
  object.unsigned_integer("first_position", result.first_position);
  object.unsigned_integer("last_position", result.last_position);
  object.unsigned_integer("count", result.count);
  object.unsigned_integer("duplicates", result.duplicates);
  object.text("ack", ack_level_name(result.ack));
  object.close();
  body.push_back('\n');
  HttpResponse response = json_response(std::move(body));
  response.headers = ack_fields(result.ack, result.last_position);
  return response;
}

}  // namespace

HttpResponse refuse_append(Services* services, const Status& status) {
  services->metrics->count_refusal(status_code_name(status.code()));
  return json_error(status);
}

void answer_append(Services* services, const Responder& respond, uint64_t bytes,
                   const Result<AppendResult>& result) {
  if (!result.ok()) return respond(refuse_append(services, result.status()));
  services->metrics->appended_events.add(result->count - result->duplicates);
  services->metrics->appended_duplicates.add(result->duplicates);
  services->metrics->appended_bytes.add(bytes);
  respond(append_answer(*result));
}

std::optional<AcceptedWrite> accept_write(Services* services, const HttpRequestPtr& request,
                                          const Responder& respond) {
  const auto refuse = [&](HttpResponse response) {
    respond(std::move(response));
    return std::nullopt;
  };
  Result<Target> target = find_target(services, *request);
  if (!target.ok()) return refuse(refuse_append(services, target.status()));
  const Result<AckLevel> ack = parse_ack(*request);
  if (!ack.ok()) return refuse(refuse_append(services, ack.status()));
  int http_status = 400;
  const Status unpacked = unpack_body(services, request.get(), &http_status);
  if (unpacked.ok()) return AcceptedWrite{std::move(*target), *ack};
  if (http_status == 503) return refuse(refuse_append(services, unpacked));
  services->metrics->count_refusal(status_code_name(unpacked.code()));
  return refuse(
      json_error(http_status,
                 http_status == 415 ? "unsupported_media_type" : status_code_name(unpacked.code()),
                 unpacked.message()));
}

}  // namespace firn
