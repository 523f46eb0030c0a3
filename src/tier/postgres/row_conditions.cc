#include "tier/postgres/row_conditions.h"

#include <algorithm>

#include "model/raw_text.h"

namespace firn {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool contains_absent(const std::vector<int64_t>& numbers) {
  return std::find(numbers.begin(), numbers.end(), kAbsentInt64) != numbers.end();
}

std::string span_hex(const Id& id) {
  return hex_encode({reinterpret_cast<const char*>(id.bytes.data()), 8});
}

class ConditionBuilder {
 public:
  ConditionBuilder(const PostgresChunk& chunk, RowConditions* out) : chunk_(chunk), out_(out) {
    out_->sql = "chunk = " + std::to_string(chunk.number);
  }

  void add_time(const TimeRange& range) {
    if (range.from != INT64_MIN) {
      out_->parameters.add(range.from).add_time(range.from);
      condition("time_ns >= " + parameter(-1) + " AND time >= " + parameter(0));
    }
    if (range.to != INT64_MAX) {
      out_->parameters.add(range.to).add_time(range.to);
      condition("time_ns < " + parameter(-1) + " AND time <= " + parameter(0));
    }
  }

  void add_positions(const PositionRange& range) {
    constexpr auto kMost = static_cast<Position>(INT64_MAX);  // greater ones cannot be stored
    if (range.from > 0) {
      out_->parameters.add(static_cast<int64_t>(std::min(range.from, kMost)));
      condition("position >= " + parameter(0));
    }
    if (range.to <= kMost) {
      out_->parameters.add(static_cast<int64_t>(range.to));
      condition("position < " + parameter(0));
    }
  }

  // What SQL cannot say exactly is left out: absent values (NULL) in particular.
  void add_predicate(const Predicate& predicate) {
    const ColumnSchema* column = find_column(Dataset::kEvents, predicate.column);
    const bool by_column = predicate.kind == PredicateKind::kEqual ||
                           predicate.kind == PredicateKind::kAtLeast ||
                           predicate.kind == PredicateKind::kLess;
    if (!by_column || column == nullptr) {
      out_->is_exact = false;
    } else if (column->type == ColumnType::kInt64 || column->type == ColumnType::kUint8) {
      add_numbers(predicate);
    } else if (predicate.kind != PredicateKind::kEqual) {
      condition("false");
    } else if (column->type == ColumnType::kString) {
      add_texts(predicate);
    } else {
      add_ids(predicate, column->type);
    }
  }

 private:
  void condition(const std::string& sql) { out_->sql += " AND " + sql; }
  // The last parameter added, or one before it.
  std::string parameter(int back) const {
    return "$" + std::to_string(static_cast<int>(out_->parameters.size()) + back);
  }

  void add_numbers(const Predicate& predicate) {
    const std::string name = row_column_name(predicate.column);
    if (predicate.numbers.empty()) return condition("false");
    if (predicate.kind == PredicateKind::kEqual) {
      if (contains_absent(predicate.numbers)) {
        out_->is_exact = false;
        return;
      }
      out_->parameters.add(std::span<const int64_t>(predicate.numbers));
      out_->is_selective |= predicate.column == ColumnId::kPosition;
      return condition(name + " = ANY (" + parameter(0) + ")");
    }
    out_->parameters.add(predicate.numbers.front());
    condition(name + (predicate.kind == PredicateKind::kAtLeast ? " >= " : " < ") + parameter(0));
  }

  void add_texts(const Predicate& predicate) {
    std::vector<std::string> texts;
    for (const std::string& text : predicate.texts) {
      if (text.empty()) {
        out_->is_exact = false;
        return;
      }
      // The text as the column shows it. Others may look the same once wrong bytes are replaced.
      texts.push_back(to_utf8(text, TextRule::kUtf8WithoutNul));
      if (chunk_.raw_rows > 0 && texts.back().find(kReplacement) != std::string::npos) {
        out_->is_exact = false;
      }
      out_->is_exact &= texts.back() == text;
    }
    out_->parameters.add(std::span<const std::string>(texts));
    condition(row_column_name(predicate.column) + " = ANY (" + parameter(0) + ")");
    out_->is_selective |=
        predicate.column == ColumnId::kStream || predicate.column == ColumnId::kCorrelationId;
  }

  void add_ids(const Predicate& predicate, ColumnType type) {
    const auto is_absent = [&](const Id& id) {
      return type == ColumnType::kId8
                 ? std::all_of(id.bytes.begin(), id.bytes.begin() + 8, [](uint8_t b) { return !b; })
                 : id.is_zero();
    };
    if (std::any_of(predicate.ids.begin(), predicate.ids.end(), is_absent)) {
      out_->is_exact = false;
      return;
    }
    const bool as_hex = type == ColumnType::kId8 || predicate.column == ColumnId::kTraceId;
    if (as_hex) {
      std::vector<std::string> texts;
      for (const Id& id : predicate.ids) {
        texts.push_back(type == ColumnType::kId8 ? span_hex(id) : id.to_hex());
      }
      out_->parameters.add(std::span<const std::string>(texts));
    } else {
      out_->parameters.add(std::span<const Id>(predicate.ids));
    }
    condition(row_column_name(predicate.column) + " = ANY (" + parameter(0) + ")");
    out_->is_selective |=
        predicate.column == ColumnId::kId || predicate.column == ColumnId::kTraceId;
  }

  const PostgresChunk& chunk_;
  RowConditions* const out_;
};

}  // namespace

std::string row_column_name(ColumnId column) {
  switch (column) {
    case ColumnId::kTime:
      return "time_ns";
    case ColumnId::kObservedTime:
      return "observed_time_ns";
    case ColumnId::kDuration:
      return "duration_ns";
    default:
      return std::string(find_column(Dataset::kEvents, column)->name);
  }
}

RowConditions row_conditions(const PostgresChunk& chunk, const Filter& filter) {
  RowConditions conditions;
  ConditionBuilder builder(chunk, &conditions);
  builder.add_time(filter.time);
  builder.add_positions(filter.positions);
  for (const Predicate& predicate : filter.predicates) builder.add_predicate(predicate);
  return conditions;
}

}  // namespace firn
