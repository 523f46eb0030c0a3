// An OTLP logs request, as protobuf and as JSON: whatever is accepted becomes rows whose documents
// are JSON within the depth that other rooms rely on.

#include <string>

#include "base/status.h"
#include "wire/json_reader.h"
#include "wire/otlp_logs.h"

namespace firn {
namespace {

void check_document(std::string_view json) {
  FIRN_CHECK(json.empty() || check_json(json, kLimits.json_depth).ok());
}

void check_logs(std::string_view body, OtlpEncoding encoding) {
  uint64_t made = 0;
  DecodeDefaults defaults;
  defaults.now = 1;
  defaults.make_id = [&made] { return make_uuid7(1, 2, ++made); };
  const auto logs = decode_otlp_logs(body, encoding, defaults);
  if (!logs.ok()) return;
  uint64_t rows = 0;
  for (const auto& batch : logs.value().batches) {
    rows += batch->rows();
    for (uint32_t i = 0; i < batch->rows(); ++i) {
      const EventRow row = event_row(*batch, i);
      FIRN_CHECK(row.kind == EventKind::kLog && !row.type.empty() && !row.source.empty());
      FIRN_CHECK(row.severity <= 24 && row.time != 0 && !row.id.is_zero());
      FIRN_CHECK(check_utf8(row.type).ok() && check_utf8(row.source).ok());
      check_document(row.data);
      check_document(row.metadata);
      check_document(row.context);
    }
  }
  FIRN_CHECK(rows == made);
  const std::string response =
      encode_otlp_logs_response(logs.value().rejected, logs.value().message, OtlpEncoding::kJson);
  FIRN_CHECK(check_json(response, 4).ok());
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  firn::check_logs(body, firn::OtlpEncoding::kProtobuf);
  firn::check_logs(body, firn::OtlpEncoding::kJson);
  return 0;
}
