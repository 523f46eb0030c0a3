#include "server/event_parameters.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "base/id.h"
#include "server/http_types.h"
#include "wire/severity.h"

namespace firn {

namespace {

constexpr std::string_view kFilterNames =
    "from, to, type, source, subject, stream, correlation_id, kind, trace_id, severity_min, "
    "attr.<key>, contains, after";

bool is_page(SelectionKind kind) {
  return kind == SelectionKind::kPage || kind == SelectionKind::kTrace;
}

std::string known_names(SelectionKind kind) {
  std::string names(kFilterNames);
  if (is_page(kind)) names += ", order, limit, cursor";
  if (kind == SelectionKind::kCount) names += ", window, group_by";
  return names;
}

Status bad_value(std::string_view name, std::string_view value, std::string_view wanted) {
  return invalid_argument("query parameter '" + std::string(name) + "' is '" + std::string(value) +
                          "'; it must be " + std::string(wanted));
}

std::optional<ColumnId> text_column(std::string_view name) {
  if (name == "type") return ColumnId::kType;
  if (name == "source") return ColumnId::kSource;
  if (name == "subject") return ColumnId::kSubject;
  if (name == "stream") return ColumnId::kStream;
  if (name == "correlation_id") return ColumnId::kCorrelationId;
  return std::nullopt;
}

// Collects the parameters into a selection.
class SelectionParser {
 public:
  SelectionParser(SelectionKind kind, TimeNs now, const Limits& limits)
      : kind_(kind), now_(now), limits_(limits) {
    if (kind == SelectionKind::kTrace) selection_.order = EventOrder::kTime;
  }

  Status add(const std::string& name, const std::string& value) {
    if (const auto column = text_column(name); column.has_value()) {
      predicate(PredicateKind::kEqual, *column)->texts.push_back(value);
      return Status();
    }
    if (name.starts_with("attr.") && name.size() > 5) {
      attribute(name.substr(5))->texts.push_back(value);
      return Status();
    }
    if (name == "kind") return add_kind(value);
    if (name == "trace_id") return add_trace_id(value);
    if (std::find(seen_.begin(), seen_.end(), name) != seen_.end()) {
      return invalid_argument("query parameter '" + name + "' is given more than once");
    }
    seen_.push_back(name);
    return add_single(name, value);
  }

  EventSelection take() { return std::move(selection_); }

 private:
  // The one predicate for the column, made when it is not there: values of one name are "any of".
  Predicate* predicate(PredicateKind kind, ColumnId column) {
    for (Predicate& known : selection_.filter.predicates) {
      if (known.kind == kind && known.column == column) return &known;
    }
    Predicate added;
    added.kind = kind;
    added.column = column;
    return &selection_.filter.predicates.emplace_back(std::move(added));
  }

  Predicate* attribute(const std::string& key) {
    for (Predicate& known : selection_.filter.predicates) {
      if (known.kind == PredicateKind::kAttribute && known.key == key) return &known;
    }
    Predicate added;
    added.kind = PredicateKind::kAttribute;
    added.key = key;
    return &selection_.filter.predicates.emplace_back(std::move(added));
  }

  Status add_kind(const std::string& value) {
    const auto kind = parse_event_kind(value);
    if (!kind.has_value()) {
      return bad_value("kind", value, "event, message, log, span or causal");
    }
    predicate(PredicateKind::kEqual, ColumnId::kKind)
        ->numbers.push_back(static_cast<int64_t>(*kind));
    return Status();
  }

  Status add_trace_id(const std::string& value) {
    const auto id = Id::parse(value);
    if (!id.has_value()) return bad_value("trace_id", value, "32 hexadecimal digits");
    predicate(PredicateKind::kEqual, ColumnId::kTraceId)->ids.push_back(*id);
    return Status();
  }

  Status add_single(const std::string& name, const std::string& value) {
    if (name == "from") return set_time(name, value, &selection_.filter.time.from);
    if (name == "to") return set_time(name, value, &selection_.filter.time.to);
    if (name == "severity_min") return set_severity(value);
    if (name == "contains") {
      Predicate contains;
      contains.kind = PredicateKind::kContains;
      contains.texts = {value};
      selection_.filter.predicates.push_back(std::move(contains));
      return Status();
    }
    if (name == "after") return set_after(value);
    if (is_page(kind_)) {
      if (name == "order") return set_order(value);
      if (name == "limit") return set_limit(value);
      if (name == "cursor") return set_cursor(value);
    }
    if (kind_ == SelectionKind::kCount) {
      if (name == "window") return set_window(value);
      if (name == "group_by") return set_group_by(value);
    }
    return invalid_argument("unknown query parameter '" + name + "'; there are " +
                            known_names(kind_));
  }

  Status set_time(const std::string& name, const std::string& value, TimeNs* out) {
    auto time = parse_time_or_relative(value, now_);
    // A '+' that was not escaped ("...T12:00:00+01:00") has become a blank.
    if (const size_t blank = value.rfind(' '); !time.has_value() && blank != std::string::npos) {
      std::string mended = value;
      mended[blank] = '+';
      time = parse_time_or_relative(mended, now_);
    }
    if (!time.has_value()) {
      return bad_value(name, value,
                       "an RFC 3339 time, a Unix time, 'now' or a duration back such as -1h");
    }
    *out = *time;
    return Status();
  }

  Status set_severity(const std::string& value) {
    std::optional<uint64_t> severity = parse_unsigned(value);
    if (const auto named = severity_from_name(value); named.has_value()) severity = *named;
    if (!severity.has_value() || *severity > 24) {
      return bad_value("severity_min", value, "0 to 24 or a name such as warn");
    }
    predicate(PredicateKind::kAtLeast, ColumnId::kSeverity)
        ->numbers.push_back(static_cast<int64_t>(*severity));
    return Status();
  }

  Status set_after(const std::string& value) {
    const auto after = parse_unsigned(value);
    if (!after.has_value() || *after == UINT64_MAX) {
      return bad_value("after", value, "a position: 0 or more");
    }
    selection_.after = *after;
    selection_.filter.positions.from = *after + 1;
    return Status();
  }

  Status set_order(const std::string& value) {
    const auto order = parse_event_order(value);
    if (!order.has_value()) {
      return bad_value("order", value, "position, -position, time, -time, asc or desc");
    }
    selection_.order = *order;
    return Status();
  }

  Status set_limit(const std::string& value) {
    const auto limit = parse_unsigned(value);
    if (!limit.has_value() || *limit == 0 || *limit > limits_.page_rows) {
      return bad_value("limit", value,
                       "1 to " + std::to_string(limits_.page_rows) + " (page_rows)");
    }
    selection_.limit = static_cast<uint32_t>(*limit);
    return Status();
  }

  Status set_cursor(const std::string& value) {
    selection_.cursor = EventCursor::parse(value);
    if (!selection_.cursor.has_value()) {
      return bad_value("cursor", value, "the 'next' of an earlier answer");
    }
    return Status();
  }

  Status set_window(const std::string& value) {
    const auto window = parse_duration(value);
    if (!window.has_value() || *window <= 0 || *window == INT64_MAX) {
      return bad_value("window", value, "a duration such as 1m");
    }
    selection_.window_ns = *window;
    return Status();
  }

  Status set_group_by(std::string_view names) {
    while (!names.empty()) {
      const size_t comma = std::min(names.find(','), names.size());
      const std::string_view name = names.substr(0, comma);
      names.remove_prefix(std::min(comma + 1, names.size()));
      const ColumnSchema* column = find_column(Dataset::kEvents, name);
      if (column == nullptr || column->id == ColumnId::kPosition ||
          column->id == ColumnId::kStreamPosition) {
        return bad_value("group_by", name, "columns of events other than positions");
      }
      const auto& known = selection_.group_by;
      if (std::find(known.begin(), known.end(), column->id) != known.end()) {
        return bad_value("group_by", name, "given once");
      }
      selection_.group_by.push_back(column->id);
    }
    return Status();
  }

  const SelectionKind kind_;
  const TimeNs now_;
  const Limits& limits_;
  EventSelection selection_;
  std::vector<std::string> seen_;
};

}  // namespace

Result<EventSelection> parse_selection(std::string_view raw_query, SelectionKind kind, TimeNs now,
                                       const Limits& limits) {
  FIRN_ASSIGN(const QueryParameters parameters, parse_query(raw_query));
  SelectionParser parser(kind, now, limits);
  for (const auto& [name, value] : parameters) FIRN_TRY(parser.add(name, value));
  return parser.take();
}

std::optional<TimeNs> parse_time_or_relative(std::string_view text, TimeNs now) {
  if (text == "now") return now;
  if (text.size() > 1 && text[0] == '-') {
    const auto back = parse_duration(text.substr(1));
    TimeNs time = 0;
    if (back.has_value() && !__builtin_sub_overflow(now, *back, &time)) return time;
  }
  return parse_time(text);
}

std::optional<uint64_t> parse_unsigned(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace firn
