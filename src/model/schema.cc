#include "model/schema.h"

#include <array>

namespace firn {
namespace {

constexpr std::array<ColumnSchema, kColumnIdCount> kEventColumns = {{
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
}};

constexpr bool columns_stand_at_their_id() {
  for (size_t i = 0; i < kEventColumns.size(); ++i) {
    if (static_cast<size_t>(kEventColumns[i].id) != i) return false;
  }
  return true;
}
static_assert(columns_stand_at_their_id());

constexpr std::array<std::string_view, 5> kKindNames = {"event", "message", "log", "span",
                                                        "causal"};

}  // namespace

std::string_view dataset_name(Dataset dataset) {
  switch (dataset) {
    case Dataset::kEvents:
      return "events";
  }
  return "unknown";
}

std::optional<Dataset> parse_dataset(std::string_view name) {
  if (name == "events") return Dataset::kEvents;
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
  if (dataset != Dataset::kEvents) return {};
  return kEventColumns;
}

const ColumnSchema* find_column(Dataset dataset, ColumnId id) {
  const auto columns = dataset_columns(dataset);
  const auto number = static_cast<size_t>(id);
  return number < columns.size() ? &columns[number] : nullptr;
}

const ColumnSchema* find_column(Dataset dataset, std::string_view name) {
  for (const ColumnSchema& column : dataset_columns(dataset)) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

}  // namespace firn
