#include "views/metrics/metric_policy.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <utility>

#include "views/metrics/rollup_rows.h"

namespace firn {

namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (is_plain(c)) {
      escaped.push_back(c);
    } else {
      escaped += "%" + hex_encode({&c, 1});
    }
  }
  return escaped;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    plain.push_back(text[i]);
    if (text[i] != '%') continue;
    if (!hex_decode(text.substr(i + 1, 2), &plain.back(), 1)) return std::nullopt;
    i += 2;
  }
  return plain;
}

// What is before the next separator; the text loses it and the separator.
std::string_view take_until(char separator, std::string_view* text) {
  const size_t end = std::min(text->find(separator), text->size());
  const std::string_view taken = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return taken;
}

std::optional<int64_t> parse_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<RollupLevel> parse_level(std::string_view text) {
  const auto window = parse_number(take_until(':', &text)), keep = parse_number(text);
  if (!window || !keep) return std::nullopt;
  return RollupLevel{*window, *keep};
}

std::string levels_text(const std::vector<RollupLevel>& levels) {
  std::string text;
  for (const RollupLevel& level : levels) {
    text += " " + std::to_string(level.window_ns) + ":" + std::to_string(level.keep_ns);
  }
  return text;
}

std::string match_text(const SeriesMatch& match) {
  std::string text;
  if (!match.name.empty()) text += " name=" + escape(match.name);
  for (const auto& [label, value] : match.labels) {
    text += " label=" + escape(label) + "=" + escape(value);
  }
  return text;
}

// Reads "name=..." or "label=...=..." into the match.
bool parse_match(std::string_view text, SeriesMatch* match) {
  const std::string_view kind = take_until('=', &text);
  const auto first = unescape(take_until('=', &text)), second = unescape(text);
  if (!first || !second) return false;
  if (kind == "name") {
    match->name = *first;
  } else if (kind == "label") {
    match->labels.emplace_back(*first, *second);
  } else {
    return false;
  }
  return true;
}

std::optional<RetentionRule> parse_rule(std::string_view text) {
  RetentionRule rule;
  const std::string_view raw = take_until(' ', &text);
  if (raw != "-") {
    rule.raw_ns = parse_number(raw);
    if (!rule.raw_ns) return std::nullopt;
  }
  while (!text.empty()) {
    const std::string_view word = take_until(' ', &text);
    if (word.find('=') != std::string_view::npos) {
      if (!parse_match(word, &rule.match)) return std::nullopt;
    } else {
      const auto level = parse_level(word);
      if (!level) return std::nullopt;
      rule.rollups.push_back(*level);
    }
  }
  return rule;
}

Status check_rule(const RetentionRule& rule, const std::vector<RollupLevel>& levels) {
  if (!rule.match.series.empty()) {
    return invalid_argument("it matches identities; match a name or labels");
  }
  if (rule.match.is_empty()) {
    return invalid_argument(
        "it has an empty match; say which series by name, server_id or label.<key>. "
        "What is for all series, say beside the rules");
  }
  for (const auto& [label, value] : rule.match.labels) {
    if (label.empty()) return invalid_argument("it matches a label without a name");
  }
  if (rule.raw_ns && *rule.raw_ns <= 0) {
    return invalid_argument("it must keep raw samples for more than nothing");
  }
  std::set<DurationNs> widths;
  for (const RollupLevel& level : rule.rollups) {
    const std::string name = "the rollup of " + format_duration(level.window_ns);
    const bool is_known = std::any_of(levels.begin(), levels.end(), [&](const RollupLevel& known) {
      return known.window_ns == level.window_ns;
    });
    if (!is_known) return invalid_argument("it has " + name + ", which the namespace has not");
    if (!widths.insert(level.window_ns).second) {
      return invalid_argument("it has " + name + " twice");
    }
    if (level.keep_ns <= 0)
      return invalid_argument("it must keep " + name + " for more than nothing");
  }
  return Status();
}

Status check_levels(const std::vector<RollupLevel>& rollups, DurationNs chunk_interval_ns) {
  if (rollups.size() > std::size(kRollupDatasets)) {
    return invalid_argument("there are more than " + std::to_string(std::size(kRollupDatasets)) +
                            " rollups, the limit");
  }
  DurationNs before = kSecondNs;
  for (const RollupLevel& level : rollups) {
    const std::string name = "the rollup of " + format_duration(level.window_ns);
    if (level.window_ns <= 0 || level.window_ns % before != 0) {
      return invalid_argument(name + " must be a multiple of " + format_duration(before));
    }
    if (before != kSecondNs && level.window_ns == before) {
      return invalid_argument(name + " is there twice");
    }
    if (chunk_interval_ns % level.window_ns != 0) {
      return invalid_argument(name + " must divide chunk_interval, " +
                              format_duration(chunk_interval_ns));
    }
    if (level.keep_ns <= 0) return invalid_argument(name + " must be kept for more than nothing");
    before = level.window_ns;
  }
  return Status();
}

}  // namespace

DurationNs MetricPolicy::raw_keep_ns(size_t decider) const {
  if (decider == rules.size()) return raw_ns;
  return rules[decider].raw_ns.value_or(raw_ns);
}

DurationNs MetricPolicy::rollup_keep_ns(size_t level, size_t decider) const {
  if (decider < rules.size()) {
    for (const RollupLevel& own : rules[decider].rollups) {
      if (own.window_ns == rollups[level].window_ns) return own.keep_ns;
    }
  }
  return rollups[level].keep_ns;
}

RuleMatcher::RuleMatcher(const MetricPolicy& policy) {
  for (const RetentionRule& rule : policy.rules) {
    Rule& added = rules_.emplace_back();
    added.name = rule.match.name;
    for (const auto& [label, value] : rule.match.labels) added.labels.emplace_back(label, value);
  }
}

size_t RuleMatcher::decider_of(std::string_view name, std::string_view labels) const {
  const auto matches = [&](const Rule& rule) {
    if (!rule.name.empty() && rule.name != name) return false;
    return std::all_of(rule.labels.begin(), rule.labels.end(),
                       [&](const DocumentMatcher& label) { return label.matches(labels); });
  };
  const auto found = std::find_if(rules_.begin(), rules_.end(), matches);
  return static_cast<size_t>(found - rules_.begin());
}

Status check_metric_policy(const MetricPolicy& policy, DurationNs chunk_interval_ns) {
  if (policy.raw_ns <= 0) return invalid_argument("raw samples must be kept for more than nothing");
  FIRN_TRY(check_levels(policy.rollups, chunk_interval_ns));
  if (policy.rules.size() > kRetentionRulesMax) {
    return invalid_argument("there are more than " + std::to_string(kRetentionRulesMax) +
                            " rules, the limit");
  }
  for (size_t i = 0; i < policy.rules.size(); ++i) {
    FIRN_TRY(
        check_rule(policy.rules[i], policy.rollups).with_context("rule " + std::to_string(i + 1)));
  }
  return Status();
}

std::string metric_policy_text(const MetricPolicy& policy) {
  std::string text = std::to_string(policy.raw_ns) + levels_text(policy.rollups);
  for (const RetentionRule& rule : policy.rules) {
    text += ";" + (rule.raw_ns ? std::to_string(*rule.raw_ns) : "-") + levels_text(rule.rollups) +
            match_text(rule.match);
  }
  return text;
}

std::string rule_matches_text(const MetricPolicy& policy) {
  std::string text;
  for (const RetentionRule& rule : policy.rules) text += ";" + match_text(rule.match);
  return text;
}

std::optional<MetricPolicy> parse_metric_policy_text(std::string_view text) {
  MetricPolicy policy;
  policy.rollups.clear();
  std::string_view own = take_until(';', &text);
  const auto raw = parse_number(take_until(' ', &own));
  if (!raw) return std::nullopt;
  policy.raw_ns = *raw;
  while (!own.empty()) {
    const auto level = parse_level(take_until(' ', &own));
    if (!level) return std::nullopt;
    policy.rollups.push_back(*level);
  }
  while (!text.empty()) {
    auto rule = parse_rule(take_until(';', &text));
    if (!rule) return std::nullopt;
    policy.rules.push_back(std::move(*rule));
  }
  return policy;
}

}  // namespace firn
