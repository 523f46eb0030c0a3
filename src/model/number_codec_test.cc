#include "model/number_codec.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "model/planes.h"

namespace firn {
namespace {

std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

// Row by row. Nothing when they do not come back.
std::vector<std::string> decode(std::string_view raw, const SeriesOrder& order, size_t rows,
                                size_t bytes) {
  std::string plain(rows * 4 + bytes, '?');
  if (!decode_numbers(raw, order, static_cast<uint32_t>(rows), plain)) return {};
  std::vector<uint32_t> lengths(rows);
  join_planes(plain.data(), 4, rows, 4, reinterpret_cast<char*>(lengths.data()));
  std::vector<std::string> texts;
  size_t begin = rows * 4;
  for (const uint32_t length : lengths) {
    texts.push_back(plain.substr(begin, length));
    begin += length;
  }
  return texts;
}

size_t bytes_of(const std::vector<std::string>& texts) {
  return std::accumulate(texts.begin(), texts.end(), size_t{0},
                         [](size_t sum, const std::string& text) { return sum + text.size(); });
}

// Whether the texts, which stand by places, were taken; they come back the same then.
bool round_trips(const std::vector<std::string>& texts, const SeriesOrder& order) {
  PodBuffer<char> raw;
  if (!encode_numbers(views(texts), order, &raw)) {
    EXPECT_TRUE(raw.empty());
    return false;
  }
  std::vector<std::string> by_row(texts.size());
  for (uint32_t place = 0; place < texts.size(); ++place) by_row[order.row(place)] = texts[place];
  EXPECT_EQ(decode({raw.data(), raw.size()}, order, texts.size(), bytes_of(texts)), by_row);
  return true;
}

bool round_trips(const std::vector<std::string>& texts) {
  return round_trips(texts, SeriesOrder(static_cast<uint32_t>(texts.size())));
}

TEST(NumberCodec, KeepsDocumentsThatDifferInNumbers) {
  std::vector<std::string> texts;
  for (int i = 0; i < 500; ++i) {
    texts.push_back(R"({"total":17179869184,"used":)" + std::to_string(i * 4096 + 17) + "}");
  }
  EXPECT_TRUE(round_trips(texts));
}

TEST(NumberCodec, KeepsEveryFormOfDigits) {
  EXPECT_TRUE(round_trips({"0",
                           "00",
                           "007",
                           "-5",
                           "--5",
                           "-0",
                           "-05",
                           "[-5,-6]",
                           "2026-11-05",
                           "a-1",
                           "1-1",
                           "1.50",
                           "0.05",
                           "-0.05",
                           "1e-9",
                           "999999999999999999",
                           "9999999999999999999",
                           "000000000000000000000000",
                           "1234567890123456789012",
                           "-999999999999999999",
                           "x",
                           "",
                           "12ab34"}));
}

TEST(NumberCodec, EachSeriesGoesOnFromItsOwnNumbers) {
  std::vector<std::string> texts;
  for (int series = 0; series < 3; ++series) {
    for (int i = 0; i < 100; ++i) {
      texts.push_back("used " + std::to_string(series * 1'000'000'000 + i));
    }
  }
  std::vector<uint32_t> indexes;
  for (uint32_t i = 0; i < 300; ++i) indexes.push_back(i % 3);
  const SeriesOrder order(indexes.data(), 300, 4);  // one entry without rows
  EXPECT_TRUE(round_trips(texts, order));
}

TEST(NumberCodec, TextsOfSeveralTemplatesKeepTheirNumbersApart) {
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) {
    texts.push_back(i % 3 == 0   ? "a " + std::to_string(i)
                    : i % 3 == 1 ? "b " + std::to_string(-i) + " of " + std::to_string(i * 7)
                                 : "none");
  }
  EXPECT_TRUE(round_trips(texts));
}

TEST(NumberCodec, LeavesOtherTextsAlone) {
  std::vector<std::string> words, letters;
  for (int i = 0; i < 500; ++i) {
    words.push_back("no number");
    letters.push_back(std::string(static_cast<size_t>(i), 'x') + "1");
  }
  EXPECT_FALSE(round_trips(words));
  EXPECT_FALSE(round_trips(letters));
  EXPECT_FALSE(round_trips({std::string("1\0002", 3)}));
}

TEST(NumberCodec, LeavesTextsOfTooManyNumbersAlone) {
  std::string list;
  for (int i = 0; i < 250'001; ++i) list += "7,";
  EXPECT_TRUE(round_trips({list, list, list}));
  EXPECT_FALSE(round_trips({list, list, list, list}));
}

TEST(NumberCodec, RefusesWhatItDidNotWrite) {
  const std::vector<std::string> texts = {"a 1", "a 22", "b 3 4", "b 5 6"};
  const SeriesOrder order(4);
  PodBuffer<char> raw;
  ASSERT_TRUE(encode_numbers(views(texts), order, &raw));
  const std::string good(raw.data(), raw.size());
  const size_t bytes = bytes_of(texts);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_TRUE(decode(std::string_view(good).substr(0, size), order, 4, bytes).empty()) << size;
  }
  EXPECT_TRUE(decode(good + std::string(8, '\0'), order, 4, bytes).empty());
  EXPECT_TRUE(decode(good, order, 4, bytes - 1).empty());
  EXPECT_TRUE(decode(good, order, 4, bytes + 1).empty());
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char byte : {'\0', '\1', '\x7f', '\xff'}) {
      std::string bad = good;
      bad[at] = byte;
      (void)decode(bad, order, 4, bytes);  // whatever comes, nothing beyond the texts is touched
    }
  }
}

}  // namespace
}  // namespace firn
