#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "wire/otlp_log_rows.h"
#include "wire/otlp_metric_rows.h"
#include "wire/otlp_span_rows.h"

namespace firn {

// The protobuf and the JSON form of export requests, into rows. Inside wire only.
Status read_otlp_logs_protobuf(ByteView body, const Limits& limits, OtlpLogRows* rows);
Status read_otlp_logs_json(ByteView body, const Limits& limits, OtlpLogRows* rows);
Status read_otlp_spans_protobuf(ByteView body, const Limits& limits, OtlpSpanRows* rows);
Status read_otlp_spans_json(ByteView body, const Limits& limits, OtlpSpanRows* rows);
Status read_otlp_metrics_protobuf(ByteView body, const Limits& limits, OtlpMetricRows* rows);
Status read_otlp_metrics_json(ByteView body, const Limits& limits, OtlpMetricRows* rows);

}  // namespace firn
