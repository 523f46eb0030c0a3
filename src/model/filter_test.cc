#include "model/filter.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "model/attribute.h"
#include "model/test_rows.h"

namespace firn {
namespace {

// One row and one predicate at a time, from the row's values only: what apply_filter must agree
// with.
class Reference {
 public:
  explicit Reference(const Filter& filter) : filter_(filter) {}

  bool matches(const RecordBatch& batch, uint32_t row) const {
    const EventRow event = event_row(batch, row);
    if (!filter_.time.contains(event.time)) return false;
    if (!filter_.positions.contains(batch.position(row))) return false;
    for (const Predicate& predicate : filter_.predicates) {
      if (!matches(predicate, event, batch.position(row))) return false;
    }
    return true;
  }

 private:
  static bool matches(const Predicate& predicate, const EventRow& event, Position position) {
    switch (predicate.kind) {
      case PredicateKind::kContains:
        return any_text(predicate, [&](const std::string& text) {
          return event.data.find(text) != std::string_view::npos ||
                 event.metadata.find(text) != std::string_view::npos;
        });
      case PredicateKind::kAttribute: {
        const auto value = attribute_of(event.data, event.metadata, event.context, predicate.key);
        return any_text(predicate, [&](const std::string& text) { return value == text; });
      }
      default:
        break;
    }
    if (const auto text = text_of(predicate.column, event)) {
      if (predicate.kind == PredicateKind::kCategory) {
        return !text->empty() && any_text(predicate, [&](const std::string& wanted) {
          return wanted == text->substr(0, text->find('-'));
        });
      }
      return predicate.kind == PredicateKind::kEqual &&
             any_text(predicate, [&](const std::string& wanted) { return wanted == *text; });
    }
    if (const auto id = id_of(predicate.column, event)) {
      for (const Id& wanted : predicate.ids) {
        if (wanted == *id) return predicate.kind == PredicateKind::kEqual;
      }
      return false;
    }
    const int64_t number = number_of(predicate.column, event, position);
    for (const int64_t wanted : predicate.numbers) {
      if (predicate.kind == PredicateKind::kEqual && number == wanted) return true;
    }
    if (predicate.numbers.empty() || number == kAbsentInt64) return false;
    if (predicate.kind == PredicateKind::kAtLeast) return number >= predicate.numbers[0];
    return predicate.kind == PredicateKind::kLess && number < predicate.numbers[0];
  }

  template <typename Test>
  static bool any_text(const Predicate& predicate, Test&& test) {
    return std::any_of(predicate.texts.begin(), predicate.texts.end(), test);
  }
  static std::optional<std::string_view> text_of(ColumnId id, const EventRow& event) {
    switch (id) {
      case ColumnId::kType:
        return event.type;
      case ColumnId::kSubject:
        return event.subject;
      case ColumnId::kStream:
        return event.stream;
      case ColumnId::kCorrelationId:
        return event.correlation_id;
      case ColumnId::kData:
        return event.data;
      default:
        return std::nullopt;
    }
  }
  static std::optional<Id> id_of(ColumnId id, const EventRow& event) {
    Id span{};
    std::copy(event.span_id.begin(), event.span_id.end(), span.bytes.begin());
    switch (id) {
      case ColumnId::kId:
        return event.id;
      case ColumnId::kTraceId:
        return event.trace_id;
      case ColumnId::kSpanId:
        return span;
      default:
        return std::nullopt;
    }
  }
  static int64_t number_of(ColumnId id, const EventRow& event, Position position) {
    switch (id) {
      case ColumnId::kPosition:
        return static_cast<int64_t>(position);
      case ColumnId::kKind:
        return static_cast<int64_t>(event.kind);
      case ColumnId::kSeverity:
        return event.severity;
      case ColumnId::kDuration:
        return event.duration;
      case ColumnId::kStreamPosition:
        return event.stream_position;
      default:
        return event.time;
    }
  }

  const Filter& filter_;
};

std::vector<uint32_t> rows_of(const BatchSlice& slice) {
  std::vector<uint32_t> rows;
  for (uint32_t i = 0; i < slice.rows(); ++i) rows.push_back(slice.row(i));
  return rows;
}

std::vector<uint32_t> reference_rows(const BatchSlice& slice, const Filter& filter) {
  std::vector<uint32_t> rows;
  for (const uint32_t row : rows_of(slice)) {
    if (Reference(filter).matches(*slice.batch, row)) rows.push_back(row);
  }
  return rows;
}

// A predicate whose values mostly come from some row of the batch, so that it selects something.
Predicate random_predicate(RandomRows* random, const RecordBatch& batch) {
  static constexpr ColumnId kColumns[] = {
      ColumnId::kPosition, ColumnId::kTime,    ColumnId::kKind,           ColumnId::kSeverity,
      ColumnId::kDuration, ColumnId::kType,    ColumnId::kStreamPosition, ColumnId::kSubject,
      ColumnId::kStream,   ColumnId::kTraceId, ColumnId::kCorrelationId,  ColumnId::kData,
      ColumnId::kId,       ColumnId::kSpanId};
  static constexpr const char* kKeys[] = {"host", "http.status", "k8s.pod", "n", "lib", "none", ""};
  static constexpr const char* kTexts[] = {"host1", "host3", "200", "1", "null", "p2", "", "{"};
  Predicate predicate;
  predicate.kind = static_cast<PredicateKind>(random->random(5));
  predicate.column = kColumns[random->random(std::size(kColumns))];
  predicate.key = kKeys[random->random(std::size(kKeys))];
  const uint64_t values = random->random(20) == 0 ? 0 : (random->random(3) == 0 ? 12 : 1);
  for (uint64_t i = 0; i < values; ++i) {
    const auto row = static_cast<uint32_t>(random->random(batch.rows()));
    const EventRow event = event_row(batch, row);
    const ColumnSchema* schema = find_column(Dataset::kEvents, predicate.column);
    if (predicate.kind >= PredicateKind::kAttribute) {
      predicate.texts.emplace_back(kTexts[random->random(std::size(kTexts))]);
    } else if (schema->type == ColumnType::kString) {
      predicate.texts.emplace_back(batch.strings(predicate.column)[row]);
    }
    predicate.ids.push_back(predicate.column == ColumnId::kId ? event.id : event.trace_id);
    if (predicate.column == ColumnId::kSpanId) {
      predicate.ids.back() = Id{};
      std::copy(event.span_id.begin(), event.span_id.end(), predicate.ids.back().bytes.begin());
    }
    if (predicate.column == ColumnId::kPosition) {
      predicate.numbers.push_back(static_cast<int64_t>(batch.position(row)));
    } else if (schema->type == ColumnType::kUint8) {
      predicate.numbers.push_back(batch.uint8s(predicate.column)[row]);
    } else if (schema->type == ColumnType::kInt64) {
      predicate.numbers.push_back(batch.int64s(predicate.column)[row]);
    }
  }
  return predicate;
}

TEST(ApplyFilter, AgreesWithARowByRowReference) {
  uint64_t some = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    RandomRows random(seed);
    const uint32_t rows = 1 + static_cast<uint32_t>(random.random(80));
    BatchSlice slice = slice_of(seed % 3 == 0 ? random_batch_with_gaps(seed, rows, 10)
                                              : random_batch(seed, rows, 10));
    if (seed % 2 == 0) {
      slice = slice_of(slice.batch, random_selection(seed, slice.batch->rows(), 3));
    }
    Filter filter;
    const EventRow pick =
        event_row(*slice.batch, static_cast<uint32_t>(random.random(slice.batch->rows())));
    if (random.random(3) == 0) filter.time.from = pick.time;
    if (random.random(3) == 0) filter.time.to = pick.time + 1;
    if (random.random(3) == 0) filter.positions.from = random.random(60);
    if (random.random(3) == 0) filter.positions.to = random.random(100);
    for (uint64_t i = random.random(3); i > 0; --i) {
      filter.predicates.push_back(random_predicate(&random, *slice.batch));
    }
    const BatchSlice kept = apply_filter(slice, filter);
    ASSERT_EQ(rows_of(kept), reference_rows(slice, filter)) << "seed " << seed;
    ASSERT_EQ(kept.batch == nullptr, kept.rows() == 0);
    some += kept.rows() != 0 && kept.rows() != slice.rows() ? 1 : 0;
  }
  EXPECT_GT(some, 300u);  // else the test proves little
}

TEST(ApplyFilter, GivesTheSliceItselfWhenAllRowsMatch) {
  const BatchPtr batch = random_batch(1, 50);
  EXPECT_EQ(apply_filter(slice_of(batch), {}).selection, nullptr);
  const BatchSlice some = slice_of(batch, {1, 4, 9});
  EXPECT_EQ(apply_filter(some, {}).selection, some.selection);
}

TEST(ApplyFilter, GivesANullBatchWhenNoRowMatches) {
  Filter filter;
  filter.time.to = kTestTime - kDayNs;
  EXPECT_EQ(apply_filter(slice_of(random_batch(1, 50)), filter).batch, nullptr);
}

TEST(ApplyFilter, AbsentNumbersAreNeitherLessNorAtLeast) {
  EventRow row;
  row.duration = 5;
  const BatchPtr batch = make_batch({EventRow{}, row});
  Predicate less{.kind = PredicateKind::kLess, .column = ColumnId::kDuration, .numbers = {10}};
  EXPECT_EQ(rows_of(apply_filter(slice_of(batch), {.predicates = {less}})),
            std::vector<uint32_t>{1});
  Predicate at_least{
      .kind = PredicateKind::kAtLeast, .column = ColumnId::kDuration, .numbers = {INT64_MIN}};
  EXPECT_EQ(rows_of(apply_filter(slice_of(batch), {.predicates = {at_least}})),
            std::vector<uint32_t>{1});
}

TEST(ApplyFilter, ACategoryIsTheTextUpToTheFirstDash) {
  std::vector<EventRow> rows;
  for (const char* stream : {"a-1", "a", "a-b-c", "ab-1", "", "-a", "A-1"}) {
    rows.push_back({.stream = stream});
  }
  const BatchPtr batch = make_batch(rows);
  const auto rows_with = [&](const char* category) {
    Predicate predicate{
        .kind = PredicateKind::kCategory, .column = ColumnId::kStream, .texts = {category}};
    return rows_of(apply_filter(slice_of(batch), {.predicates = {predicate}}));
  };
  EXPECT_EQ(rows_with("a"), (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(rows_with("a-b"), std::vector<uint32_t>{});
  EXPECT_EQ(rows_with(""), std::vector<uint32_t>{5});
}

TEST(ApplyFilter, ContainsDoesNotMatchAcrossRows) {
  EventRow a, b;
  a.data = "xab";
  b.data = "cdx";
  const BatchPtr batch = make_batch({a, b, b});
  Predicate across{.kind = PredicateKind::kContains, .texts = {"abcd"}};
  EXPECT_EQ(apply_filter(slice_of(batch), {.predicates = {across}}).rows(), 0u);
  Predicate inside{.kind = PredicateKind::kContains, .texts = {"cd"}};
  EXPECT_EQ(apply_filter(slice_of(batch), {.predicates = {inside}}).rows(), 2u);
}

TEST(ApplyFilter, FindsAnAttributeHoweverItsKeyAndValueAreEscaped) {
  EventRow key, value, slash;
  key.data = R"({"h\u006fst":"web"})";
  value.data = R"({"host":"w\u0065b"})";
  slash.data = R"({"a\/b":"c\/d"})";
  const BatchPtr batch = make_batch({key, value, slash});
  Predicate host{.kind = PredicateKind::kAttribute, .key = "host", .texts = {"web"}};
  EXPECT_EQ(rows_of(apply_filter(slice_of(batch), {.predicates = {host}})),
            (std::vector<uint32_t>{0, 1}));
  Predicate path{.kind = PredicateKind::kAttribute, .key = "a/b", .texts = {"c/d"}};
  EXPECT_EQ(rows_of(apply_filter(slice_of(batch), {.predicates = {path}})),
            (std::vector<uint32_t>{2}));
}

TEST(ApplyFilter, FindsAnAttributeWhoseValueNeedsEscapes) {
  EventRow row;
  row.data = R"({"text":"say \"hi\"\n","list":[1, {"a":2}]})";
  const BatchPtr batch = make_batch({row});
  Predicate text{.kind = PredicateKind::kAttribute, .key = "text", .texts = {"say \"hi\"\n"}};
  EXPECT_EQ(apply_filter(slice_of(batch), {.predicates = {text}}).rows(), 1u);
  Predicate list{.kind = PredicateKind::kAttribute, .key = "list", .texts = {R"([1, {"a":2}])"}};
  EXPECT_EQ(apply_filter(slice_of(batch), {.predicates = {list}}).rows(), 1u);
}

TEST(ApplyFilter, TheFirstPlaceOfAnAttributeDecides) {
  EventRow row;
  row.metadata = R"({"attributes":{"host":"a"}})";
  row.data = R"({"host":"b"})";
  row.context = R"({"resource":{"attributes":{"host":"c"}}})";
  const BatchPtr batch = make_batch({row});
  for (const char* value : {"a", "b", "c"}) {
    Predicate host{.kind = PredicateKind::kAttribute, .key = "host", .texts = {value}};
    EXPECT_EQ(apply_filter(slice_of(batch), {.predicates = {host}}).rows(),
              std::string_view(value) == "a" ? 1u : 0u);
  }
}

TEST(AttributeOf, LooksInEachPlaceInOrder) {
  const std::string in_attributes = R"({"k":"2","attributes":{"k":"1"}})";
  const std::string in_metadata = R"({"attributes":{},"k":"2"})";
  const std::string in_data = R"({"k":"3"})";
  const std::string in_context =
      R"({"scope":{"attributes":{"k":"5"}},"k":"6","resource":{"attributes":{"k":"4"}}})";
  EXPECT_EQ(attribute_of(in_data, in_attributes, in_context, "k"), "1");
  EXPECT_EQ(attribute_of(in_data, in_metadata, in_context, "k"), "2");
  EXPECT_EQ(attribute_of(in_data, "{}", in_context, "k"), "3");
  EXPECT_EQ(attribute_of("", "", in_context, "k"), "4");
  EXPECT_EQ(attribute_of("", "", R"({"k":"6","scope":{"attributes":{"k":"5"}}})", "k"), "5");
  EXPECT_EQ(attribute_of("", "", R"({"k":"6","scope":{}})", "k"), "6");
  EXPECT_EQ(attribute_of("", "", "", "k"), std::nullopt);
}

TEST(AttributeOf, ReadsAKeyLiterallyBeforeItsPath) {
  EXPECT_EQ(attribute_of(R"({"a":{"b":1},"a.b":2})", "", "", "a.b"), "2");
  EXPECT_EQ(attribute_of(R"({"a":{"b":{"c":1}}})", "", "", "a.b.c"), "1");
  EXPECT_EQ(attribute_of(R"({"a":{"b":1}})", "", "", "a.c"), std::nullopt);
  EXPECT_EQ(attribute_of(R"({"a":1})", "", "", "a.b"), std::nullopt);
}

TEST(AttributeOf, GivesStringsUnescapedAndOtherValuesAsTheyStand) {
  const char* document = R"({"s":"a\tb","i": 12345678901234567890123 ,"f":1.50,"t":true,"n":null,
      "o":{"x": [1, 2]} ,"e":"" })";
  EXPECT_EQ(attribute_of(document, "", "", "s"), "a\tb");
  EXPECT_EQ(attribute_of(document, "", "", "i"), "12345678901234567890123");
  EXPECT_EQ(attribute_of(document, "", "", "f"), "1.50");
  EXPECT_EQ(attribute_of(document, "", "", "t"), "true");
  EXPECT_EQ(attribute_of(document, "", "", "n"), "null");
  EXPECT_EQ(attribute_of(document, "", "", "o"), R"({"x": [1, 2]})");
  EXPECT_EQ(attribute_of(document, "", "", "o.x"), "[1, 2]");
  EXPECT_EQ(attribute_of(document, "", "", "e"), "");
}

TEST(AttributeOf, IsAbsentInWhatIsNotAJsonObject) {
  for (const char* text : {"", " ", "[{\"k\":1}]", "\"k\"", "17", "{", "{\"k\"", "{\"k\":", "{k:1}",
                           "{\"k\":\"open", "\xff{\"k\":1}", "{\"\xff\":1,\"k\":1}"}) {
    EXPECT_EQ(attribute_of(text, "", "", "k"), std::nullopt) << text;
  }
}

TEST(DocumentMatcher, SaysWhatAttributeOfSays) {
  const std::vector<std::string> documents = {
      R"({"host":"a-1","path":"/x"})",
      R"({"path":"\/x","host":"b"})",
      R"({"host":"\u0061-1"})",
      R"({"other":"a-1","host":"b"})",
      R"({"a":{"host":"a-1"}})",
      R"({"code":200,"host":null})",
      R"({"host":"a-1)",
      "",
      R"({"q":"\"","host":""})",
  };
  const std::vector<std::pair<std::string, std::string>> wanted = {
      {"host", "a-1"},  {"path", "/x"}, {"a.host", "a-1"}, {"code", "200"},
      {"host", "null"}, {"q", "\""},    {"host", ""},      {"absent", "a-1"},
  };
  for (const auto& [key, text] : wanted) {
    const DocumentMatcher matcher(key, text);
    for (const std::string& document : documents) {
      EXPECT_EQ(matcher.matches(document), attribute_of(document, {}, {}, key) == text)
          << key << "=" << text << " in " << document;
    }
  }
  EXPECT_TRUE(DocumentMatcher("path", "/x").matches(documents[1]));
  EXPECT_TRUE(DocumentMatcher("host", "a-1").matches(documents[2]));
}

TEST(AttributeOf, StopsAtASyntaxErrorInAnyOfItsPlaces) {
  // The first place is broken off by the error; the later ones must not be tried.
  EXPECT_EQ(
      attribute_of("", "", R"({"resource":{"attributes":{}},"scope"1{"attributes":{}}})", "k"),
      std::nullopt);
  EXPECT_EQ(attribute_of("", R"({"attributes":{"a":1]})", "", "k.a"), std::nullopt);
  EXPECT_EQ(attribute_of(R"({"a"})", R"({"attributes":}1)", "", "k.a"), std::nullopt);
}

TEST(Projection, AddsWhatAFilterReads) {
  Filter filter;
  EXPECT_FALSE(Projection::none().with(filter).has(ColumnId::kTime));
  filter.time.from = 5;
  filter.predicates.push_back({.column = ColumnId::kStream});
  Projection projection = Projection::none().with(filter);
  EXPECT_TRUE(projection.has(ColumnId::kTime));
  EXPECT_TRUE(projection.has(ColumnId::kStream));
  EXPECT_FALSE(projection.has(ColumnId::kData));
  EXPECT_FALSE(projection.has(ColumnId::kType));
  filter.predicates.push_back({.kind = PredicateKind::kContains});
  projection = Projection::none().with(filter);
  EXPECT_TRUE(projection.has(ColumnId::kMetadata));
  EXPECT_FALSE(projection.has(ColumnId::kContext));
  filter.predicates.push_back({.kind = PredicateKind::kAttribute});
  EXPECT_TRUE(Projection::none().with(filter).has(ColumnId::kContext));
}

}  // namespace
}  // namespace firn
