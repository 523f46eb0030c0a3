#include "store/sequencer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

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
    options_ = options;
    open();
  }
  void open() {
    store_.reset();
    auto opened = Store::open(&env_, options_);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    store_ = std::move(*opened);
    space_ = store_->find_namespace("default")->id;
  }

  // Answers end up in answers_, in the order they were given: "first-last" or an error's name.
  void append(const std::vector<Event>& events, AckLevel ack = AckLevel::kFsync,
              std::vector<ExpectedVersion> expected = {}) {
    BatchBuilder builder(Dataset::kEvents);
    AppendRequest request;
    request.ack = ack;
    request.expected_versions = std::move(expected);
    request.details = std::make_shared<AppendDetails>();
    details_.push_back(request.details);
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
  void append_if(const std::vector<Event>& events, std::vector<ExpectedVersion> expected) {
    append(events, AckLevel::kFsync, std::move(expected));
  }
  // "position/stream position" of each row of a request that succeeded.
  std::vector<std::string> rows_of(size_t request) {
    std::vector<std::string> rows;
    for (const RowPosition& row : details_[request]->rows) {
      const bool has_stream = row.stream_position != kAbsentInt64;
      rows.push_back(std::to_string(row.position) + "/" +
                     (has_stream ? std::to_string(row.stream_position) : "-"));
    }
    return rows;
  }
  // "stream expected actual" of a request that was refused for a version.
  std::string conflict_of(size_t request) {
    const auto& found = details_[request]->version_conflict;
    if (!found.has_value()) return "none";
    return found->stream + " " + std::to_string(found->expected) + " " +
           std::to_string(found->actual);
  }
  void run() {
    env_.run_until([this] { return answers_.size() == sent_; });
  }
  void flush() {
    bool done = false;
    ChunkCommand command;
    command.namespace_id = space_;
    store_->command(command, [&done](const ChunkCommandResult& result) {
      EXPECT_TRUE(result.status.ok()) << result.status.to_string();
      done = true;
    });
    env_.run_until([&done] { return done; });
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
  StoreOptions options_;
  std::vector<std::string> answers_;
  std::vector<std::shared_ptr<AppendDetails>> details_;  // by request
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

TEST_F(SequencerTest, AnExpectedVersionIsTheStreamsLastPosition) {
  append_if({{1, "a", "s"}}, {{"s", -1}});
  append_if({{2, "b", "s"}}, {{"s", 0}});
  run();
  EXPECT_THAT(answers_, ElementsAre("1-1", "2-2"));
  EXPECT_THAT(contents(), ElementsAre("1:a/0", "2:b/1"));
}

TEST_F(SequencerTest, AnotherVersionRefusesTheRequestAndSaysWhich) {
  append_if({{1, "a", "s"}}, {{"s", 0}});
  append_if({{2, "b", "s"}}, {{"s", -1}});
  append_if({{3, "c", "s"}}, {{"s", 7}});
  run();
  EXPECT_THAT(answers_, testing::UnorderedElementsAre("conflict", "1-1", "conflict"));
  EXPECT_EQ(conflict_of(0), "s 0 -1");
  EXPECT_EQ(conflict_of(1), "none");
  EXPECT_EQ(conflict_of(2), "s 7 0");
  EXPECT_THAT(contents(), ElementsAre("1:b/0"));
}

TEST_F(SequencerTest, OfWritersWithTheSameExpectedVersionOneWins) {
  for (uint64_t id = 1; id <= 5; ++id) append_if({{id, "x", "s"}}, {{"s", -1}});
  run();
  EXPECT_EQ(std::count(answers_.begin(), answers_.end(), "conflict"), 4);
  EXPECT_THAT(contents(), ElementsAre("1:x/0"));
}

TEST_F(SequencerTest, AllExpectedVersionsMustHold) {
  append({{1, "a", "s"}});
  append_if({{2, "b", "s"}, {3, "c", "t"}}, {{"s", 0}, {"t", 0}});
  append_if({{4, "d", "s"}, {5, "e", "t"}}, {{"s", 0}, {"t", -1}});
  run();
  EXPECT_EQ(conflict_of(1), "t 0 -1");
  EXPECT_THAT(contents(), ElementsAre("1:a/0", "2:d/1", "3:e/0"));
}

TEST_F(SequencerTest, ARetryOfAConditionalAppendSucceedsWhateverTheVersion) {
  append_if({{1, "a", "s"}}, {{"s", -1}});
  append({{2, "b", "s"}});
  append_if({{1, "a", "s"}}, {{"s", -1}});
  run();
  EXPECT_THAT(answers_, ElementsAre("1-1", "2-2", "1-1"));
  EXPECT_THAT(rows_of(2), ElementsAre("1/0"));
}

TEST_F(SequencerTest, DetailsNameThePlaceOfEachRow) {
  append({{1, "a", "s"}, {2, "b"}, {3, "c", "s"}});
  append({{3, "c", "s"}, {4, "d", "s"}, {4, "d", "s"}});
  run();
  EXPECT_THAT(rows_of(0), ElementsAre("1/0", "2/-", "3/1"));
  EXPECT_THAT(rows_of(1), ElementsAre("3/1", "4/2", "4/2"));
}

TEST_F(SequencerTest, DetailsOfStoredDuplicatesAreTheOriginalOnes) {
  append({{1, "a", "s"}, {2, "b", "s"}});
  run();
  flush();
  append({{2, "b", "s"}});
  run();
  EXPECT_THAT(rows_of(1), ElementsAre("2/1"));
}

TEST_F(SequencerTest, VersionsAreKnownAfterARestart) {
  append({{1, "a", "s"}, {2, "b", "s"}});
  run();
  open();
  append_if({{3, "c", "s"}}, {{"s", 0}});
  append_if({{4, "d", "s"}}, {{"s", 1}});
  run();
  EXPECT_EQ(conflict_of(1), "s 0 1");
  EXPECT_THAT(contents(), ElementsAre("1:a/0", "2:b/1", "3:d/2"));
}

// What it conflicts with has a position but may still be lost, so nobody may hear of it.
TEST_F(SequencerTest, AConflictIsAnsweredWhenWhatItTellsIsDurable) {
  append({{1, "a", "s"}});
  append_if({{2, "b", "s"}}, {{"s", -1}});
  append({{1, "other"}});
  while (answers_.empty()) {
    ASSERT_TRUE(env_.run_one());
    if (!answers_.empty()) break;
    EXPECT_EQ(contents().size(), 0u);
  }
  EXPECT_EQ(contents().size(), 1u);
  run();
  EXPECT_THAT(answers_, ElementsAre("1-1", "conflict", "conflict"));
}

TEST_F(SequencerTest, VersionsThatAFullDiskTookBackAreFreeAgain) {
  options_.disk_reserve_bytes = 1 * kMiB;
  open();
  append({{1, "a", "s"}});
  run();
  env_.set_capacity(1);
  std::vector<Event> large;
  for (uint64_t i = 0; i < 64; ++i) {
    large.push_back({100 + i, std::string(32'000, static_cast<char>('0' + i)), "s"});
  }
  append_if(large, {{"s", 0}});
  append_if({{2, "b", "s"}}, {{"s", 0}});  // conflicts with what is refused: refused itself
  run();
  EXPECT_THAT(answers_, ElementsAre("1-1", "no_space", "no_space"));
  env_.set_capacity(UINT64_MAX);
  append_if({{3, "c", "s"}}, {{"s", 0}});
  run();
  EXPECT_EQ(answers_.back(), "2-2");
  EXPECT_THAT(contents(), ElementsAre("1:a/0", "2:c/1"));
}

}  // namespace
}  // namespace firn
