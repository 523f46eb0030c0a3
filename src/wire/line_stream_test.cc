#include "wire/line_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kLineBytesMax = 100;

// All lines of a text that arrives in pieces of this size; the last is the failure, if any.
std::vector<std::string> lines_of(std::string_view text, size_t piece, bool is_gzip = false) {
  std::vector<std::string> lines;
  LineStream stream(is_gzip, kLineBytesMax);
  for (size_t at = 0; true; at += piece) {
    while (true) {
      std::string_view line;
      const Result<bool> found = stream.next(&line);
      if (!found.ok()) {
        lines.emplace_back(found.status().message());
        return lines;
      }
      if (!*found) break;
      lines.emplace_back(line);
    }
    if (at > text.size()) return lines;
    if (at < text.size()) {
      stream.feed(std::string(text.substr(at, piece)));
    } else {
      stream.end();
    }
    if (at < text.size() && at + piece > text.size()) at = text.size() - piece;
  }
}

TEST(LineStream, LinesDoNotDependOnPieces) {
  for (size_t piece = 1; piece < 12; ++piece) {
    EXPECT_THAT(lines_of("one\n\ntwo\r\nthree", piece), ElementsAre("one", "", "two\r", "three"));
  }
}

TEST(LineStream, TheLastLineMayHaveItsLineFeed) {
  EXPECT_THAT(lines_of("one\n", 2), ElementsAre("one"));
  EXPECT_THAT(lines_of("", 2), ElementsAre());
}

TEST(LineStream, UnpacksWhatIsPacked) {
  std::string text;
  for (int i = 0; i < 3; ++i) text += std::string(90, static_cast<char>('a' + i)) + "\n";
  EXPECT_THAT(lines_of(gzip(text), 7, true),
              ElementsAre(std::string(90, 'a'), std::string(90, 'b'), std::string(90, 'c')));
}

TEST(LineStream, DamagedAndUnfinishedPackingIsAFailure) {
  EXPECT_THAT(lines_of("no gzip\n", 4, true), ElementsAre(HasSubstr("not gzip")));
  const std::string packed = gzip("one\ntwo\n");
  EXPECT_THAT(lines_of(packed.substr(0, packed.size() - 4), 4, true).back(),
              HasSubstr("ends too early"));
}

TEST(LineStream, ALongLineIsAFailureBeforeItIsWhole) {
  EXPECT_THAT(lines_of("ok\n" + std::string(kLineBytesMax + 1, 'x'), 10),
              ElementsAre("ok", HasSubstr("longer than")));
}

}  // namespace
}  // namespace firn
