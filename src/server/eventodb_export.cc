#include <algorithm>
#include <utility>

#include "server/api_face.h"
#include "server/eventodb_face.h"
#include "views/streams/stream_reads.h"
#include "wire/json_text.h"

// GET /export, and the same under /api/v1: a namespace as lines of JSON.

namespace firn {

namespace {

constexpr uint32_t kExportEvents = 1000;
// Rows of one page; they are held twice while they are found, beside their text.
constexpr uint64_t kExportPageBytes = 2 * kMiB;
constexpr uint64_t kExportMemoryBytes = 4 * kExportPageBytes;

// Every message of a snapshot, in order of position.
class Export : public std::enable_shared_from_this<Export> {
 public:
  Export(Services* services, HttpRequestPtr request, SnapshotPtr snapshot, EventQuery query,
         MemoryBudget::Share memory)
      : services_(services),
        request_(std::move(request)),
        snapshot_(std::move(snapshot)),
        memory_(std::move(memory)),
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
  const MemoryBudget::Share memory_;
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

Result<HttpResponse> begin_export(Services* services, const EventodbCaller& caller,
                                  const HttpRequestPtr& request, const EventQuery& query) {
  FIRN_ASSIGN(MemoryBudget::Share memory,
              take_memory(services, *request, services->answer_memory.get(), kExportMemoryBytes));
  FIRN_ASSIGN(SnapshotPtr snapshot, caller.open->store->snapshot(caller.info->id));
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.stream = std::make_unique<ExportStream>(
      std::make_shared<Export>(services, request, std::move(snapshot), query, std::move(memory)));
  return response;
}

void export_messages(Services* services, const EventodbCaller& caller,
                     const HttpRequestPtr& request, const Responder& respond,
                     EventodbStatusEncoder error) {
  const Result<QueryParameters> parameters = parse_query(request->query);
  if (!parameters.ok()) return respond(error(parameters.status()));
  Result<EventQuery> query = parse_export(*parameters);
  if (!query.ok()) return respond(error(query.status()));
  query->bytes_max = kExportPageBytes;
  run_query(
      services, request, respond,
      [services, request, caller, error, query = std::move(*query)]() -> Result<HttpResponse> {
        Result<HttpResponse> begun = begin_export(services, caller, request, query);
        return begun.ok() ? std::move(begun) : error(begun.status());
      });
}

}  // namespace

void add_export_route(Services* services, Face* face) {
  face->push_back({HttpMethod::kGet, "/export",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     EventodbCaller caller;
                     HttpResponse refusal;
                     if (!authenticate_to_namespace(services, *request, &caller, &refusal)) {
                       return respond(std::move(refusal));
                     }
                     export_messages(services, caller, request, respond, eventodb_error);
                   },
                   eventodb_route_error});
}

void add_export_api_route(Services* services, Face* face) {
  face->push_back({HttpMethod::kGet, "/api/v1/namespaces/{ns}/messages:export",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     EventodbCaller caller;
                     const Status found = find_caller(services, *request, &caller);
                     if (!found.ok()) return respond(json_error(found));
                     export_messages(services, caller, request, respond, json_error);
                   }});
}

}  // namespace firn
