#include "server/http_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(PercentDecode, ReadsEscapesOfEitherCase) {
  EXPECT_EQ(percent_decode("a%2fb%2F+c", false), "a/b/+c");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
}

TEST(PercentDecode, RefusesBrokenEscapes) {
  EXPECT_EQ(percent_decode("a%", false), std::nullopt);
  EXPECT_EQ(percent_decode("a%2", false), std::nullopt);
  EXPECT_EQ(percent_decode("a%zz", false), std::nullopt);
}

TEST(ParseQuery, KeepsOrderAndRepetitions) {
  const auto parameters = parse_query("type=a&type=b%26c&flag&empty=&&x=1+2");
  ASSERT_TRUE(parameters.ok());
  EXPECT_THAT(*parameters, ElementsAre(Pair("type", "a"), Pair("type", "b&c"), Pair("flag", ""),
                                       Pair("empty", ""), Pair("x", "1 2")));
  EXPECT_EQ(parse_query("a=%G1").status().code(), StatusCode::kInvalidArgument);
}

TEST(MediaType, DropsParametersAndCase) {
  EXPECT_EQ(media_type("Application/JSON; charset=utf-8"), "application/json");
  EXPECT_EQ(media_type("text/csv ;x"), "text/csv");
  EXPECT_EQ(media_type(""), "");
}

TEST(JsonError, HasCodeMessageAndRetryAfter) {
  const HttpResponse response = json_error(no_space("disk \"a\" is full"));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body,
            "{\"error\":{\"code\":\"no_space\",\"message\":\"disk \\\"a\\\" is full\"}}\n");
  EXPECT_THAT(response.headers, ElementsAre(Pair("Retry-After", "1")));
  EXPECT_TRUE(json_error(conflict("x")).headers.empty());
}

TEST(HttpStatus, OfEachCode) {
  EXPECT_EQ(http_status_of(StatusCode::kInvalidArgument), 400);
  EXPECT_EQ(http_status_of(StatusCode::kUnsupported), 400);
  EXPECT_EQ(http_status_of(StatusCode::kTooLarge), 413);
  EXPECT_EQ(http_status_of(StatusCode::kNotFound), 404);
  EXPECT_EQ(http_status_of(StatusCode::kConflict), 409);
  EXPECT_EQ(http_status_of(StatusCode::kUnavailable), 503);
  EXPECT_EQ(http_status_of(StatusCode::kNoSpace), 503);
  EXPECT_EQ(http_status_of(StatusCode::kOutcomeUnknown), 503);
  EXPECT_EQ(http_status_of(StatusCode::kCancelled), 503);
  EXPECT_EQ(http_status_of(StatusCode::kDeadlineExceeded), 504);
  EXPECT_EQ(http_status_of(StatusCode::kCorruption), 500);
  EXPECT_EQ(http_status_of(StatusCode::kIoError), 500);
  EXPECT_EQ(http_status_of(StatusCode::kInternal), 500);
}

TEST(Responder, OnlyTheFirstAnswerCounts) {
  int calls = 0, status = 0;
  {
    const Responder respond([&](const HttpResponse& response) {
      ++calls;
      status = response.status;
    });
    const Responder copy = respond;
    copy(json_error(not_found("x")));
    respond(json_response("{}"));
  }
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(status, 404);
}

TEST(Responder, AnAnswerThatIsForgottenIs503) {
  std::optional<int> status;
  {
    const Responder respond([&](const HttpResponse& response) { status = response.status; });
  }
  EXPECT_EQ(status, 503);
}

TEST(Cancellation, CallsTheFunctionOnce) {
  Cancellation cancellation;
  int calls = 0;
  cancellation.on_cancel([&] { ++calls; });
  EXPECT_FALSE(cancellation.cancelled());
  cancellation.cancel();
  cancellation.cancel();
  EXPECT_TRUE(cancellation.cancelled());
  EXPECT_EQ(calls, 1);
}

TEST(Cancellation, ThatHappenedAlreadyCallsAtOnce) {
  Cancellation cancellation;
  cancellation.cancel();
  int calls = 0;
  cancellation.on_cancel([&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(Cancellation, ForgetsARemovedFunction) {
  Cancellation cancellation;
  int calls = 0;
  cancellation.on_cancel([&] { ++calls; });
  cancellation.on_cancel(nullptr);
  cancellation.cancel();
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace firn
