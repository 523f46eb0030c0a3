#include "model/schema.h"

#include <array>

namespace firn {
namespace {

constexpr std::array<ColumnSchema, kColumnIdCount> kColumns = {{
    {ColumnId::kPosition, ColumnType::kInt64, "position", false},
    {ColumnId::kTime, ColumnType::kInt64, "time", false},
    {ColumnId::kObservedTime, ColumnType::kInt64, "observed_time", false},
    {ColumnId::kId, ColumnType::kId16, "id", false},
    {ColumnId::kKind, ColumnType::kUint8, "kind", false},
    {ColumnId::kType, ColumnType::kString, "type", true},
    {ColumnId::kSource, ColumnType::kString, "source", true},
    {ColumnId::kSubject, ColumnType::kString, "subject", true},
    {ColumnId::kSeverity, ColumnType::kUint8, "severity", false},
    {ColumnId::kStream, ColumnType::kString, "stream", true},
    {ColumnId::kStreamPosition, ColumnType::kInt64, "stream_position", false},
    {ColumnId::kCorrelationId, ColumnType::kString, "correlation_id", false},
    {ColumnId::kTraceId, ColumnType::kId16, "trace_id", false},
    {ColumnId::kSpanId, ColumnType::kId8, "span_id", false},
    {ColumnId::kParentId, ColumnType::kId16, "parent_id", false},
    {ColumnId::kDuration, ColumnType::kInt64, "duration", false},
    {ColumnId::kData, ColumnType::kString, "data", false},
    {ColumnId::kMetadata, ColumnType::kString, "metadata", false},
    {ColumnId::kContext, ColumnType::kString, "context", true},
    {ColumnId::kSeries, ColumnType::kString, "series", true},
    {ColumnId::kValue, ColumnType::kFloat64, "value", false},
    {ColumnId::kInteger, ColumnType::kUint8, "integer", false},
    {ColumnId::kStartTime, ColumnType::kInt64, "start_time", false},
    {ColumnId::kFlags, ColumnType::kInt64, "flags", false},
    {ColumnId::kName, ColumnType::kString, "name", true},
    {ColumnId::kLabels, ColumnType::kString, "labels", false},
    {ColumnId::kUnit, ColumnType::kString, "unit", true},
    {ColumnId::kTemporality, ColumnType::kString, "temporality", true},
    {ColumnId::kMonotonic, ColumnType::kUint8, "monotonic", false},
    {ColumnId::kDescription, ColumnType::kString, "description", true},
    {ColumnId::kCount, ColumnType::kInt64, "count", false},
    {ColumnId::kThrough, ColumnType::kInt64, "through", false},
    {ColumnId::kMin, ColumnType::kFloat64, "min", false},
    {ColumnId::kMax, ColumnType::kFloat64, "max", false},
    {ColumnId::kFirst, ColumnType::kFloat64, "first", false},
    {ColumnId::kFirstTime, ColumnType::kInt64, "first_time", false},
    {ColumnId::kLast, ColumnType::kFloat64, "last", false},
    {ColumnId::kLastTime, ColumnType::kInt64, "last_time", false},
    {ColumnId::kSumLow, ColumnType::kFloat64, "sum_low", false},
}};

constexpr bool columns_stand_at_their_id() {
  for (size_t i = 0; i < kColumns.size(); ++i) {
    if (static_cast<size_t>(kColumns[i].id) != i) return false;
  }
  return true;
}
static_assert(columns_stand_at_their_id());

// Some of the columns, ascending.
template <size_t kCount>
constexpr std::array<ColumnSchema, kCount> pick(const ColumnId (&ids)[kCount]) {
  std::array<ColumnSchema, kCount> picked{};
  for (size_t i = 0; i < kCount; ++i) picked[i] = kColumns[static_cast<size_t>(ids[i])];
  return picked;
}

constexpr auto kSampleColumns = pick({ColumnId::kPosition, ColumnId::kTime, ColumnId::kData,
                                      ColumnId::kMetadata, ColumnId::kSeries, ColumnId::kValue,
                                      ColumnId::kInteger, ColumnId::kStartTime, ColumnId::kFlags});
constexpr auto kSeriesColumns =
    pick({ColumnId::kPosition, ColumnId::kTime, ColumnId::kType, ColumnId::kMetadata,
          ColumnId::kContext, ColumnId::kSeries, ColumnId::kName, ColumnId::kLabels,
          ColumnId::kUnit, ColumnId::kTemporality, ColumnId::kMonotonic, ColumnId::kDescription});
constexpr auto kRollupColumns =
    pick({ColumnId::kPosition, ColumnId::kTime, ColumnId::kDuration, ColumnId::kData,
          ColumnId::kSeries, ColumnId::kValue, ColumnId::kCount, ColumnId::kThrough, ColumnId::kMin,
          ColumnId::kMax, ColumnId::kFirst, ColumnId::kFirstTime, ColumnId::kLast,
          ColumnId::kLastTime, ColumnId::kSumLow});

constexpr size_t kEventColumnCount = 19;  // the first ones

constexpr std::array<std::string_view, 5> kKindNames = {"event", "message", "log", "span",
                                                        "causal"};

}  // namespace

std::string_view dataset_name(Dataset dataset) {
  switch (dataset) {
    case Dataset::kEvents:
      return "events";
    case Dataset::kSamples:
      return "samples";
    case Dataset::kSeries:
      return "series";
    case Dataset::kRollups1:
      return "rollups_1";
    case Dataset::kRollups2:
      return "rollups_2";
    case Dataset::kRollups3:
      return "rollups_3";
  }
  return "unknown";
}

std::optional<Dataset> parse_dataset(std::string_view name) {
  for (const Dataset dataset : kDatasets) {
    if (dataset_name(dataset) == name) return dataset;
  }
  return std::nullopt;
}

std::string_view event_kind_name(EventKind kind) {
  const auto number = static_cast<size_t>(kind);
  return number < kKindNames.size() ? kKindNames[number] : "unknown";
}

std::optional<EventKind> parse_event_kind(std::string_view name) {
  for (size_t number = 0; number < kKindNames.size(); ++number) {
    if (kKindNames[number] == name) return static_cast<EventKind>(number);
  }
  return std::nullopt;
}

std::span<const ColumnSchema> dataset_columns(Dataset dataset) {
  switch (dataset) {
    case Dataset::kEvents:
      return std::span(kColumns).first(kEventColumnCount);
    case Dataset::kSamples:
      return kSampleColumns;
    case Dataset::kSeries:
      return kSeriesColumns;
    case Dataset::kRollups1:
    case Dataset::kRollups2:
    case Dataset::kRollups3:
      return kRollupColumns;
  }
  return {};
}

const ColumnSchema* find_column(Dataset dataset, ColumnId id) {
  const auto columns = dataset_columns(dataset);
  if (dataset == Dataset::kEvents) {
    const auto number = static_cast<size_t>(id);
    return number < columns.size() ? &columns[number] : nullptr;
  }
  for (const ColumnSchema& column : columns) {
    if (column.id == id) return &column;
  }
  return nullptr;
}

const ColumnSchema& column_schema(ColumnId id) { return kColumns[static_cast<size_t>(id)]; }

const ColumnSchema* find_column(Dataset dataset, std::string_view name) {
  for (const ColumnSchema& column : dataset_columns(dataset)) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

}  // namespace firn
