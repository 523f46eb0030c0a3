#include "views/subscriptions/subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/test_directory.h"
#include "views/streams/stream_append.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SubscriptionSettings of_category(const std::string& category) {
  SubscriptionSettings settings;
  settings.source = SubscriptionSource::kCategory;
  settings.of = category;
  settings.retry_min_ns = settings.retry_max_ns = 0;
  return settings;
}

class SubscriptionsTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    subscriptions_.reset();
    store_.reset();
    StoreOptions options = default_store_options(directory_.path());
    options.tiers[1].keep_ns = 36'500 * kDayNs;  // nothing moves unless a test says so
    auto opened = Store::open(posix_env(), options);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    store_ = std::move(*opened);
    space_ = store_->find_namespace("default")->id;
    subscriptions_ = std::make_unique<Subscriptions>(posix_env(), store_.get());
  }

  void put(const std::string& stream) {
    const NewMessage message{.stream = stream, .type = "T", .data = "{}"};
    auto request = make_stream_append({&message, 1}, {}, store_->id_source(), kLimits);
    ASSERT_TRUE(store_->append_and_wait(space_, std::move(*request)).ok());
  }
  void create(const SubscriptionSettings& settings) {
    const Status status = subscriptions_->create(space_, "s", settings);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  std::shared_ptr<SubscriptionMember> member(uint32_t number = 0) {
    auto found = subscriptions_->member(space_, "s", number);
    EXPECT_TRUE(found.ok()) << found.status().to_string();
    return *found;
  }
  // "position/attempt" of what is given out.
  std::vector<std::string> receive(uint32_t max = 10, uint32_t number = 0) {
    std::vector<std::string> names;
    const auto given = member(number)->receive(max, nullptr);
    EXPECT_TRUE(given.ok()) << given.status().to_string();
    for (const GivenMessage& message : *given) {
      names.push_back(std::to_string(message.event.batch->position(message.event.row)) + "/" +
                      std::to_string(message.attempt));
    }
    return names;
  }
  // Waits for what an answer waits for.
  struct Answer {
    Mutex mutex;
    CondVar changed;
    std::optional<Status> status GUARDED_BY(mutex);
  };
  template <typename Call>
  uint64_t durably(const Call& call) {
    const auto answer = std::make_shared<Answer>();
    const uint64_t count = call([answer](const Status& status) {
      MutexLock lock(&answer->mutex);
      answer->status = status;
      answer->changed.notify_all();
    });
    MutexLock lock(&answer->mutex);
    while (!answer->status.has_value()) answer->changed.wait(&answer->mutex);
    EXPECT_TRUE(answer->status->ok()) << answer->status->to_string();
    return count;
  }
  uint64_t acknowledge(const std::vector<Position>& positions) {
    return durably(
        [&](SubscriptionDone done) { return member()->acknowledge(positions, std::move(done)); });
  }
  uint64_t fail(const std::vector<Position>& positions, bool park = false) {
    return durably([&](SubscriptionDone done) {
      return member()->fail(positions, "broken", park, std::move(done));
    });
  }
  // "position/attempts/reason"
  std::vector<std::string> parked() {
    std::vector<std::string> names;
    const auto messages = member()->parked(0, 100, nullptr);
    EXPECT_TRUE(messages.ok()) << messages.status().to_string();
    for (const ParkedMessage& message : *messages) {
      names.push_back(std::to_string(message.position) + "/" + std::to_string(message.attempts) +
                      "/" + message.reason);
    }
    return names;
  }
  void flush_and_move() {
    for (const NamespaceInfo& info : store_->namespaces()) {
      for (const ChunkAction action : {ChunkAction::kFlush, ChunkAction::kMove}) {
        ChunkCommand command;
        command.action = action;
        command.namespace_id = info.id;
        ASSERT_TRUE(store_->command_and_wait(command).status.ok());
      }
    }
  }

  TestDirectory directory_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Subscriptions> subscriptions_;
  NamespaceId space_ = 0;
};

TEST_F(SubscriptionsTest, GivesEachMessageOfACategoryOnce) {
  create(of_category("a"));
  put("a-1");
  put("b-1");
  put("a-2");
  EXPECT_THAT(receive(), ElementsAre("1/1", "3/1"));
  EXPECT_THAT(receive(), IsEmpty());
  put("a-1");
  EXPECT_THAT(receive(), ElementsAre("4/1"));
}

TEST_F(SubscriptionsTest, GivesAStreamFromItsStartOn) {
  for (int i = 0; i < 3; ++i) put("a-1");
  SubscriptionSettings settings = of_category("a-1");
  settings.source = SubscriptionSource::kStream;
  settings.start = 1;
  create(settings);
  put("a-2");
  EXPECT_THAT(receive(), ElementsAre("2/1", "3/1"));
}

TEST_F(SubscriptionsTest, GivesAllStreams) {
  SubscriptionSettings settings = of_category("");
  settings.source = SubscriptionSource::kAll;
  create(settings);
  put("a-1");
  put("b-1");
  EXPECT_THAT(receive(1), ElementsAre("1/1"));
  EXPECT_THAT(receive(), ElementsAre("2/1"));
}

TEST_F(SubscriptionsTest, WhatWasNotAcknowledgedComesAgainAfterARestart) {
  create(of_category("a"));
  for (int i = 0; i < 4; ++i) put("a-1");
  receive();
  EXPECT_EQ(acknowledge({1, 3, 9}), 2u);
  open();
  EXPECT_THAT(receive(), ElementsAre("2/1", "4/1"));
}

TEST_F(SubscriptionsTest, SurvivesTheMoveThroughAllTiers) {
  create(of_category("a"));
  for (int i = 0; i < 3; ++i) put("a-1");
  receive();
  acknowledge({2});
  fail({1});
  flush_and_move();
  open();
  EXPECT_THAT(receive(), ElementsAre("1/2", "3/1"));
  acknowledge({1, 3});
  open();
  EXPECT_THAT(receive(), IsEmpty());
}

TEST_F(SubscriptionsTest, AFailedMessageIsTriedAgainAndThenParked) {
  SubscriptionSettings settings = of_category("a");
  settings.attempts_max = 2;
  create(settings);
  put("a-1");
  EXPECT_THAT(receive(), ElementsAre("1/1"));
  EXPECT_EQ(fail({1}), 1u);
  EXPECT_THAT(receive(), ElementsAre("1/2"));
  fail({1});
  EXPECT_THAT(receive(), IsEmpty());
  EXPECT_THAT(parked(), ElementsAre("1/2/broken"));
  open();
  EXPECT_THAT(receive(), IsEmpty());
  EXPECT_THAT(parked(), ElementsAre("1/2/broken"));
}

TEST_F(SubscriptionsTest, AFailedMessageWaits) {
  SubscriptionSettings settings = of_category("a");
  settings.retry_min_ns = settings.retry_max_ns = kDayNs;
  create(settings);
  put("a-1");
  receive();
  fail({1});
  EXPECT_THAT(receive(), IsEmpty());
  EXPECT_EQ(member()->progress()->waiting, 1u);
}

TEST_F(SubscriptionsTest, AMessageThatIsNotAnsweredInTimeHasFailed) {
  SubscriptionSettings settings = of_category("a");
  settings.answer_time_ns = 1;
  settings.attempts_max = 2;
  create(settings);
  put("a-1");
  EXPECT_THAT(receive(), ElementsAre("1/1"));
  EXPECT_THAT(receive(), ElementsAre("1/2"));
  EXPECT_THAT(receive(), IsEmpty());
  EXPECT_EQ(member()->progress()->parked, 1u);
}

TEST_F(SubscriptionsTest, ParkedMessagesAreGivenOutAnew) {
  create(of_category("a"));
  for (int i = 0; i < 3; ++i) put("a-1");
  receive();
  EXPECT_EQ(fail({1, 2, 3}, true), 3u);
  EXPECT_EQ(member()->progress()->parked, 3u);
  const uint64_t replayed =
      durably([&](SubscriptionDone done) { return member()->replay(2, std::move(done)); });
  EXPECT_EQ(replayed, 2u);
  open();
  EXPECT_THAT(receive(), ElementsAre("1/1", "2/1"));
  acknowledge({1, 2});
  EXPECT_THAT(parked(), ElementsAre("3/1/broken"));
  const uint64_t discarded = durably(
      [&](SubscriptionDone done) { return member()->discard(UINT64_MAX, std::move(done)); });
  EXPECT_EQ(discarded, 1u);
  EXPECT_THAT(parked(), IsEmpty());
}

TEST_F(SubscriptionsTest, NoMoreIsGivenOutThanMayBe) {
  SubscriptionSettings settings = of_category("a");
  settings.in_flight_max = 2;
  create(settings);
  for (int i = 0; i < 4; ++i) put("a-1");
  EXPECT_THAT(receive(), ElementsAre("1/1", "2/1"));
  EXPECT_THAT(receive(), IsEmpty());
  acknowledge({1});
  EXPECT_THAT(receive(), ElementsAre("3/1"));
}

TEST_F(SubscriptionsTest, MembersShareTheStreams) {
  SubscriptionSettings settings = of_category("a");
  settings.consumers = 2;
  create(settings);
  for (const char* stream : {"a-1", "a-2", "a-3", "a-4", "a"}) put(stream);
  EXPECT_THAT(receive(10, 0), ElementsAre("1/1", "3/1"));
  EXPECT_THAT(receive(10, 1), ElementsAre("2/1", "4/1"));
  EXPECT_EQ(subscriptions_->member(space_, "s", 2).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(SubscriptionsTest, ANameIsMadeOnceAndBeginsAnewWhenItWasDeleted) {
  create(of_category("a"));
  create(of_category("a"));
  EXPECT_EQ(subscriptions_->create(space_, "s", of_category("b")).code(), StatusCode::kConflict);
  put("a-1");
  receive();
  acknowledge({1});
  ASSERT_TRUE(subscriptions_->remove(space_, "s").ok());
  EXPECT_EQ(subscriptions_->describe(space_, "s").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(subscriptions_->remove(space_, "s").code(), StatusCode::kNotFound);
  create(of_category("a"));
  EXPECT_THAT(receive(), ElementsAre("1/1"));
}

TEST_F(SubscriptionsTest, AreListedByName) {
  EXPECT_THAT(*subscriptions_->list(space_, nullptr), IsEmpty());
  for (const char* name : {"b", "a", "c"}) {
    ASSERT_TRUE(subscriptions_->create(space_, name, of_category(name)).ok());
  }
  ASSERT_TRUE(subscriptions_->remove(space_, "c").ok());
  std::string names;
  const auto infos = subscriptions_->list(space_, nullptr);
  for (const SubscriptionInfo& info : *infos) {
    names += info.name + "=" + info.settings.of + " ";
  }
  EXPECT_EQ(names, "a=a b=b ");
}

TEST_F(SubscriptionsTest, SettingsThatCannotBeAreRefused) {
  SubscriptionSettings settings = of_category("");
  EXPECT_EQ(subscriptions_->create(space_, "s", settings).code(), StatusCode::kInvalidArgument);
  settings = of_category("a");
  settings.in_flight_max = 0;
  EXPECT_EQ(subscriptions_->create(space_, "s", settings).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(subscriptions_->create(space_, "a/b", of_category("a")).code(),
            StatusCode::kInvalidArgument);
}

TEST(SubscriptionState, ReadsBackWhatItWrote) {
  SubscriptionState state;
  state.through = 17;
  state.acknowledged = 5;
  state.parked_next = 1;
  state.replay_until = 2;
  state.parked_end = 3;
  state.pending = {{4, 1}, {9, 0}};
  EXPECT_EQ(*parse_subscription_state(subscription_state_text(state)), state);
  for (const char* text : {"", "[]", "[2,0,0,0,0,0]", "[1,0,0,0,0,0,7]", "[1,0,0,0,x]"}) {
    EXPECT_EQ(parse_subscription_state(text).status().code(), StatusCode::kCorruption) << text;
  }
}

}  // namespace
}  // namespace firn
