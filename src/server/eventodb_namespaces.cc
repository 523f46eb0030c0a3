#include <algorithm>
#include <utility>

#include "server/api_face.h"
#include "server/eventodb_rpc.h"
#include "server/eventodb_token.h"
#include "views/streams/stream_lists.h"
#include "wire/json_text.h"

// The methods ns.* and sys.*.

namespace firn {

namespace {

constexpr int64_t kStreamsLimitMax = 1000;
constexpr uint32_t kStreamsLimitDefault = 100;

HttpResponse no_such_namespace(const std::string& name) {
  return eventodb_error(404, "NAMESPACE_NOT_FOUND", "there is no namespace '" + name + "'");
}

HttpResponse object_answer(std::string body) { return json_response(std::move(body) + "\n"); }

// For names of streams while they are counted, and the text of the answer.
constexpr uint64_t kCountMemoryBytes = 32 * kMiB;
// The same for a list of at most kStreamsLimitMax names.
constexpr uint64_t kListMemoryBytes = 4 * kMiB;

Result<MemoryBudget::Share> take_answer_memory(const RpcCall& call, uint64_t bytes) {
  return take_memory(call.services, *call.request, call.services->answer_memory.get(), bytes);
}

// The answer takes of the share what its text has, until it is sent.
HttpResponse with_memory(HttpResponse response, MemoryBudget::Share share) {
  share.resize(std::min<uint64_t>(share.bytes(), response.body.capacity()));
  response.memory = std::move(share);
  return response;
}

Result<StreamCounts> counts_of(const RpcCall& call, const NamespaceInfo& info,
                               const MemoryBudget::Share& share) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, call.caller.open->store->snapshot(info.id));
  return count_streams(*snapshot, share.bytes(), make_guard(call.services, call.request));
}

void append_description(const NamespaceInfo& info, JsonObjectWriter* object) {
  object->text("namespace", info.name);
  object->text("description", info.profile->description);
  object->text("createdAt", format_time(info.created_at));
}

// The token that the client chose, or a new one.
Result<std::string> choose_token(const RpcCall& call, const std::string& name,
                                 const std::string& wanted) {
  if (wanted.empty()) return make_token(call.services->env, name);
  FIRN_ASSIGN(const std::string named, namespace_of_token(wanted));
  if (named == name) return wanted;
  return invalid_argument("the token is for namespace '" + named + "', not '" + name + "'");
}

Status create_namespace(const RpcCallPtr& call) {
  FIRN_ASSIGN(const std::string name, text_argument(*call, 0, "namespace"));
  std::string description, wanted;
  FIRN_TRY(visit_options(*call, 1, [&](std::string_view option, std::string_view value) -> Status {
    if (option == "description") {
      FIRN_ASSIGN(description, json_text(value, option));
    } else if (option == "token") {
      FIRN_ASSIGN(wanted, json_text(value, option));
    } else if (option == "metadata" && !is_json_object(value)) {
      return invalid_argument("'metadata' must be an object");
    }
    return Status();
  }));
  FIRN_ASSIGN(const std::string token, choose_token(*call, name, wanted));
  return run_rpc(call, [call, name, description, token]() -> Result<HttpResponse> {
    const Result<NamespaceInfo> created = call->caller.open->store->create_namespace(
        name, NamespaceProfile{description, token_sha256(token)});
    if (created.status().code() == StatusCode::kConflict) {
      return eventodb_error(409, "NAMESPACE_EXISTS", created.status().message());
    }
    if (!created.ok()) return created.status();
    std::string body;
    JsonObjectWriter object(&body);
    object.text("namespace", name);
    object.text("token", token);
    object.text("createdAt", format_time(created->created_at));
    object.close();
    return object_answer(std::move(body));
  });
}

Status delete_namespace(const RpcCallPtr& call) {
  FIRN_ASSIGN(const std::string name, text_argument(*call, 0, "namespace"));
  return run_rpc(call, [call, name]() -> Result<HttpResponse> {
    Store* store = call->caller.open->store.get();
    const Result<NamespaceInfo> info = store->find_namespace(name);
    if (!info.ok()) return no_such_namespace(name);
    FIRN_ASSIGN(const MemoryBudget::Share share, take_answer_memory(*call, kCountMemoryBytes));
    FIRN_ASSIGN(const StreamCounts counts, counts_of(*call, *info, share));
    const Status deleted = store->delete_namespace(name);
    if (deleted.code() == StatusCode::kNotFound) return no_such_namespace(name);
    FIRN_TRY(deleted);
    std::string body;
    JsonObjectWriter object(&body);
    object.text("namespace", name);
    object.text("deletedAt", format_time(call->services->env->now()));
    object.unsigned_integer("messagesDeleted", counts.messages);
    object.close();
    return object_answer(std::move(body));
  });
}

Status list_namespaces(const RpcCallPtr& call) {
  return run_rpc(call, [call]() -> Result<HttpResponse> {
    std::vector<NamespaceInfo> infos = call->caller.open->store->namespaces();
    std::sort(infos.begin(), infos.end(),
              [](const NamespaceInfo& a, const NamespaceInfo& b) { return a.id > b.id; });
    FIRN_ASSIGN(MemoryBudget::Share share, take_answer_memory(*call, kCountMemoryBytes));
    std::string body = "[";
    for (const NamespaceInfo& info : infos) {
      const Result<StreamCounts> counts = counts_of(*call, info, share);
      if (counts.status().code() == StatusCode::kNotFound) continue;  // deleted just now
      FIRN_TRY(counts.status());
      if (body.size() > 1) body.push_back(',');
      JsonObjectWriter object(&body);
      append_description(info, &object);
      object.unsigned_integer("messageCount", counts->messages);
      object.close();
    }
    return with_memory(object_answer(std::move(body) + "]"), std::move(share));
  });
}

Status describe_namespace(const RpcCallPtr& call) {
  FIRN_ASSIGN(const std::string name, text_argument(*call, 0, "namespace"));
  return run_rpc(call, [call, name]() -> Result<HttpResponse> {
    const Result<NamespaceInfo> info = call->caller.open->store->find_namespace(name);
    if (!info.ok()) return no_such_namespace(name);
    FIRN_ASSIGN(const MemoryBudget::Share share, take_answer_memory(*call, kCountMemoryBytes));
    FIRN_ASSIGN(const StreamCounts counts, counts_of(*call, *info, share));
    std::string body;
    JsonObjectWriter object(&body);
    append_description(*info, &object);
    object.unsigned_integer("messageCount", counts.messages);
    object.unsigned_integer("streamCount", counts.streams);
    if (counts.last_time.has_value()) {
      object.text("lastActivity", format_time(*counts.last_time));
    } else {
      object.raw("lastActivity", "null");
    }
    object.close();
    return object_answer(std::move(body));
  });
}

struct StreamsRequest {
  std::string prefix, cursor;
  uint32_t limit = kStreamsLimitDefault;
};

Result<HttpResponse> streams_answer(const Snapshot& snapshot, const StreamsRequest& request,
                                    const QueryGuard& guard) {
  FIRN_ASSIGN(const std::vector<StreamInfo> streams,
              list_streams(snapshot, request.prefix, request.cursor, request.limit, guard));
  std::string body = "[";
  for (const StreamInfo& stream : streams) {
    if (body.size() > 1) body.push_back(',');
    JsonObjectWriter object(&body);
    object.text("stream", stream.stream);
    object.integer("version", stream.version);
    if (stream.last_time.has_value()) {
      object.text("lastActivity", format_time(interval_start(*stream.last_time, kSecondNs)));
    } else {
      object.raw("lastActivity", "null");
    }
    object.close();
  }
  return object_answer(std::move(body) + "]");
}

Status list_streams_of_caller(const RpcCallPtr& call) {
  StreamsRequest request;
  FIRN_TRY(visit_options(*call, 0, [&](std::string_view name, std::string_view value) -> Status {
    if (name == "prefix") {
      FIRN_ASSIGN(request.prefix, json_text(value, name));
    } else if (name == "cursor") {
      FIRN_ASSIGN(request.cursor, json_text(value, name));
    } else if (name == "limit") {
      FIRN_ASSIGN(const int64_t limit, json_integer(value, name));
      if (limit < 1 || limit > kStreamsLimitMax) {
        return invalid_argument("'limit' must be from 1 to " + std::to_string(kStreamsLimitMax));
      }
      request.limit = static_cast<uint32_t>(limit);
    }
    return Status();
  }));
  return run_on_snapshot(
      call,
      [call, request](const Snapshot& snapshot, const QueryGuard& guard) -> Result<HttpResponse> {
        FIRN_ASSIGN(MemoryBudget::Share share, take_answer_memory(*call, kListMemoryBytes));
        FIRN_ASSIGN(HttpResponse response, streams_answer(snapshot, request, guard));
        return with_memory(std::move(response), std::move(share));
      });
}

Status list_categories_of_caller(const RpcCallPtr& call) {
  return run_on_snapshot(
      call, [call](const Snapshot& snapshot, const QueryGuard& guard) -> Result<HttpResponse> {
        FIRN_ASSIGN(MemoryBudget::Share share, take_answer_memory(*call, kCountMemoryBytes));
        FIRN_ASSIGN(const std::vector<CategoryInfo> categories,
                    list_categories(snapshot, share.bytes(), guard));
        std::string body = "[";
        for (const CategoryInfo& category : categories) {
          if (body.size() > 1) body.push_back(',');
          JsonObjectWriter object(&body);
          object.text("category", category.category);
          object.unsigned_integer("streamCount", category.streams);
          object.unsigned_integer("messageCount", category.messages);
          object.close();
        }
        return with_memory(object_answer(std::move(body) + "]"), std::move(share));
      });
}

Status system_version(const RpcCallPtr& call) {
  call->respond(json_response("\"" + std::string(kEventodbVersion) + "\"\n"));
  return Status();
}

Status system_health(const RpcCallPtr& call) {
  return run_rpc(call, [call]() -> Result<HttpResponse> {
    const bool good = call->caller.open->store->health().accepts_writes;
    std::string body;
    JsonObjectWriter object(&body);
    object.text("status", good ? "ok" : "failing");
    object.text("backend", "firn");
    object.unsigned_integer("connections", 0);
    object.close();
    return object_answer(std::move(body));
  });
}

}  // namespace

RpcMethod find_namespace_method(std::string_view name) {
  if (name == "ns.create") return create_namespace;
  if (name == "ns.delete") return delete_namespace;
  if (name == "ns.list") return list_namespaces;
  if (name == "ns.info") return describe_namespace;
  if (name == "ns.streams") return list_streams_of_caller;
  if (name == "ns.categories") return list_categories_of_caller;
  if (name == "sys.version") return system_version;
  if (name == "sys.health") return system_health;
  return nullptr;
}

}  // namespace firn
