#include "model/filter.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "model/attribute.h"
#include "model/text_search.h"

namespace firn {
namespace {

// Up to this many wanted values are compared one by one, more by binary search.
constexpr size_t kLinearSearchMax = 8;

// A set of wanted values.
template <typename T>
class AnyOf {
 public:
  template <typename Values>
  explicit AnyOf(const Values& values) : values_(values.begin(), values.end()) {
    if (values_.size() > kLinearSearchMax) std::sort(values_.begin(), values_.end());
  }
  bool contains(const T& value) const {
    if (values_.size() > kLinearSearchMax) {
      return std::binary_search(values_.begin(), values_.end(), value);
    }
    return std::find(values_.begin(), values_.end(), value) != values_.end();
  }

 private:
  std::vector<T> values_;
};

// The rows that satisfied everything so far.
class Candidates {
 public:
  explicit Candidates(const BatchSlice& slice) : slice_(slice), count_(slice.rows()) {}

  uint32_t count() const { return count_; }
  const RecordBatch& batch() const { return *slice_.batch; }

  template <typename Test>
  void keep_if(Test&& test) {
    if (is_whole_) rows_.resize(count_);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count_; ++i) {
      const uint32_t row = is_whole_ ? slice_.row(i) : rows_[i];
      rows_[kept] = row;
      kept += test(row) ? 1 : 0;
    }
    is_whole_ = is_whole_ && kept == count_;
    count_ = kept;
  }
  void keep_all_or_none(bool all) {
    if (!all) drop_all();
  }
  void drop_all() {
    is_whole_ = false;
    count_ = 0;
  }

  BatchSlice take() {
    if (count_ == 0) return {};
    if (is_whole_) return slice_;
    rows_.resize(count_);
    return {slice_.batch, std::make_shared<const std::vector<uint32_t>>(std::move(rows_))};
  }

 private:
  const BatchSlice& slice_;
  bool is_whole_ = true;  // all rows of the slice; rows_ is not used
  uint32_t count_;
  std::vector<uint32_t> rows_;
};

void apply_time(const TimeRange& range, Candidates* rows) {
  const RecordBatch& batch = rows->batch();
  if (!range.overlaps(batch.time_min(), batch.time_max())) return rows->drop_all();
  if (range.contains(batch.time_min()) && range.contains(batch.time_max())) return;
  const auto times = batch.int64s(ColumnId::kTime);
  rows->keep_if([&](uint32_t row) { return range.contains(times[row]); });
}

void apply_positions(const PositionRange& range, Candidates* rows) {
  const RecordBatch& batch = rows->batch();
  const Position first = batch.position(0);
  const Position last = batch.last_position();
  if (!range.overlaps(first, last)) return rows->drop_all();
  if (range.contains(first) && range.contains(last)) return;
  rows->keep_if([&](uint32_t row) { return range.contains(batch.position(row)); });
}

// `number_of(row)` gives an int64_t; kAbsentInt64 is neither at least nor less than anything.
template <typename NumberOf>
void apply_number(const Predicate& predicate, bool is_constant, NumberOf&& number_of,
                  Candidates* rows) {
  if (predicate.numbers.empty()) return rows->drop_all();
  const int64_t bound = predicate.numbers.front();
  const auto keep = [&](auto&& test) {
    if (is_constant) return rows->keep_all_or_none(test(number_of(0)));
    rows->keep_if([&](uint32_t row) { return test(number_of(row)); });
  };
  switch (predicate.kind) {
    case PredicateKind::kEqual: {
      if (predicate.numbers.size() == 1) return keep([&](int64_t n) { return n == bound; });
      const AnyOf<int64_t> wanted(predicate.numbers);
      return keep([&](int64_t n) { return wanted.contains(n); });
    }
    case PredicateKind::kAtLeast:
      return keep([&](int64_t n) { return n >= bound && n != kAbsentInt64; });
    case PredicateKind::kLess:
      return keep([&](int64_t n) { return n < bound && n != kAbsentInt64; });
    case PredicateKind::kAttribute:
    case PredicateKind::kCategory:
    case PredicateKind::kContains:
      break;
  }
  rows->drop_all();
}

template <typename T>
void apply_ids(const FixedColumn<T>& column, const std::vector<T>& values, Candidates* rows) {
  const AnyOf<T> wanted(values);
  if (column.is_constant()) return rows->keep_all_or_none(wanted.contains(column[0]));
  rows->keep_if([&](uint32_t row) { return wanted.contains(column[row]); });
}

void apply_span_ids(const Predicate& predicate, Candidates* rows) {
  std::vector<std::array<uint8_t, 8>> values(predicate.ids.size());
  for (size_t i = 0; i < values.size(); ++i) {
    std::copy_n(predicate.ids[i].bytes.begin(), values[i].size(), values[i].begin());
  }
  apply_ids(rows->batch().span_ids(), values, rows);
}

void apply_strings(const StringColumn& column, const Predicate& predicate, Candidates* rows) {
  const AnyOf<std::string_view> values(predicate.texts);
  const bool by_category = predicate.kind == PredicateKind::kCategory;
  const auto matches = [&](std::string_view text) {
    return by_category ? !text.empty() && values.contains(category_of(text))
                       : values.contains(text);
  };
  // Once per distinct value, unless so few rows are left that this would be more work.
  if (!column.is_dictionary() || column.entries() > rows->count()) {
    return rows->keep_if([&](uint32_t row) { return matches(column[row]); });
  }
  std::vector<uint8_t> matching(column.entries());
  for (uint32_t entry = 0; entry < column.entries(); ++entry) {
    matching[entry] = matches(column.entry(entry));
  }
  if (column.entries() == 1) return rows->keep_all_or_none(matching[0] != 0);
  rows->keep_if([&](uint32_t row) { return matching[column.entry_of(row)] != 0; });
}

void apply_column(const Predicate& predicate, Candidates* rows) {
  const RecordBatch& batch = rows->batch();
  const ColumnSchema* schema = find_column(batch.dataset(), predicate.column);
  if (schema == nullptr) return rows->drop_all();
  if (predicate.column == ColumnId::kPosition) {
    return apply_number(
        predicate, false, [&](uint32_t row) { return static_cast<int64_t>(batch.position(row)); },
        rows);
  }
  const bool is_equal = predicate.kind == PredicateKind::kEqual;
  switch (schema->type) {
    case ColumnType::kInt64: {
      const auto column = batch.int64s(schema->id);
      return apply_number(
          predicate, column.is_constant(), [&](uint32_t row) { return column[row]; }, rows);
    }
    case ColumnType::kUint8: {
      const auto column = batch.uint8s(schema->id);
      return apply_number(
          predicate, column.is_constant(), [&](uint32_t row) { return int64_t{column[row]}; },
          rows);
    }
    case ColumnType::kId16:
      return is_equal ? apply_ids(batch.ids(schema->id), predicate.ids, rows) : rows->drop_all();
    case ColumnType::kId8:
      return is_equal ? apply_span_ids(predicate, rows) : rows->drop_all();
    case ColumnType::kFloat64:
      return rows->drop_all();  // no predicate is about one
    case ColumnType::kString:
      return is_equal || predicate.kind == PredicateKind::kCategory
                 ? apply_strings(batch.strings(schema->id), predicate, rows)
                 : rows->drop_all();
  }
}

void apply_contains(const Predicate& predicate, Candidates* rows) {
  const RecordBatch& batch = rows->batch();
  TextSearch data(batch.strings(ColumnId::kData), predicate.texts);
  TextSearch metadata(batch.strings(ColumnId::kMetadata), predicate.texts);
  // One sweep over a whole column is faster than a search in each of most of its rows.
  if (rows->count() > batch.rows() / 4) {
    data.sweep();
    metadata.sweep();
  }
  rows->keep_if([&](uint32_t row) { return data.is_in(row) || metadata.is_in(row); });
}

void apply_attribute(const Predicate& predicate, Candidates* rows) {
  AttributeMatcher matcher(rows->batch(), predicate);
  rows->keep_if([&](uint32_t row) { return matcher.matches(row); });
}

bool reads_documents(const Predicate& predicate) {
  return predicate.kind == PredicateKind::kAttribute || predicate.kind == PredicateKind::kContains;
}

bool is_bounded(const TimeRange& range) { return range.from != INT64_MIN || range.to != INT64_MAX; }

}  // namespace

Projection Projection::with(const Filter& filter) const {
  Projection result = *this;
  if (is_bounded(filter.time)) result.add(ColumnId::kTime);
  for (const Predicate& predicate : filter.predicates) {
    if (!reads_documents(predicate)) {
      result.add(predicate.column);
      continue;
    }
    result.add(ColumnId::kData).add(ColumnId::kMetadata);
    if (predicate.kind == PredicateKind::kAttribute) result.add(ColumnId::kContext);
  }
  return result;
}

BatchSlice apply_filter(const BatchSlice& slice, const Filter& filter) {
  if (slice.rows() == 0) return {};
  Candidates rows(slice);
  apply_positions(filter.positions, &rows);
  if (is_bounded(filter.time)) apply_time(filter.time, &rows);
  for (const Predicate& predicate : filter.predicates) {
    if (rows.count() != 0 && !reads_documents(predicate)) apply_column(predicate, &rows);
  }
  // Last what costs most for each row.
  for (const Predicate& predicate : filter.predicates) {
    if (rows.count() == 0 || !reads_documents(predicate)) continue;
    if (predicate.kind == PredicateKind::kContains) {
      apply_contains(predicate, &rows);
    } else {
      apply_attribute(predicate, &rows);
    }
  }
  return rows.take();
}

}  // namespace firn
