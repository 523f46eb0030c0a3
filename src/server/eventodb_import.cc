#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "server/api_face.h"
#include "server/eventodb_face.h"
#include "views/streams/stream_append.h"
#include "views/streams/stream_reads.h"
#include "wire/eventodb_json.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"
#include "wire/json_values.h"
#include "wire/line_stream.h"

// POST /import, and the same under /api/v1: lines of JSON of any number into a namespace.

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

struct ImportOptions {
  bool force = false;  // the namespace is emptied when the first step is known to be well-formed
  bool resume =
      false;  // records that are stored already, under their id and place, are passed over
};

// No stream ever has it: what expects it is stored only if it was stored before, by its ids.
constexpr int64_t kNoVersion = -2;

// The part of an import that callbacks of the store and of the body may still use when the stream
// itself is gone.
class Import : public std::enable_shared_from_this<Import> {
 public:
  Import(Services* services, const EventodbCaller& caller, ImportOptions options,
         HttpRequestPtr request, MemoryBudget::Share memory)
      : services_(services),
        open_(caller.open),
        name_space_(caller.name_space),
        namespace_id_(caller.info->id),
        options_(options),
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
    struct Record : EventodbRecord {
      uint64_t line = 0;
    };
    std::vector<Record> records;
    std::map<std::string, int64_t, std::less<>> next_positions;  // of its streams, behind it
    size_t bytes = 0;
    // Of a resumed import: records at or below the versions of their streams, which must be stored
    // already, come first. How many there are, and whether that was looked up.
    size_t old_records = 0;
    bool is_sorted = false;

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
    Part::Record record;
    record.line = line_;
    if (const Status good = is_json_object(text) ? parse_eventodb_record(text, &record)
                                                 : invalid_argument("a record is an object");
        !good.ok()) {
      return refuse("INVALID_RECORD", good.message());
    }
    const auto known = part_.next_positions.find(record.stream);
    if (known != part_.next_positions.end() && record.position != known->second) {
      return refuse(record.position < known->second ? "POSITION_EXISTS" : "POSITION_GAP",
                    "the stream goes on at position " + std::to_string(known->second));
    }
    part_.next_positions[record.stream] = record.position + 1;
    part_.records.push_back(std::move(record));
    return true;
  }

  void store_part() {
    const OpenStorePtr open = open_.lock();
    if (open == nullptr) return fail("READ_ERROR", "the import was cancelled", line_);
    const size_t end = part_.old_records > 0 ? part_.old_records : part_.records.size();
    store_records(*open, 0, end);
  }

  Status clear(Store* store) {
    options_.force = false;
    FIRN_TRY(store->clear_namespace(name_space_));
    FIRN_ASSIGN(const NamespaceInfo cleared, store->find_namespace(name_space_));
    namespace_id_ = cleared.id;
    return Status();
  }

  // Records [begin, end) of the part as one request.
  Result<AppendRequest> make_request(const OpenStore& open, size_t begin, size_t end) const {
    std::vector<NewMessage> messages;
    messages.reserve(end - begin);
    std::vector<ExpectedVersion> expected;
    std::set<std::string_view> streams;
    const bool is_old = begin < part_.old_records;
    for (size_t i = begin; i < end; ++i) {
      const EventodbRecord& record = part_.records[i];
      messages.push_back(
          {record.stream, record.type, record.data, record.metadata, record.id, record.time});
      if (!streams.insert(record.stream).second) continue;
      expected.push_back({record.stream, is_old ? kNoVersion : record.position - 1});
    }
    FIRN_ASSIGN(AppendRequest request,
                make_stream_append(messages, std::move(expected), open.store->id_source(),
                                   services_->limits));
    request.must_be_new = !is_old;
    FIRN_TRY(open.store->check_request(request));
    return request;
  }

  // Stores records [begin, end) of the part, together.
  void store_records(const OpenStore& open, size_t begin, size_t end) {
    Result<AppendRequest> append = make_request(open, begin, end);
    if (!append.ok()) {
      // Which of them it is.
      while (begin + 1 < end && make_request(open, begin, begin + 1).ok()) ++begin;
      return fail("INVALID_RECORD", append.status().message(), part_.records[begin].line);
    }
    if (options_.force && !empty_namespace(open)) return;
    const auto details = append->details;
    open.store->append(
        namespace_id_, std::move(*append),
        [self = shared_from_this(), details, begin, end](const Result<AppendResult>& result) {
          self->on_stored(result, *details, begin, end);
        });
  }

  // Only for a part that can be stored in an empty namespace. False when that was answered.
  bool empty_namespace(const OpenStore& open) {
    std::set<std::string_view> streams;
    for (const Part::Record& record : part_.records) {
      if (!streams.insert(record.stream).second || record.position == 0) continue;
      fail("POSITION_GAP", "the first position of a stream is 0", record.line);
      return false;
    }
    const Status cleared = clear(open.store.get());
    if (!cleared.ok()) fail("CLEAR_FAILED", cleared.message(), part_.records[0].line);
    return cleared.ok();
  }

  // On the log's worker: must be quick.
  void on_stored(const Result<AppendResult>& result, const AppendDetails& details, size_t begin,
                 size_t end) {
    if (result.status().code() == StatusCode::kConflict) {
      if (options_.resume && !part_.is_sorted) {
        return services_->query_executor([self = shared_from_this()] { self->sort_part(); });
      }
      return fail_conflict(result.status(), details, begin);
    }
    const uint64_t first_line = part_.records[begin].line;
    if (!result.ok()) return fail("IMPORT_FAILED", result.status().message(), first_line);
    if (result->duplicates > 0 && !was_stored_in_place(*result, details, begin)) {
      return fail("POSITION_EXISTS", "the records are stored at other positions", first_line);
    }
    services_->metrics->appended_events.add(result->count - result->duplicates);
    imported_ += result->count - result->duplicates;
    skipped_ += result->duplicates;
    last_position_ = result->last_position;
    if (end < part_.records.size()) {
      return services_->query_executor([self = shared_from_this(), end] {
        const OpenStorePtr open = self->open_.lock();
        if (open == nullptr) {
          return self->fail("READ_ERROR", "the import was cancelled", self->line_);
        }
        self->store_records(*open, end, self->part_.records.size());
      });
    }
    end_part();
  }

  void fail_conflict(const Status& status, const AppendDetails& details, size_t begin) {
    const auto& version = details.version_conflict;
    if (!version.has_value()) {
      const size_t row = begin + details.conflicting_row.value_or(0);
      return fail("POSITION_EXISTS", status.message(), part_.records[row].line);
    }
    const auto record =
        std::find_if(part_.records.begin() + static_cast<ptrdiff_t>(begin), part_.records.end(),
                     [&](const Part::Record& one) { return one.stream == version->stream; });
    const uint64_t line = record == part_.records.end() ? line_ : record->line;
    const bool gap = version->actual < version->expected;
    fail(gap ? "POSITION_GAP" : "POSITION_EXISTS",
         "the stream goes on at position " + std::to_string(version->actual + 1), line);
  }

  // Whether a resumed import met just what it stored the last time.
  bool was_stored_in_place(const AppendResult& result, const AppendDetails& details,
                           size_t begin) const {
    if (!options_.resume || result.duplicates != result.count) return false;
    for (size_t i = 0; i < details.rows.size(); ++i) {
      if (details.rows[i].stream_position != part_.records[begin + i].position) return false;
    }
    return true;
  }

  // Some of the part is stored already: brings that to its front.
  void sort_part() {
    const OpenStorePtr open = open_.lock();
    if (open == nullptr) return fail("READ_ERROR", "the import was cancelled", line_);
    const Result<SnapshotPtr> snapshot = open->store->snapshot(namespace_id_);
    if (!snapshot.ok()) return fail("IMPORT_FAILED", snapshot.status().message(), line_);
    std::map<std::string_view, int64_t> versions;
    for (const auto& [stream, next] : part_.next_positions) {
      const Result<int64_t> version = stream_version(**snapshot, stream);
      if (!version.ok()) return fail("IMPORT_FAILED", version.status().message(), line_);
      versions.emplace(stream, *version);
    }
    const auto first_new = std::stable_partition(
        part_.records.begin(), part_.records.end(),
        [&](const Part::Record& record) { return record.position <= versions[record.stream]; });
    part_.old_records = static_cast<size_t>(first_new - part_.records.begin());
    part_.is_sorted = true;
    store_part();
  }

  void end_part() {
    if (!part_.is_full()) return finish();  // only the last one is not
    part_ = Part();
    std::string text;
    JsonObjectWriter object(&text);
    object.unsigned_integer("imported", imported_);
    if (options_.resume) object.unsigned_integer("skipped", skipped_);
    object.unsigned_integer("gpos", last_position_);
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
    if (options_.resume) object.unsigned_integer("skipped", skipped_);
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
  const std::string name_space_;
  NamespaceId namespace_id_;
  ImportOptions options_;
  const HttpRequestPtr request_;
  const MemoryBudget::Share memory_;
  // One step at a time touches the rest.
  std::shared_ptr<BodySource> body_;
  LineStream lines_;
  const TimeNs began_;
  BodyStream::Piece piece_;
  Part part_;
  bool body_ended_ = false;
  uint64_t line_ = 0, imported_ = 0, skipped_ = 0;
  Position last_position_ = 0;
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

Result<HttpResponse> begin_import(Services* services, const EventodbCaller& caller,
                                  ImportOptions options, const HttpRequestPtr& request) {
  FIRN_ASSIGN(MemoryBudget::Share memory,
              take_memory(services, *request, services->answer_memory.get(), kImportMemoryBytes));
  HttpResponse response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.stream = std::make_unique<ImportStream>(
      std::make_shared<Import>(services, caller, options, request, std::move(memory)));
  return response;
}

void import_messages(Services* services, const EventodbCaller& caller,
                     const HttpRequestPtr& request, const Responder& respond,
                     EventodbStatusEncoder error) {
  const Result<QueryParameters> parameters = parse_query(request->query);
  if (!parameters.ok()) return respond(error(parameters.status()));
  ImportOptions options;
  options.force = query_parameter(*parameters, "force") == "true";
  options.resume = query_parameter(*parameters, "resume") == "true";
  if (options.force && options.resume) {
    return respond(error(invalid_argument("give one of force and resume: one begins anew")));
  }
  run_query(services, request, respond,
            [services, request, caller, options, error]() -> Result<HttpResponse> {
              Result<HttpResponse> begun = begin_import(services, caller, options, request);
              return begun.ok() ? std::move(begun) : error(begun.status());
            });
}

bool has_known_encoding(const HttpRequest& request) {
  const std::string& encoding = request.content_encoding;
  return encoding.empty() || equals_ignoring_case(encoding, "identity") ||
         equals_ignoring_case(encoding, "gzip");
}

constexpr std::string_view kUnknownEncoding =
    "the Content-Encoding is not supported; send gzip or none";

void import_with_token(Services* services, const HttpRequestPtr& request,
                       const Responder& respond) {
  EventodbCaller caller;
  HttpResponse refusal;
  if (!authenticate_to_namespace(services, *request, &caller, &refusal)) {
    return respond(std::move(refusal));
  }
  if (!has_known_encoding(*request)) {
    return respond(eventodb_error(415, "INVALID_REQUEST", kUnknownEncoding));
  }
  import_messages(services, caller, request, respond, eventodb_error);
}

}  // namespace

void add_import_route(Services* services, Face* face) {
  face->push_back({HttpMethod::kPost, "/import",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     import_with_token(services, request, respond);
                   },
                   eventodb_route_error, true});
}

void add_import_api_route(Services* services, Face* face) {
  face->push_back({HttpMethod::kPost, "/api/v1/namespaces/{ns}/messages:import",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     EventodbCaller caller;
                     const Status found = find_caller(services, *request, &caller);
                     if (!found.ok()) return respond(json_error(found));
                     if (!has_known_encoding(*request)) {
                       return respond(json_error(415, "unsupported_media_type", kUnknownEncoding));
                     }
                     import_messages(services, caller, request, respond, json_error);
                   }});
}

}  // namespace firn
