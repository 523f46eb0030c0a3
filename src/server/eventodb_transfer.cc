#include <algorithm>
#include <map>
#include <utility>

#include "server/api_face.h"
#include "server/eventodb_face.h"
#include "server/eventodb_rpc.h"
#include "views/streams/stream_append.h"
#include "views/streams/stream_reads.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"

// POST /import and GET /export: a namespace as lines of JSON.

namespace firn {

namespace {

constexpr size_t kImportRecords = 1000;  // stored together, and a line of progress for each
constexpr size_t kImportBytes = 8 * kMiB;
constexpr uint32_t kExportEvents = 1000;

struct ImportRecord {
  std::string stream, type;
  std::string_view data, metadata;
  std::optional<Id> id;
  int64_t position = -1;
  std::optional<TimeNs> time;
};

// kInvalidArgument names the member.
Status read_record(std::string_view line, ImportRecord* record) {
  FIRN_TRY(visit_members(line, [record](std::string_view name, std::string_view value) -> Status {
    if (name == "id") {
      FIRN_ASSIGN(const std::string text, json_text(value, name));
      record->id = Id::parse(text);
      if (!record->id.has_value()) return invalid_argument("'id' must be a UUID");
    } else if (name == "stream") {
      FIRN_ASSIGN(record->stream, json_text(value, name));
    } else if (name == "type") {
      FIRN_ASSIGN(record->type, json_text(value, name));
    } else if (name == "pos") {
      FIRN_ASSIGN(record->position, json_integer(value, name));
    } else if (name == "data") {
      record->data = value;
    } else if (name == "meta" && value != "null") {
      if (!is_json_object(value)) return invalid_argument("'meta' must be an object or null");
      record->metadata = value;
    } else if (name == "time") {
      FIRN_ASSIGN(const std::string text, json_text(value, name));
      record->time = parse_time(text);
      if (!record->time.has_value()) return invalid_argument("'time' must be RFC 3339");
    }
    return Status();
  }));
  if (!record->time.has_value()) return invalid_argument("'time' is missing");
  if (record->position < 0) return invalid_argument("'pos' must be a number from 0");
  if (record->data.empty()) return invalid_argument("'data' is missing");
  return Status();
}

// The part of an import that the store's callbacks may still use when the stream itself is gone.
class Import : public std::enable_shared_from_this<Import> {
 public:
  Import(Services* services, const EventodbCaller& caller, HttpRequestPtr request)
      : services_(services),
        open_(caller.open),
        namespace_id_(caller.info->id),
        request_(std::move(request)),
        rest_(request_->body),
        began_(services->env->monotonic()) {}

  void next(BodyStream::Piece piece) {
    if (ended_) return piece("");
    services_->query_executor(
        [self = shared_from_this(), piece = std::move(piece)] { self->store_some(piece); });
  }

 private:
  struct Part {
    std::vector<ImportRecord> records;
    std::vector<uint64_t> lines;
    std::vector<ExpectedVersion> expected;
  };

  void store_some(const BodyStream::Piece& piece) {
    const OpenStorePtr open = open_.lock();
    if (open == nullptr || request_->cancellation.cancelled()) {
      return fail("READ_ERROR", "the import was cancelled", line_, piece);
    }
    Part part;
    if (!take_part(&part, piece)) return;
    if (part.records.empty()) return finish(piece);
    std::vector<NewMessage> messages;
    messages.reserve(part.records.size());
    for (const ImportRecord& record : part.records) {
      messages.push_back(
          {record.stream, record.type, record.data, record.metadata, record.id, *record.time});
    }
    const uint64_t first_line = part.lines.front();
    Result<AppendRequest> append = make_stream_append(messages, std::move(part.expected),
                                                      open->store->id_source(), services_->limits);
    if (!append.ok()) return fail("INVALID_RECORD", append.status().message(), first_line, piece);
    const auto details = append->details;
    open->store->append(namespace_id_, std::move(*append),
                        [self = shared_from_this(), details, first_line,
                         piece](const Result<AppendResult>& result) {
                          self->on_stored(result, *details, first_line, piece);
                        });
  }

  // The next records. False when one is wrong; that was answered then.
  bool take_part(Part* part, const BodyStream::Piece& piece) {
    size_t bytes = 0;
    std::map<std::string, int64_t, std::less<>> next_positions;
    while (!rest_.empty() && part->records.size() < kImportRecords && bytes < kImportBytes) {
      const size_t end = std::min(rest_.find('\n'), rest_.size());
      std::string_view line = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++line_;
      const size_t begin = line.find_first_not_of(" \t\r");
      if (begin == std::string_view::npos) continue;
      line = line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
      bytes += line.size();
      const auto refuse = [&](const char* code, std::string_view message) {
        fail(code, message, line_, piece);
        return false;
      };
      if (const Status good = check_json(line, services_->limits.json_depth); !good.ok()) {
        return refuse("INVALID_JSON", good.message());
      }
      ImportRecord record;
      if (const Status good = is_json_object(line) ? read_record(line, &record)
                                                   : invalid_argument("a record is an object");
          !good.ok()) {
        return refuse("INVALID_RECORD", good.message());
      }
      const auto known = next_positions.find(record.stream);
      if (known == next_positions.end()) {
        part->expected.push_back({record.stream, record.position - 1});
      } else if (record.position != known->second) {
        return refuse(record.position < known->second ? "POSITION_EXISTS" : "POSITION_GAP",
                      "the stream goes on at position " + std::to_string(known->second));
      }
      next_positions[record.stream] = record.position + 1;
      part->records.push_back(std::move(record));
      part->lines.push_back(line_);
    }
    return true;
  }

  // On the log's worker: must be quick.
  void on_stored(const Result<AppendResult>& result, const AppendDetails& details,
                 uint64_t first_line, const BodyStream::Piece& piece) {
    if (result.status().code() == StatusCode::kConflict) {
      const auto& found = details.version_conflict;
      const bool gap = found.has_value() && found->actual < found->expected;
      return fail(gap ? "POSITION_GAP" : "POSITION_EXISTS", result.status().message(), first_line,
                  piece);
    }
    if (!result.ok()) return fail("IMPORT_FAILED", result.status().message(), first_line, piece);
    if (result->duplicates > 0) {
      return fail("POSITION_EXISTS",
                  std::to_string(result->duplicates) + " records were stored before", first_line,
                  piece);
    }
    services_->metrics->appended_events.add(result->count);
    imported_ += result->count;
    if (result->count < kImportRecords && rest_.empty()) return finish(piece);
    std::string text;
    JsonObjectWriter object(&text);
    object.unsigned_integer("imported", imported_);
    object.unsigned_integer("gpos", result->last_position);
    object.close();
    piece("data: " + text + "\n\n");
  }

  void finish(const BodyStream::Piece& piece) {
    ended_ = true;
    const DurationNs elapsed = services_->env->monotonic() - began_;
    const int64_t tenths = elapsed / (kSecondNs / 10);
    std::string text;
    JsonObjectWriter object(&text);
    object.boolean("done", true);
    object.unsigned_integer("imported", imported_);
    object.text("elapsed", std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "s");
    object.close();
    piece("data: " + text + "\n\n");
  }

  void fail(std::string_view code, std::string_view message, uint64_t line,
            const BodyStream::Piece& piece) {
    ended_ = true;
    std::string text;
    JsonObjectWriter object(&text);
    object.text("error", code);
    object.text("message", message);
    object.unsigned_integer("line", line);
    object.close();
    piece("data: " + text + "\n\n");
  }

  Services* const services_;
  const std::weak_ptr<OpenStore> open_;
  const NamespaceId namespace_id_;
  const HttpRequestPtr request_;
  // One step at a time touches the rest.
  std::string_view rest_;  // of the body
  const TimeNs began_;
  uint64_t line_ = 0, imported_ = 0;
  bool ended_ = false;
};

class ImportStream final : public BodyStream {
 public:
  explicit ImportStream(std::shared_ptr<Import> import) : import_(std::move(import)) {}
  void next(Piece piece) override { import_->next(std::move(piece)); }
  std::string_view heartbeat() const override { return ": heartbeat\n\n"; }

 private:
  const std::shared_ptr<Import> import_;
};

void import_messages(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  EventodbCaller caller;
  HttpResponse refusal;
  if (!authenticate(services, *request, &caller, &refusal)) return respond(std::move(refusal));
  if (!caller.info.has_value()) {
    return respond(
        eventodb_error(internal_error("there is no namespace '" + caller.name_space + "'")));
  }
  int http_status = 400;
  const Status unpacked = unpack_body(request.get(), services->limits, &http_status);
  const Result<QueryParameters> parameters = parse_query(request->query);
  if (!unpacked.ok() || !parameters.ok()) {
    const Status& status = unpacked.ok() ? parameters.status() : unpacked;
    return respond(eventodb_error(http_status, "INVALID_REQUEST", status.message()));
  }
  const bool force = query_parameter(*parameters, "force") == "true";
  run_query(services, request, respond,
            [services, request, caller, force]() mutable -> Result<HttpResponse> {
              if (force) {
                Store* store = caller.open->store.get();
                const Status cleared = store->clear_namespace(caller.name_space);
                if (!cleared.ok()) return eventodb_error(500, "CLEAR_FAILED", cleared.message());
                FIRN_ASSIGN(caller.info, store->find_namespace(caller.name_space));
              }
              HttpResponse response;
              response.content_type = "text/event-stream";
              response.headers.emplace_back("Cache-Control", "no-cache");
              response.stream = std::make_unique<ImportStream>(
                  std::make_shared<Import>(services, caller, request));
              return response;
            });
}

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
  if (!authenticate(services, *request, &caller, &refusal)) return respond(std::move(refusal));
  if (!caller.info.has_value()) {
    return respond(
        eventodb_error(internal_error("there is no namespace '" + caller.name_space + "'")));
  }
  const Result<QueryParameters> parameters = parse_query(request->query);
  if (!parameters.ok()) return respond(eventodb_error(parameters.status()));
  Result<EventQuery> query = parse_export(*parameters);
  if (!query.ok()) return respond(eventodb_error(query.status()));
  const Result<SnapshotPtr> snapshot = caller.open->store->snapshot(caller.info->id);
  if (!snapshot.ok()) return respond(eventodb_error(snapshot.status()));
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.stream = std::make_unique<ExportStream>(
      std::make_shared<Export>(services, request, *snapshot, std::move(*query)));
  respond(std::move(response));
}

}  // namespace

void add_transfer_routes(Services* services, Face* face) {
  const auto bind = [services](auto function) -> HttpHandler {
    return [services, function](const HttpRequestPtr& request, const Responder& respond) {
      function(services, request, respond);
    };
  };
  face->push_back({HttpMethod::kPost, "/import", bind(import_messages), eventodb_route_error});
  face->push_back({HttpMethod::kGet, "/export", bind(export_messages), eventodb_route_error});
}

}  // namespace firn
