#include "tier/blocks/key_filter.h"

#include <gtest/gtest.h>

#include "tier/blocks/block_format.h"
#include "tier/lookup.h"
#include "tier/tier_test_util.h"

namespace firn {
namespace {

std::vector<uint64_t> hashes_of(uint64_t begin, uint64_t end) {
  std::vector<uint64_t> hashes;
  for (uint64_t i = begin; i < end; ++i) hashes.push_back(lookup_hash(std::to_string(i)));
  return hashes;
}

TEST(KeyFilter, NeverDeniesAMember) {
  for (const uint64_t size : {1, 2, 40, 43, 4096, 100'000}) {
    const std::string filter = build_key_filter(hashes_of(0, size));
    ASSERT_TRUE(key_filter_is_intact(filter));
    for (const uint64_t hash : hashes_of(0, size)) {
      ASSERT_TRUE(key_filter_may_contain(filter, hash)) << size;
    }
  }
}

TEST(KeyFilter, FewStrangersPass) {
  const std::string filter = build_key_filter(hashes_of(0, 4096));
  EXPECT_LE(filter.size(), 4u + 4096 * 12 / 8 + 64);
  int passed = 0;
  for (const uint64_t hash : hashes_of(1'000'000, 1'100'000)) {
    passed += key_filter_may_contain(filter, hash) ? 1 : 0;
  }
  EXPECT_LT(passed, 1500);  // of 100,000
}

TEST(KeyFilter, DamageIsSeen) {
  const std::string filter = build_key_filter(hashes_of(0, 10));
  for (size_t i = 0; i < filter.size(); ++i) {
    std::string damaged = filter;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    EXPECT_FALSE(key_filter_is_intact(damaged)) << i;
  }
  for (size_t size = 0; size < filter.size(); ++size) {
    EXPECT_FALSE(key_filter_is_intact(filter.substr(0, size)));
  }
}

// The stored form is fixed: a filter made today must be readable for ever.
TEST(KeyFilter, StoredFormDoesNotChange) {
  EXPECT_EQ(lookup_hash("order-1"), 0x5fc46503368e2876u);
  EXPECT_EQ(lookup_hash("order-2"), 0x1180871cd943115cu);
  const std::string filter = build_key_filter({lookup_hash("order-1"), lookup_hash("order-2")});
  // Computed from the two hashes by another program, after the document.
  EXPECT_EQ(hex_encode(filter),
            "967ae35a000000000000041000008000000000400050000000080000000000000000000000000000"
            "00000050000000000000000000000000004000100000000001000000");
}

TEST(BlockFilters, CoverEveryKeyOfTheBlock) {
  const BatchPtr batch = keyed_batch(1, 500, 1);
  const auto filters = build_block_filters(*batch, {});
  for (const ColumnId column : {ColumnId::kId, ColumnId::kTraceId, ColumnId::kStream,
                                ColumnId::kCorrelationId, ColumnId::kType}) {
    const auto kind = filter_kind_of(equal_text(column, "x"), {});
    ASSERT_TRUE(kind.has_value());
    const auto filter = std::find_if(filters.begin(), filters.end(),
                                     [&](const auto& f) { return f.first == *kind; });
    ASSERT_NE(filter, filters.end());
    visit_hashes(slice_of(batch), *find_column(Dataset::kEvents, column),
                 [&](uint32_t row, uint64_t hash) {
                   EXPECT_TRUE(key_filter_may_contain(filter->second, hash)) << row;
                 });
  }
}

// The shortcuts around attribute_of() must not lose a value.
TEST(BlockFilters, CoverEveryAttributeValue) {
  const std::vector<std::string> keys = {"host",       "http.status", "k8s.pod",
                                         "attributes", "h/st",        "deep"};
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const BatchPtr batch = random_batch(seed, 300);
    const auto filters = build_block_filters(*batch, keys);
    for (size_t k = 0; k < keys.size(); ++k) {
      const auto filter = std::find_if(filters.begin(), filters.end(), [&](const auto& f) {
        return f.first == kAttributeFilterKind + k;
      });
      for (uint32_t row = 0; row < batch->rows(); ++row) {
        const EventRow event = event_row(*batch, row);
        const auto value = attribute_of(event.data, event.metadata, event.context, keys[k]);
        if (!value) continue;
        ASSERT_NE(filter, filters.end()) << keys[k];
        ASSERT_TRUE(key_filter_may_contain(filter->second, lookup_hash(*value)))
            << keys[k] << " = " << *value;
      }
    }
  }
}

}  // namespace
}  // namespace firn
