#include "server/guardia_stream.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/sample_flags.h"
#include "model/server_metrics.h"
#include "model/service_check.h"
#include "server/eventodb_token.h"
#include "server/guardia_json.h"
#include "views/metrics/metric_reads.h"
#include "wire/json_text.h"
#include "wire/json_values.h"

namespace firn {

namespace {

constexpr Position kPositionsAtOnce = 2000;
constexpr size_t kSeriesKept = 100'000;
constexpr uint16_t kPolicyViolation = 1008, kInternalError = 1011, kTryAgainLater = 1013;

// What a client says: {"type":"auth","token":"..."} or {"type":"ping"}; empty: something else.
struct ClientMessage {
  std::string type, token;
};
ClientMessage read_client_message(std::string_view text) {
  ClientMessage message;
  if (!is_json_object(text)) return message;
  const auto take = [&](std::string_view name, std::string_view json) -> Status {
    if (name == "type") {
      FIRN_ASSIGN(message.type, json_text(json, name));
    } else if (name == "token") {
      FIRN_ASSIGN(message.token, json_text(json, name));
    }
    return Status();
  };
  const Status read = visit_members(text, take);
  return read.ok() ? message : ClientMessage();
}

// A sample that becomes a message.
struct Row {
  TimeNs time = 0;
  std::string series, metadata;
  double value = 0;
};

std::string message_of(Position position, const Row& row, const Series& series) {
  std::string text;
  JsonObjectWriter object(&text);
  if (series.name == kServerSeries) {
    const std::string server = label_of(series, kServerLabel);
    object.text("type", "metric");
    object.text("server_id", server);
    add_display_name(row.metadata, server, &object);
    raw_or_null("metrics", member_of(row.metadata, "metrics"), &object);
    object.text("timestamp", format_time(row.time));
  } else {
    object.text("type", "service_check");
    object.text("service_name", label_of(series, kServiceLabel));
    raw_or_null("url", member_of(row.metadata, "url"), &object);
    object.text("timestamp", format_time(row.time));
    object.text("status", check_status_name(*check_status_of(row.value)));
    for (const char* name : {"response_time_ms", "http_status_code", "error_message"}) {
      raw_or_null(name, member_of(row.metadata, name), &object);
    }
    object.raw("ssl_expiry_days", "null");
  }
  object.unsigned_integer("position", position);
  object.close();
  return text;
}

// The part of a stream that reads may still use when the stream itself is gone.
class Rows : public std::enable_shared_from_this<Rows> {
 public:
  Rows(Services* services, const OpenStorePtr& open, NamespaceId name_space, Position after)
      : services_(services), open_(open), namespace_(name_space), sent_(after) {}

  void subscribe(Store* store, NamespaceId name_space) EXCLUDES(mutex_) {
    // Weak, because removing the subscription waits for a call that is running.
    const uint64_t added = store->subscribe(
        name_space,
        [weak = weak_from_this()](Position) {
          if (const auto self = weak.lock(); self != nullptr) self->wake();
        },
        Dataset::kSamples);
    MutexLock lock(&mutex_);
    subscription_ = added;
  }

  void next(MessageStream::Deliver deliver) EXCLUDES(mutex_) {
    {
      MutexLock lock(&mutex_);
      deliver_ = std::move(deliver);
      woken_ = false;
    }
    schedule();
  }

  void receive(std::string_view text) EXCLUDES(mutex_) {
    const ClientMessage message = read_client_message(text);
    {
      MutexLock lock(&mutex_);
      if (message.type == "ping") pongs_ = std::min(pongs_ + 1, 16);
      if (message.type == "auth") token_ = message.token;
    }
    if (!message.type.empty()) wake();
  }

  void stop() EXCLUDES(mutex_) {
    stopped_.store(true);
    uint64_t subscription = 0;
    {
      MutexLock lock(&mutex_);
      subscription = subscription_;
      deliver_ = nullptr;
    }
    if (const OpenStorePtr open = open_.lock(); open != nullptr) {
      open->store->unsubscribe(subscription);
    }
  }

 private:
  void schedule() {
    services_->tail_executor([self = shared_from_this()] { self->work(); });
  }

  // From the log's worker, too: must be quick.
  void wake() EXCLUDES(mutex_) {
    {
      MutexLock lock(&mutex_);
      woken_ = true;
      if (!std::exchange(waiting_, false)) return;
    }
    schedule();
  }

  // Reads until there is something to say or nothing left. One at a time.
  void work() EXCLUDES(mutex_) {
    while (!stopped_.load()) {
      MessagePiece piece;
      {
        MutexLock lock(&mutex_);
        woken_ = false;
        piece.messages.assign(static_cast<size_t>(std::exchange(pongs_, 0)), R"({"type":"pong"})");
      }
      const Result<bool> is_behind = read(&piece);
      if (!is_behind.ok()) piece.close = close_reason(is_behind.status());
      if (!piece.messages.empty() || piece.close.code != 0) return deliver(std::move(piece));
      if (*is_behind) continue;
      MutexLock lock(&mutex_);
      if (woken_) continue;
      waiting_ = true;
      return;
    }
  }

  void deliver(MessagePiece piece) EXCLUDES(mutex_) {
    MessageStream::Deliver deliver;
    {
      MutexLock lock(&mutex_);
      deliver = std::exchange(deliver_, nullptr);
    }
    if (deliver) deliver(std::move(piece));
  }

  static CloseReason close_reason(const Status& status) {
    uint16_t code = kInternalError;
    if (status.code() == StatusCode::kInvalidArgument || status.code() == StatusCode::kNotFound) {
      code = kPolicyViolation;
    }
    if (http_status_of(status.code()) == 503) code = kTryAgainLater;
    return {code, std::string(status.message().substr(0, 120))};  // a close frame has room for 123
  }

  // Appends the next messages and moves `sent_`; true when there is more to look at.
  Result<bool> read(MessagePiece* piece) EXCLUDES(mutex_) {
    const OpenStorePtr open = open_.lock();
    if (open == nullptr) return unavailable("the server is stopping");
    FIRN_TRY(follow_token(open->store.get()));
    FIRN_ASSIGN(const SnapshotPtr snapshot, open->store->snapshot(namespace_));
    const Position published = snapshot->published(Dataset::kSamples);
    if (published <= sent_) return false;
    const Position end = std::min(published, sent_ + kPositionsAtOnce);
    FIRN_ASSIGN(const auto rows, read_rows(*snapshot, end));
    FIRN_TRY(find_unknown(*snapshot, rows));
    uint64_t bytes = 0;
    for (const auto& [position, row] : rows) {
      const auto series = series_.find(row.series);
      if (series != series_.end() && !series->second.name.empty()) {
        piece->messages.push_back(message_of(position, row, series->second));
        bytes += piece->messages.back().size();
      }
      sent_ = position;
      if (bytes > services_->limits.tail_buffer_bytes) return true;
    }
    sent_ = end;
    return end < published;
  }

  // A token that the client has shown since; others than Firn's are not looked at.
  Status follow_token(Store* store) EXCLUDES(mutex_) {
    std::string token;
    uint64_t before = 0;
    {
      MutexLock lock(&mutex_);
      token = std::exchange(token_, "");
      before = subscription_;
    }
    const Result<std::string> named = namespace_of_token(token);
    if (token.empty() || !named.ok()) return Status();
    const Result<NamespaceInfo> info = store->find_namespace(*named);
    if (!info.ok() || !token_matches(token, info->profile->token_sha256)) {
      return invalid_argument("the token is not valid for its namespace");
    }
    if (info->id == namespace_) return Status();
    FIRN_ASSIGN(const SnapshotPtr snapshot, store->snapshot(info->id));
    store->unsubscribe(before);
    subscribe(store, info->id);
    if (stopped_.load()) stop();  // may have come between the two
    namespace_ = info->id;
    sent_ = snapshot->published(Dataset::kSamples);
    series_.clear();
    return Status();
  }

  // Rows behind `sent_` whose values may be those of a server's row or a check.
  Result<std::map<Position, Row>> read_rows(const Snapshot& snapshot, Position end) {
    std::map<Position, Row> rows;
    ScanSpec spec;
    spec.filter.positions = {sent_ + 1, end + 1};
    spec.projection = Projection::none();
    spec.projection.add(ColumnId::kTime).add(ColumnId::kSeries).add(ColumnId::kValue);
    spec.projection.add(ColumnId::kFlags).add(ColumnId::kMetadata);
    QueryCost cost;
    for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kSamples, spec.filter)) {
      FIRN_TRY(for_each_row(
          snapshot, chunk, spec, guard(), &cost, [&](const RecordBatch& batch, uint32_t row) {
            const EventRow found = event_row(batch, row);
            const double value = found.value.value();
            if (found.value == kAbsentFloat64 || !check_status_of(value)) return;
            if (found.flags != kAbsentInt64 && (found.flags & kSampleDeleted) != 0) return;
            rows.emplace(batch.position(row), Row{found.time, std::string(found.series),
                                                  std::string(found.metadata), value});
          }));
    }
    return rows;
  }

  // Learns which of the rows' series are servers' and services'; the others are remembered without
  // a name.
  Status find_unknown(const Snapshot& snapshot, const std::map<Position, Row>& rows) {
    if (series_.size() > kSeriesKept) series_.clear();
    std::set<std::string> unknown;
    for (const auto& [position, row] : rows) {
      if (!series_.contains(row.series)) unknown.insert(row.series);
    }
    if (unknown.empty()) return Status();
    SeriesQuery query;
    query.match.series.assign(unknown.begin(), unknown.end());
    query.limit = static_cast<uint32_t>(unknown.size());
    FIRN_ASSIGN(SeriesPage page, find_series(snapshot, query, guard()));
    for (Series& one : page.series) {
      if (one.name != kServerSeries && one.name != kCheckSeries) one.name.clear();
      unknown.erase(one.series);
      std::string id = one.series;
      series_.insert_or_assign(std::move(id), std::move(one));
    }
    for (const std::string& id : unknown) series_.try_emplace(id);
    return Status();
  }

  QueryGuard guard() const {
    return [this] { return stopped_.load() ? cancelled("the client is gone") : Status(); };
  }

  Services* const services_;
  const std::weak_ptr<OpenStore> open_;
  std::atomic<bool> stopped_{false};
  // Touched by work() only.
  NamespaceId namespace_;
  Position sent_;
  std::map<std::string, Series, std::less<>> series_;

  Mutex mutex_;
  MessageStream::Deliver deliver_ GUARDED_BY(mutex_);  // set while a next() waits
  uint64_t subscription_ GUARDED_BY(mutex_) = 0;
  bool woken_ GUARDED_BY(mutex_) = false;    // something happened since work() looked
  bool waiting_ GUARDED_BY(mutex_) = false;  // for wake()
  int pongs_ GUARDED_BY(mutex_) = 0;         // to be sent
  std::string token_ GUARDED_BY(mutex_);     // shown by the client, not looked at yet
};

class GuardiaStream final : public MessageStream {
 public:
  GuardiaStream(Services* services, const OpenStorePtr& open, NamespaceId name_space,
                Position after)
      : metrics_(services->metrics),
        rows_(std::make_shared<Rows>(services, open, name_space, after)) {
    metrics_->tails_opened.add();
    rows_->subscribe(open->store.get(), name_space);
  }
  ~GuardiaStream() override {
    rows_->stop();
    metrics_->tails_closed.add();
  }

  void next(Deliver deliver) override { rows_->next(std::move(deliver)); }
  void receive(std::string_view text) override { rows_->receive(text); }

 private:
  ServerMetrics* const metrics_;
  const std::shared_ptr<Rows> rows_;
};

}  // namespace

std::unique_ptr<MessageStream> make_guardia_stream(Services* services, const OpenStorePtr& open,
                                                   NamespaceId name_space, Position after) {
  return std::make_unique<GuardiaStream>(services, open, name_space, after);
}

}  // namespace firn
