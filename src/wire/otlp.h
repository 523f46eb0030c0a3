#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "base/time.h"
#include "wire/json_events.h"
#include "wire/sample_rows.h"

namespace firn {

// OpenTelemetry's export requests (docs/otlp.md).

enum class OtlpSignal : uint8_t { kLogs, kTraces, kMetrics };
enum class OtlpEncoding : uint8_t { kProtobuf, kJson };

struct OtlpRecords {
  // Usually one; none when the request holds no record; several when it exceeds batch_events or
  // batch_bytes. Spans have an id of the client's, and so have log records that name themselves.
  std::vector<DecodedEvents> batches;
  std::vector<DecodedSamples> samples;  // of metrics, which have no batches
  // Records left out for good (partial success), and why the first one was. With rejected == 0 a
  // message is a warning.
  uint64_t rejected = 0;
  std::string message;
};

// Reads an ExportLogsServiceRequest, ExportTraceServiceRequest or ExportMetricsServiceRequest.
// kInvalidArgument when it is malformed, kTooLarge when it is nested too deep. The body is only
// read during the call. Any thread.
Result<OtlpRecords> decode_otlp(OtlpSignal signal, ByteView body, OtlpEncoding encoding,
                                const DecodeDefaults& defaults);

// The response to it: empty on full success, otherwise with partial_success.
std::string encode_otlp_response(OtlpSignal signal, uint64_t rejected, std::string_view message,
                                 OtlpEncoding encoding);

// The gRPC code (google.rpc.Code) of a failed request. Our own failures are UNAVAILABLE, because
// clients drop their data on INTERNAL.
int otlp_rpc_code(StatusCode code);
// Whether a client may send the request again.
bool otlp_is_retryable(StatusCode code);

// google.rpc.Status, the body of a failed request, with RetryInfo when `retry_after` is given.
std::string encode_rpc_status(int code, std::string_view message,
                              std::optional<DurationNs> retry_after, OtlpEncoding encoding);

}  // namespace firn
