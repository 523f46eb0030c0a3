// An OTLP logs, traces or metrics request, as protobuf and as JSON: whatever is accepted becomes
// rows whose documents are JSON within the depth that other rooms rely on.

#include <string>

#include "base/status.h"
#include "samples.h"
#include "wire/json_reader.h"
#include "wire/otlp.h"

namespace firn {
namespace {

void check_records(OtlpSignal signal, std::string_view body, OtlpEncoding encoding) {
  uint64_t made = 0;
  DecodeDefaults defaults;
  defaults.now = 1;
  defaults.make_id = [&made] { return make_uuid7(1, 2, ++made); };
  const auto records = decode_otlp(signal, body, encoding, defaults);
  if (!records.ok()) return;
  const EventKind kind = signal == OtlpSignal::kLogs ? EventKind::kLog : EventKind::kSpan;
  uint64_t rows = 0;
  for (const auto& [batch, rows_with_id] : records->batches) {
    // Logs only when they name themselves.
    FIRN_CHECK(signal == OtlpSignal::kLogs ? rows_with_id.size() <= batch->rows()
                                           : rows_with_id.size() == batch->rows());
    rows += batch->rows() - rows_with_id.size();
    for (uint32_t i = 0; i < batch->rows(); ++i) {
      const EventRow row = event_row(*batch, i);
      FIRN_CHECK(row.kind == kind && !row.type.empty() && !row.source.empty());
      FIRN_CHECK(row.severity <= 24 && row.time != 0 && !row.id.is_zero());
      FIRN_CHECK(check_utf8(row.type).ok() && check_utf8(row.source).ok());
      check_document(row.data);
      check_document(row.metadata);
      check_document(row.context);
    }
  }
  FIRN_CHECK(rows == made);
  FIRN_CHECK(signal == OtlpSignal::kMetrics || records->samples.empty());
  check_samples(records->samples);
  const std::string response =
      encode_otlp_response(signal, records->rejected, records->message, OtlpEncoding::kJson);
  FIRN_CHECK(check_json(response, 4).ok());
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const auto signal :
       {firn::OtlpSignal::kLogs, firn::OtlpSignal::kTraces, firn::OtlpSignal::kMetrics}) {
    firn::check_records(signal, body, firn::OtlpEncoding::kProtobuf);
    firn::check_records(signal, body, firn::OtlpEncoding::kJson);
  }
  return 0;
}
