// The public library as a program sees it: nothing but include/firn. docs/library.md shows the same
// calls.

#include <firn/database.h>
#include <firn/metrics.h>
#include <firn/streams.h>
#include <firn/subscriptions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "env/test_directory.h"

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LibraryTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    database_.reset();
    auto opened = firn::Database::open({.directory = directory_.path()});
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    database_ = std::move(*opened);
  }
  firn::Streams streams() { return {database_.get(), "default"}; }
  firn::DurableSubscriptions subscriptions() { return {database_.get(), "default"}; }

  void put(const std::string& stream, const std::string& type = "T") {
    const firn::Message message{.stream = stream, .type = type, .data = "{}"};
    const auto appended = streams().append({&message, 1});
    ASSERT_TRUE(appended.ok()) << appended.status().to_string();
  }
  // "stream/stream position" of each.
  static std::vector<std::string> names(const firn::Result<firn::MessagePage>& page) {
    std::vector<std::string> names;
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    for (const firn::StoredEvent& message : page->messages) {
      names.push_back(message.stream + "/" + std::to_string(message.stream_position));
    }
    return names;
  }

  firn::TestDirectory directory_;
  std::unique_ptr<firn::Database> database_;
};

TEST_F(LibraryTest, ABackupBecomesAnotherDatabase) {
  firn::TestDirectory vault, other;
  const firn::DatabaseOptions options{.directory = directory_.path(),
                                      .export_directory = vault.path()};
  database_.reset();
  database_ = std::move(*firn::Database::open(options));
  put("cart-1");
  const auto made = database_->back_up();
  ASSERT_TRUE(made.ok()) << made.status().to_string();
  EXPECT_EQ(made->copied_rows, 1u);
  put("cart-1");
  database_.reset();
  const firn::DatabaseOptions restored{.directory = other.path(), .export_directory = vault.path()};
  ASSERT_TRUE(firn::Database::restore(restored).ok());
  database_ = std::move(*firn::Database::open(restored));
  EXPECT_THAT(names(streams().read_stream("cart-1", {})), ElementsAre("cart-1/0"));
  EXPECT_EQ(firn::Database::restore(restored).status().code(), firn::StatusCode::kConflict);
}

TEST_F(LibraryTest, MetricsAreWrittenAndAnsweredInWindows) {
  firn::Metrics metrics(database_.get(), "default");
  constexpr int64_t kSecond = 1'000'000'000, kStart = 1'700'006'400 * kSecond;
  std::vector<firn::MetricSample> samples;
  for (int i = 0; i < 10; ++i) {
    samples.push_back({.name = "cpu",
                       .labels = {{"host", i % 2 == 0 ? "a" : "b"}},
                       .time_ns = kStart + i * 60 * kSecond,
                       .value = 1.0 * i});
  }
  const auto written = metrics.write(samples);
  ASSERT_TRUE(written.ok()) << written.status().to_string();
  EXPECT_EQ(written->count, 10u);
  EXPECT_EQ(metrics.series({.name = "cpu"})->size(), 2u);
  EXPECT_EQ(metrics.range({.labels = {{"host", "a"}}}, 3)->points.size(), 3u);
  EXPECT_EQ(metrics.latest({})->points.size(), 2u);
  const firn::MetricRollup rollup{.window_ns = 300 * kSecond};
  ASSERT_TRUE(metrics.set_retention(INT64_MAX, {&rollup, 1}).ok());
  ASSERT_TRUE(metrics.run_retention().ok());
  const auto groups = metrics.windows({.name = "cpu"}, 300 * kSecond, {"host"});
  ASSERT_TRUE(groups.ok()) << groups.status().to_string();
  ASSERT_EQ(groups->size(), 2u);
  EXPECT_THAT((*groups)[0].values, ElementsAre("a"));
  ASSERT_EQ((*groups)[0].windows.size(), 2u);
  EXPECT_EQ((*groups)[0].windows[0].sum, 0 + 2 + 4);
  EXPECT_EQ(*metrics.remove({.labels = {{"host", "b"}}}), 5u);
  EXPECT_EQ(metrics.windows({.name = "cpu"}, 0)->at(0).windows[0].count, 5u);
  const firn::MetricSample nameless{.value = 1};
  EXPECT_EQ(metrics.write({&nameless, 1}).status().code(), firn::StatusCode::kInvalidArgument);
}

TEST_F(LibraryTest, RulesKeepSomeSeriesForAnotherTime) {
  firn::Metrics metrics(database_.get(), "default");
  constexpr int64_t kSecond = 1'000'000'000, kStart = 1'700'006'400 * kSecond;
  std::vector<firn::MetricSample> samples;
  for (const char* env : {"dev", "prod"}) {
    samples.push_back({.name = "cpu", .labels = {{"env", env}}, .time_ns = kStart, .value = 1});
  }
  ASSERT_TRUE(metrics.write(samples).ok());
  const firn::MetricRollup rollup{.window_ns = 300 * kSecond};
  firn::MetricRule rule;
  rule.match.labels = {{"env", "dev"}};
  rule.raw_ns = 86'400 * kSecond;
  rule.rollups = {{300 * kSecond, INT64_MAX}};
  ASSERT_TRUE(metrics.set_retention(INT64_MAX, {&rollup, 1}, {&rule, 1}).ok());
  ASSERT_TRUE(metrics.run_retention().ok());
  const auto left = metrics.latest({});
  ASSERT_TRUE(left.ok()) << left.status().to_string();
  ASSERT_EQ(left->points.size(), 1u);
  EXPECT_EQ(metrics.latest({.labels = {{"env", "dev"}}})->points.size(), 0u);
  EXPECT_EQ(metrics.windows({.name = "cpu"}, 300 * kSecond)->at(0).windows.at(0).count, 2u);
  rule.match.from_ns = kStart;
  EXPECT_EQ(metrics.set_retention(INT64_MAX, {&rollup, 1}, {&rule, 1}).code(),
            firn::StatusCode::kInvalidArgument);
}

TEST_F(LibraryTest, SeriesAreLimitedAndCounted) {
  firn::Metrics metrics(database_.get(), "default");
  constexpr int64_t kSecond = 1'000'000'000, kStart = 1'700'006'400 * kSecond;
  ASSERT_TRUE(metrics.set_series_limit(2).ok());
  std::vector<firn::MetricSample> samples;
  for (const char* host : {"a", "b", "c"}) {
    samples.push_back({.name = "cpu", .labels = {{"host", host}}, .time_ns = kStart, .value = 1});
  }
  ASSERT_TRUE(metrics.write({samples.data(), 2}).ok());
  EXPECT_EQ(metrics.write({&samples[2], 1}).status().code(), firn::StatusCode::kSeriesLimit);
  const auto counted = metrics.cardinality(kStart, kStart + kSecond);
  ASSERT_TRUE(counted.ok()) << counted.status().to_string();
  EXPECT_EQ(counted->series, 2u);
  EXPECT_EQ(counted->series_limit, 2u);
  ASSERT_EQ(counted->labels.size(), 1u);
  EXPECT_EQ(counted->labels[0].count, 2u);
  EXPECT_EQ(counted->pairs.size(), 2u);
  ASSERT_TRUE(metrics.set_series_limit(0).ok());
  EXPECT_TRUE(metrics.write({&samples[2], 1}).ok());
}

TEST_F(LibraryTest, SeveralStreamsAreAppendedToTogether) {
  const firn::Message messages[] = {
      {.stream = "account-1", .type = "Withdrawn", .data = R"({"amount":5})"},
      {.stream = "account-2", .type = "Deposited", .data = R"({"amount":5})"}};
  const firn::StreamCondition conditions[] = {{"account-1", -1}, {"account-2", -1}};
  const auto appended = streams().append(messages, conditions);
  ASSERT_TRUE(appended.ok()) << appended.status().to_string();
  EXPECT_EQ(appended->places[1].position, 2u);
  EXPECT_EQ(appended->places[1].stream_position, 0);
  const auto refused = streams().append(messages, conditions);
  EXPECT_EQ(refused.status().code(), firn::StatusCode::kConflict);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("account-1"));
  EXPECT_EQ(*streams().version("account-2"), 0);
}

TEST_F(LibraryTest, ARepeatedIdIsStoredOnce) {
  const firn::Message message{
      .stream = "a-1", .type = "T", .data = "{}", .id = "01900000-0000-7000-8000-000000000001"};
  ASSERT_TRUE(streams().append({&message, 1}).ok());
  const auto again = streams().append({&message, 1});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->duplicates, 1u);
  EXPECT_EQ(again->places[0].position, 1u);
}

TEST_F(LibraryTest, ReadsStreamsForwardsAndBackwards) {
  for (int i = 0; i < 4; ++i) put("a-1");
  put("a-2");
  EXPECT_THAT(names(streams().read_stream("a-1", {.from = 1, .limit = 2})),
              ElementsAre("a-1/1", "a-1/2"));
  EXPECT_THAT(
      names(streams().read_stream("a-1", {.from = INT64_MAX, .backward = true, .limit = 2})),
      ElementsAre("a-1/3", "a-1/2"));
}

TEST_F(LibraryTest, ReadsCategoriesAndAll) {
  for (const char* stream : {"a-1", "b-1", "a-2", "a-1"}) put(stream);
  EXPECT_THAT(names(streams().read_category("a")), ElementsAre("a-1/0", "a-2/0", "a-1/1"));
  EXPECT_THAT(names(streams().read_category("a", {.member = 1, .size = 2})), ElementsAre("a-2/0"));
  EXPECT_THAT(names(streams().read_all({.from = 3, .backward = true, .limit = 2})),
              ElementsAre("a-2/0", "b-1/0"));
  EXPECT_EQ(streams().read_category("a", {.member = 2, .size = 2}).status().code(),
            firn::StatusCode::kInvalidArgument);
}

TEST_F(LibraryTest, TellsTheLastMessageAndTheVersion) {
  put("a-1", "Opened");
  put("a-1", "Closed");
  EXPECT_EQ((*streams().last("a-1"))->type, "Closed");
  EXPECT_EQ((*streams().last("a-1", "Opened"))->stream_position, 0);
  EXPECT_FALSE(streams().last("a-2")->has_value());
  EXPECT_EQ(*streams().version("a-1"), 1);
  EXPECT_EQ(*streams().version("a-2"), -1);
}

TEST_F(LibraryTest, ListsStreamsAndCategories) {
  for (const char* stream : {"b-1", "a-2", "a-1", "a-1"}) put(stream);
  std::string list;
  const auto found = streams().list_streams("a");
  for (const firn::StreamDescription& stream : *found) {
    list += stream.name + "@" + std::to_string(stream.version) + " ";
  }
  const auto categories = streams().list_categories();
  for (const firn::CategoryDescription& category : *categories) {
    list += category.name + ":" + std::to_string(category.streams) + "/" +
            std::to_string(category.messages) + " ";
  }
  EXPECT_EQ(list, "a-1@1 a-2@0 a:2/3 b:1/1 ");
}

// What a follower saw, for another thread to wait for.
class Seen {
 public:
  void add(const firn::StoredEvent& message) {
    const std::lock_guard<std::mutex> lock(mutex_);
    names_.push_back(message.stream + "/" + std::to_string(message.stream_position));
    changed_.notify_all();
  }
  std::vector<std::string> wait_for(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return names_.size() >= count; });
    return names_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> names_;
};

TEST_F(LibraryTest, FollowsWhatIsStoredAndWhatComes) {
  put("a-1");
  put("b-1");
  Seen seen;
  const auto follower = streams().follow(
      {.category = "a"}, [&seen](const firn::StoredEvent& message) { seen.add(message); });
  ASSERT_TRUE(follower.ok()) << follower.status().to_string();
  EXPECT_THAT(seen.wait_for(1), ElementsAre("a-1/0"));
  put("b-1");
  put("a-1");
  put("a-2");
  EXPECT_THAT(seen.wait_for(3), ElementsAre("a-1/0", "a-1/1", "a-2/0"));
}

TEST_F(LibraryTest, FollowsAStreamBehindAPosition) {
  for (int i = 0; i < 3; ++i) put("a-1");
  Seen seen;
  const auto follower =
      streams().follow({.stream = "a-1", .after = 1},
                       [&seen](const firn::StoredEvent& message) { seen.add(message); });
  ASSERT_TRUE(follower.ok());
  EXPECT_THAT(seen.wait_for(2), ElementsAre("a-1/1", "a-1/2"));
}

TEST_F(LibraryTest, SubscriptionsLastLongerThanTheProgram) {
  ASSERT_TRUE(subscriptions().create("billing", {.category = "order"}).ok());
  for (int i = 0; i < 3; ++i) put("order-1");
  const auto first = subscriptions().receive("billing", 10);
  ASSERT_EQ(first->size(), 3u);
  const uint64_t done[] = {1, 2};
  EXPECT_EQ(*subscriptions().acknowledge("billing", done), 2u);
  open();
  const auto second = subscriptions().receive("billing", 10);
  ASSERT_EQ(second->size(), 1u);
  EXPECT_EQ((*second)[0].event.position, 3u);
  const uint64_t failed[] = {3};
  EXPECT_EQ(*subscriptions().fail("billing", failed, "no such customer", true), 1u);
  EXPECT_EQ((*subscriptions().parked("billing"))[0].reason, "no such customer");
  EXPECT_EQ(*subscriptions().replay_parked("billing"), 1u);
  EXPECT_EQ(subscriptions().receive("billing", 10)->size(), 1u);
  EXPECT_THAT(*subscriptions().list(), ElementsAre("billing"));
  ASSERT_TRUE(subscriptions().remove("billing").ok());
  EXPECT_THAT(*subscriptions().list(), IsEmpty());
}

}  // namespace
