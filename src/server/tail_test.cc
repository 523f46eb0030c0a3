#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "server/tail_stream.h"
#include "server/test_faces.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class TailTest : public FaceTest {
 protected:
  // The stream of a tail request.
  std::unique_ptr<BodyStream> tail(const std::string& query, const RequestFields& options = {}) {
    HttpResponse response = get(in_default("events:tail" + query), options);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.content_type, "text/event-stream");
    return std::move(response.stream);
  }

  static std::optional<std::string> next(BodyStream* stream) {
    auto piece = std::make_shared<Awaited<std::string>>();
    stream->next([piece](std::string text) { piece->set(std::move(text)); });
    return piece->get();
  }

  // The positions in "id: N" lines, checked to be one event each.
  static std::vector<uint64_t> ids(std::string_view text) {
    std::vector<uint64_t> positions;
    for (size_t at = text.find("id: "); at != std::string_view::npos;
         at = text.find("\nid: ", at + 1)) {
      const size_t number = text.find_first_of("0123456789", at);
      positions.push_back(std::stoull(std::string(text.substr(number, 20))));
    }
    return positions;
  }

  std::vector<uint64_t> read_until(BodyStream* stream, uint64_t last) {
    std::vector<uint64_t> positions;
    while (positions.empty() || positions.back() < last) {
      const auto text = next(stream);
      if (!text.has_value() || text->empty()) break;
      for (const uint64_t position : ids(*text)) positions.push_back(position);
    }
    return positions;
  }

  static std::vector<uint64_t> from_to(uint64_t first, uint64_t last) {
    std::vector<uint64_t> positions;
    for (uint64_t p = first; p <= last; ++p) positions.push_back(p);
    return positions;
  }
};

TEST_F(TailTest, BeginsWithWhatIsStored) {
  append(R"([{"type":"a"},{"type":"b"}])");
  const auto stream = tail("?after=0");
  EXPECT_EQ(*next(stream.get()), ": tail after 0\n\n");
  const std::string text = *next(stream.get());
  EXPECT_THAT(text, StartsWith("id: 1\ndata: {\"position\":1,"));
  EXPECT_THAT(text, HasSubstr("\n\nid: 2\ndata: {\"position\":2,"));
  EXPECT_TRUE(text.ends_with("}\n\n"));
}

TEST_F(TailTest, WithoutAfterOnlyNewEventsCome) {
  append(R"({"type":"a"})");
  const auto stream = tail("");
  EXPECT_EQ(*next(stream.get()), ": tail after 1\n\n");
  append(R"({"type":"b"})");
  EXPECT_EQ(ids(*next(stream.get())), from_to(2, 2));
}

TEST_F(TailTest, LastEventIdWinsOverAfter) {
  append(R"([{"type":"a"},{"type":"b"},{"type":"c"}])");
  const auto stream = tail("?after=0", {.last_event_id = "2"});
  next(stream.get());
  EXPECT_EQ(ids(*next(stream.get())), from_to(3, 3));
  EXPECT_EQ(get(in_default("events:tail"), {.last_event_id = "x"}).status, 400);
}

TEST_F(TailTest, FiltersLikeAQuery) {
  append(R"([{"type":"a"},{"type":"b"},{"type":"a"}])");
  const auto stream = tail("?after=0&type=a");
  next(stream.get());
  EXPECT_EQ(ids(*next(stream.get())), (std::vector<uint64_t>{1, 3}));
  // Events that do not match are passed over silently, and later ones still come.
  append(R"({"type":"b"})");
  append(R"({"type":"a"})");
  EXPECT_EQ(ids(*next(stream.get())), from_to(5, 5));
}

TEST_F(TailTest, HasNoGapAndNoRepetitionWhileOthersAppend) {
  constexpr int kWriters = 3, kAppends = 150;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([this] {
      for (int i = 0; i < kAppends; ++i) append(R"([{"type":"a"},{"type":"b"}])");
    });
  }
  const auto early = tail("?after=0");
  const uint64_t last = kWriters * kAppends * 2;
  EXPECT_EQ(read_until(early.get(), last), from_to(1, last));
  for (std::thread& writer : writers) writer.join();
  const auto late = tail("?after=0");
  EXPECT_EQ(read_until(late.get(), last), from_to(1, last));
}

TEST_F(TailTest, GoesOnAcrossTiers) {
  append(R"([{"type":"a"},{"type":"b"}])");
  const auto stream = tail("?after=0");
  next(stream.get());
  post(in_default("chunks:flush"), "");
  append(R"({"type":"c"})");
  EXPECT_EQ(read_until(stream.get(), 3), from_to(1, 3));
}

TEST_F(TailTest, DoesNotLookAgainWhenItHasSentAllThereIs) {
  auto reads = std::make_shared<std::atomic<int>>(0);
  services_.tail_executor = [reads, executor = services_.tail_executor](auto work) {
    ++*reads;
    executor(std::move(work));
  };
  const auto stream = tail("?after=0");
  append(R"({"type":"a"})");
  next(stream.get());
  EXPECT_EQ(ids(*next(stream.get())), from_to(1, 1));
  EXPECT_EQ(*reads, 1);
  auto piece = std::make_shared<Awaited<std::string>>();
  stream->next([piece](std::string text) { piece->set(std::move(text)); });
  EXPECT_EQ(*reads, 1);
  append(R"({"type":"b"})");
  EXPECT_EQ(ids(*piece->get()), from_to(2, 2));
  EXPECT_EQ(*reads, 2);
}

TEST_F(TailTest, CanBeGivenUpAtAnyMoment) {
  for (int i = 0; i < 50; ++i) {
    const auto stream = tail("?after=0");
    next(stream.get());
    append(R"({"type":"a"})");
    stream->next([](const std::string&) {});
  }
  EXPECT_EQ(metrics_.tails_opened.value(), 50u);
  EXPECT_EQ(metrics_.tails_closed.value(), 50u);
}

TEST_F(TailTest, EndsWithTheReasonWhenTheNamespaceGoes) {
  put("/api/v1/namespaces/shop");
  HttpResponse response = get("/api/v1/namespaces/shop/events:tail");
  ASSERT_NE(response.stream, nullptr);
  next(response.stream.get());
  ASSERT_EQ(remove("/api/v1/namespaces/shop").status, 204);
  EXPECT_THAT(*next(response.stream.get()),
              StartsWith("event: error\ndata: {\"error\":{\"code\":\"not_found\""));
  EXPECT_EQ(next(response.stream.get()), "");
}

TEST_F(TailTest, WhoWaitsIsToldWhenTheNamespaceGoes) {
  put("/api/v1/namespaces/shop");
  HttpResponse response = get("/api/v1/namespaces/shop/events:tail");
  ASSERT_NE(response.stream, nullptr);
  next(response.stream.get());
  auto piece = std::make_shared<Awaited<std::string>>();
  response.stream->next([piece](std::string text) { piece->set(std::move(text)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until it waits, most likely
  ASSERT_EQ(remove("/api/v1/namespaces/shop").status, 204);
  EXPECT_THAT(*piece->get(), HasSubstr("\"not_found\""));
}

TEST_F(TailTest, EndsWhenTheStoreIsClosed) {
  const auto stream = tail("");
  next(stream.get());
  services_.gate->close().reset();
  EXPECT_THAT(*next(stream.get()), HasSubstr("unavailable"));
}

}  // namespace
}  // namespace firn
