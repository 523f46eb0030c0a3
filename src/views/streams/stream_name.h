#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/filter.h"

// What the name of a stream says (docs/streams.md). Its category is category_of() of
// model/filter.h.

namespace firn {

// "17" of "order-17+copy"; nothing when the name has no '-', or no id behind it.
std::optional<std::string_view> cardinal_id_of(std::string_view stream);

// One of `size` consumers that share the streams of a category.
struct ConsumerGroup {
  int64_t member = 0;  // from 0, below size
  int64_t size = 1;
};

// Whether the stream belongs to the member. Streams without an id belong to none. REQUIRES: a valid
// group.
bool is_member(const ConsumerGroup& group, std::string_view stream);

}  // namespace firn
