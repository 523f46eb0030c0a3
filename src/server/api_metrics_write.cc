#include <string>
#include <utility>

#include "server/api_append.h"
#include "server/api_face.h"
#include "server/joined_appends.h"
#include "views/metrics/metric_append.h"
#include "wire/checks_json.h"
#include "wire/samples_json.h"
#include "wire/servers_json.h"

// Writing metrics as JSON: docs/formats/samples_json.md, docs/uptime.md, docs/guardia.md.

namespace firn {

namespace {

// Decodes the body of one append of samples.
using SamplesDecoder = Result<DecodedSamples> (*)(ByteView body, const DecodeDefaults& defaults);

void append_body(Services* services, SamplesDecoder decode, const HttpRequestPtr& request,
                 const Responder& respond) {
  const auto accepted = accept_write(services, request, respond);
  if (!accepted) return;
  const Target& target = accepted->target;
  Result<DecodedSamples> decoded =
      decode(request->body, sample_defaults(services, *target.open->store, target.name_space.id));
  if (!decoded.ok()) return respond(refuse_append(services, decoded.status()));
  std::string().swap(request->body);  // the batch has everything
  const uint64_t bytes = decoded->samples->size_bytes();
  append_samples(target.open->store.get(), target.name_space.id,
                 {std::move(decoded->samples), std::move(decoded->definitions), accepted->ack,
                  decoded->known_epoch},
                 [services, respond, bytes](const Result<AppendResult>& result) {
                   answer_append(services, respond, bytes, result);
                 });
}

}  // namespace

void add_metric_write_routes(Services* services, Face* face) {
  const auto add = [&](std::string_view path, SamplesDecoder decode) {
    face->push_back({HttpMethod::kPost, "/api/v1/namespaces/{ns}/" + std::string(path),
                     [services, decode](const HttpRequestPtr& request, const Responder& respond) {
                       append_body(services, decode, request, respond);
                     }});
  };
  add("metrics:batch", decode_samples_json);
  add("checks:batch", decode_checks_json);
  add("servers:batch", decode_servers_json);
}

}  // namespace firn
