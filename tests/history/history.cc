#include "tests/history/history.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace firn {

namespace {

constexpr size_t kExamplesMax = 10;

class Judge {
 public:
  explicit Judge(const History& history) : history_(history) {}

  Judgement run() {
    index_final_events();
    check_appends();
    check_order_of_acks();
    check_streams();
    check_expectations();
    check_versions();
    check_reads();
    check_counts();
    check_visibility();
    for (const Subscription& subscription : history_.subscriptions) {
      check_subscription(subscription);
    }
    judgement_.operations = history_.appends.size() + history_.reads.size() +
                            history_.counts.size() + history_.versions.size();
    return std::move(judgement_);
  }

 private:
  struct Snapshot {
    Moment begin, end;
    uint32_t reader;
    uint64_t published;
  };

  void object(Wrong wrong, const std::string& what) {
    ++judgement_.counts[wrong];
    if (judgement_.examples.size() < kExamplesMax) judgement_.examples.push_back(what);
  }

  static std::string name(const SeenEvent& event) {
    return "event " + std::to_string(event.token) + " at " + std::to_string(event.position);
  }

  void index_final_events() {
    uint64_t expected = 1;
    for (const SeenEvent& event : history_.final_events) {
      if (event.position > expected) object(Wrong::kOrder, "gap before " + name(event));
      if (event.position < expected) object(Wrong::kOrder, "out of order: " + name(event));
      expected = event.position + 1;
      by_position_.emplace(event.position, &event);
      if (!by_token_.emplace(event.token, &event).second) object(Wrong::kDup, name(event));
    }
  }

  void check_appends() {
    for (const AppendOp& append : history_.appends) {
      for (const uint64_t token : append.tokens) {
        const auto [sent, is_first] = sent_at_.emplace(token, append.begin);
        sent->second = std::min(sent->second, append.begin);
        if (is_first && append.acked) ++judgement_.acked_events;
      }
      check_content(append);
      if (append.acked && !append.is_retry && !was_synced(append.begin, append.end)) {
        object(Wrong::kOrder,
               "acknowledged without a sync: event " + std::to_string(append.tokens[0]));
      }
    }
    for (const SeenEvent& event : history_.final_events) {
      if (!sent_at_.contains(event.token)) object(Wrong::kGhost, name(event));
    }
  }

  // Every event of the request is there, one behind the other.
  void check_content(const AppendOp& append) {
    size_t present = 0;
    for (size_t i = 0; i < append.tokens.size(); ++i) {
      const auto found = by_token_.find(append.tokens[i]);
      if (found == by_token_.end()) continue;
      ++present;
      const SeenEvent& event = *found->second;
      if (append.acked && event.position != append.first + i) {
        object(Wrong::kOrder,
               name(event) + ", acknowledged at " + std::to_string(append.first + i));
      }
      if (event.stream != append.stream) object(Wrong::kTorn, name(event) + " changed its stream");
    }
    const std::string first = "event " + std::to_string(append.tokens[0]);
    if (append.acked && append.last - append.first + 1 != append.tokens.size()) {
      object(Wrong::kOrder, "positions of " + first + " do not fit its number of events");
    }
    if (present == append.tokens.size()) return;
    if (append.acked) {
      object(Wrong::kLost, first + " and its batch: " + std::to_string(present) + " of " +
                               std::to_string(append.tokens.size()));
    } else if (present > 0) {
      object(Wrong::kTorn, first + " and its batch");
    }
  }

  bool was_synced(Moment after, Moment before) const {
    const auto sync = std::upper_bound(history_.log_syncs.begin(), history_.log_syncs.end(), after);
    return sync != history_.log_syncs.end() && *sync < before;
  }

  // Calls visit(later, greatest value of all operations that had ended when `later` began).
  template <typename Op>
  static void visit_after_ended(const std::vector<const Op*>& ops,
                                const std::function<uint64_t(const Op&)>& value,
                                const std::function<void(const Op&, uint64_t)>& visit) {
    std::vector<const Op*> by_begin = ops, by_end = ops;
    std::sort(by_begin.begin(), by_begin.end(),
              [](const Op* a, const Op* b) { return a->begin < b->begin; });
    std::sort(by_end.begin(), by_end.end(),
              [](const Op* a, const Op* b) { return a->end < b->end; });
    uint64_t greatest = 0;
    size_t ended = 0;
    for (const Op* op : by_begin) {
      for (; ended < by_end.size() && by_end[ended]->end < op->begin; ++ended) {
        greatest = std::max(greatest, value(*by_end[ended]));
      }
      visit(*op, greatest);
    }
  }

  void check_order_of_acks() {
    std::vector<const AppendOp*> acked;
    for (const AppendOp& append : history_.appends) {
      if (append.acked && !append.is_retry) acked.push_back(&append);
    }
    visit_after_ended<AppendOp>(
        acked, [](const AppendOp& append) { return append.last; },
        [&](const AppendOp& append, uint64_t before) {
          if (append.first > before) return;
          object(Wrong::kOrder, "position " + std::to_string(append.first) + " was given after " +
                                    std::to_string(before) + " had been acknowledged");
        });
  }

  void check_streams() {
    std::unordered_map<uint32_t, int64_t> heads;
    for (const SeenEvent& event : history_.final_events) {
      if (event.stream == 0) continue;
      int64_t& head = heads[event.stream];
      if (event.stream_position != head) object(Wrong::kOrder, "stream position of " + name(event));
      head = event.stream_position + 1;
    }
  }

  void check_expectations() {
    for (const AppendOp& append : history_.appends) {
      const auto found = by_token_.find(append.tokens[0]);
      const std::string first = "event " + std::to_string(append.tokens[0]);
      if (append.actual.has_value() && found != by_token_.end()) {
        object(Wrong::kGhost, first + " was refused and is there");
      }
      if (append.actual.has_value() && append.actual == append.expected) {
        object(Wrong::kOrder, first + " was refused for the version that it expected");
      }
      if (!append.acked || !append.expected.has_value() || found == by_token_.end()) continue;
      const int64_t stands = found->second->stream_position;
      if (stands == *append.expected + 1) continue;
      object(Wrong::kOrder, first + " expected version " + std::to_string(*append.expected) +
                                " and stands at " + std::to_string(stands));
    }
  }

  // A version that somebody was told, or that an acknowledgement made.
  struct Head {
    Moment begin, end;
    int64_t version;
    bool is_told;
  };

  void check_versions() {
    std::map<uint32_t, std::vector<Head>> heads;
    for (const AppendOp& append : history_.appends) {
      const auto last = by_token_.find(append.tokens.back());
      if (append.actual.has_value()) {
        heads[append.stream].push_back({append.begin, append.end, *append.actual, true});
      } else if (append.acked && append.stream != 0 && last != by_token_.end()) {
        const int64_t version = last->second->stream_position;
        heads[append.stream].push_back({append.begin, append.end, version, false});
      }
    }
    for (const VersionOp& op : history_.versions) {
      heads[op.stream].push_back({op.begin, op.end, op.version, true});
    }
    for (const auto& [stream, of_stream] : heads) check_heads(stream, of_stream);
  }

  void check_heads(uint32_t stream, const std::vector<Head>& heads) {
    std::map<int64_t, Moment> sent;  // when the event of each version was
    for (const SeenEvent& event : history_.final_events) {
      const auto at = sent_at_.find(event.token);
      if (event.stream == stream && at != sent_at_.end()) sent[event.stream_position] = at->second;
    }
    const std::string of_stream = " of stream " + std::to_string(stream);
    std::vector<const Head*> all;
    for (const Head& head : heads) {
      all.push_back(&head);
      if (!head.is_told || head.version < 0) continue;
      const auto at = sent.find(head.version);
      if (at != sent.end() && at->second < head.end) continue;
      object(Wrong::kGhost,
             "somebody was told of version " + std::to_string(head.version) + of_stream);
    }
    // As numbers of events, because -1 is none.
    visit_after_ended<Head>(
        all, [](const Head& head) { return static_cast<uint64_t>(head.version + 1); },
        [&](const Head& head, uint64_t before) {
          if (!head.is_told || static_cast<uint64_t>(head.version + 1) >= before) return;
          object(Wrong::kLost, "somebody was told version " + std::to_string(head.version) +
                                   of_stream + " after " + std::to_string(before - 1) +
                                   " had been acknowledged or told");
        });
  }

  void check_reads() {
    for (const ReadOp& read : history_.reads) {
      std::vector<SeenEvent> expected;
      for (auto it = by_position_.lower_bound(read.from);
           it != by_position_.end() && it->first <= read.to; ++it) {
        if (read.stream == 0 || it->second->stream == read.stream) expected.push_back(*it->second);
      }
      check_seen(read.events, expected, read.end);
    }
  }

  // What somebody read, against what is there for good.
  void check_seen(const std::vector<SeenEvent>& seen, const std::vector<SeenEvent>& expected,
                  Moment until) {
    uint64_t previous = 0;
    for (const SeenEvent& event : seen) {
      if (event.position == previous) object(Wrong::kDup, name(event) + " was read twice");
      if (event.position < previous) object(Wrong::kOrder, name(event) + " was read too late");
      previous = event.position;
      const auto sent = sent_at_.find(event.token);
      if (sent == sent_at_.end() || sent->second > until) {
        object(Wrong::kGhost, name(event) + " was read before it was sent");
      }
      if (!std::binary_search(expected.begin(), expected.end(), event)) {
        object(Wrong::kGhost, name(event) + " was read and is not there");
      }
    }
    for (const SeenEvent& event : expected) {
      if (!std::binary_search(seen.begin(), seen.end(), event)) {
        object(Wrong::kLost, name(event) + " was skipped by a reader");
      }
    }
  }

  void check_counts() {
    for (const CountOp& op : history_.counts) {
      if (op.count == op.to - op.from + 1) continue;
      object(op.count > op.to - op.from + 1 ? Wrong::kDup : Wrong::kLost,
             "a count of positions " + std::to_string(op.from) + " to " + std::to_string(op.to) +
                 " says " + std::to_string(op.count));
    }
  }

  void check_visibility() {
    std::vector<Snapshot> snapshots;
    snapshots.reserve(history_.reads.size() + history_.counts.size());
    for (const ReadOp& op : history_.reads) {
      snapshots.push_back({op.begin, op.end, op.reader, op.published});
    }
    for (const CountOp& op : history_.counts) {
      snapshots.push_back({op.begin, op.end, op.reader, op.published});
    }
    // Acknowledgements count as snapshots that showed their last position.
    const size_t readings = snapshots.size();
    for (const AppendOp& op : history_.appends) {
      if (op.acked) snapshots.push_back({op.begin, op.end, 0, op.last});
    }
    std::vector<const Snapshot*> all;
    all.reserve(snapshots.size());
    for (const Snapshot& snapshot : snapshots) all.push_back(&snapshot);
    visit_after_ended<Snapshot>(
        all, [](const Snapshot& snapshot) { return snapshot.published; },
        [&](const Snapshot& snapshot, uint64_t before) {
          const bool is_reading = &snapshot < snapshots.data() + readings;
          if (!is_reading || snapshot.published >= before) return;
          object(Wrong::kLost, "reader " + std::to_string(snapshot.reader) + " saw up to " +
                                   std::to_string(snapshot.published) + " after " +
                                   std::to_string(before) + " had been acknowledged or seen");
        });
  }

  void check_subscription(const Subscription& subscription) {
    uint64_t heard = 0;
    for (const Subscription::Notice& notice : subscription.notices) {
      if (notice.position < heard) object(Wrong::kOrder, "a subscriber was told an old position");
      heard = notice.position;
      const auto event = by_position_.find(notice.position);
      if (event == by_position_.end()) {
        object(Wrong::kGhost, "a subscriber heard of position " + std::to_string(heard));
        continue;
      }
      const auto sent = sent_at_.find(event->second->token);
      if (sent != sent_at_.end() && !was_synced(sent->second, notice.at)) {
        object(Wrong::kGhost,
               "a subscriber heard of " + name(*event->second) + " before the log synced it");
      }
    }
    const std::vector<SeenEvent>& all = history_.final_events;
    const auto behind = std::find_if(all.begin(), all.end(), [&](const SeenEvent& event) {
      return event.position > subscription.from;
    });
    check_seen(subscription.events, {behind, all.end()}, UINT64_MAX);
  }

  const History& history_;
  Judgement judgement_;
  std::map<uint64_t, const SeenEvent*> by_position_;
  std::unordered_map<uint64_t, const SeenEvent*> by_token_;
  std::unordered_map<uint64_t, Moment> sent_at_;
};

}  // namespace

std::string Judgement::line(uint64_t seed) const {
  std::string text = "seed=" + std::to_string(seed) + " cycles=" + std::to_string(operations) +
                     " acked=" + std::to_string(acked_events);
  constexpr std::pair<Wrong, const char*> kNames[] = {{Wrong::kLost, "lost"},
                                                      {Wrong::kDup, "dup"},
                                                      {Wrong::kTorn, "torn"},
                                                      {Wrong::kGhost, "ghost"},
                                                      {Wrong::kOrder, "order"}};
  for (const auto& [wrong, name] : kNames) {
    const auto found = counts.find(wrong);
    text +=
        std::string(" ") + name + "=" + std::to_string(found == counts.end() ? 0 : found->second);
  }
  return text;
}

Judgement judge_history(const History& history) { return Judge(history).run(); }

}  // namespace firn
