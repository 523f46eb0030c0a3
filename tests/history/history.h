#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// What clients did and saw, and the judge of it. Knows nothing of the store: everything is recorded
// by the clients themselves (history_run.h), and the judge is a pure function.

namespace firn {

// Moments are numbers of one counter that all threads share, so a smaller one was earlier.
using Moment = uint64_t;

// An event as a client saw it. `token` is what the writer put into it, unique in the history.
struct SeenEvent {
  uint64_t position = 0;
  uint64_t token = 0;
  uint32_t stream = 0;  // 0: none
  int64_t stream_position = 0;
  auto operator<=>(const SeenEvent&) const = default;
};

// A request to store events, from the moment it was sent to its answer.
struct AppendOp {
  Moment begin = 0, end = 0;
  std::vector<uint64_t> tokens;
  uint32_t stream = 0;
  bool is_retry = false;  // of a request that was acknowledged before `begin`
  bool acked = false;     // else nobody knows whether it was stored, unless it was refused
  uint64_t first = 0, last = 0;
  std::optional<int64_t> expected{};  // version of its stream
  std::optional<int64_t> actual{};    // refused, for the stream had this one
};

// A client asked for the version of a stream.
struct VersionOp {
  Moment begin = 0, end = 0;
  uint32_t stream = 0;
  int64_t version = -1;
};

// A reading of one snapshot: the events at positions [from, to], of one stream or of all.
struct ReadOp {
  Moment begin = 0, end = 0;
  uint32_t reader = 0;
  uint64_t published = 0;  // the last position the snapshot shows
  uint64_t from = 0, to = 0;
  uint32_t stream = 0;  // 0: of all
  std::vector<SeenEvent> events;
};

// A count of the events at positions [from, to], to at most `published`.
struct CountOp {
  Moment begin = 0, end = 0;
  uint32_t reader = 0;
  uint64_t published = 0;
  uint64_t from = 0, to = 0, count = 0;
};

// What a subscriber was told and what it read thereupon.
struct Subscription {
  uint64_t from = 0;  // it began behind this position
  struct Notice {
    Moment at = 0;
    uint64_t position = 0;
  };
  std::vector<Notice> notices;
  std::vector<SeenEvent> events;  // in the order it got them
};

struct History {
  std::vector<AppendOp> appends;
  std::vector<ReadOp> reads;
  std::vector<CountOp> counts;
  std::vector<VersionOp> versions;
  std::vector<Subscription> subscriptions;
  std::vector<Moment> log_syncs;        // when syncs of the log began, ascending
  std::vector<SeenEvent> final_events;  // everything, read when all was over
};

enum class Wrong : uint8_t { kLost, kDup, kTorn, kGhost, kOrder };

struct Judgement {
  uint64_t operations = 0, acked_events = 0;
  std::map<Wrong, uint64_t> counts;
  std::vector<std::string> examples;  // the first few
  bool is_clean() const { return counts.empty(); }
  // "seed=... cycles=... acked=... lost=0 dup=0 torn=0 ghost=0 order=0"
  std::string line(uint64_t seed) const;
};

// What must hold, in the words of docs/guarantees.md:
//   - Positions are 1, 2, 3... without gaps, and no event is there twice.
//   - What was acknowledged is there, at the positions of the acknowledgement; a retry got the same
//     ones. What was not acknowledged is there whole or not at all. Nothing else is there.
//   - An append that began after another one was acknowledged has greater positions.
//   - Stream positions are 0, 1, 2... and ascend with the positions.
//   - What expected a version of its stream stands right behind it, so each version has one winner.
//     What was refused for another one is nowhere.
//   - Versions that clients are told (by refusals, or because they ask) are of events that were
//     sent, never go back, and count what was acknowledged before.
//   - A snapshot shows every append that was acknowledged before it was taken, and at least what
//     earlier snapshots showed; every position up to its last, with the event that is there for
//     good. It shows no event before it was sent.
//   - A subscriber gets every event behind its start once, in order, and hears of no position
//     before the log began to sync it.
Judgement judge_history(const History& history);

}  // namespace firn
