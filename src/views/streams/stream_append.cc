#include "views/streams/stream_append.h"

namespace firn {

namespace {

Status check_name(const char* what, std::string_view name, uint64_t bytes_max, const char* limit) {
  if (name.empty()) return invalid_argument(std::string(what) + " must not be empty");
  if (name.size() <= bytes_max) return Status();
  return too_large(std::string(what) + " has " + std::to_string(name.size()) +
                   " bytes; the limit " + limit + " is " + std::to_string(bytes_max));
}

}  // namespace

Result<AppendRequest> make_stream_append(std::span<const NewMessage> messages,
                                         std::vector<ExpectedVersion> expected_versions,
                                         const std::function<Id()>& make_id, const Limits& limits) {
  if (messages.empty()) return invalid_argument("there is no message to append");
  BatchBuilder builder(Dataset::kEvents);
  AppendRequest request;
  for (const NewMessage& message : messages) {
    FIRN_TRY(check_name("the stream name", message.stream, limits.stream_name_bytes,
                        "stream_name_bytes"));
    FIRN_TRY(check_name("the type", message.type, limits.type_bytes, "type_bytes"));
    EventRow row;
    row.time = message.time;
    row.kind = EventKind::kMessage;
    row.id = message.id.has_value() ? *message.id : make_id();
    row.type = message.type;
    row.stream = message.stream;
    row.data = message.data;
    row.metadata = message.metadata;
    if (message.id.has_value()) request.rows_with_client_id.push_back(builder.rows());
    builder.add(row);
  }
  request.batch = builder.finish();
  request.expected_versions = std::move(expected_versions);
  request.details = std::make_shared<AppendDetails>();
  return request;
}

}  // namespace firn
