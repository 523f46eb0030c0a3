#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "model/attribute.h"
#include "store/options.h"
#include "views/metrics/metric_reads.h"

namespace firn {

struct RollupLevel {
  DurationNs window_ns = 0;
  DurationNs keep_ns = kForever;
  bool operator==(const RollupLevel&) const = default;
};

// What is kept otherwise of some series of a namespace. What it does not say is as the namespace
// says.
struct RetentionRule {
  SeriesMatch match{};  // by name and labels, no identities
  std::optional<DurationNs> raw_ns{};
  std::vector<RollupLevel> rollups{};  // some of the namespace's widths, each once
  bool operator==(const RetentionRule&) const = default;
};

// What is kept of a namespace's samples, and for how long (docs/formats/rollups.md, "Retention").
struct MetricPolicy {
  DurationNs raw_ns = kForever;
  // From narrow to wide, at most one for each of the datasets of rollups.
  std::vector<RollupLevel> rollups = {
      {5 * kMinuteNs, kForever}, {kHourNs, kForever}, {kDayNs, kForever}};
  std::vector<RetentionRule> rules{};  // the first one that matches a series decides on it
  bool operator==(const MetricPolicy&) const = default;

  // How many decide: the rules by their number, and behind them the namespace itself.
  size_t deciders() const { return rules.size() + 1; }
  DurationNs raw_keep_ns(size_t decider) const;
  DurationNs rollup_keep_ns(size_t level, size_t decider) const;
};

constexpr size_t kRetentionRulesMax = 100;

// Tells who decides on a series. The policy must outlive it. Thread rule: one thread.
class RuleMatcher {
 public:
  explicit RuleMatcher(const MetricPolicy& policy);
  // `labels` as a definition has them.
  size_t decider_of(std::string_view name, std::string_view labels) const;

 private:
  struct Rule {
    std::string_view name;  // empty: any
    std::vector<DocumentMatcher> labels;
  };
  std::vector<Rule> rules_;
};

// kInvalidArgument saying what cannot be: more than three rollups, a width that is no multiple of
// the one before or does not divide the chunk interval, ages that are not positive; rules that
// match nothing in particular, name series by identity or have a width that the namespace has not.
Status check_metric_policy(const MetricPolicy& policy, DurationNs chunk_interval_ns);

// As it is stored: nanoseconds, "RAW WINDOW:KEEP WINDOW:KEEP", and behind it for each rule
// ";RAW WINDOW:KEEP name=debug label=env=dev" with "-" for a RAW that it does not say; texts have
// everything but letters, digits, '_', '.' and '-' as %XX. Nothing when the text is none.
std::string metric_policy_text(const MetricPolicy& policy);
std::optional<MetricPolicy> parse_metric_policy_text(std::string_view text);
// Of the text, what says which rule matches which series.
std::string rule_matches_text(const MetricPolicy& policy);

}  // namespace firn
