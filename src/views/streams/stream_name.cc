#include "views/streams/stream_name.h"

#include "base/digest.h"
#include "base/status.h"

namespace firn {

std::optional<std::string_view> cardinal_id_of(std::string_view stream) {
  const size_t dash = stream.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view id = stream.substr(dash + 1);
  const std::string_view cardinal = id.substr(0, id.find('+'));
  if (cardinal.empty()) return std::nullopt;
  return cardinal;
}

bool is_member(const ConsumerGroup& group, std::string_view stream) {
  FIRN_CHECK(group.size > 0 && group.member >= 0 && group.member < group.size);
  const auto cardinal = cardinal_id_of(stream);
  if (!cardinal.has_value()) return false;
  const auto digest = md5(*cardinal);
  uint64_t hash = 0;
  for (size_t i = 0; i < sizeof(hash); ++i) hash = hash << 8 | digest[i];
  // The magnitude of the signed number, which fits when it is the smallest, too.
  const uint64_t magnitude = (hash >> 63) != 0 ? ~hash + 1 : hash;
  return magnitude % static_cast<uint64_t>(group.size) == static_cast<uint64_t>(group.member);
}

}  // namespace firn
