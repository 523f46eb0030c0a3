#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "server/api_face.h"
#include "server/event_parameters.h"
#include "server/tail_stream.h"
#include "wire/json_events.h"

namespace firn {

namespace {

constexpr uint32_t kPieceEvents = 1000;

// The part of a tail that reads may still use when the stream itself is gone.
class Tail : public std::enable_shared_from_this<Tail> {
 public:
  Tail(Services* services, const OpenStorePtr& open, TailOptions options)
      : services_(services),
        open_(open),
        options_(std::move(options)),
        namespace_id_(options_.namespace_id),
        sent_(options_.after) {}

  void subscribe(Store* store) EXCLUDES(mutex_) {
    // Weak, because removing the subscription waits for a call that is running.
    const uint64_t added =
        store->subscribe(namespace_id_, [weak = weak_from_this()](Position published) {
          if (const auto self = weak.lock(); self != nullptr) self->on_published(published);
        });
    MutexLock lock(&mutex_);
    subscription_ = added;
  }

  void next(BodyStream::Piece piece) EXCLUDES(mutex_) {
    if (!std::exchange(greeted_, true)) {
      return piece(options_.greeting.empty() ? ": tail after " + std::to_string(sent_) + "\n\n"
                                             : options_.greeting);
    }
    {
      MutexLock lock(&mutex_);
      FIRN_CHECK(!piece_);
      piece_ = std::move(piece);
      // Who has sent all there is need not look before more is heard of.
      waiting_ = caught_up_ && published_ <= sent_;
      if (waiting_) return;
    }
    schedule();
  }

  void stop() EXCLUDES(mutex_) {
    stopped_.store(true);
    uint64_t subscription = 0;
    {
      MutexLock lock(&mutex_);
      subscription = subscription_;
      piece_ = nullptr;
    }
    if (const OpenStorePtr open = open_.lock(); open != nullptr) {
      open->store->unsubscribe(subscription);
    }
  }

 private:
  void schedule() {
    services_->tail_executor([self = shared_from_this()] { self->read(); });
  }

  // On the log's worker: must be quick.
  void on_published(Position published) EXCLUDES(mutex_) {
    {
      MutexLock lock(&mutex_);
      published_ = std::max(published_, published);
      // While it waits, nobody changes sent_.
      if (!waiting_ || published <= sent_) return;
      waiting_ = false;
    }
    schedule();
  }

  // Reads what is behind `sent_` until there is something to send or nothing left.
  void read() EXCLUDES(mutex_) {
    if (failed_) return deliver("");
    while (!stopped_.load()) {
      std::string text;
      caught_up_ = false;
      const Result<Position> end = read_piece(&text);
      if (!end.ok()) {
        failed_ = true;
        return deliver(error_text(end.status()));
      }
      caught_up_ = sent_ >= *end;
      if (!text.empty()) return deliver(std::move(text));
      if (!caught_up_) continue;  // nothing of that piece passed
      MutexLock lock(&mutex_);
      if (published_ <= *end) {
        waiting_ = true;
        return;
      }
    }
  }

  void deliver(std::string text) EXCLUDES(mutex_) {
    BodyStream::Piece piece;
    {
      MutexLock lock(&mutex_);
      piece = std::exchange(piece_, nullptr);
    }
    if (piece) piece(std::move(text));
  }

  static std::string error_text(const Status& status) {
    std::string body = json_error(status).body;
    body.pop_back();  // the line break
    return "event: error\ndata: " + body + "\n\n";
  }

  // Appends the next events and moves `sent_`. Returns up to where there is something to look at.
  Result<Position> read_piece(std::string* text) {
    const OpenStorePtr open = open_.lock();
    if (open == nullptr) return unavailable("the server is stopping");
    Result<SnapshotPtr> found = open->store->snapshot(namespace_id_);
    if (found.status().code() == StatusCode::kNotFound) {
      FIRN_TRY(follow_name(open->store.get()));
      found = open->store->snapshot(namespace_id_);
    }
    FIRN_ASSIGN(const SnapshotPtr snapshot, std::move(found));
    const Position end = snapshot->published();
    if (end <= sent_) return end;
    EventQuery query;
    query.filter = options_.filter;
    query.filter.positions = {sent_ + 1, end + 1};
    query.limit = kPieceEvents;
    query.bytes_max = services_->limits.tail_buffer_bytes;
    query.projection = options_.projection;
    FIRN_ASSIGN(const EventPage page, query_events(*snapshot, query, [this] {
                  return stopped_.load() ? cancelled("the client is gone") : Status();
                }));
    for (const EventRef& event : page.events) {
      sent_ = event.batch->position(event.row);
      if (options_.passes && !options_.passes(*event.batch, event.row)) continue;
      if (options_.write) {
        options_.write(*event.batch, event.row, text);
      } else {
        *text += "id: " + std::to_string(sent_) + "\ndata: ";
        append_event_json(*event.batch, event.row, text);
        *text += "\n\n";
      }
      if (text->size() > services_->limits.tail_buffer_bytes) return end;
    }
    if (!page.next.has_value()) sent_ = end;
    return end;
  }

  // Goes on with the namespace that has the name now, from its first event.
  Status follow_name(Store* store) EXCLUDES(mutex_) {
    FIRN_ASSIGN(const NamespaceInfo info, store->find_namespace(options_.namespace_name));
    uint64_t before = 0;
    {
      MutexLock lock(&mutex_);
      before = subscription_;
    }
    store->unsubscribe(before);
    {
      MutexLock lock(&mutex_);
      published_ = 0;  // nothing more comes of the old one
    }
    namespace_id_ = info.id;
    sent_ = 0;
    subscribe(store);
    // stop() may have come between the two.
    if (stopped_.load()) stop();
    return Status();
  }

  Services* const services_;
  const std::weak_ptr<OpenStore> open_;
  const TailOptions options_;
  std::atomic<bool> stopped_{false};
  // Touched by next() and by the one read() that follows it.
  NamespaceId namespace_id_;
  Position sent_;
  bool greeted_ = false;
  bool failed_ = false;
  bool caught_up_ = false;  // the last read left nothing behind it

  Mutex mutex_;
  BodyStream::Piece piece_ GUARDED_BY(mutex_);  // set while a next() waits for events
  uint64_t subscription_ GUARDED_BY(mutex_) = 0;
  Position published_ GUARDED_BY(mutex_) = 0;  // the highest that was heard of
  bool waiting_ GUARDED_BY(mutex_) = false;    // for on_published()
};

class TailStream final : public BodyStream {
 public:
  TailStream(Services* services, const OpenStorePtr& open, TailOptions options)
      : metrics_(services->metrics),
        tail_(std::make_shared<Tail>(services, open, std::move(options))) {
    metrics_->tails_opened.add();
    tail_->subscribe(open->store.get());
  }
  ~TailStream() override {
    tail_->stop();
    metrics_->tails_closed.add();
  }

  void next(Piece piece) override { tail_->next(std::move(piece)); }
  std::string_view heartbeat() const override { return ": heartbeat\n\n"; }

 private:
  ServerMetrics* const metrics_;
  const std::shared_ptr<Tail> tail_;
};

void tail_events(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  const Result<Target> target = find_target(services, *request);
  if (!target.ok()) return respond(json_error(target.status()));
  Result<EventSelection> selection =
      parse_selection(request->query, SelectionKind::kTail, services->env->now(), services->limits);
  if (!selection.ok()) return respond(json_error(selection.status()));
  TailOptions options;
  options.namespace_id = target->name_space.id;
  options.namespace_name = target->name_space.name;
  options.after = selection->after.value_or(target->name_space.last_position);
  if (!request->last_event_id.empty()) {
    const auto last = parse_unsigned(request->last_event_id);
    if (!last.has_value() || *last == UINT64_MAX) {
      return respond(json_error(
          invalid_argument("Last-Event-ID '" + request->last_event_id + "' is no position")));
    }
    options.after = *last;
  }
  options.filter = std::move(selection->filter);
  HttpResponse response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.stream = make_tail_stream(services, target->open, std::move(options));
  respond(std::move(response));
}

}  // namespace

std::unique_ptr<BodyStream> make_tail_stream(Services* services, const OpenStorePtr& open,
                                             TailOptions options) {
  return std::make_unique<TailStream>(services, open, std::move(options));
}

void add_tail_routes(Services* services, Face* face) {
  face->push_back({HttpMethod::kGet, "/api/v1/namespaces/{ns}/events:tail",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     tail_events(services, request, respond);
                   }});
}

}  // namespace firn
