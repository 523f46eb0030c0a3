// Writes of Prometheus (docs/prometheus.md).

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/ack_fields.h"
#include "server/api_face.h"
#include "server/joined_appends.h"
#include "wire/exposition.h"
#include "wire/json_text.h"
#include "wire/remote_write.h"

namespace firn {

namespace {

// What 2.0 wants to be told.
struct Written {
  uint64_t samples = 0, histograms = 0, exemplars = 0;
};

// 1.0 when nothing is said, as its senders do.
std::optional<RemoteWriteVersion> version_of(const HttpRequest& request) {
  const std::string& type = request.content_type;
  if (!type.empty() && media_type(type) != "application/x-protobuf") return std::nullopt;
  constexpr std::string_view kProto = "proto=";
  std::string_view proto;
  for (size_t at = type.find(';'); at != std::string::npos; at = type.find(';', at + 1)) {
    std::string_view parameter = std::string_view(type).substr(at + 1);
    parameter = parameter.substr(0, parameter.find(';'));
    while (parameter.starts_with(' ')) parameter.remove_prefix(1);
    while (parameter.ends_with(' ')) parameter.remove_suffix(1);
    if (!equals_ignoring_case(parameter.substr(0, kProto.size()), kProto)) continue;
    proto = parameter.substr(kProto.size());
    if (proto.size() >= 2 && proto.front() == '"' && proto.back() == '"') {
      proto = proto.substr(1, proto.size() - 2);
    }
  }
  if (proto.empty() || proto == "prometheus.WriteRequest") return RemoteWriteVersion::k1;
  if (proto == "io.prometheus.write.v2.Request") return RemoteWriteVersion::k2;
  return std::nullopt;
}

HttpResponse answer(HttpResponse response, RemoteWriteVersion version, const Written& written) {
  if (version == RemoteWriteVersion::k1) return response;
  const auto add = [&](std::string_view what, uint64_t count) {
    response.headers.emplace_back("X-Prometheus-Remote-Write-" + std::string(what) + "-Written",
                                  std::to_string(count));
  };
  add("Samples", written.samples);
  add("Histograms", written.histograms);
  add("Exemplars", written.exemplars);
  return response;
}

// Senders drop what a 400 answers and send again what a 503 does; other codes mean this to some and
// that to others: on 429 vmagent sends the same block for ever, and what stands behind it waits.
HttpResponse refusal(const Status& status) {
  int http_status = http_status_of(status.code());
  if (http_status < 500 && status.code() != StatusCode::kNotFound) http_status = 400;
  if (http_status >= 500) http_status = 503;
  HttpResponse response =
      json_error(http_status, status_code_name(status.code()), status.message());
  if (http_status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

Result<RemoteWriteRecords> decode(Services* services, RemoteWriteVersion version,
                                  const DecodeDefaults& defaults, HttpRequest* request) {
  FIRN_ASSIGN(std::string body, unpack_block(services, request->body, &request->unpacked_memory));
  std::string().swap(request->body);
  auto records = decode_remote_write(body, version, defaults);
  services->texts->give(std::move(body));
  request->unpacked_memory = MemoryBudget::Share();
  return records;
}

// `name_space`: empty: that of the header, or the configured one.
void write(Services* services, const std::string& name_space, const HttpRequestPtr& request,
           const Responder& respond) {
  const std::optional<RemoteWriteVersion> version = version_of(*request);
  const auto refuse = [&](const Status& status) {
    services->metrics->count_refusal(status_code_name(status.code()));
    respond(answer(refusal(status), version.value_or(RemoteWriteVersion::k1), {}));
  };
  if (!version.has_value()) {
    return respond(json_error(415, "unsupported",
                              "Content-Type '" + request->content_type +
                                  "' is not supported; send application/x-protobuf with "
                                  "proto=prometheus.WriteRequest or "
                                  "proto=io.prometheus.write.v2.Request"));
  }
  const std::string& encoding = request->content_encoding;
  if (!encoding.empty() && !equals_ignoring_case(encoding, "snappy")) {
    return respond(json_error(415, "unsupported",
                              "Content-Encoding '" + encoding + "' is not supported; send snappy"));
  }
  const OpenStorePtr open = services->gate->get();
  if (open == nullptr) return refuse(services->gate->why_not());
  Store* store = open->store.get();
  const std::string& of_header =
      request->firn_namespace.empty() ? services->otlp_namespace : request->firn_namespace;
  const auto target = store->find_namespace(name_space.empty() ? of_header : name_space);
  if (!target.ok()) return refuse(target.status());
  const Result<AckLevel> ack = parse_ack_field(request->firn_ack);
  if (!ack.ok()) return refuse(ack.status());
  Result<RemoteWriteRecords> records =
      decode(services, *version, sample_defaults(services, *store, target->id), request.get());
  if (!records.ok()) return refuse(records.status());
  const Written written{records->samples, records->histograms, records->exemplars};
  const auto finish = [version = *version, ack = *ack, written,
                       respond](const JoinedOutcome& outcome) {
    if (!outcome.status.ok()) return respond(answer(refusal(outcome.status), version, {}));
    HttpResponse response;
    response.status = 204;
    response.headers = ack_fields(ack, outcome.last_position);
    respond(answer(std::move(response), version, written));
  };
  if (records->parts.empty()) return finish({});
  const auto joined =
      std::make_shared<JoinedAppends>(services->metrics, records->parts.size(), finish);
  append_parts(store, target->id, std::move(records->parts), *ack, joined);
}

std::optional<ExpositionFormat> format_of(const HttpRequest& request) {
  const std::string type = media_type(request.content_type);
  if (type == "application/openmetrics-text") return ExpositionFormat::kOpenMetrics;
  // What programs send that do not mean anything by it.
  for (const char* text :
       {"", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded"}) {
    if (type == text) return ExpositionFormat::kText;
  }
  return std::nullopt;
}

void import_text(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  const auto refuse = [&](const Status& status) {
    services->metrics->count_refusal(status_code_name(status.code()));
    respond(refusal(status));
  };
  const std::optional<ExpositionFormat> format = format_of(*request);
  if (!format.has_value()) {
    return respond(json_error(415, "unsupported",
                              "Content-Type '" + request->content_type +
                                  "' is not supported; send text/plain or "
                                  "application/openmetrics-text"));
  }
  int http_status = 400;
  if (const Status unpacked = unpack_body(services, request.get(), &http_status); !unpacked.ok()) {
    return respond(json_error(http_status, status_code_name(unpacked.code()), unpacked.message()));
  }
  const Result<Target> target = find_target(services, *request);
  if (!target.ok()) return refuse(target.status());
  const Result<AckLevel> ack = parse_ack_field(request->firn_ack);
  if (!ack.ok()) return refuse(ack.status());
  Result<ExpositionRecords> records =
      decode_exposition(request->body, *format,
                        sample_defaults(services, *target->open->store, target->name_space.id));
  if (!records.ok()) return refuse(records.status());
  const auto finish = [ack = *ack, samples = records->samples, exemplars = records->exemplars,
                       respond](const JoinedOutcome& outcome) {
    if (!outcome.status.ok()) return respond(refusal(outcome.status));
    HttpResponse response;
    JsonObjectWriter object(&response.body);
    object.unsigned_integer("samples", samples);
    object.unsigned_integer("exemplars", exemplars);
    object.close();
    response.headers = ack_fields(ack, outcome.last_position);
    respond(std::move(response));
  };
  if (records->parts.empty()) return finish({});
  const auto joined =
      std::make_shared<JoinedAppends>(services->metrics, records->parts.size(), finish);
  append_parts(target->open->store.get(), target->name_space.id, std::move(records->parts), *ack,
               joined);
}

}  // namespace

void add_prometheus_routes(Services* services, Face* face) {
  face->push_back({HttpMethod::kPost, "/api/v1/write",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     write(services, "", request, respond);
                   }});
  face->push_back({HttpMethod::kPost, "/api/v1/namespaces/{ns}/metrics/prometheus/write",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     write(services, request->path_arguments[0], request, respond);
                   }});
  face->push_back({HttpMethod::kPost, "/api/v1/namespaces/{ns}/metrics/import/prometheus",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     import_text(services, request, respond);
                   }});
}

}  // namespace firn
