#include "model/schema.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace firn {
namespace {

TEST(Schema, ColumnsAreFoundByNumberAndName) {
  for (const Dataset dataset : kDatasets) {
    const auto columns = dataset_columns(dataset);
    for (const ColumnSchema& column : columns) {
      EXPECT_EQ(find_column(dataset, column.id), &column);
      EXPECT_EQ(find_column(dataset, column.name), &column);
      EXPECT_EQ(column_schema(column.id).name, column.name);
    }
    EXPECT_EQ(columns[0].id, ColumnId::kPosition);
    EXPECT_EQ(columns[1].id, ColumnId::kTime);
    EXPECT_TRUE(std::is_sorted(columns.begin(), columns.end(),
                               [](const auto& a, const auto& b) { return a.id < b.id; }));
  }
}

TEST(Schema, UnknownColumnsAreNull) {
  EXPECT_EQ(find_column(Dataset::kEvents, ColumnId::kSeries), nullptr);
  EXPECT_EQ(find_column(Dataset::kEvents, "sequence"), nullptr);
  EXPECT_EQ(find_column(static_cast<Dataset>(9), ColumnId::kTime), nullptr);
}

TEST(Schema, DatasetNamesRoundTrip) {
  for (const Dataset dataset : kDatasets) {
    EXPECT_EQ(parse_dataset(dataset_name(dataset)), dataset);
  }
  EXPECT_EQ(parse_dataset("Events"), std::nullopt);
}

TEST(Schema, KindNamesRoundTrip) {
  for (uint8_t number = 0; number < 5; ++number) {
    const auto kind = static_cast<EventKind>(number);
    EXPECT_EQ(parse_event_kind(event_kind_name(kind)), kind);
  }
  EXPECT_EQ(parse_event_kind("unknown"), std::nullopt);
  EXPECT_EQ(event_kind_name(static_cast<EventKind>(5)), "unknown");
}

}  // namespace
}  // namespace firn
