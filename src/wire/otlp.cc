#include "wire/otlp.h"

#include <fmt/format.h>

#include <protozero/pbf_writer.hpp>

#include "wire/json_text.h"
#include "wire/otlp_readers.h"

namespace firn {
namespace {

// google.rpc.Code
constexpr int kRpcInvalidArgument = 3;
constexpr int kRpcResourceExhausted = 8;
constexpr int kRpcUnimplemented = 12;
constexpr int kRpcUnavailable = 14;

constexpr std::string_view kRetryInfoType = "type.googleapis.com/google.rpc.RetryInfo";

std::string encode_duration(DurationNs duration) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  writer.add_int64(1, duration / kSecondNs);
  if (duration % kSecondNs != 0) writer.add_int32(2, static_cast<int32_t>(duration % kSecondNs));
  return bytes;
}

// "1s", "0.250s": how protobuf's JSON writes a Duration.
std::string duration_text(DurationNs duration) {
  const DurationNs fraction = duration % kSecondNs;
  if (fraction == 0) return fmt::format("{}s", duration / kSecondNs);
  return fmt::format("{}.{:09}s", duration / kSecondNs, fraction);
}

}  // namespace

Result<OtlpRecords> decode_otlp(OtlpSignal signal, ByteView body, OtlpEncoding encoding,
                                const DecodeDefaults& defaults) {
  const bool is_json = encoding == OtlpEncoding::kJson;
  switch (signal) {
    case OtlpSignal::kLogs: {
      OtlpLogRows rows(defaults);
      FIRN_TRY(is_json ? read_otlp_logs_json(body, defaults.limits, &rows)
                       : read_otlp_logs_protobuf(body, defaults.limits, &rows));
      return rows.finish();
    }
    case OtlpSignal::kTraces: {
      OtlpSpanRows rows(defaults);
      FIRN_TRY(is_json ? read_otlp_spans_json(body, defaults.limits, &rows)
                       : read_otlp_spans_protobuf(body, defaults.limits, &rows));
      return rows.finish();
    }
    case OtlpSignal::kMetrics: {
      OtlpMetricRows rows(defaults);
      FIRN_TRY(is_json ? read_otlp_metrics_json(body, defaults.limits, &rows)
                       : read_otlp_metrics_protobuf(body, defaults.limits, &rows));
      return rows.finish_samples();
    }
  }
  FIRN_CHECK(false);
}

std::string encode_otlp_response(OtlpSignal signal, uint64_t rejected, std::string_view message,
                                 OtlpEncoding encoding) {
  const std::string_view rejected_name = signal == OtlpSignal::kLogs     ? "rejectedLogRecords"
                                         : signal == OtlpSignal::kTraces ? "rejectedSpans"
                                                                         : "rejectedDataPoints";
  const bool full_success = rejected == 0 && message.empty();
  std::string out;
  if (encoding == OtlpEncoding::kJson) {
    JsonObjectWriter response(&out);
    if (!full_success) {
      response.member("partialSuccess");
      JsonObjectWriter partial(&out);
      if (rejected != 0) partial.text(rejected_name, std::to_string(rejected));
      if (!message.empty()) partial.text("errorMessage", message);
      partial.close();
    }
    response.close();
    return out;
  }
  if (full_success) return out;
  std::string partial;
  protozero::pbf_writer partial_writer(partial);
  if (rejected != 0) partial_writer.add_int64(1, static_cast<int64_t>(rejected));
  if (!message.empty()) partial_writer.add_string(2, message.data(), message.size());
  protozero::pbf_writer writer(out);
  writer.add_message(1, partial);
  return out;
}

int otlp_rpc_code(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return 0;
    case StatusCode::kInvalidArgument:
    case StatusCode::kNotFound:
    case StatusCode::kConflict:
      return kRpcInvalidArgument;
    case StatusCode::kTooLarge:
    case StatusCode::kSeriesLimit:
      return kRpcResourceExhausted;
    case StatusCode::kUnsupported:
      return kRpcUnimplemented;
    default:
      return kRpcUnavailable;
  }
}

bool otlp_is_retryable(StatusCode code) { return otlp_rpc_code(code) == kRpcUnavailable; }

std::string encode_rpc_status(int code, std::string_view message,
                              std::optional<DurationNs> retry_after, OtlpEncoding encoding) {
  std::string out;
  if (encoding == OtlpEncoding::kJson) {
    JsonObjectWriter status(&out);
    status.integer("code", code);
    status.text("message", message);
    if (retry_after) {
      status.member("details");
      out.push_back('[');
      JsonObjectWriter detail(&out);
      detail.text("@type", kRetryInfoType);
      detail.text("retryDelay", duration_text(*retry_after));
      detail.close();
      out.push_back(']');
    }
    status.close();
    return out;
  }
  protozero::pbf_writer writer(out);
  writer.add_int32(1, code);
  if (!message.empty()) writer.add_string(2, message.data(), message.size());
  if (retry_after) {
    std::string info, any;
    protozero::pbf_writer(info).add_message(1, encode_duration(*retry_after));
    protozero::pbf_writer any_writer(any);
    any_writer.add_string(1, kRetryInfoType.data(), kRetryInfoType.size());
    any_writer.add_bytes(2, info);
    writer.add_message(3, any);
  }
  return out;
}

}  // namespace firn
