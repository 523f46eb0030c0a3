#include "wire/json_reader.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <random>
#include <string>
#include <vector>

namespace firn {
namespace {

std::string why_refused(std::string_view text, uint64_t depth = 8) {
  return check_json(text, depth).to_string();
}

std::string unescaped(std::string_view text) {
  StringPool pool;
  JsonReader json(text, 4, &pool);
  std::string_view out;
  if (!json.read_string(&out) || !json.finish().ok()) return "error: " + json.status().to_string();
  return std::string(out);
}

// Every value of a document in order, as "kind:text", through the reading calls.
void walk(JsonReader* json, std::string* out) {
  std::string_view text;
  bool flag = false;
  switch (json->peek()) {
    case JsonReader::Kind::kObject:
      *out += '{';
      json->enter_object();
      while (json->next_member(&text)) {
        *out += std::string(text) + "=";
        walk(json, out);
      }
      *out += '}';
      return;
    case JsonReader::Kind::kArray:
      *out += '[';
      json->enter_array();
      while (json->next_element()) {
        walk(json, out);
        *out += ' ';
      }
      *out += ']';
      return;
    case JsonReader::Kind::kString:
      if (json->read_string(&text)) *out += "s:" + std::string(text);
      return;
    case JsonReader::Kind::kNumber:
      if (json->read_number(&text)) *out += "n:" + std::string(text);
      return;
    case JsonReader::Kind::kTrue:
    case JsonReader::Kind::kFalse:
      if (json->read_bool(&flag)) *out += flag ? "true" : "false";
      return;
    case JsonReader::Kind::kNull:
      if (json->skip_null()) *out += "null";
      return;
    case JsonReader::Kind::kBad:
      return;
  }
}

std::string walked(std::string_view text) {
  StringPool pool;
  JsonReader json(text, 16, &pool);
  std::string out;
  walk(&json, &out);
  return json.finish().ok() ? out : json.status().to_string();
}

TEST(JsonReader, ReadsEveryKindOfValue) {
  EXPECT_EQ(walked(R"( {"a":[1,-2.5e3, true ,false,null,"x"],"b":{},"c":[],"d":[[{}]]} )"),
            "{a=[n:1 n:-2.5e3 true false null s:x ]b={}c=[]d=[[{} ] ]}");
}

TEST(JsonReader, RawValuesAreTheBytesOfTheText) {
  StringPool pool;
  JsonReader json(R"({"a": [1 , {"b":12345678901234567890123}] ,"c":"\u0000"})", 8, &pool);
  std::string_view key, raw;
  ASSERT_TRUE(json.enter_object());
  ASSERT_TRUE(json.next_member(&key) && json.read_raw(&raw));
  EXPECT_EQ(raw, R"([1 , {"b":12345678901234567890123}])");
  ASSERT_TRUE(json.next_member(&key) && json.read_raw(&raw));
  EXPECT_EQ(raw, R"("\u0000")");
  EXPECT_FALSE(json.next_member(&key));
  EXPECT_TRUE(json.finish().ok());
}

TEST(JsonReader, Unescapes) {
  EXPECT_EQ(unescaped(R"("a\"\\\/\b\f\n\r\t")"), "a\"\\/\b\f\n\r\t");
  EXPECT_EQ(unescaped(R"("\u00e9\u20AC\ud83d\ude00")"), "é€😀");
  EXPECT_EQ(unescaped(R"("a\u0000b")"), std::string("a\0b", 3));
}

TEST(JsonReader, LoneSurrogatesBecomeTheReplacementCharacter) {
  EXPECT_EQ(unescaped(R"("\ud800x")"), "\xEF\xBF\xBDx");
  EXPECT_EQ(unescaped(R"("\udc00\ud800")"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(unescaped(R"("\ud800\u0041")"),
            "\xEF\xBF\xBD"
            "A");
}

TEST(JsonReader, NamesTheOffsetOfAnError) {
  EXPECT_EQ(why_refused(R"({"a":1,})"),
            "invalid_argument: expected a member name in quotes, byte 7");
  EXPECT_EQ(why_refused("[1 2]"), "invalid_argument: expected ',' or ']', byte 3");
  EXPECT_EQ(why_refused("[1]x"), "invalid_argument: unexpected text after the JSON value, byte 3");
  EXPECT_EQ(why_refused("\"a\xFF\""), "invalid_argument: the text is not UTF-8, byte 2");
}

TEST(JsonReader, RefusesWhatTheGrammarDoesNotAllow) {
  for (const char* text :
       {"",          " ",       "{",    "[",    "[1,",     "{\"a\"",      "{\"a\":",
        "{a:1}",     "{'a':1}", "[,1]", "[1,]", "{,}",     "01",          "-",
        "1.",        ".5",      "1e",   "1e+",  "+1",      "0x1",         "NaN",
        "Infinity",  "tru",     "nulL", "\"a",  "\"\\x\"", "\"\\u12g4\"", "\"\\u123",
        "\"\t\"",    "]",       "}",    "[}",   "{]",      "\"a\" \"b\"", "{\"a\":1 \"b\":2}",
        "{\"a\" 1}", "{1:2}"}) {
    EXPECT_FALSE(check_json(text, 8).ok()) << text;
  }
}

TEST(JsonReader, DepthIsLimitedForSkippedAndReadValues) {
  EXPECT_TRUE(check_json("[[[]]]", 3).ok());
  EXPECT_EQ(why_refused("[[[[]]]]", 3),
            "too_large: JSON is nested deeper than 3 levels, the limit json_depth, byte 3");
  StringPool pool;
  JsonReader json("[[1]]", 1, &pool);
  ASSERT_TRUE(json.enter_array() && json.next_element());
  EXPECT_FALSE(json.enter_array());
  EXPECT_EQ(json.status().code(), StatusCode::kTooLarge);
}

TEST(JsonReader, HundredThousandLevelsDoNotNeedStack) {
  const std::string deep(100'000, '[');
  EXPECT_EQ(check_json(deep, 64).code(), StatusCode::kTooLarge);
}

TEST(JsonReader, FailsForGoodAfterTheFirstError) {
  StringPool pool;
  JsonReader json("[1,!,2]", 4, &pool);
  std::string_view text;
  ASSERT_TRUE(json.enter_array() && json.next_element() && json.skip_value());
  ASSERT_TRUE(json.next_element());
  EXPECT_FALSE(json.skip_value());
  EXPECT_FALSE(json.next_element());
  EXPECT_FALSE(json.read_number(&text));
  EXPECT_EQ(json.status().to_string(), "invalid_argument: expected a JSON value, byte 3");
}

// simdjson is the referee: both must accept the same texts, apart from lone surrogates and numbers
// beyond 64 bits, which simdjson does not take.
class Mutations {
 public:
  std::string next() {
    static const std::vector<std::string> kSeeds = {
        R"({"a":[1,2.5,-3e-2,{"b":null}],"c":"x\"y\u00e9\n","d":{"e":[true,false,[]]}})",
        R"([{"k":"0123456789abcdefghij"},[[],{}],"",0,-0.0,1E5])", R"("\\\u0041\/")", "  -12  "};
    static constexpr std::string_view kBytes = "{}[]\",:\\u0123eE+-. tnx\x01\x80\xC3\xA9";
    std::string text = kSeeds[random_() % kSeeds.size()];
    for (uint64_t i = random_() % 3; i > 0; --i) {
      const size_t at = random_() % text.size();
      const char byte = kBytes[random_() % kBytes.size()];
      switch (random_() % 3) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        default:
          text.erase(at, 1);
          break;
      }
    }
    return text;
  }

 private:
  std::mt19937_64 random_{7};
};

TEST(JsonReader, AgreesWithSimdjson) {
  Mutations mutations;
  simdjson::dom::parser parser;
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = mutations.next();
    const bool ours = check_json(text, 64).ok();
    const simdjson::error_code theirs = parser.parse(text).error();
    if (theirs == simdjson::NUMBER_ERROR && ours) continue;
    if (theirs == simdjson::STRING_ERROR && ours && text.find("\\u") != std::string::npos) continue;
    ASSERT_EQ(ours, theirs == simdjson::SUCCESS) << text;
    accepted += ours ? 1 : 0;
  }
  EXPECT_GT(accepted, 5'000);
  EXPECT_LT(accepted, 18'000);
}

TEST(JsonReader, SkippingAndReadingAcceptTheSame) {
  Mutations mutations;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = mutations.next();
    StringPool pool;
    JsonReader reading(text, 64, &pool);
    std::string out;
    walk(&reading, &out);
    JsonReader skipping(text, 64, &pool);
    skipping.skip_value();
    ASSERT_EQ(reading.finish().ok(), skipping.finish().ok()) << text;
  }
}

}  // namespace
}  // namespace firn
