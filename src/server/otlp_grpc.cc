#include "server/otlp_grpc.h"

#include <optional>
#include <utility>

#include "server/ack_fields.h"
#include "server/api_face.h"
#include "server/otlp_export.h"

namespace firn {

namespace {

constexpr DurationNs kRetryAfter = kSecondNs;

std::optional<OtlpSignal> signal_of(std::string_view method) {
  if (method == "/opentelemetry.proto.collector.logs.v1.LogsService/Export") {
    return OtlpSignal::kLogs;
  }
  if (method == "/opentelemetry.proto.collector.trace.v1.TraceService/Export") {
    return OtlpSignal::kTraces;
  }
  return std::nullopt;
}

// The details repeat code and message, and say when to try again. `retry` also when the code alone
// would not tell a client that it may.
GrpcAnswer failure(const Status& status) {
  GrpcAnswer answer;
  answer.code = otlp_rpc_code(status.code());
  answer.message = std::string(status.message());
  answer.details = encode_rpc_status(
      answer.code, answer.message,
      otlp_is_retryable(status.code()) ? std::optional(kRetryAfter) : std::nullopt,
      OtlpEncoding::kProtobuf);
  return answer;
}

// No message of OTLP begins like this: it would be a field of an impossible type.
bool is_gzip(const std::string& body) { return body.starts_with("\x1f\x8b"); }

}  // namespace

GrpcHandler otlp_grpc_handler(Services* services) {
  return [services](GrpcCall call, const GrpcResponder& respond) {
    const std::optional<OtlpSignal> signal = signal_of(call.method);
    if (!signal.has_value()) {
      return respond(
          failure(unsupported(call.method + " is not served here; this server takes logs and "
                                            "traces")));
    }
    MemoryBudget::Share memory;
    if (is_gzip(call.body)) {
      Result<std::string> unpacked = unpack(services, call.body, &memory);
      if (!unpacked.ok()) return respond(failure(unpacked.status()));
      call.body = std::move(*unpacked);
    }
    OtlpExport given{*signal,
                     OtlpEncoding::kProtobuf,
                     std::move(call.firn_namespace),
                     std::move(call.body),
                     std::move(memory),
                     std::move(call.firn_ack)};
    export_otlp(services, std::move(given), [signal, respond](const OtlpOutcome& outcome) {
      if (!outcome.status.ok()) return respond(failure(outcome.status));
      GrpcAnswer answer;
      answer.body =
          encode_otlp_response(*signal, outcome.rejected, outcome.message, OtlpEncoding::kProtobuf);
      answer.metadata = ack_fields(outcome.ack, outcome.last_position);
      respond(std::move(answer));
    });
  };
}

}  // namespace firn
