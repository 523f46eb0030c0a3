#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/append.h"

namespace firn {

// How writes of every protocol say which acknowledgement they want, and answers which they got:
// header fields, in gRPC metadata with the same names.

// The level of the field "Firn-Ack"; empty: kFsync. kInvalidArgument for other texts.
Result<AckLevel> parse_ack_field(std::string_view text);

// "firn-ack" and "firn-position", the greatest position that the write got; without that field when
// it is 0. In lower case, because gRPC takes nothing else.
std::vector<std::pair<std::string, std::string>> ack_fields(AckLevel ack, Position last_position);

}  // namespace firn
