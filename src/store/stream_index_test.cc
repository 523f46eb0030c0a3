#include "store/stream_index.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

std::shared_ptr<const StreamList> list_of(const std::vector<std::string>& streams) {
  BatchBuilder builder(Dataset::kEvents);
  for (const std::string& stream : streams) {
    EventRow row;
    row.stream = stream;
    builder.add(row);
  }
  return StreamList::build({{BatchPtr(builder.finish()), nullptr}});
}

TEST(StreamList, HoldsStreamsAndTheirCategories) {
  const auto list = list_of({"cart-1", "", "cart-2", "cart-1", "log"});
  EXPECT_EQ(list->hashes.size(), 5u);
  EXPECT_TRUE(list->may_contain_stream("cart-2"));
  EXPECT_TRUE(list->may_contain_stream("log"));
  EXPECT_FALSE(list->may_contain_stream("cart-3"));
  EXPECT_FALSE(list->may_contain_stream("cart"));
  EXPECT_TRUE(list->may_contain_category("cart"));
  EXPECT_TRUE(list->may_contain_category("log"));
  EXPECT_FALSE(list->may_contain_category("cart-1"));
}

TEST(StreamList, WithoutStreamsNothingIsThere) {
  const auto list = list_of({"", ""});
  EXPECT_TRUE(list->is_complete);
  EXPECT_FALSE(list->may_contain_stream("cart-1"));
  EXPECT_FALSE(list->may_contain_category("cart"));
}

TEST(StreamList, TooManyStreamsMayBeAny) {
  std::vector<std::string> streams;
  for (size_t i = 0; i <= StreamList::kStreamsMax; ++i) streams.push_back("s-" + std::to_string(i));
  const auto list = list_of(streams);
  EXPECT_FALSE(list->is_complete);
  EXPECT_EQ(list->hashes.size(), 0u);
  EXPECT_TRUE(list->may_contain_stream("other"));
  EXPECT_TRUE(list->may_contain_category("other"));
}

}  // namespace
}  // namespace firn
