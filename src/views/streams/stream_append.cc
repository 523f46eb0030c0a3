#include "views/streams/stream_append.h"

#include <optional>

#include "base/size.h"

namespace firn {

namespace {

// What the builder that a thread keeps is used for, so that it never holds much more.
constexpr uint64_t kSmallBytes = 64 * kKiB;
constexpr size_t kSmallMessages = 64;

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
  uint64_t bytes = 0;
  for (const NewMessage& message : messages) {
    FIRN_TRY(check_name("the stream name", message.stream, limits.stream_name_bytes,
                        "stream_name_bytes"));
    FIRN_TRY(check_name("the type", message.type, limits.type_bytes, "type_bytes"));
    bytes += message.data.size() + message.metadata.size();
  }
  // A builder costs as much as building a small batch, so each thread keeps one for those.
  static thread_local BatchBuilder small_builder(Dataset::kEvents);
  std::optional<BatchBuilder> large_builder;
  const bool is_small = bytes <= kSmallBytes && messages.size() <= kSmallMessages;
  if (!is_small) large_builder.emplace(Dataset::kEvents);
  BatchBuilder& builder = is_small ? small_builder : *large_builder;
  AppendRequest request;
  for (const NewMessage& message : messages) {
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
