#include "store/sequencer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/sim_env.h"
#include "store/store.h"

namespace firn {
namespace {

using testing::ElementsAre;

constexpr TimeNs kDay = 1'700'006'400 * kSecondNs;  // a midnight

Id id_of(uint64_t number) {
  Id id;
  store_le<uint64_t>(id.bytes.data(), 0x1122334455667788ull);
  store_le<uint64_t>(id.bytes.data() + 8, number);
  return id;
}

// The store in the simulation, where workers run when a test says so: what is appended in between
// is what the commit worker finds together.
class SequencerTest : public testing::Test {
 protected:
  struct Event {
    uint64_t id = 0;
    std::string data{};
    std::string stream{};
  };

  void SetUp() override {
    StoreOptions options = default_store_options("/data");
    options.wal_segment_bytes = 1 * kMiB;
    options.disk_reserve_bytes = 0;
    auto opened = Store::open(&env_, options);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    store_ = std::move(*opened);
    space_ = store_->find_namespace("default")->id;
  }

  // Answers end up in answers_, in the order they were given: "first-last" or an error's name.
  void append(const std::vector<Event>& events, AckLevel ack = AckLevel::kFsync) {
    BatchBuilder builder(Dataset::kEvents);
    AppendRequest request;
    request.ack = ack;
    for (uint32_t i = 0; i < events.size(); ++i) {
      EventRow row;
      row.time = kDay;
      row.id = id_of(events[i].id);
      row.type = "test";
      row.stream = events[i].stream;
      row.data = events[i].data;
      request.rows_with_client_id.push_back(i);
      builder.add(row);
    }
    request.batch = builder.finish();
    ++sent_;
    store_->append(space_, std::move(request), [this](const Result<AppendResult>& result) {
      answers_.push_back(result.ok() ? std::to_string(result->first_position) + "-" +
                                           std::to_string(result->last_position)
                                     : std::string(status_code_name(result.status().code())));
    });
  }
  void run() {
    env_.run_until([this] { return answers_.size() == sent_; });
  }
  uint64_t records() { return store_->health().wal.records; }

  // "position:data/stream position" of every row.
  std::vector<std::string> contents() {
    std::vector<std::string> rows;
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kEvents, Filter{})) {
      auto reader = snapshot->scan(chunk, ScanSpec{}, nullptr);
      BatchSlice slice;
      while (*(*reader)->next(&slice)) {
        for (uint32_t i = 0; i < slice.rows(); ++i) {
          const EventRow row = event_row(*slice.batch, slice.row(i));
          std::string text = std::to_string(slice.batch->position(slice.row(i))) + ":";
          text.append(row.data);
          if (!row.stream.empty()) text.append("/").append(std::to_string(row.stream_position));
          rows.push_back(std::move(text));
        }
      }
    }
    return rows;
  }

  SimEnv env_{7};
  std::vector<std::string> answers_;
  size_t sent_ = 0;
  std::unique_ptr<Store> store_;
  NamespaceId space_ = 0;
};

TEST_F(SequencerTest, RequestsThatWaitTogetherShareARecord) {
  append({{1, "a"}});
  append({{2, "b"}, {3, "c"}});
  append({{4, "d"}});
  run();
  EXPECT_THAT(answers_, ElementsAre("1-1", "2-3", "4-4"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c", "4:d"));
  EXPECT_EQ(records(), 1u);
}

TEST_F(SequencerTest, ALargeRequestIsARecordOfItsOwnInItsPlace) {
  append({{1, "a"}});
  std::vector<Event> large;
  for (uint64_t i = 0; i < 100; ++i) large.push_back({100 + i, "x"});
  append(large);
  append({{2, "b"}});
  run();
  EXPECT_THAT(answers_, ElementsAre("1-1", "2-101", "102-102"));
  EXPECT_EQ(records(), 3u);
}

TEST_F(SequencerTest, StreamsCountThroughJoinedRequests) {
  append({{1, "a", "s"}});
  append({{2, "b"}});
  append({{3, "c", "s"}, {4, "d", "t"}});
  run();
  EXPECT_THAT(contents(), ElementsAre("1:a/0", "2:b", "3:c/1", "4:d/0"));
}

TEST_F(SequencerTest, ADuplicateOfARequestInTheSameRecordGetsItsPosition) {
  append({{1, "a"}, {2, "b"}});
  append({{2, "b"}});
  append({{3, "c"}, {1, "a"}});
  run();
  EXPECT_THAT(answers_, ElementsAre("1-2", "2-2", "1-3"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c"));
}

TEST_F(SequencerTest, AConflictRefusesItsRequestOnly) {
  append({{1, "a"}});
  append({{1, "other"}});
  append({{2, "b"}});
  run();
  EXPECT_THAT(answers_, testing::UnorderedElementsAre("1-1", "conflict", "2-2"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
}

TEST_F(SequencerTest, EachRequestOfARecordIsAnsweredAtItsLevel) {
  append({{1, "a"}});
  append({{2, "b"}}, AckLevel::kMemory);
  append({{3, "c"}}, AckLevel::kOs);
  run();
  EXPECT_THAT(answers_, ElementsAre("2-2", "3-3", "1-1"));
  EXPECT_EQ(records(), 1u);
}

TEST_F(SequencerTest, WhatArrivesWhileTheLogIsBusyWaitsForIt) {
  // Runs workers one by one until the first request is in the log and not yet answered.
  append({{1, "a"}});
  while (store_->health().wal.records == 0 && answers_.empty()) {
    append({{sent_ + 1, "more"}});
    ASSERT_TRUE(env_.run_one());
  }
  run();
  EXPECT_EQ(contents().size(), sent_);
  EXPECT_LE(records(), 3u);
}

}  // namespace
}  // namespace firn
