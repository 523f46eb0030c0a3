#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "base/time.h"
#include "model/filter.h"
#include "query/query.h"

namespace firn {

// What a request selects by its query parameters (docs/http-api.md).
struct EventSelection {
  Filter filter;
  std::optional<Position> after;  // in filter.positions already
  EventOrder order = EventOrder::kPosition;
  uint32_t limit = 100;
  std::optional<EventCursor> cursor;
  DurationNs window_ns = 0;
  std::vector<ColumnId> group_by;
};

enum class SelectionKind : uint8_t {
  kPage,   // filters, order, limit, cursor
  kTrace,  // the same, ordered by time when nothing else is asked for
  kCount,  // filters, window, group_by
  kTail,   // filters
};

// kInvalidArgument naming the parameter and what it must be; also for a parameter that `kind` does
// not know or that is given twice without a meaning. `now` is what relative times count from.
Result<EventSelection> parse_selection(std::string_view raw_query, SelectionKind kind, TimeNs now,
                                       const Limits& limits);

// "2026-11-21T06:44:27Z", a Unix time, "now", "-1h". Nothing on other text.
std::optional<TimeNs> parse_time_or_relative(std::string_view text, TimeNs now);
// Decimal digits only. Nothing on other text or overflow.
std::optional<uint64_t> parse_unsigned(std::string_view text);

}  // namespace firn
