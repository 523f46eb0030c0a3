#include "server/otlp_face.h"

#include <optional>
#include <string>
#include <utility>

#include "server/ack_fields.h"
#include "server/api_face.h"
#include "server/otlp_export.h"
#include "wire/otlp.h"

namespace firn {

namespace {

constexpr int kRpcUnimplemented = 12;
constexpr DurationNs kRetryAfter = kSecondNs;

std::optional<OtlpEncoding> request_encoding(const HttpRequest& request) {
  const std::string type = media_type(request.content_type);
  if (type == "application/x-protobuf" || type == "application/protobuf") {
    return OtlpEncoding::kProtobuf;
  }
  if (type == "application/json") return OtlpEncoding::kJson;
  return std::nullopt;
}

HttpResponse encoded(OtlpEncoding encoding, std::string body) {
  HttpResponse response;
  response.content_type =
      encoding == OtlpEncoding::kProtobuf ? "application/x-protobuf" : "application/json";
  response.body = std::move(body);
  return response;
}

// google.rpc.Code for what happens before a handler sees the request.
int rpc_code_of_http(int http_status) {
  switch (http_status) {
    case 404:
    case 405:
      return kRpcUnimplemented;
    case 408:
    case 503:
    case 504:
      return otlp_rpc_code(StatusCode::kUnavailable);
    case 413:
    case 431:
      return otlp_rpc_code(StatusCode::kTooLarge);
    default:
      return otlp_rpc_code(StatusCode::kInvalidArgument);
  }
}

HttpResponse otlp_http_error(const HttpRequest& request, int http_status, std::string_view,
                             std::string_view message) {
  const OtlpEncoding encoding = request_encoding(request).value_or(OtlpEncoding::kJson);
  const bool retry = http_status == 503;
  HttpResponse response = encoded(
      encoding, encode_rpc_status(rpc_code_of_http(http_status), message,
                                  retry ? std::optional(kRetryAfter) : std::nullopt, encoding));
  response.status = http_status;
  if (retry) response.headers.emplace_back("Retry-After", "1");
  return response;
}

// Our own failures are 503, because clients drop their data on 500.
HttpResponse otlp_error(const Status& status, OtlpEncoding encoding) {
  const bool retry = otlp_is_retryable(status.code());
  int http_status = retry ? 503 : http_status_of(status.code());
  if (http_status == 500) http_status = 503;
  if (http_status == 429) http_status = 400;  // clients would send it again
  HttpResponse response = encoded(
      encoding,
      encode_rpc_status(otlp_rpc_code(status.code()), status.message(),
                        http_status == 503 ? std::optional(kRetryAfter) : std::nullopt, encoding));
  response.status = http_status;
  if (http_status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

void export_records(Services* services, OtlpSignal signal, const HttpRequestPtr& request,
                    const Responder& respond) {
  const std::optional<OtlpEncoding> encoding = request_encoding(*request);
  if (!encoding.has_value()) {
    return respond(otlp_http_error(*request, 415, "",
                                   "Content-Type '" + request->content_type +
                                       "' is not supported; send application/x-protobuf or "
                                       "application/json"));
  }
  int http_status = 400;
  if (const Status unpacked = unpack_body(services, request.get(), &http_status); !unpacked.ok()) {
    return respond(otlp_http_error(*request, http_status, "", unpacked.message()));
  }
  OtlpExport given{signal,
                   *encoding,
                   request->firn_namespace,
                   std::move(request->body),
                   std::move(request->unpacked_memory),
                   request->firn_ack};
  export_otlp(services, std::move(given),
              [signal, encoding = *encoding, respond](const OtlpOutcome& outcome) {
                if (!outcome.status.ok()) return respond(otlp_error(outcome.status, encoding));
                HttpResponse response = encoded(
                    encoding,
                    encode_otlp_response(signal, outcome.rejected, outcome.message, encoding));
                response.headers = ack_fields(outcome.ack, outcome.last_position);
                respond(std::move(response));
              });
}

void refuse_signal(const HttpRequestPtr& request, const Responder& respond) {
  respond(otlp_http_error(
      *request, 404, "",
      request->path +
          " is not served here; this server takes /v1/logs, /v1/metrics and /v1/traces"));
}

}  // namespace

Face otlp_face(Services* services) {
  Face face;
  for (const auto& [path, signal] :
       {std::pair("/v1/logs", OtlpSignal::kLogs), std::pair("/v1/traces", OtlpSignal::kTraces),
        std::pair("/v1/metrics", OtlpSignal::kMetrics)}) {
    face.push_back(
        {HttpMethod::kPost, path,
         [services, signal = signal](const HttpRequestPtr& request, const Responder& respond) {
           export_records(services, signal, request, respond);
         },
         otlp_http_error});
  }
  face.push_back({HttpMethod::kPost, "/v1development/profiles",
                  [](const HttpRequestPtr& request, const Responder& respond) {
                    refuse_signal(request, respond);
                  },
                  otlp_http_error});
  return face;
}

}  // namespace firn
