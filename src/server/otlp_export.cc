#include "server/otlp_export.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/ack_fields.h"
#include "views/metrics/metric_append.h"

namespace firn {

namespace {

// One outcome for the several appends that a large request becomes.
class JoinedAppends {
 public:
  JoinedAppends(Services* services, OtlpRecords* records, AckLevel ack,
                std::function<void(const OtlpOutcome&)> done)
      : services_(services),
        done_(std::move(done)),
        left_(records->batches.size() + records->samples.size()) {
    outcome_.rejected = records->rejected;
    outcome_.message = std::move(records->message);
    outcome_.ack = ack;
  }

  void settle(const Result<AppendResult>& result, uint64_t bytes) EXCLUDES(mutex_) {
    if (result.ok()) {
      services_->metrics->appended_events.add(result->count - result->duplicates);
      services_->metrics->appended_duplicates.add(result->duplicates);
      services_->metrics->appended_bytes.add(bytes);
    } else {
      services_->metrics->count_refusal(status_code_name(result.status().code()));
    }
    OtlpOutcome outcome;
    {
      MutexLock lock(&mutex_);
      if (!result.ok() && outcome_.status.ok()) outcome_.status = result.status();
      if (result.ok()) {
        outcome_.last_position = std::max(outcome_.last_position, result->last_position);
      }
      if (--left_ > 0) return;
      outcome = std::move(outcome_);
    }
    done_(outcome);
  }

 private:
  Services* const services_;
  const std::function<void(const OtlpOutcome&)> done_;
  Mutex mutex_;
  size_t left_ GUARDED_BY(mutex_);
  OtlpOutcome outcome_ GUARDED_BY(mutex_);
};

Result<OtlpRecords> decode(Services* services, Store* store, const OtlpExport& request) {
  DecodeDefaults defaults;
  defaults.now = services->env->now();
  defaults.make_id = store->id_source();
  defaults.limits = services->limits;
  defaults.series_cache = services->series_cache.get();
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
  Result<OtlpRecords> records = decode(services, store, request);
  if (!records.ok()) return refuse(records.status());
  std::string().swap(request.body);  // the batches have everything
  request.memory = MemoryBudget::Share();
  if (records->batches.empty() && records->samples.empty()) {
    return done({Status(), records->rejected, records->message, *ack});
  }
  const auto joined = std::make_shared<JoinedAppends>(services, &*records, *ack, std::move(done));
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
  for (DecodedSamples& part : records->samples) {
    const uint64_t bytes = part.samples->size_bytes();
    append_samples(
        store, name_space->id, {std::move(part.samples), std::move(part.definitions), *ack},
        [joined, bytes](const Result<AppendResult>& result) { joined->settle(result, bytes); });
  }
}

}  // namespace firn
