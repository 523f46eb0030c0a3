#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/limits.h"
#include "base/status.h"
#include "store/append.h"

namespace firn {

// An event for a stream. Views must live until the request is made.
struct NewMessage {
  std::string_view stream{}, type{};
  std::string_view data{}, metadata{};  // JSON, kept byte by byte; metadata may be empty
  std::optional<Id> id{};               // nothing: one is made
  TimeNs time = 0;
};

// An append of all messages, to one stream or several, with details. kInvalidArgument for a message
// without stream or type, kTooLarge for one whose names pass a limit. `make_id` as of
// Store::id_source().
Result<AppendRequest> make_stream_append(std::span<const NewMessage> messages,
                                         std::vector<ExpectedVersion> expected_versions,
                                         const std::function<Id()>& make_id, const Limits& limits);

}  // namespace firn
