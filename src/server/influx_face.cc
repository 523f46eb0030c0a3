#include "server/influx_face.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/ack_fields.h"
#include "server/api_face.h"
#include "server/joined_appends.h"
#include "server/requested_namespace.h"
#include "wire/json_text.h"
#include "wire/line_protocol.h"

namespace firn {

namespace {

// The release whose contract is kept; clients look at it.
constexpr const char* kInfluxVersion = "1.8.10";

enum class InfluxVersion : uint8_t { k1, k2 };

std::string_view error_code(int http_status) {
  switch (http_status) {
    case 401:
      return "unauthorized";
    case 404:
      return "not found";
    case 405:
      return "method not allowed";
    case 413:
      return "request too large";
    case 503:
      return "unavailable";
    default:
      return http_status < 500 ? "invalid" : "internal error";
  }
}

HttpResponse influx_error(InfluxVersion version, int http_status, std::string_view message,
                          uint64_t line = 0) {
  HttpResponse response;
  response.status = http_status;
  JsonObjectWriter object(&response.body);
  if (version == InfluxVersion::k1) {
    object.text("error", message);
  } else {
    object.text("code", error_code(http_status));
    object.text("message", message);
    if (line > 0) object.unsigned_integer("line", line);
  }
  object.close();
  response.body.push_back('\n');
  if (http_status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

// For failures that the handler never saw.
HttpResponse route_error1(const HttpRequest&, int http_status, std::string_view,
                          std::string_view message) {
  return influx_error(InfluxVersion::k1, http_status, message);
}
HttpResponse route_error2(const HttpRequest&, int http_status, std::string_view,
                          std::string_view message) {
  return influx_error(InfluxVersion::k2, http_status, message);
}

// Clients send again what a 503 or 429 answers and drop what other codes do.
int influx_status(StatusCode code) {
  const int http_status = code == StatusCode::kSeriesLimit ? 400 : http_status_of(code);
  return http_status >= 500 ? 503 : http_status;
}

std::optional<DurationNs> parse_precision(InfluxVersion version, std::string_view text) {
  if (text.empty() || text == "ns") return 1;
  if (text == "us") return kMicrosecondNs;
  if (text == "ms") return kMillisecondNs;
  if (text == "s") return kSecondNs;
  if (version == InfluxVersion::k2) return std::nullopt;
  if (text == "n") return 1;
  if (text == "u") return kMicrosecondNs;
  if (text == "m") return kMinuteNs;
  if (text == "h") return kHourNs;
  return std::nullopt;
}

// What a request says beside its body.
struct InfluxParameters {
  std::string precision, password;
};

Result<InfluxParameters> parse_parameters(std::string_view query) {
  FIRN_ASSIGN(const QueryParameters parameters, parse_query(query));
  InfluxParameters found;
  for (const auto& [name, value] : parameters) {
    if (name == "precision") found.precision = value;
    if (name == "p") found.password = value;
  }
  return found;
}

// Whatever a client may take for its secret; empty: none.
std::string credential(const std::string& authorization, const InfluxParameters& parameters) {
  for (const std::string_view scheme : {"Token ", "Bearer "}) {
    if (equals_ignoring_case(authorization.substr(0, scheme.size()), scheme)) {
      return authorization.substr(scheme.size());
    }
  }
  constexpr std::string_view kBasic = "Basic ";
  std::string pair;
  if (equals_ignoring_case(authorization.substr(0, kBasic.size()), kBasic) &&
      decode_base64(std::string_view(authorization).substr(kBasic.size()), &pair)) {
    return pair.substr(std::min(pair.find(':') + 1, pair.size()));
  }
  return parameters.password;
}

// What a write works with, once it is accepted.
struct InfluxWrite {
  OpenStorePtr open;
  NamespaceId name_space = 0;
  AckLevel ack = AckLevel::kFsync;
  DurationNs precision = 1;
};

// Nothing when it is refused; `*refusal` is the answer then.
std::optional<InfluxWrite> accept(Services* services, InfluxVersion version, HttpRequest* request,
                                  HttpResponse* refusal) {
  const auto refuse = [&](int http_status, std::string_view message) {
    *refusal = influx_error(version, http_status, message);
    return std::nullopt;
  };
  const auto refuse_by = [&](const Status& status) {
    return refuse(influx_status(status.code()), status.message());
  };
  InfluxWrite write;
  write.open = services->gate->get();
  if (write.open == nullptr) return refuse_by(services->gate->why_not());
  const auto parameters = parse_parameters(request->query);
  if (!parameters.ok()) return refuse_by(parameters.status());
  const auto target = requested_namespace(*services, write.open->store.get(), *request,
                                          credential(request->authorization, *parameters));
  if (!target.ok()) return refuse_by(target.status());
  if (!target->has_value()) return refuse(401, "the token is not valid for its namespace");
  write.name_space = (*target)->id;
  const auto precision = parse_precision(version, parameters->precision);
  if (!precision) {
    return refuse(400, "precision is '" + parameters->precision +
                           (version == InfluxVersion::k1 ? "'; it must be ns, us, ms, s, m or h"
                                                         : "'; it must be ns, us, ms or s"));
  }
  write.precision = *precision;
  const Result<AckLevel> ack = parse_ack_field(request->firn_ack);
  if (!ack.ok()) return refuse_by(ack.status());
  write.ack = *ack;
  int http_status = 400;
  const Status unpacked = unpack_body(services, request, &http_status);
  if (!unpacked.ok()) return refuse(http_status, unpacked.message());
  return write;
}

void write_lines(Services* services, InfluxVersion version, const HttpRequestPtr& request,
                 const Responder& respond) {
  HttpResponse refusal;
  const auto write = accept(services, version, request.get(), &refusal);
  if (!write) {
    services->metrics->count_refusal(error_code(refusal.status));
    return respond(std::move(refusal));
  }
  const DecodeDefaults defaults = sample_defaults(services, *write->open->store, write->name_space);
  uint64_t bad_line = 0;
  auto parts = decode_line_protocol(request->body, write->precision, defaults, &bad_line);
  if (!parts.ok()) {
    services->metrics->count_refusal(status_code_name(parts.status().code()));
    return respond(influx_error(
        version, influx_status(parts.status().code()),
        std::string(parts.status().message()) + "; nothing of the request was stored", bad_line));
  }
  std::string().swap(request->body);  // the batches have everything
  const auto finish = [version, ack = write->ack, respond](const JoinedOutcome& outcome) {
    if (!outcome.status.ok()) {
      return respond(
          influx_error(version, influx_status(outcome.status.code()), outcome.status.message()));
    }
    HttpResponse response;
    response.status = 204;
    response.headers = ack_fields(ack, outcome.last_position);
    respond(std::move(response));
  };
  if (parts->empty()) return finish({});
  const auto joined = std::make_shared<JoinedAppends>(services->metrics, parts->size(), finish);
  append_parts(write->open->store.get(), write->name_space, std::move(*parts), write->ack, joined);
}

void answer_ping(const HttpRequestPtr&, const Responder& respond) {
  HttpResponse response;
  response.status = 204;
  response.headers.emplace_back("X-Influxdb-Version", kInfluxVersion);
  response.headers.emplace_back("X-Influxdb-Build", "Firn");
  respond(std::move(response));
}

}  // namespace

Face influx_face(Services* services) {
  Face face;
  const auto add = [&](const char* path, InfluxVersion version, ErrorEncoder error) {
    face.push_back({HttpMethod::kPost, path,
                    [services, version](const HttpRequestPtr& request, const Responder& respond) {
                      write_lines(services, version, request, respond);
                    },
                    error});
  };
  add("/write", InfluxVersion::k1, route_error1);
  add("/api/v2/write", InfluxVersion::k2, route_error2);
  for (const HttpMethod method : {HttpMethod::kGet, HttpMethod::kPost}) {
    face.push_back({method, "/ping", answer_ping, route_error1});
  }
  return face;
}

}  // namespace firn
