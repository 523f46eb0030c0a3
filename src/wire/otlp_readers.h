#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "wire/otlp_log_rows.h"

namespace firn {

// The protobuf and the JSON form of an ExportLogsServiceRequest, into rows. Inside wire only.
Status read_otlp_logs_protobuf(ByteView body, const Limits& limits, OtlpLogRows* rows);
Status read_otlp_logs_json(ByteView body, const Limits& limits, OtlpLogRows* rows);

}  // namespace firn
