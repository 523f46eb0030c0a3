#include "views/metrics/metric_policy.h"

#include <gmock/gmock.h>

namespace firn {
namespace {

using testing::HasSubstr;

constexpr DurationNs kFiveMinutes = 5 * kMinuteNs;

RetentionRule rule_of(std::string name, DurationNs raw = kDayNs) {
  RetentionRule rule;
  rule.match.name = std::move(name);
  rule.raw_ns = raw;
  return rule;
}

TEST(MetricPolicyText, TextsFromBeforeThereWereRulesMeanTheSame) {
  const auto policy = parse_metric_policy_text("86400000000000 300000000000:9223372036854775807");
  ASSERT_TRUE(policy.has_value());
  EXPECT_EQ(policy->raw_ns, kDayNs);
  EXPECT_EQ(policy->rollups, (std::vector<RollupLevel>{{kFiveMinutes, kForever}}));
  EXPECT_TRUE(policy->rules.empty());
  EXPECT_EQ(metric_policy_text(*policy), "86400000000000 300000000000:9223372036854775807");
  EXPECT_TRUE(parse_metric_policy_text("5").has_value());
}

TEST(MetricPolicyText, RulesComeBackWhateverTheirTextsHold) {
  MetricPolicy policy;
  policy.rules = {rule_of("debug"), rule_of(" ;=:%\n\"\\"), {}};
  policy.rules[1].match.labels = {{"a=b", ""}, {"\xc3\xa4;", "- 1:2"}, {"", "x"}};
  policy.rules[2].match.labels = {{"env", "dev"}};
  policy.rules[2].rollups = {{kFiveMinutes, kHourNs}, {kDayNs, kForever}};
  const std::string text = metric_policy_text(policy);
  EXPECT_EQ(text.find_first_of("\n\"\\"), std::string::npos) << text;
  const auto parsed = parse_metric_policy_text(text);
  ASSERT_TRUE(parsed.has_value()) << text;
  EXPECT_EQ(*parsed, policy) << text;
}

TEST(MetricPolicyText, WhatIsNoPolicyIsNone) {
  for (const std::string_view bad :
       {"", "x", "1 2", "1 2:x", "1;x", "1;- 2", "1;- name", "1;- name=%", "1;- name=%zz",
        "1;- other=x", "1; name=x", "1;2 3:4:5"}) {
    EXPECT_FALSE(parse_metric_policy_text(bad).has_value()) << bad;
  }
}

TEST(MetricPolicyCheck, RulesThatCannotBeAreRefusedByNumberAndName) {
  const auto refusal = [](RetentionRule rule) {
    MetricPolicy policy;
    policy.rules = {rule_of("fine"), std::move(rule)};
    const Status status = check_metric_policy(policy, kDayNs);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("rule 2: "));
    return std::string(status.message());
  };
  EXPECT_THAT(refusal(rule_of("")), HasSubstr("empty match"));
  EXPECT_THAT(refusal(rule_of("a", 0)), HasSubstr("raw samples"));
  RetentionRule rule = rule_of("a");
  rule.match.series = {"0000000000000000000000000000000a"};
  EXPECT_THAT(refusal(rule), HasSubstr("identities"));
  rule = rule_of("a");
  rule.match.labels = {{"", "x"}};
  EXPECT_THAT(refusal(rule), HasSubstr("without a name"));
  rule = rule_of("a");
  rule.rollups = {{kMinuteNs, kDayNs}};
  EXPECT_THAT(refusal(rule), HasSubstr("which the namespace has not"));
  rule.rollups = {{kHourNs, kDayNs}, {kHourNs, kDayNs}};
  EXPECT_THAT(refusal(rule), HasSubstr("twice"));
  rule.rollups = {{kHourNs, -1}};
  EXPECT_THAT(refusal(rule), HasSubstr("more than nothing"));
}

TEST(MetricPolicyCheck, ThereIsALimitOfRules) {
  MetricPolicy policy;
  policy.rules.assign(kRetentionRulesMax, rule_of("a"));
  EXPECT_TRUE(check_metric_policy(policy, kDayNs).ok());
  policy.rules.push_back(rule_of("a"));
  EXPECT_EQ(check_metric_policy(policy, kDayNs).code(), StatusCode::kInvalidArgument);
}

TEST(RuleMatcher, TheFirstRuleThatMatchesDecidesElseTheNamespace) {
  MetricPolicy policy;
  policy.rules = {rule_of("cpu"), {}, rule_of("disk")};
  policy.rules[0].match.labels = {{"env", "prod"}, {"host", "a"}};
  policy.rules[1].match.labels = {{"env", "prod"}};
  const RuleMatcher rules(policy);
  EXPECT_EQ(rules.decider_of("cpu", R"({"env":"prod","host":"a"})"), 0u);
  EXPECT_EQ(rules.decider_of("cpu", R"({"env":"prod","host":"b"})"), 1u);
  EXPECT_EQ(rules.decider_of("disk", R"({"env":"prod"})"), 1u);
  EXPECT_EQ(rules.decider_of("disk", R"({"env":"dev"})"), 2u);
  EXPECT_EQ(rules.decider_of("cpu", R"({"env":"dev"})"), policy.rules.size());
  EXPECT_EQ(rules.decider_of("cpu", ""), policy.rules.size());
}

TEST(MetricPolicyAges, WhatARuleDoesNotSayIsAsTheNamespaceSays) {
  MetricPolicy policy;
  policy.raw_ns = 2 * kDayNs;
  policy.rules = {rule_of("a", kHourNs), {}};
  policy.rules[1].rollups = {{kHourNs, 3 * kDayNs}};
  ASSERT_EQ(policy.deciders(), 3u);
  EXPECT_EQ(policy.raw_keep_ns(0), kHourNs);
  EXPECT_EQ(policy.raw_keep_ns(1), 2 * kDayNs);
  EXPECT_EQ(policy.raw_keep_ns(2), 2 * kDayNs);
  EXPECT_EQ(policy.rollup_keep_ns(1, 0), kForever);
  EXPECT_EQ(policy.rollup_keep_ns(1, 1), 3 * kDayNs);
  EXPECT_EQ(policy.rollup_keep_ns(0, 1), kForever);
  EXPECT_EQ(policy.rollup_keep_ns(1, 2), kForever);
}

}  // namespace
}  // namespace firn
