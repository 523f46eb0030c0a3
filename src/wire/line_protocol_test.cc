#include "wire/line_protocol.h"

#include <gmock/gmock.h>

#include "base/size.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

constexpr TimeNs kNow = 1'767'225'600'123'456'789;

class LineProtocolTest : public ::testing::Test {
 protected:
  LineProtocolTest() {
    defaults_.now = kNow;
    defaults_.series_cache = &cache_;
  }
  // Decodes lines that must be good.
  void decode(const std::string& body, DurationNs precision = 1) {
    auto parts = decode_line_protocol(body, precision, defaults_, &bad_line_);
    ASSERT_TRUE(parts.ok()) << parts.status().to_string();
    ASSERT_EQ(parts->size(), 1u);
    parts_ = std::move(*parts);
  }
  std::string refusal(const std::string& body) {
    const auto parts = decode_line_protocol(body, 1, defaults_, &bad_line_);
    return parts.ok() ? "" : std::string(parts.status().message());
  }
  EventRow sample(uint32_t row) { return event_row(*parts_.at(0).samples, row); }
  EventRow series(uint32_t row) { return event_row(*parts_.at(0).definitions, row); }
  std::string names() {
    std::string names;
    for (uint32_t i = 0; i < parts_.at(0).definitions->rows(); ++i) {
      names.append(i > 0 ? " " : "").append(series(i).name);
    }
    return names;
  }

  SeriesCache cache_{kMiB, 7};
  DecodeDefaults defaults_;
  std::vector<DecodedSamples> parts_;
  uint64_t bad_line_ = 0;
};

TEST_F(LineProtocolTest, AFieldIsASeries) {
  decode("weather,city=Bern,station=roof temperature=21.5,rain=f,hits=3i 1767225600000000000");
  EXPECT_EQ(names(), "weather_temperature weather_rain weather_hits");
  EXPECT_EQ(series(2).labels, R"({"city":"Bern","station":"roof"})");
  EXPECT_EQ(sample(0).time, 1'767'225'600'000'000'000);
  EXPECT_EQ(sample(0).value, Float64::of(21.5));
  EXPECT_EQ(sample(0).integer, 0);
  EXPECT_EQ(sample(1).value, Float64::of(0));
  EXPECT_EQ(sample(1).integer, 1);
  EXPECT_EQ(sample(2).value, Float64::of(3));
  EXPECT_EQ(sample(2).integer, 1);
}

TEST_F(LineProtocolTest, AFieldCalledValueIsTheMeasurementItself) {
  decode("load,host=a value=1,other=2");
  EXPECT_EQ(names(), "load load_other");
}

TEST_F(LineProtocolTest, TextsAreKeptWithoutAValue) {
  decode("log note=\"a \\\"dry\\\" \\\\ day, isn't \\n\nit=1\",level=\"\" 7\nlog n=1 8");
  EXPECT_EQ(sample(0).data, R"({"text":"a \"dry\" \\ day, isn't \\n\nit=1"})");
  EXPECT_EQ(sample(0).value, kAbsentFloat64);
  EXPECT_EQ(sample(1).data, R"({"text":""})");
  EXPECT_EQ(sample(2).time, 8);
}

TEST_F(LineProtocolTest, NumbersKeepWhatTheyAre) {
  decode("n a=1,b=-1.5e+3,c=.5,d=-9223372036854775807i,e=18446744073709551615u,f=007i,g=5.");
  EXPECT_EQ(sample(0).integer, 0);
  EXPECT_EQ(sample(1).value, Float64::of(-1500));
  EXPECT_EQ(sample(2).value, Float64::of(0.5));
  EXPECT_EQ(sample(3).data, R"({"asInt":-9223372036854775807})");
  EXPECT_EQ(sample(4).data, R"({"asInt":18446744073709551615})");
  EXPECT_EQ(sample(5).value, Float64::of(7));
  EXPECT_EQ(sample(5).data, "");
  EXPECT_EQ(sample(6).value, Float64::of(5));
}

TEST_F(LineProtocolTest, AllWordsOfBooleansAreKnown) {
  decode("b a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE");
  for (uint32_t i = 0; i < 10; ++i) EXPECT_EQ(sample(i).value, Float64::of(i < 5 ? 1 : 0)) << i;
}

TEST_F(LineProtocolTest, BackslashesEscapeWhatWouldEndSomething) {
  decode("wea\\,th\\ er=x,ci\\=ty\\ n\\,o=New\\ York\\,\\=\\d,path=C:\\dir fi\\,e\\=l\\ d=1");
  EXPECT_EQ(series(0).name, "wea,th er=x_fi,e=l d");
  EXPECT_EQ(series(0).labels, R"({"ci=ty n,o":"New York,=\\d","path":"C:\\dir"})");
}

TEST_F(LineProtocolTest, CommentsAndEmptyLinesAreSteppedOver) {
  decode("# weather x=1\n\n  \r\n\tcpu a=1 5\r\n #b=2\ncpu a=2 6");
  ASSERT_EQ(parts_[0].samples->rows(), 2u);
  EXPECT_EQ(sample(0).time, 5);
  EXPECT_EQ(sample(1).time, 6);
  uint64_t line = 0;
  const auto none = decode_line_protocol("# nothing\n\n", 1, defaults_, &line);
  EXPECT_TRUE(none.ok() && none->empty());
}

TEST_F(LineProtocolTest, TimesAreInThePrecisionAsked) {
  decode("a x=1 1767225600\na x=2 -1\na x=3", kSecondNs);
  EXPECT_EQ(sample(0).time, 1'767'225'600 * kSecondNs);
  EXPECT_EQ(sample(1).time, -kSecondNs);
  EXPECT_EQ(sample(2).time, 1'767'225'600 * kSecondNs);
  decode("a x=3");
  EXPECT_EQ(sample(0).time, kNow);
}

TEST_F(LineProtocolTest, TheSameSeriesIsFoundAgain) {
  decode("cpu,a=1,b=2 x=1 1\ncpu,b=2,a=1 x=2 2");
  EXPECT_EQ(parts_[0].definitions->rows(), 1u);
  const std::string first(sample(0).series);
  EXPECT_EQ(sample(1).series, first);
  decode("cpu,a=1,b=2 x=1 1");
  EXPECT_EQ(sample(0).series, first);
  EXPECT_EQ(series(0).name, "cpu_x");
}

TEST_F(LineProtocolTest, BadLinesAreNamedWithTheReason) {
  EXPECT_EQ(refusal("cpu x=1\ncpu,host=a\ncpu x=2"),
            "line 2: unable to parse 'cpu,host=a': missing fields");
  EXPECT_EQ(bad_line_, 2u);
  EXPECT_EQ(refusal("a x=\"1\n2\"\n# c\n\ncpu x"),
            "line 5: unable to parse 'cpu x': a field has no value");
  EXPECT_EQ(bad_line_, 5u);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {",a=b x=1", "missing measurement"},
      {"cpu ", "missing fields"},
      {"cpu =1", "missing field key"},
      {"cpu x=", "missing field value"},
      {"cpu x=1,", "a field has no value"},
      {"cpu x=1 y", "bad timestamp"},
      {"cpu x=1 1.5", "bad timestamp"},
      {"cpu x=1 9223372036854775808", "bad timestamp"},
      {"cpu x=1 1 2", "unexpected text behind the timestamp"},
      {"cpu x=\"a", "unbalanced quotes"},
      {"cpu x=\"a\"b", "unexpected text behind a string"},
      {"cpu,a x=1", "missing tag value"},
      {"cpu,a= x=1", "missing tag value"},
      {"cpu,=b x=1", "missing tag key"},
      {"cpu,a=b=c x=1", "a tag has more than one '='"},
      {"cpu,a=1,a=2 x=1", "the label 'a' comes twice"},
      {"cpu x=nan", "no number"},
      {"cpu x=inf", "no number"},
      {"cpu x=-inf", "no number"},
      {"cpu x=1e999", "no number"},
      {"cpu x=1.2.3", "no number"},
      {"cpu x=yes", "no number"},
      {"cpu x=1.5i", "an integer is malformed"},
      {"cpu x=9223372036854775808i", "beyond 64 bits"},
      {"cpu x=-1u", "an unsigned integer is malformed"},
  };
  for (const auto& [line, reason] : cases) {
    EXPECT_THAT(refusal(line), HasSubstr(reason)) << line;
    EXPECT_THAT(refusal(line), HasSubstr("line 1: ")) << line;
  }
  EXPECT_THAT(refusal("a x=1\nb x=\"\xff\""), HasSubstr("line 2: the text is not UTF-8"));
  EXPECT_THAT(refusal("a x=1 9000000000000000000"), HasSubstr("ahead of the clock"));
  uint64_t line = 0;
  EXPECT_FALSE(decode_line_protocol("a x=1 9000000000", kHourNs, defaults_, &line).ok());
}

}  // namespace
}  // namespace firn
