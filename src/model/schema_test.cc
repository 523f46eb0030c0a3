#include "model/schema.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

TEST(Schema, ColumnsAreFoundByNumberAndName) {
  const auto columns = dataset_columns(Dataset::kEvents);
  ASSERT_EQ(columns.size(), kColumnIdCount);
  for (const ColumnSchema& column : columns) {
    EXPECT_EQ(find_column(Dataset::kEvents, column.id), &column);
    EXPECT_EQ(find_column(Dataset::kEvents, column.name), &column);
  }
  EXPECT_EQ(columns[0].id, ColumnId::kPosition);
}

TEST(Schema, UnknownColumnsAreNull) {
  EXPECT_EQ(find_column(Dataset::kEvents, static_cast<ColumnId>(19)), nullptr);
  EXPECT_EQ(find_column(Dataset::kEvents, "sequence"), nullptr);
  EXPECT_EQ(find_column(static_cast<Dataset>(9), ColumnId::kTime), nullptr);
}

TEST(Schema, DatasetNamesRoundTrip) {
  EXPECT_EQ(parse_dataset(dataset_name(Dataset::kEvents)), Dataset::kEvents);
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
