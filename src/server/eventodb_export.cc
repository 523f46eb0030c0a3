#include <algorithm>
#include <utility>

#include "server/api_face.h"
#include "server/eventodb_face.h"
#include "views/streams/stream_reads.h"
#include "wire/json_text.h"

// GET /export: a namespace as lines of JSON.

namespace firn {

namespace {

constexpr uint32_t kExportEvents = 1000;

// Every message of a snapshot, in order of position.
class Export : public std::enable_shared_from_this<Export> {
 public:
  Export(Services* services, HttpRequestPtr request, SnapshotPtr snapshot, EventQuery query)
      : services_(services),
        request_(std::move(request)),
        snapshot_(std::move(snapshot)),
        query_(std::move(query)) {}

  void next(BodyStream::Piece piece) {
    if (ended_) return piece("");
    services_->query_executor(
        [self = shared_from_this(), piece = std::move(piece)] { piece(self->read_some()); });
  }

 private:
  std::string read_some() {
    std::string text;
    const Result<EventPage> page = query_events(*snapshot_, query_, [this] {
      return request_->cancellation.cancelled() ? cancelled("nobody waits") : Status();
    });
    if (!page.ok()) {  // a line that is no record, because the status was sent long ago
      ended_ = true;
      return eventodb_error(page.status()).body;
    }
    for (const EventRef& event : page->events) append_record(*event.batch, event.row, &text);
    query_.cursor = page->next;
    ended_ = !page->next.has_value();
    return text;
  }

  static void append_record(const RecordBatch& batch, uint32_t row, std::string* out) {
    const EventRow event = event_row(batch, row);
    JsonObjectWriter object(out);
    object.text("id", event.id.to_uuid());
    object.text("stream", event.stream);
    object.text("type", event.type);
    object.integer("pos", event.stream_position);
    object.unsigned_integer("gpos", batch.position(row));
    object.member("data");
    append_json_one_line(event.data.empty() ? "{}" : event.data, out);
    object.member("meta");
    append_json_one_line(event.metadata.empty() ? "null" : event.metadata, out);
    object.text("time", format_time(event.time));
    object.close();
    out->push_back('\n');
  }

  Services* const services_;
  const HttpRequestPtr request_;
  const SnapshotPtr snapshot_;
  EventQuery query_;  // one step at a time touches it
  bool ended_ = false;
};

class ExportStream final : public BodyStream {
 public:
  explicit ExportStream(std::shared_ptr<Export> source) : source_(std::move(source)) {}
  void next(Piece piece) override { source_->next(std::move(piece)); }
  std::string_view heartbeat() const override { return "\n"; }

 private:
  const std::shared_ptr<Export> source_;
};

Result<EventQuery> parse_export(const QueryParameters& parameters) {
  EventQuery query;
  query.limit = kExportEvents;
  query.filter.predicates = category_predicates("");
  for (const auto& [name, value] : parameters) {
    if (name == "categories" && !value.empty()) {
      Predicate wanted = category_predicates(value).front();
      wanted.texts.clear();
      for (size_t at = 0; at <= value.size();) {
        const size_t end = std::min(value.find(',', at), value.size());
        wanted.texts.push_back(value.substr(at, end - at));
        at = end + 1;
      }
      query.filter.predicates.push_back(std::move(wanted));
    } else if (name == "since" || name == "until") {
      const auto time = parse_time(value);
      if (!time.has_value()) return invalid_argument("'" + name + "' must be a date or RFC 3339");
      (name == "since" ? query.filter.time.from : query.filter.time.to) = *time;
    }
  }
  return query;
}

void export_messages(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  EventodbCaller caller;
  HttpResponse refusal;
  if (!authenticate_to_namespace(services, *request, &caller, &refusal)) {
    return respond(std::move(refusal));
  }
  const Result<QueryParameters> parameters = parse_query(request->query);
  if (!parameters.ok()) return respond(eventodb_error(parameters.status()));
  Result<EventQuery> query = parse_export(*parameters);
  if (!query.ok()) return respond(eventodb_error(query.status()));
  query->bytes_max = services->limits.page_bytes;
  const Result<SnapshotPtr> snapshot = caller.open->store->snapshot(caller.info->id);
  if (!snapshot.ok()) return respond(eventodb_error(snapshot.status()));
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.stream = std::make_unique<ExportStream>(
      std::make_shared<Export>(services, request, *snapshot, std::move(*query)));
  respond(std::move(response));
}

}  // namespace

void add_export_route(Services* services, Face* face) {
  face->push_back({HttpMethod::kGet, "/export",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     export_messages(services, request, respond);
                   },
                   eventodb_route_error});
}

}  // namespace firn
