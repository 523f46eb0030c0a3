#include "model/aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "base/status.h"

namespace firn {
namespace {

// A row's group as a small number: equal for rows of the same group, below `limit`.
struct Codes {
  std::vector<uint32_t> of;  // by index in the slice
  uint64_t limit = 1;
};

// Numbers values in the order they appear.
template <typename Key, typename Hash = std::hash<Key>>
class Numbering {
 public:
  explicit Numbering(size_t expected) { numbers_.reserve(std::min<size_t>(expected, 1024)); }
  uint32_t number(const Key& key) {
    // Neighbours are often the same.
    if (!numbers_.empty() && key == last_key_) return last_;
    last_key_ = key;
    last_ = numbers_.try_emplace(key, static_cast<uint32_t>(numbers_.size())).first->second;
    return last_;
  }
  uint64_t limit() const { return numbers_.size(); }

 private:
  std::unordered_map<Key, uint32_t, Hash> numbers_;
  Key last_key_{};
  uint32_t last_ = 0;
};

struct HashId {
  size_t operator()(const Id& id) const { return hash_id(id); }
};
struct HashText {
  size_t operator()(std::string_view text) const { return hash_bytes(text); }
};

// Groups the rows of one slice.
class Grouper {
 public:
  Grouper(const BatchSlice& slice, const AggregateSpec& spec)
      : slice_(slice), batch_(*slice.batch), spec_(spec), rows_(slice.rows()) {}

  Codes run() {
    Codes groups;
    groups.of.assign(rows_, 0);
    if (spec_.window_ns > 0) combine(window_codes(), &groups);
    for (const ColumnId id : spec_.group_by) {
      const ColumnSchema* schema = find_column(batch_.dataset(), id);
      FIRN_CHECK(schema != nullptr && id != ColumnId::kPosition);
      if (batch_.has_column(id)) combine(column_codes(*schema), &groups);
    }
    return groups;
  }

 private:
  template <typename Key, typename Hash = std::hash<Key>, typename KeyOf>
  Codes number_rows(KeyOf&& key_of) const {
    Codes codes;
    codes.of.resize(rows_);
    Numbering<Key, Hash> numbering(rows_);
    for (uint32_t i = 0; i < rows_; ++i) codes.of[i] = numbering.number(key_of(slice_.row(i)));
    codes.limit = numbering.limit();
    return codes;
  }

  Codes window_codes() const {
    const auto times = batch_.int64s(ColumnId::kTime);
    return number_rows<int64_t>(
        [&](uint32_t row) { return interval_start(times[row], spec_.window_ns); });
  }

  Codes column_codes(const ColumnSchema& schema) const {
    switch (schema.type) {
      case ColumnType::kInt64: {
        const auto column = batch_.int64s(schema.id);
        return number_rows<int64_t>([&](uint32_t row) { return column[row]; });
      }
      case ColumnType::kUint8: {
        const auto column = batch_.uint8s(schema.id);
        return direct(256, [&](uint32_t row) { return column[row]; });
      }
      case ColumnType::kId16: {
        const auto column = batch_.ids(schema.id);
        return number_rows<Id, HashId>([&](uint32_t row) { return column[row]; });
      }
      case ColumnType::kId8: {
        const auto column = batch_.span_ids();
        return number_rows<uint64_t>(
            [&](uint32_t row) { return load_le<uint64_t>(column[row].data()); });
      }
      case ColumnType::kFloat64: {
        const auto column = batch_.float64s(schema.id);
        return number_rows<uint64_t>([&](uint32_t row) { return column[row].bits; });
      }
      case ColumnType::kString: {
        const auto column = batch_.strings(schema.id);
        // A batch may name the same text twice in its dictionary; both groups then have the same
        // key and meet in the states.
        if (column.is_dictionary()) {
          return direct(column.entries(), [&](uint32_t row) { return column.entry_of(row); });
        }
        return number_rows<std::string_view, HashText>([&](uint32_t row) { return column[row]; });
      }
    }
    return {};
  }

  template <typename CodeOf>
  Codes direct(uint64_t limit, CodeOf&& code_of) const {
    Codes codes;
    codes.limit = limit;
    codes.of.resize(rows_);
    for (uint32_t i = 0; i < rows_; ++i) codes.of[i] = code_of(slice_.row(i));
    return codes;
  }

  // Splits each group by one more column. Numbers anew when the product gets sparse, so that it
  // always fits and can index an array.
  void combine(const Codes& column, Codes* groups) const {
    const uint64_t product = groups->limit * column.limit;
    if (product <= uint64_t{rows_} * 4 + 1024) {
      for (uint32_t i = 0; i < rows_; ++i) {
        groups->of[i] = static_cast<uint32_t>(groups->of[i] * column.limit + column.of[i]);
      }
      groups->limit = product;
      return;
    }
    Numbering<uint64_t> numbering(rows_);
    for (uint32_t i = 0; i < rows_; ++i) {
      groups->of[i] = numbering.number(groups->of[i] * column.limit + column.of[i]);
    }
    groups->limit = numbering.limit();
  }

  const BatchSlice& slice_;
  const RecordBatch& batch_;
  const AggregateSpec& spec_;
  uint32_t rows_;
};

std::string text_of(const RecordBatch& batch, ColumnId id, uint32_t row) {
  const ColumnSchema& schema = *find_column(batch.dataset(), id);
  switch (schema.type) {
    case ColumnType::kInt64: {
      const int64_t value = batch.int64s(id)[row];
      return value == kAbsentInt64 ? std::string() : std::to_string(value);
    }
    case ColumnType::kUint8: {
      const uint8_t value = batch.uint8s(id)[row];
      if (id != ColumnId::kKind) return std::to_string(value);
      return std::string(event_kind_name(static_cast<EventKind>(value)));
    }
    case ColumnType::kId16: {
      const Id& value = batch.ids(id)[row];
      if (value.is_zero()) return {};
      return id == ColumnId::kTraceId ? value.to_hex() : value.to_uuid();
    }
    case ColumnType::kId8: {
      const auto& value = batch.span_ids()[row];
      if (value == std::array<uint8_t, 8>{}) return {};
      return hex_encode({reinterpret_cast<const char*>(value.data()), value.size()});
    }
    case ColumnType::kFloat64: {
      const Float64 value = batch.float64s(id)[row];
      return value == kAbsentFloat64 ? std::string() : fmt::format("{}", value.value());
    }
    case ColumnType::kString:
      return std::string(batch.strings(id)[row]);
  }
  return {};
}

GroupKey key_of(const RecordBatch& batch, const AggregateSpec& spec, uint32_t row) {
  GroupKey key;
  if (spec.window_ns > 0) {
    key.window_start = interval_start(batch.int64s(ColumnId::kTime)[row], spec.window_ns);
  }
  for (const ColumnId id : spec.group_by) key.values.push_back(text_of(batch, id, row));
  return key;
}

void add_value(int64_t value, MeasureState* state) {
  ++state->count;
  state->sum += static_cast<double>(value);
  state->min = std::min(state->min, value);
  state->max = std::max(state->max, value);
}

// Adds measure number `number` of every row to its group.
void add_measure(const BatchSlice& slice, ColumnId id, size_t number,
                 const std::vector<uint32_t>& group_of, std::vector<GroupState*>* groups) {
  const RecordBatch& batch = *slice.batch;
  const ColumnSchema* schema = find_column(batch.dataset(), id);
  FIRN_CHECK(schema != nullptr && id != ColumnId::kPosition);
  FIRN_CHECK(schema->type == ColumnType::kInt64 || schema->type == ColumnType::kUint8);
  if (schema->type == ColumnType::kUint8) {
    const auto column = batch.uint8s(id);
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      add_value(column[slice.row(i)], &(*groups)[group_of[i]]->measures[number]);
    }
    return;
  }
  if (!batch.has_column(id)) return;
  const auto column = batch.int64s(id);
  for (uint32_t i = 0; i < slice.rows(); ++i) {
    const int64_t value = column[slice.row(i)];
    if (value != kAbsentInt64) add_value(value, &(*groups)[group_of[i]]->measures[number]);
  }
}

void merge_measure(const MeasureState& from, MeasureState* to) {
  to->count += from.count;
  to->sum += from.sum;
  to->min = std::min(to->min, from.min);
  to->max = std::max(to->max, from.max);
}

}  // namespace

void aggregate_slice(const BatchSlice& slice, const AggregateSpec& spec, AggregateStates* states) {
  if (slice.rows() == 0) return;
  const Codes codes = Grouper(slice, spec).run();
  // A group's text is made once, from the first of its rows.
  std::vector<GroupState*> groups(codes.limit, nullptr);
  for (uint32_t i = 0; i < slice.rows(); ++i) {
    GroupState*& group = groups[codes.of[i]];
    if (group == nullptr) {
      group = &(*states)[key_of(*slice.batch, spec, slice.row(i))];
      group->measures.resize(spec.measures.size());
    }
    ++group->count;
  }
  for (size_t number = 0; number < spec.measures.size(); ++number) {
    add_measure(slice, spec.measures[number], number, codes.of, &groups);
  }
}

void merge_states(const AggregateStates& from, AggregateStates* to) {
  for (const auto& [key, state] : from) {
    const auto [found, is_new] = to->try_emplace(key, state);
    if (is_new) continue;
    GroupState& sum = found->second;
    FIRN_CHECK(sum.measures.size() == state.measures.size());
    sum.count += state.count;
    for (size_t i = 0; i < state.measures.size(); ++i) {
      merge_measure(state.measures[i], &sum.measures[i]);
    }
  }
}

Projection aggregate_projection(const AggregateSpec& spec) {
  Projection projection = Projection::none();
  if (spec.window_ns > 0) projection.add(ColumnId::kTime);
  for (const ColumnId id : spec.group_by) projection.add(id);
  for (const ColumnId id : spec.measures) projection.add(id);
  return projection.with(spec.filter);
}

}  // namespace firn
