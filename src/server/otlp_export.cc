#include "server/otlp_export.h"

#include <memory>
#include <utility>

#include "server/ack_fields.h"
#include "server/joined_appends.h"

namespace firn {

namespace {

Result<OtlpRecords> decode(Services* services, Store* store, NamespaceId name_space,
                           const OtlpExport& request) {
  DecodeDefaults defaults = sample_defaults(services, *store, name_space);
  defaults.make_id = store->id_source();
  return decode_otlp(request.signal, request.body, request.encoding, defaults);
}

}  // namespace

void export_otlp(Services* services, OtlpExport request,
                 std::function<void(const OtlpOutcome&)> done) {
  const auto refuse = [&](const Status& status) {
    services->metrics->count_refusal(status_code_name(status.code()));
    OtlpOutcome refused;
    refused.status = status;
    done(refused);
  };
  const OpenStorePtr open = services->gate->get();
  if (open == nullptr) return refuse(services->gate->why_not());
  Store* store = open->store.get();
  const Result<NamespaceInfo> name_space = store->find_namespace(
      request.name_space.empty() ? services->otlp_namespace : request.name_space);
  if (!name_space.ok()) return refuse(name_space.status());
  const Result<AckLevel> ack = parse_ack_field(request.ack);
  if (!ack.ok()) return refuse(ack.status());
  Result<OtlpRecords> records = decode(services, store, name_space->id, request);
  if (!records.ok()) return refuse(records.status());
  std::string().swap(request.body);  // the batches have everything
  request.memory = MemoryBudget::Share();
  if (records->batches.empty() && records->samples.empty()) {
    return done({Status(), records->rejected, records->message, *ack});
  }
  const auto joined = std::make_shared<JoinedAppends>(
      services->metrics, records->batches.size() + records->samples.size(),
      [rejected = records->rejected, message = std::move(records->message), ack = *ack,
       done = std::move(done)](const JoinedOutcome& joined_outcome) {
        done({joined_outcome.status, rejected, message, ack, joined_outcome.last_position});
      });
  for (DecodedEvents& part : records->batches) {
    AppendRequest append;
    append.batch = std::move(part.batch);
    append.rows_with_client_id = std::move(part.rows_with_id);
    append.ack = *ack;
    const uint64_t bytes = append.batch->size_bytes();
    store->append(
        name_space->id, std::move(append),
        [joined, bytes](const Result<AppendResult>& result) { joined->settle(result, bytes); });
  }
  append_parts(store, name_space->id, std::move(records->samples), *ack, joined);
}

}  // namespace firn
