#include "server/event_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr TimeNs kNow = 1'767'225'600 * kSecondNs;  // 2026-01-01T00:00:00Z

Result<EventSelection> page(std::string_view query) {
  return parse_selection(query, SelectionKind::kPage, kNow, kLimits);
}

std::string error_of(std::string_view query, SelectionKind kind = SelectionKind::kPage) {
  const auto selection = parse_selection(query, kind, kNow, kLimits);
  if (selection.ok()) return "ok";
  EXPECT_EQ(selection.status().code(), StatusCode::kInvalidArgument);
  return std::string(selection.status().message());
}

TEST(EventParameters, NothingSelectsEverything) {
  const auto selection = page("");
  ASSERT_TRUE(selection.ok());
  EXPECT_TRUE(selection->filter.predicates.empty());
  EXPECT_EQ(selection->limit, 100u);
  EXPECT_EQ(selection->order, EventOrder::kPosition);
}

TEST(EventParameters, RepeatedValuesAreAnyOf) {
  const auto selection = page("type=a&source=s&type=b&attr.k8s.pod=x&attr.k8s.pod=y");
  ASSERT_TRUE(selection.ok());
  ASSERT_EQ(selection->filter.predicates.size(), 3u);
  EXPECT_EQ(selection->filter.predicates[0].column, ColumnId::kType);
  EXPECT_THAT(selection->filter.predicates[0].texts, ElementsAre("a", "b"));
  EXPECT_EQ(selection->filter.predicates[2].kind, PredicateKind::kAttribute);
  EXPECT_EQ(selection->filter.predicates[2].key, "k8s.pod");
  EXPECT_THAT(selection->filter.predicates[2].texts, ElementsAre("x", "y"));
}

TEST(EventParameters, TimesMayBeRelative) {
  const auto selection = page("from=-1h&to=now");
  ASSERT_TRUE(selection.ok());
  EXPECT_EQ(selection->filter.time.from, kNow - kHourNs);
  EXPECT_EQ(selection->filter.time.to, kNow);
}

TEST(EventParameters, AnUnescapedPlusInAnOffsetIsMended) {
  const auto selection = page("from=2026-01-01T01:00:00+01:00");
  ASSERT_TRUE(selection.ok()) << selection.status().to_string();
  EXPECT_EQ(selection->filter.time.from, kNow);
}

TEST(EventParameters, SeverityByNumberOrName) {
  const auto by_name = page("severity_min=warn");
  const auto by_number = page("severity_min=13");
  ASSERT_TRUE(by_name.ok() && by_number.ok());
  EXPECT_THAT(by_name->filter.predicates[0].numbers, ElementsAre(13));
  EXPECT_THAT(by_number->filter.predicates[0].numbers, ElementsAre(13));
  EXPECT_EQ(by_name->filter.predicates[0].kind, PredicateKind::kAtLeast);
}

TEST(EventParameters, AfterExcludesThePosition) {
  const auto selection = page("after=7");
  ASSERT_TRUE(selection.ok());
  EXPECT_EQ(selection->filter.positions.from, 8u);
  EXPECT_EQ(selection->after, 7u);
}

TEST(EventParameters, KindsAndTraces) {
  const auto selection = page("kind=span&kind=log&trace_id=0af7651916cd43dd8448eb211c80319c");
  ASSERT_TRUE(selection.ok());
  EXPECT_THAT(selection->filter.predicates[0].numbers, ElementsAre(3, 2));
  EXPECT_EQ(selection->filter.predicates[1].ids[0].to_hex(), "0af7651916cd43dd8448eb211c80319c");
}

TEST(EventParameters, OrderLimitAndCursor) {
  const auto selection = page("order=-time&limit=10000&cursor=5.6");
  ASSERT_TRUE(selection.ok());
  EXPECT_EQ(selection->order, EventOrder::kTimeDescending);
  EXPECT_EQ(selection->limit, 10000u);
  EXPECT_EQ(selection->cursor->position, 6u);
}

TEST(EventParameters, CountsGroupByColumnsAndWindows) {
  const auto selection =
      parse_selection("window=1m&group_by=type,source", SelectionKind::kCount, kNow, kLimits);
  ASSERT_TRUE(selection.ok());
  EXPECT_EQ(selection->window_ns, kMinuteNs);
  EXPECT_THAT(selection->group_by, ElementsAre(ColumnId::kType, ColumnId::kSource));
}

TEST(EventParameters, UnknownNamesAreNamed) {
  EXPECT_THAT(error_of("tpye=a"), HasSubstr("unknown query parameter 'tpye'"));
  EXPECT_THAT(error_of("window=1m"), HasSubstr("'window'"));
  EXPECT_THAT(error_of("limit=1", SelectionKind::kTail), HasSubstr("'limit'"));
  EXPECT_THAT(error_of("order=time", SelectionKind::kCount), HasSubstr("'order'"));
  EXPECT_THAT(error_of("attr.=1"), HasSubstr("'attr.'"));
}

TEST(EventParameters, BadValuesAreNamed) {
  EXPECT_THAT(error_of("from=yesterday"), HasSubstr("'from' is 'yesterday'"));
  EXPECT_THAT(error_of("severity_min=25"), HasSubstr("'severity_min'"));
  EXPECT_THAT(error_of("limit=0"), HasSubstr("page_rows"));
  EXPECT_THAT(error_of("limit=10001"), HasSubstr("10000"));
  EXPECT_THAT(error_of("after=-1"), HasSubstr("'after'"));
  EXPECT_THAT(error_of("after=18446744073709551615"), HasSubstr("'after'"));
  EXPECT_THAT(error_of("kind=thing"), HasSubstr("'kind'"));
  EXPECT_THAT(error_of("trace_id=12"), HasSubstr("'trace_id'"));
  EXPECT_THAT(error_of("cursor=x"), HasSubstr("'cursor'"));
  EXPECT_THAT(error_of("group_by=position", SelectionKind::kCount), HasSubstr("'group_by'"));
  EXPECT_THAT(error_of("group_by=type,type", SelectionKind::kCount), HasSubstr("'group_by'"));
  EXPECT_THAT(error_of("window=0s", SelectionKind::kCount), HasSubstr("'window'"));
}

TEST(EventParameters, SingleValuesMayNotBeRepeated) {
  EXPECT_THAT(error_of("limit=1&limit=2"), HasSubstr("more than once"));
  EXPECT_THAT(error_of("contains=a&contains=b"), HasSubstr("more than once"));
}

}  // namespace
}  // namespace firn
