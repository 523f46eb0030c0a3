// Data of the shape of a helpdesk's log of 21,348 events in 4,580 cases, generated: imported,
// flushed to SQLite, moved to Parquet, read back as streams after each, and after a restart.

#include <gmock/gmock.h>

#include <map>
#include <random>

#include "server/test_eventodb.h"
#include "store/chunk_command.h"
#include "views/streams/stream_lists.h"
#include "views/streams/stream_reads.h"

namespace firn {
namespace {

constexpr int kCases = 4580;
constexpr int kEvents = 21'348;
constexpr TimeNs kFirst = 1'263'000'000 * kSecondNs;  // January 2010

struct Generated {
  std::string lines;
  std::map<std::string, std::vector<std::string>> documents;  // by stream, in order
};

// Cases open over two months and have one event at least; their events lie hours apart, so that
// chunks and cases cross.
Generated generate() {
  std::mt19937_64 random(20'100'113);
  std::vector<int> lengths(kCases, 1);
  for (int i = kCases; i < kEvents; ++i) ++lengths[random() % kCases];
  std::vector<std::pair<TimeNs, int>> events;
  for (int number = 0; number < kCases; ++number) {
    TimeNs time = kFirst + static_cast<TimeNs>(random() % 60) * kDayNs;
    for (int i = 0; i < lengths[static_cast<size_t>(number)]; ++i) {
      time += static_cast<TimeNs>(random() % (kDayNs / kSecondNs)) * kSecondNs;
      events.emplace_back(time, number);
    }
  }
  std::stable_sort(events.begin(), events.end());
  Generated generated;
  for (const auto& [time, number] : events) {
    const std::string stream = "ticket-Case_" + std::to_string(number);
    std::vector<std::string>& documents = generated.documents[stream];
    const std::string data = R"({"org:resource":"Value )" + std::to_string(random() % 22) +
                             R"(","product":"Value )" + std::to_string(random() % 20) +
                             R"(","seriousness":"Value 1"})";
    generated.lines += R"({"stream":")" + stream + R"(","type":"Take in charge ticket","pos":)" +
                       std::to_string(documents.size()) + R"(,"gpos":0,"data":)" + data +
                       R"(,"meta":null,"time":")" + format_time(time) + "\"}\n";
    documents.push_back(data);
  }
  return generated;
}

class HelpdeskTest : public EventodbTest {
 protected:
  OpenStorePtr store() { return services_.gate->get(); }

  void change_chunks(ChunkAction action) {
    ChunkCommand command;
    command.action = action;
    command.namespace_id = store()->store->find_namespace("default")->id;
    const ChunkCommandResult result = store()->store->command_and_wait(command);
    ASSERT_TRUE(result.status.ok()) << result.status.to_string();
  }

  // Every stream, whole and in order.
  void expect_all(const Generated& generated, const std::string& where) {
    const auto open = store();
    const SnapshotPtr snapshot = *open->store->snapshot(open->store->find_namespace("default")->id);
    for (const auto& [stream, documents] : generated.documents) {
      const auto page = read_stream(*snapshot, {.stream = stream}, nullptr);
      ASSERT_TRUE(page.ok()) << where << ": " << page.status().to_string();
      ASSERT_EQ(page->events.size(), documents.size()) << where << ": " << stream;
      ASSERT_EQ(page->dropped, 0u) << where << ": " << stream;
      for (size_t i = 0; i < documents.size(); ++i) {
        const EventRow row = event_row(*page->events[i].batch, page->events[i].row);
        ASSERT_EQ(row.stream_position, static_cast<int64_t>(i)) << where << ": " << stream;
        ASSERT_EQ(row.data, documents[i]) << where << ": " << stream;
      }
    }
    const auto all = read_category(*snapshot, {.category = "ticket"}, nullptr);
    ASSERT_TRUE(all.ok()) << where << ": " << all.status().to_string();
    EXPECT_EQ(all->events.size(), static_cast<size_t>(kEvents)) << where;
    const auto counts = count_streams(*snapshot, kNoLimit, nullptr);
    EXPECT_EQ(counts->streams, static_cast<uint64_t>(kCases)) << where;
    EXPECT_EQ(counts->messages, static_cast<uint64_t>(kEvents)) << where;
  }
};

TEST_F(HelpdeskTest, EveryCaseReadsBackFromEveryTier) {
  const Generated generated = generate();
  HttpResponse response = post("/import", generated.lines);
  EXPECT_THAT(read_all(response.stream.get()),
              ::testing::HasSubstr("\"done\":true,\"imported\":" + std::to_string(kEvents)));
  expect_all(generated, "memory");
  change_chunks(ChunkAction::kFlush);
  expect_all(generated, "SQLite");
  change_chunks(ChunkAction::kMove);
  expect_all(generated, "Parquet");
  services_.gate->close().reset();
  open_store();
  expect_all(generated, "Parquet, after a restart");
}

}  // namespace
}  // namespace firn
