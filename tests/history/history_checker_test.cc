// The judge of histories is fed right ones and wrong ones. It must object to exactly the wrong.

#include <gtest/gtest.h>

#include "tests/history/history.h"

namespace firn {
namespace {

// Two writers, a reader and a subscriber. Moments are tens, so that there is room in between.
History good_history() {
  History history;
  history.appends = {
      {10, 20, {1, 2}, 1, false, true, 1, 2},   // a batch of writer 1
      {15, 30, {3}, 2, false, true, 3, 3},      // writer 2, at the same time
      {40, 50, {4, 5}, 1, false, true, 4, 5},   //
      {60, 65, {1, 2}, 1, true, true, 1, 2},    // a retry of the first
      {70, 80, {6, 7}, 2, false, false, 0, 0},  // never answered, but stored
      {75, 85, {8}, 0, false, false, 0, 0},     // never answered, and not stored
  };
  history.final_events = {{1, 1, 1, 0}, {2, 2, 1, 1}, {3, 3, 2, 0}, {4, 4, 1, 2},
                          {5, 5, 1, 3}, {6, 6, 2, 1}, {7, 7, 2, 2}};
  const std::vector<SeenEvent>& all = history.final_events;
  history.reads = {{31, 35, 1, 3, 1, 3, 0, {all[0], all[1], all[2]}},
                   {51, 55, 1, 5, 1, 5, 1, {all[0], all[1], all[3], all[4]}}};
  history.counts = {{90, 95, 1, 7, 2, 7, 6}};
  history.subscriptions = {{2, {{29, 3}, {48, 5}, {79, 7}}, {all.begin() + 2, all.end()}}};
  history.log_syncs = {18, 27, 45, 77};
  return history;
}

void expect_objection(const History& history, Wrong wrong, const std::string& words) {
  const Judgement judgement = judge_history(history);
  EXPECT_TRUE(judgement.counts.contains(wrong)) << judgement.line(1);
  std::string examples;
  for (const std::string& example : judgement.examples) examples += example + "\n";
  EXPECT_NE(examples.find(words), std::string::npos) << examples;
}

TEST(HistoryChecker, AGoodHistoryIsClean) {
  const Judgement judgement = judge_history(good_history());
  EXPECT_TRUE(judgement.is_clean()) << judgement.examples.at(0);
  EXPECT_EQ(judgement.line(1), "seed=1 cycles=9 acked=5 lost=0 dup=0 torn=0 ghost=0 order=0");
}

TEST(HistoryChecker, ALostEvent) {
  History history = good_history();
  history.appends.push_back({96, 99, {9}, 0, false, true, 8, 8});
  history.log_syncs.push_back(97);
  expect_objection(history, Wrong::kLost, "event 9 and its batch: 0 of 1");
}

TEST(HistoryChecker, ALostEventThatLeavesAGap) {
  History history = good_history();
  history.final_events.erase(history.final_events.begin() + 2);
  expect_objection(history, Wrong::kOrder, "gap before event 4");
  expect_objection(history, Wrong::kLost, "event 3 and its batch");
}

TEST(HistoryChecker, ADoubledEvent) {
  History history = good_history();
  history.final_events.push_back({8, 3, 2, 3});
  expect_objection(history, Wrong::kDup, "event 3 at 8");
}

TEST(HistoryChecker, TwoEventsAtOnePosition) {
  History history = good_history();
  history.final_events[4].position = 4;
  expect_objection(history, Wrong::kOrder, "out of order: event 5 at 4");
}

TEST(HistoryChecker, ATornBatch) {
  History history = good_history();
  history.final_events.pop_back();
  expect_objection(history, Wrong::kTorn, "event 6 and its batch");
}

TEST(HistoryChecker, AnEventOfNobody) {
  History history = good_history();
  history.final_events.push_back({8, 77, 0, 0});
  expect_objection(history, Wrong::kGhost, "event 77");
}

TEST(HistoryChecker, EventsOfABatchInAnotherOrder) {
  History history = good_history();
  std::swap(history.final_events[3].token, history.final_events[4].token);
  expect_objection(history, Wrong::kOrder, "acknowledged at 4");
}

TEST(HistoryChecker, AnAppendAfterAnAcknowledgementWithASmallerPosition) {
  History history = good_history();
  history.appends[2].end = 12;  // then it was over before the second began
  history.appends[2].begin = 11;
  expect_objection(history, Wrong::kOrder, "position 3 was given after 5 had been acknowledged");
}

TEST(HistoryChecker, ARetryWithOtherPositions) {
  History history = good_history();
  history.appends[3].first = 6;
  history.appends[3].last = 7;
  expect_objection(history, Wrong::kOrder, "event 1 at 1, acknowledged at 6");
}

TEST(HistoryChecker, AGapInAStream) {
  History history = good_history();
  history.final_events[4].stream_position = 4;
  expect_objection(history, Wrong::kOrder, "stream position of event 5");
}

TEST(HistoryChecker, AnEventInAnotherStream) {
  History history = good_history();
  history.final_events[2].stream = 3;
  expect_objection(history, Wrong::kTorn, "event 3 at 3 changed its stream");
}

TEST(HistoryChecker, AReaderThatDoesNotSeeWhatWasAcknowledged) {
  History history = good_history();
  history.reads[0].published = history.reads[0].to = 2;
  history.reads[0].events.pop_back();
  expect_objection(history, Wrong::kLost, "saw up to 2 after 3");
}

TEST(HistoryChecker, AReaderThatGoesBack) {
  History history = good_history();
  history.appends[2].acked = false;
  history.counts[0] = {56, 58, 1, 4, 2, 4, 3};
  expect_objection(history, Wrong::kLost, "saw up to 4 after 5");
}

TEST(HistoryChecker, AReadThatSkips) {
  History history = good_history();
  history.reads[0].events.erase(history.reads[0].events.begin() + 1);
  expect_objection(history, Wrong::kLost, "event 2 at 2 was skipped");
}

TEST(HistoryChecker, AReadOfWhatIsGoneLater) {
  History history = good_history();
  history.reads[1].events.push_back({6, 8, 1, 4});
  expect_objection(history, Wrong::kGhost, "event 8 at 6 was read and is not there");
}

TEST(HistoryChecker, AReadOfWhatWasNotSentYet) {
  History history = good_history();
  history.reads[0].to = history.reads[0].published = 4;
  history.reads[0].events.push_back(history.final_events[3]);
  expect_objection(history, Wrong::kGhost, "event 4 at 4 was read before it was sent");
}

TEST(HistoryChecker, AWrongCount) {
  History history = good_history();
  history.counts[0].count = 5;
  expect_objection(history, Wrong::kLost, "says 5");
  history.counts[0].count = 7;
  expect_objection(history, Wrong::kDup, "says 7");
}

TEST(HistoryChecker, ASubscriberThatMissesAnEvent) {
  History history = good_history();
  history.subscriptions[0].events.erase(history.subscriptions[0].events.begin() + 1);
  expect_objection(history, Wrong::kLost, "event 4 at 4 was skipped");
}

TEST(HistoryChecker, ASubscriberThatGetsAnEventTwice) {
  History history = good_history();
  auto& events = history.subscriptions[0].events;
  events.insert(events.begin() + 1, events[0]);
  expect_objection(history, Wrong::kDup, "event 3 at 3 was read twice");
}

TEST(HistoryChecker, ASubscriberThatGetsEventsInAnotherOrder) {
  History history = good_history();
  auto& events = history.subscriptions[0].events;
  std::swap(events[0], events[1]);
  expect_objection(history, Wrong::kOrder, "event 3 at 3 was read too late");
}

TEST(HistoryChecker, ASubscriberThatHearsTooEarly) {
  History history = good_history();
  history.subscriptions[0].notices[1].at = 44;
  expect_objection(history, Wrong::kGhost, "event 5 at 5 before the log synced it");
}

// Two clients want to write version 1 of a stream, and one of them does.
History good_race() {
  History history;
  history.appends = {{10, 20, {1}, 1, false, true, 1, 1, -1, {}},
                     {30, 40, {2}, 1, false, true, 2, 2, 0, {}},
                     {31, 45, {3}, 1, false, false, 0, 0, 0, 1},
                     {50, 55, {2}, 1, true, true, 2, 2, 0, {}}};
  history.final_events = {{1, 1, 1, 0}, {2, 2, 1, 1}};
  history.versions = {{5, 6, 1, -1}, {21, 25, 1, 0}, {32, 46, 1, 0}, {41, 47, 1, 1}};
  history.log_syncs = {15, 35};
  return history;
}

TEST(HistoryChecker, AGoodRaceIsClean) {
  const Judgement judgement = judge_history(good_race());
  EXPECT_TRUE(judgement.is_clean()) << judgement.examples.at(0);
}

TEST(HistoryChecker, TwoWinnersOfOneVersion) {
  History history = good_race();
  history.appends[2] = {31, 45, {3}, 1, false, true, 3, 3, 0, {}};
  history.final_events.push_back({3, 3, 1, 2});
  expect_objection(history, Wrong::kOrder, "event 3 expected version 0 and stands at 2");
}

TEST(HistoryChecker, ARefusedEventThatIsThere) {
  History history = good_race();
  history.final_events.push_back({3, 3, 1, 2});
  expect_objection(history, Wrong::kGhost, "event 3 was refused and is there");
}

TEST(HistoryChecker, ARefusalWithoutReason) {
  History history = good_race();
  history.appends[2].actual = 0;
  expect_objection(history, Wrong::kOrder, "event 3 was refused for the version that it expected");
}

TEST(HistoryChecker, ARefusalThatTellsOfNothing) {
  History history = good_race();
  history.appends[2].actual = 2;
  expect_objection(history, Wrong::kGhost, "somebody was told of version 2 of stream 1");
}

TEST(HistoryChecker, AVersionThatForgetsAnAcknowledgement) {
  History history = good_race();
  history.versions[3].version = 0;
  expect_objection(history, Wrong::kLost, "told version 0 of stream 1 after 1");
}

TEST(HistoryChecker, AVersionBeforeItsEventWasSent) {
  History history = good_race();
  history.versions[1].version = 1;
  expect_objection(history, Wrong::kGhost, "somebody was told of version 1 of stream 1");
}

TEST(HistoryChecker, AVersionThatGoesBack) {
  History history = good_race();
  history.versions.push_back({36, 37, 1, 1});  // before the acknowledgement
  history.versions.push_back({38, 39, 1, 0});
  expect_objection(history, Wrong::kLost, "told version 0 of stream 1 after 1");
}

TEST(HistoryChecker, AnAcknowledgementWithoutASync) {
  History history = good_history();
  history.log_syncs = {18, 27, 77};
  expect_objection(history, Wrong::kOrder, "acknowledged without a sync: event 4");
}

}  // namespace
}  // namespace firn
