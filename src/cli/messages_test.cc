// Messages into and out of a place that is a data directory, as the commands do it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/line_sink.h"
#include "cli/line_source.h"
#include "cli/message_sender.h"
#include "env/test_directory.h"

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string line_of(const std::string& stream, int position) {
  const std::string number = std::to_string(1000 + position);
  return R"({"id":"01900000-0000-7000-8000-00000000)" + number + R"(","stream":")" + stream +
         R"(","type":"T","pos":)" + std::to_string(position) +
         R"(,"gpos":1,"data":{},"meta":null,"time":"2026-01-02T03:04:05Z"})";
}

class Messages : public ::testing::Test {
 protected:
  Messages() { options_.data_dir = directory_.file("data"); }

  std::unique_ptr<Place> open() {
    auto place = Place::open(options_);
    EXPECT_TRUE(place.ok()) << place.status().to_string();
    return std::move(*place);
  }
  std::string exported(Place* place) {
    std::string text;
    const Status status = place->export_lines("", [&](std::string_view line) {
      text += std::string(line) + "\n";
      return Status();
    });
    EXPECT_TRUE(status.ok()) << status.to_string();
    return text;
  }

  TestDirectory directory_;
  PlaceOptions options_;
};

TEST_F(Messages, ADataDirectoryIsAPlace) {
  {
    const auto place = open();
    MessageSender sender(place.get(), ImportMode::kPlain);
    ASSERT_TRUE(sender.add(line_of("s-1", 0)).ok());
    ASSERT_TRUE(sender.add("").ok());
    ASSERT_TRUE(sender.add(line_of("s-1", 1)).ok());
    ASSERT_TRUE(sender.finish().ok());
    EXPECT_EQ(sender.imported(), 2u);
  }
  EXPECT_THAT(exported(open().get()), HasSubstr(R"("stream":"s-1","type":"T","pos":1,"gpos":2)"));
}

TEST_F(Messages, TheLineThatIsWrongIsNamed) {
  const auto place = open();
  MessageSender sender(place.get(), ImportMode::kPlain);
  ASSERT_TRUE(sender.add("").ok());
  ASSERT_TRUE(sender.add(line_of("s-1", 0)).ok());
  ASSERT_TRUE(sender.add("").ok());
  ASSERT_TRUE(sender.add("{").ok());
  EXPECT_THAT(std::string(sender.finish().message()), HasSubstr("line 4: INVALID_JSON"));
}

TEST_F(Messages, AResumedImportCountsWhatWasThere) {
  const auto place = open();
  for (const uint64_t skipped : {0, 3}) {
    MessageSender sender(place.get(), ImportMode::kResume);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(sender.add(line_of("s-1", i)).ok());
    ASSERT_TRUE(sender.finish().ok());
    EXPECT_EQ(sender.skipped(), skipped);
    EXPECT_EQ(sender.imported(), 3 - skipped);
  }
}

TEST_F(Messages, OnlyTheFirstPieceOfAForcedImportEmpties) {
  const auto place = open();
  for (int round = 0; round < 2; ++round) {
    MessageSender sender(place.get(), ImportMode::kForce);
    constexpr int kMessages = 25'000;
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(sender
                      .add(R"({"stream":"s-1","type":"T","pos":)" + std::to_string(i) +
                           R"(,"gpos":1,"data":{},"meta":null,"time":"2026-01-02T03:04:05Z"})")
                      .ok());
    }
    const Status finished = sender.finish();
    ASSERT_TRUE(finished.ok()) << finished.to_string();
    EXPECT_EQ(sender.imported(), static_cast<uint64_t>(kMessages));
  }
}

TEST_F(Messages, AFileHasItsNameWhenItIsWhole) {
  const std::string path = directory_.file("messages.gz");
  {
    auto sink = LineSink::open(posix_env(), path, true);
    ASSERT_TRUE(sink.ok());
    ASSERT_TRUE((*sink)->add("a").ok());
  }
  EXPECT_FALSE(*posix_env()->exists(path));
  EXPECT_FALSE(*posix_env()->exists(path + ".tmp"));
  auto sink = LineSink::open(posix_env(), path, true);
  ASSERT_TRUE(sink.ok());
  const std::string long_line(3 << 20, 'x');
  ASSERT_TRUE((*sink)->add(long_line).ok());
  ASSERT_TRUE((*sink)->add("b").ok());
  ASSERT_TRUE((*sink)->finish().ok());
  auto source = LineSource::open(posix_env(), path);
  ASSERT_TRUE(source.ok());
  std::vector<std::string> lines;
  ASSERT_TRUE((*source)
                  ->for_each_line([&](std::string_view line) {
                    lines.emplace_back(line);
                    return Status();
                  })
                  .ok());
  EXPECT_THAT(lines, ElementsAre(long_line, "b"));
}

}  // namespace
}  // namespace firn
