#include "model/text_search.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "model/test_rows.h"

namespace firn {
namespace {

TEST(FindText, AgreesWithTheStandardLibrary) {
  std::mt19937_64 random(1);
  uint64_t found = 0;
  for (int i = 0; i < 50'000; ++i) {
    // Two letters only, so that near misses are frequent. Exactly sized, for the sanitizers.
    std::string text(random() % 70, 'a');
    std::string needle(random() % 6, 'a');
    for (char& c : text) c = random() % 3 == 0 ? 'b' : 'a';
    for (char& c : needle) c = random() % 3 == 0 ? 'b' : 'a';
    if (random() % 4 == 0) needle += std::string(random() % 20, 'a');
    const std::vector<char> exact(text.begin(), text.end());
    const char* begin = exact.data();
    const char* place = find_text(begin, begin + exact.size(), needle);
    const size_t expected = text.find(needle);
    if (expected == std::string::npos) {
      ASSERT_EQ(place, nullptr) << text << " " << needle;
    } else {
      ASSERT_EQ(static_cast<size_t>(place - begin), expected) << text << " " << needle;
      ++found;
    }
  }
  EXPECT_GT(found, 10'000u);
}

TEST(TextSearch, SweepAndSingleSearchesAgree) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const BatchPtr batch = random_batch(seed, 150);
    const std::vector<std::string> texts = {"host1", "20", seed % 5 == 0 ? "" : "not"};
    for (const ColumnId id : {ColumnId::kData, ColumnId::kContext, ColumnId::kSubject}) {
      const TextSearch each(batch->strings(id), texts);
      TextSearch swept(batch->strings(id), texts);
      swept.sweep();
      for (uint32_t row = 0; row < batch->rows(); ++row) {
        ASSERT_EQ(swept.is_in(row), each.is_in(row)) << "seed " << seed << " row " << row;
      }
    }
  }
}

}  // namespace
}  // namespace firn
