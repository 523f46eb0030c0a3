#include <deque>
#include <map>
#include <utility>

#include "server/api_face.h"
#include "server/eventodb_face.h"
#include "views/streams/stream_append.h"
#include "wire/eventodb_json.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"
#include "wire/json_values.h"
#include "wire/line_stream.h"

// POST /import: lines of JSON of any number into a namespace.

namespace firn {

namespace {

constexpr size_t kImportRecords = 1000;  // stored together, and a line of progress for each
constexpr size_t kImportBytes = 4 * kMiB;
// A message of event_bytes with every byte escaped still fits.
constexpr size_t kLineBytes = 8 * kMiB;
// Lines, records and the batch that they become.
constexpr uint64_t kImportMemoryBytes = 2 * (kImportBytes + kLineBytes);

// The body of a request that has it whole.
class WholeBody final : public BodySource {
 public:
  explicit WholeBody(HttpRequestPtr request) : request_(std::move(request)) {}
  void next(Piece piece) override { piece(std::exchange(request_->body, std::string())); }

 private:
  const HttpRequestPtr request_;
};

// The part of an import that callbacks of the store and of the body may still use when the stream
// itself is gone.
class Import : public std::enable_shared_from_this<Import> {
 public:
  Import(Services* services, const EventodbCaller& caller, HttpRequestPtr request,
         MemoryBudget::Share memory)
      : services_(services),
        open_(caller.open),
        namespace_id_(caller.info->id),
        request_(std::move(request)),
        memory_(std::move(memory)),
        body_(request_->body_source),
        lines_(!request_->content_encoding.empty() &&
                   !equals_ignoring_case(request_->content_encoding, "identity"),
               kLineBytes),
        began_(services->env->monotonic()) {
    if (body_ == nullptr) body_ = std::make_shared<WholeBody>(request_);
  }

  void next(BodyStream::Piece piece) {
    if (ended_) return piece("");
    piece_ = std::move(piece);
    go_on();
  }

 private:
  // What is stored together.
  struct Part {
    std::deque<std::string> texts;  // of the records, which are views of them
    std::vector<EventodbRecord> records;
    std::vector<ExpectedVersion> expected;
    std::map<std::string, int64_t, std::less<>> next_positions;
    uint64_t first_line = 0;
    size_t bytes = 0;

    bool is_full() const { return records.size() >= kImportRecords || bytes >= kImportBytes; }
  };

  void go_on() {
    services_->query_executor([self = shared_from_this()] { self->fill_part(); });
  }

  // Adds lines until the part is full, or asks for more of the body.
  void fill_part() {
    if (open_.lock() == nullptr || request_->cancellation.cancelled()) {
      return fail("READ_ERROR", "the import was cancelled", line_);
    }
    while (!part_.is_full()) {
      std::string_view line;
      const Result<bool> found = lines_.next(&line);
      if (!found.ok()) return fail("READ_ERROR", found.status().message(), line_ + 1);
      if (!*found) {
        if (body_ended_) break;
        return body_->next([self = shared_from_this()](const Result<std::string>& bytes) {
          self->services_->query_executor([self, bytes] { self->on_body(bytes); });
        });
      }
      ++line_;
      part_.bytes += line.size() + 1;
      if (!add_line(line)) return;
    }
    if (!part_.records.empty()) return store_part();
    if (body_ended_ && !part_.is_full()) return finish();
    part_ = Part();  // nothing but blank lines
    go_on();
  }

  void on_body(const Result<std::string>& bytes) {
    if (!bytes.ok()) return fail("READ_ERROR", bytes.status().message(), line_ + 1);
    if (bytes->empty()) {
      body_ended_ = true;
      lines_.end();
    } else {
      lines_.feed(*bytes);
    }
    fill_part();
  }

  // False when it is wrong; that was answered then.
  bool add_line(std::string_view line) {
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return true;
    const auto refuse = [this](std::string_view code, std::string_view message) {
      fail(code, message, line_);
      return false;
    };
    const std::string& text =
        part_.texts.emplace_back(line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin));
    if (const Status good = check_json(text, services_->limits.json_depth); !good.ok()) {
      return refuse("INVALID_JSON", good.message());
    }
    EventodbRecord record;
    if (const Status good = is_json_object(text) ? parse_eventodb_record(text, &record)
                                                 : invalid_argument("a record is an object");
        !good.ok()) {
      return refuse("INVALID_RECORD", good.message());
    }
    const auto known = part_.next_positions.find(record.stream);
    if (known == part_.next_positions.end()) {
      part_.expected.push_back({record.stream, record.position - 1});
    } else if (record.position != known->second) {
      return refuse(record.position < known->second ? "POSITION_EXISTS" : "POSITION_GAP",
                    "the stream goes on at position " + std::to_string(known->second));
    }
    part_.next_positions[record.stream] = record.position + 1;
    if (part_.records.empty()) part_.first_line = line_;
    part_.records.push_back(std::move(record));
    return true;
  }

  void store_part() {
    const OpenStorePtr open = open_.lock();
    if (open == nullptr) return fail("READ_ERROR", "the import was cancelled", line_);
    std::vector<NewMessage> messages;
    messages.reserve(part_.records.size());
    for (const EventodbRecord& record : part_.records) {
      messages.push_back(
          {record.stream, record.type, record.data, record.metadata, record.id, record.time});
    }
    Result<AppendRequest> append = make_stream_append(messages, std::move(part_.expected),
                                                      open->store->id_source(), services_->limits);
    if (!append.ok()) return fail("INVALID_RECORD", append.status().message(), part_.first_line);
    const auto details = append->details;
    open->store->append(namespace_id_, std::move(*append),
                        [self = shared_from_this(), details](const Result<AppendResult>& result) {
                          self->on_stored(result, *details);
                        });
  }

  // On the log's worker: must be quick.
  void on_stored(const Result<AppendResult>& result, const AppendDetails& details) {
    if (result.status().code() == StatusCode::kConflict) {
      const auto& found = details.version_conflict;
      const bool gap = found.has_value() && found->actual < found->expected;
      return fail(gap ? "POSITION_GAP" : "POSITION_EXISTS", result.status().message(),
                  part_.first_line);
    }
    if (!result.ok()) return fail("IMPORT_FAILED", result.status().message(), part_.first_line);
    if (result->duplicates > 0) {
      return fail("POSITION_EXISTS",
                  std::to_string(result->duplicates) + " records were stored before",
                  part_.first_line);
    }
    services_->metrics->appended_events.add(result->count);
    imported_ += result->count;
    if (!part_.is_full()) return finish();  // only the last one is not
    part_ = Part();
    std::string text;
    JsonObjectWriter object(&text);
    object.unsigned_integer("imported", imported_);
    object.unsigned_integer("gpos", result->last_position);
    object.close();
    tell(text);
  }

  void finish() {
    ended_ = true;
    const DurationNs elapsed = services_->env->monotonic() - began_;
    const int64_t tenths = elapsed / (kSecondNs / 10);
    std::string text;
    JsonObjectWriter object(&text);
    object.boolean("done", true);
    object.unsigned_integer("imported", imported_);
    object.text("elapsed", std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "s");
    object.close();
    tell(text);
  }

  void fail(std::string_view code, std::string_view message, uint64_t line) {
    ended_ = true;
    std::string text;
    JsonObjectWriter object(&text);
    object.text("error", code);
    object.text("message", message);
    object.unsigned_integer("line", line);
    object.close();
    tell(text);
  }

  // The last thing a step does: the next one may begin at once.
  void tell(const std::string& text) {
    const BodyStream::Piece piece = std::exchange(piece_, nullptr);
    piece("data: " + text + "\n\n");
  }

  Services* const services_;
  const std::weak_ptr<OpenStore> open_;
  const NamespaceId namespace_id_;
  const HttpRequestPtr request_;
  const MemoryBudget::Share memory_;
  // One step at a time touches the rest.
  std::shared_ptr<BodySource> body_;
  LineStream lines_;
  const TimeNs began_;
  BodyStream::Piece piece_;
  Part part_;
  bool body_ended_ = false;
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

Result<HttpResponse> begin_import(Services* services, EventodbCaller caller,
                                  const HttpRequestPtr& request, bool force) {
  Result<MemoryBudget::Share> memory =
      take_memory(services, *request, services->answer_memory.get(), kImportMemoryBytes);
  if (!memory.ok()) return eventodb_error(memory.status());
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
      std::make_shared<Import>(services, caller, request, std::move(*memory)));
  return response;
}

void import_messages(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  EventodbCaller caller;
  HttpResponse refusal;
  if (!authenticate_to_namespace(services, *request, &caller, &refusal)) {
    return respond(std::move(refusal));
  }
  const Result<QueryParameters> parameters = parse_query(request->query);
  if (!parameters.ok()) return respond(eventodb_error(parameters.status()));
  const std::string& encoding = request->content_encoding;
  if (!encoding.empty() && !equals_ignoring_case(encoding, "identity") &&
      !equals_ignoring_case(encoding, "gzip")) {
    return respond(eventodb_error(415, "INVALID_REQUEST",
                                  "Content-Encoding '" + encoding +
                                      "' is not supported; send "
                                      "gzip or none"));
  }
  const bool force = query_parameter(*parameters, "force") == "true";
  run_query(services, request, respond, [services, request, caller, force] {
    return begin_import(services, caller, request, force);
  });
}

}  // namespace

void add_import_route(Services* services, Face* face) {
  face->push_back({HttpMethod::kPost, "/import",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     import_messages(services, request, respond);
                   },
                   eventodb_route_error, true});
}

}  // namespace firn
