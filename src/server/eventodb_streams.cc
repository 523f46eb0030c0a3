#include <utility>

#include "server/ack_fields.h"
#include "server/eventodb_rpc.h"
#include "views/streams/stream_append.h"
#include "views/streams/stream_reads.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"

// The methods stream.* and category.*.

namespace firn {

namespace {

constexpr int64_t kBatchSizeMax = 10'000;
constexpr int64_t kBatchSizeDefault = 1000;

// A message as a client sends it.
struct SentMessage {
  std::string stream, type;
  std::string_view data, metadata;
  std::optional<Id> id;
};

Result<Id> parse_message_id(std::string_view json) {
  FIRN_ASSIGN(const std::string text, json_text(json, "id"));
  const auto id = Id::parse(text);
  if (id.has_value() && !id->is_zero() && text.size() == 36) return *id;
  return internal_error("the message id '" + text + "' is no UUID; nothing was stored");
}

// `with_place`: "stream" and "id" are members, too; otherwise they are ignored like all others.
Status read_message(std::string_view json, bool with_place, SentMessage* message) {
  if (!is_json_object(json)) return invalid_argument("the message must be an object");
  FIRN_TRY(visit_members(json, [&](std::string_view name, std::string_view value) -> Status {
    if (name == "stream" && with_place) {
      FIRN_ASSIGN(message->stream, json_text(value, name));
    } else if (name == "type") {
      FIRN_ASSIGN(message->type, json_text(value, name));
    } else if (name == "data") {
      if (!is_json_object(value)) return invalid_argument("'data' must be an object");
      message->data = value;
    } else if (name == "metadata" && value != "null") {
      if (!is_json_object(value)) return invalid_argument("'metadata' must be an object");
      message->metadata = value;
    } else if (name == "id" && with_place && value != "null") {
      FIRN_ASSIGN(message->id, parse_message_id(value));
    }
    return Status();
  }));
  if (message->type.empty()) return invalid_argument("'type' must be a string that is not empty");
  if (message->data.empty()) return invalid_argument("'data' must be an object");
  return Status();
}

HttpResponse conflict_answer(const Status& status, const AppendDetails& details) {
  const auto& found = details.version_conflict;
  if (!found.has_value()) return eventodb_error(409, "MESSAGE_ID_EXISTS", status.message());
  std::string json;
  JsonObjectWriter object(&json);
  object.text("stream", found->stream);
  object.integer("expected", found->expected);
  object.integer("actual", found->actual);
  object.close();
  return eventodb_error(409, "STREAM_VERSION_CONFLICT", status.message(), json);
}

void append_place(const RowPosition& row, std::string* out) {
  JsonObjectWriter object(out);
  object.integer("position", row.stream_position);
  object.unsigned_integer("globalPosition", row.position);
  object.close();
}

// Appends, and answers with the places of the messages: one, or a list of them.
Status append_messages(const RpcCallPtr& call, const std::vector<SentMessage>& sent,
                       std::vector<ExpectedVersion> expected, bool as_list) {
  if (!call->caller.info.has_value()) {
    return internal_error("there is no namespace '" + call->caller.name_space + "'");
  }
  Services* services = call->services;
  Store* store = call->caller.open->store.get();
  std::vector<NewMessage> messages;
  messages.reserve(sent.size());
  const TimeNs now = services->env->now();
  for (const SentMessage& message : sent) {
    messages.push_back(
        {message.stream, message.type, message.data, message.metadata, message.id, now});
  }
  FIRN_ASSIGN(AppendRequest append, make_stream_append(messages, std::move(expected),
                                                       store->id_source(), services->limits));
  FIRN_ASSIGN(append.ack, parse_ack_field(call->request->firn_ack));
  const auto details = append.details;
  const uint64_t bytes = append.batch->size_bytes();
  // Not the call itself: it holds the store, and this runs on the store's thread.
  store->append(call->caller.info->id, std::move(append),
                [services, respond = call->respond, details, bytes,
                 as_list](const Result<AppendResult>& result) {
                  if (result.status().code() == StatusCode::kConflict) {
                    return respond(conflict_answer(result.status(), *details));
                  }
                  if (!result.ok()) return respond(eventodb_error(result.status()));
                  services->metrics->appended_events.add(result->count - result->duplicates);
                  services->metrics->appended_duplicates.add(result->duplicates);
                  services->metrics->appended_bytes.add(bytes);
                  std::string body = as_list ? "[" : "";
                  for (const RowPosition& row : details->rows) {
                    if (body.size() > 1) body.push_back(',');
                    append_place(row, &body);
                  }
                  if (as_list) body.push_back(']');
                  body.push_back('\n');
                  HttpResponse response = json_response(std::move(body));
                  response.headers = ack_fields(result->ack, result->last_position);
                  respond(std::move(response));
                });
  return Status();
}

Status write_stream(const RpcCallPtr& call) {
  SentMessage message;
  FIRN_ASSIGN(const std::string stream, text_argument(*call, 0, "stream name"));
  if (call->arguments.size() < 2) return invalid_argument("the message is missing");
  FIRN_TRY(read_message(call->arguments[1], false, &message));
  message.stream = stream;
  std::vector<ExpectedVersion> expected;
  FIRN_TRY(visit_options(*call, 2, [&](std::string_view name, std::string_view value) -> Status {
    if (name == "id") {
      FIRN_ASSIGN(message.id, parse_message_id(value));
    } else if (name == "expectedVersion") {
      FIRN_ASSIGN(const int64_t version, json_integer(value, name));
      expected = {{stream, version}};
    }
    return Status();
  }));
  return append_messages(call, {message}, std::move(expected), false);
}

// Ours: messages for one stream or several, stored together, with the versions they expect.
Status append_to_streams(const RpcCallPtr& call) {
  if (call->arguments.empty() || !call->arguments[0].starts_with('[')) {
    return invalid_argument("the messages must be an array");
  }
  std::vector<SentMessage> messages;
  StringPool pool;
  JsonReader reader(call->arguments[0], JsonReader::kDepthMax, &pool);
  (void)reader.enter_array();
  while (reader.next_element()) {
    std::string_view json;
    if (!reader.read_raw(&json)) break;
    FIRN_TRY(read_message(json, true, &messages.emplace_back()));
  }
  FIRN_TRY(reader.finish());
  std::vector<ExpectedVersion> expected;
  FIRN_TRY(visit_options(*call, 1, [&](std::string_view option, std::string_view value) -> Status {
    if (option != "expectedVersions") return Status();
    if (!is_json_object(value)) return invalid_argument("'expectedVersions' must be an object");
    return visit_members(value, [&](std::string_view stream, std::string_view json) -> Status {
      FIRN_ASSIGN(const int64_t version, json_integer(json, "expectedVersions"));
      expected.push_back({std::string(stream), version});
      return Status();
    });
  }));
  return append_messages(call, messages, std::move(expected), true);
}

// -1: no limit.
Result<uint64_t> parse_batch_size(std::string_view json) {
  FIRN_ASSIGN(const int64_t size, json_integer(json, "batchSize"));
  if (size == -1) return kNoLimit;
  if (size >= 0 && size <= kBatchSizeMax) return static_cast<uint64_t>(size);
  return invalid_argument("'batchSize' must be from 0 to " + std::to_string(kBatchSizeMax) +
                          ", or -1 for no limit");
}

HttpResponse page_answer(const StreamPage& page, bool with_stream) {
  HttpResponse response;
  response.body = "[";
  for (const EventRef& event : page.events) {
    if (response.body.size() > 1) response.body.push_back(',');
    append_message_tuple(*event.batch, event.row, with_stream, &response.body);
  }
  response.body += "]\n";
  if (page.dropped > 0) {
    response.headers.emplace_back(kDroppedHeader, std::to_string(page.dropped));
  }
  return response;
}

Position clamp_position(int64_t position) {
  return position < 1 ? 1 : static_cast<Position>(position);
}

Status get_stream(const RpcCallPtr& call) {
  StreamRead read;
  read.limit = kBatchSizeDefault;
  FIRN_ASSIGN(read.stream, text_argument(*call, 0, "stream name"));
  FIRN_TRY(
      visit_options(*call, 1, [&read](std::string_view name, std::string_view value) -> Status {
        if (name == "position") {
          FIRN_ASSIGN(read.from, json_integer(value, name));
        } else if (name == "globalPosition") {
          FIRN_ASSIGN(const int64_t position, json_integer(value, name));
          read.from_position = clamp_position(position);
        } else if (name == "batchSize") {
          FIRN_ASSIGN(read.limit, parse_batch_size(value));
        }
        return Status();
      }));
  read.bytes_max = read_bytes_max(*call->services);
  return run_read(
      call, [read](const Snapshot& snapshot, const QueryGuard& guard) -> Result<HttpResponse> {
        FIRN_ASSIGN(const StreamPage page, read_stream(snapshot, read, guard));
        return page_answer(page, false);
      });
}

Status get_last(const RpcCallPtr& call) {
  std::string type;
  FIRN_ASSIGN(std::string stream, text_argument(*call, 0, "stream name"));
  FIRN_TRY(
      visit_options(*call, 1, [&type](std::string_view name, std::string_view value) -> Status {
        if (name != "type") return Status();
        FIRN_ASSIGN(type, json_text(value, name));
        return Status();
      }));
  return run_on_snapshot(
      call,
      [stream = std::move(stream), type](const Snapshot& snapshot,
                                         const QueryGuard& guard) -> Result<HttpResponse> {
        FIRN_ASSIGN(const EventRef last, last_of_stream(snapshot, stream, type, guard));
        std::string body;
        if (last.batch == nullptr) {
          body = "null";
        } else {
          append_message_tuple(*last.batch, last.row, false, &body);
        }
        return json_response(body + "\n");
      });
}

Status get_version(const RpcCallPtr& call) {
  FIRN_ASSIGN(std::string stream, text_argument(*call, 0, "stream name"));
  return run_on_snapshot(
      call,
      [stream = std::move(stream)](const Snapshot& snapshot,
                                   const QueryGuard&) -> Result<HttpResponse> {
        FIRN_ASSIGN(const int64_t version, stream_version(snapshot, stream));
        return json_response(version < 0 ? "null\n" : std::to_string(version) + "\n");
      });
}

Result<ConsumerGroup> parse_group(std::string_view json) {
  if (!is_json_object(json)) return invalid_argument("'consumerGroup' must be an object");
  std::optional<int64_t> member, size;
  FIRN_TRY(visit_members(json, [&](std::string_view name, std::string_view value) -> Status {
    if (name != "member" && name != "size") return Status();
    FIRN_ASSIGN(const int64_t number, json_integer(value, name));
    (name == "member" ? member : size) = number;
    return Status();
  }));
  if (member.has_value() && size.has_value() && *member >= 0 && *size > 0 && *member < *size) {
    return ConsumerGroup{*member, *size};
  }
  return invalid_argument("'consumerGroup' needs a size above 0 and a member from 0 to below it");
}

Status get_category(const RpcCallPtr& call) {
  CategoryRead read;
  read.limit = kBatchSizeDefault;
  if (call->arguments.empty()) return invalid_argument("the argument 'category' is missing");
  FIRN_ASSIGN(read.category, json_text(call->arguments[0], "category"));
  bool has_global = false;
  FIRN_TRY(visit_options(*call, 1, [&](std::string_view name, std::string_view value) -> Status {
    if (name == "globalPosition" || (name == "position" && !has_global)) {
      FIRN_ASSIGN(const int64_t position, json_integer(value, name));
      read.from = clamp_position(position);
      has_global = name == "globalPosition";
    } else if (name == "batchSize") {
      FIRN_ASSIGN(read.limit, parse_batch_size(value));
    } else if (name == "correlation") {
      FIRN_ASSIGN(read.correlation, json_text(value, name));
    } else if (name == "consumerGroup") {
      FIRN_ASSIGN(read.group, parse_group(value));
    }
    return Status();
  }));
  read.bytes_max = read_bytes_max(*call->services);
  return run_read(
      call, [read](const Snapshot& snapshot, const QueryGuard& guard) -> Result<HttpResponse> {
        FIRN_ASSIGN(const StreamPage page, read_category(snapshot, read, guard));
        return page_answer(page, true);
      });
}

}  // namespace

RpcMethod find_stream_method(std::string_view name) {
  if (name == "stream.write") return write_stream;
  if (name == "stream.append") return append_to_streams;
  if (name == "stream.get") return get_stream;
  if (name == "stream.last") return get_last;
  if (name == "stream.version") return get_version;
  if (name == "category.get") return get_category;
  return nullptr;
}

}  // namespace firn
