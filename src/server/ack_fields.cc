#include "server/ack_fields.h"

#include <optional>

namespace firn {

Result<AckLevel> parse_ack_field(std::string_view text) {
  if (text.empty()) return AckLevel::kFsync;
  const std::optional<AckLevel> level = parse_ack_level(text);
  if (level.has_value()) return *level;
  return invalid_argument("the acknowledgement '" + std::string(text) +
                          "' is unknown; it must be fsync, os or memory");
}

std::vector<std::pair<std::string, std::string>> ack_fields(AckLevel ack, Position last_position) {
  std::vector<std::pair<std::string, std::string>> fields;
  fields.emplace_back("firn-ack", ack_level_name(ack));
  if (last_position != 0) fields.emplace_back("firn-position", std::to_string(last_position));
  return fields;
}

}  // namespace firn
