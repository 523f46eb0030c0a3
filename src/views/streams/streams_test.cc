#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/test_directory.h"
#include "store/store.h"
#include "views/streams/stream_append.h"
#include "views/streams/stream_lists.h"
#include "views/streams/stream_reads.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr TimeNs kDay = 1'700'006'400 * kSecondNs;  // a midnight

// Where the rows of a test are when it reads them.
enum class Place { kMemory, kSecondTier, kLastTier, kRestarted };

class StreamsTest : public testing::TestWithParam<Place> {
 protected:
  void SetUp() override { open(); }

  void open() {
    store_.reset();
    StoreOptions options = default_store_options(directory_.path());
    options.tiers[1].keep_ns = 36'500 * kDayNs;  // nothing moves unless a test says so
    auto opened = Store::open(posix_env(), options);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    store_ = std::move(*opened);
    space_ = store_->find_namespace("default")->id;
  }

  Status append(const std::vector<NewMessage>& messages,
                std::vector<ExpectedVersion> expected = {}) {
    FIRN_ASSIGN(AppendRequest request,
                make_stream_append(messages, std::move(expected), store_->id_source(), kLimits));
    return store_->append_and_wait(space_, std::move(request)).status();
  }
  // One event without content, on a day.
  void put(std::string_view stream, std::string_view metadata = "", int day = 0) {
    const NewMessage message{.stream = stream,
                             .type = "T",
                             .data = "{}",
                             .metadata = metadata,
                             .time = kDay + day * kDayNs};
    const Status status = append({message});
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void command(ChunkAction action) {
    ChunkCommand command;
    command.action = action;
    command.namespace_id = space_;
    const ChunkCommandResult result = store_->command_and_wait(command);
    ASSERT_TRUE(result.status.ok()) << result.status.to_string();
  }
  void settle() {
    if (GetParam() == Place::kMemory) return;
    if (GetParam() == Place::kRestarted) return open();
    command(ChunkAction::kFlush);
    if (GetParam() == Place::kLastTier) command(ChunkAction::kMove);
  }

  SnapshotPtr snapshot() { return *store_->snapshot(space_); }
  // "stream/stream position" of each.
  static std::vector<std::string> names(const Result<StreamPage>& page) {
    std::vector<std::string> out;
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    if (!page.ok()) return out;
    for (const EventRef& event : page->events) {
      const EventRow row = event_row(*event.batch, event.row);
      out.push_back(std::string(row.stream) + "/" + std::to_string(row.stream_position));
    }
    return out;
  }
  std::vector<std::string> stream(const StreamRead& read) {
    return names(read_stream(*snapshot(), read, nullptr));
  }
  std::vector<std::string> category(const CategoryRead& read) {
    return names(read_category(*snapshot(), read, nullptr));
  }
  int64_t version(const std::string& name) { return *stream_version(*snapshot(), name); }

  TestDirectory directory_;
  std::unique_ptr<Store> store_;
  NamespaceId space_ = 0;
};

TEST_P(StreamsTest, ChunksThatCannotHoldTheStreamAreNotOpened) {
  for (int day = 0; day < 5; ++day) put("often-1", "", day);
  put("rare-1", "", 2);
  settle();
  EventQuery query;
  query.filter.predicates = {
      {.kind = PredicateKind::kEqual, .column = ColumnId::kStream, .texts = {"rare-1"}}};
  const auto pruned = [&] {
    const Result<EventPage> page = query_events(*snapshot(), query, nullptr);
    EXPECT_EQ(page->events.size(), 1u);
    return page->cost.chunks_pruned;
  };
  const bool has_lists = GetParam() == Place::kSecondTier || GetParam() == Place::kLastTier;
  EXPECT_EQ(pruned(), has_lists ? 4u : 0u);
  query.filter.predicates = category_predicates("rare");
  EXPECT_EQ(pruned(), has_lists ? 4u : 0u);
  open();  // what was flushed is known to the next process, too
  EXPECT_EQ(pruned(), has_lists ? 4u : 0u);
  put("rare-1", "", 4);
  command(ChunkAction::kFlush);
  EXPECT_THAT(stream({.stream = "rare-1"}), ElementsAre("rare-1/0", "rare-1/1"));
}

TEST_P(StreamsTest, AStreamIsReadByItsPositions) {
  for (int i = 0; i < 5; ++i) {
    put("cart-1");
    put("cart-2");
  }
  settle();
  EXPECT_THAT(stream({.stream = "cart-1", .from = 2}),
              ElementsAre("cart-1/2", "cart-1/3", "cart-1/4"));
  EXPECT_THAT(stream({.stream = "cart-1", .from = 1, .limit = 2}),
              ElementsAre("cart-1/1", "cart-1/2"));
  EXPECT_THAT(stream({.stream = "cart-1", .from = 1, .backward = true}),
              ElementsAre("cart-1/1", "cart-1/0"));
  EXPECT_THAT(stream({.stream = "cart-2", .from = INT64_MAX, .backward = true, .limit = 1}),
              ElementsAre("cart-2/4"));
  EXPECT_THAT(stream({.stream = "cart-2", .from = 5}), IsEmpty());
  EXPECT_THAT(stream({.stream = "cart"}), IsEmpty());
}

TEST_P(StreamsTest, ACategoryIsReadByPosition) {
  for (const char* name : {"cart-1", "cart-2", "cartoon-1", "cart", "Cart-1", "cart-a-b"})
    put(name);
  settle();
  EXPECT_THAT(category({.category = "cart"}),
              ElementsAre("cart-1/0", "cart-2/0", "cart/0", "cart-a-b/0"));
  EXPECT_THAT(category({.category = "cart", .from = 2, .limit = 2}),
              ElementsAre("cart-2/0", "cart/0"));
  EXPECT_THAT(category({.category = "cart", .from = 4, .backward = true}),
              ElementsAre("cart/0", "cart-2/0", "cart-1/0"));
  EXPECT_THAT(category({.category = "cart-a"}), IsEmpty());
  EXPECT_THAT(category({.category = "", .from = 3}),
              ElementsAre("cartoon-1/0", "cart/0", "Cart-1/0", "cart-a-b/0"));
}

TEST_P(StreamsTest, FiltersComeBeforeTheLimit) {
  for (int i = 0; i < 1500; ++i) put("busy-1");
  put("busy-2", R"({"correlationStreamName":"order-7"})");
  put("busy-3", R"({"correlationStreamName":"orders-7"})");
  put("busy-2", R"({"correlationStreamName":"order"})");
  settle();
  EXPECT_THAT(category({.category = "busy", .limit = 1, .correlation = "order"}),
              ElementsAre("busy-2/0"));
  EXPECT_THAT(category({.category = "busy", .limit = 5, .correlation = "order"}),
              ElementsAre("busy-2/0", "busy-2/1"));
  // Of two members the cardinal ids 2 belong to the second, 1 and 3 to the first.
  EXPECT_THAT(category({.category = "busy", .limit = 5, .group = ConsumerGroup{1, 2}}),
              ElementsAre("busy-2/0", "busy-2/1"));
}

TEST_P(StreamsTest, VersionsAreTheSameWhereverTheRowsAre) {
  put("cart-1");
  put("cart-1");
  settle();
  EXPECT_EQ(version("cart-1"), 1);
  put("cart-1");
  EXPECT_EQ(version("cart-1"), 2);
  EXPECT_EQ(version("cart-2"), -1);
}

TEST_P(StreamsTest, TheLastEventIsFoundByType) {
  const std::vector<NewMessage> messages = {
      {.stream = "s-1", .type = "A", .data = "1", .time = kDay},
      {.stream = "s-1", .type = "B", .data = "2", .time = kDay + kDayNs},
      {.stream = "s-1", .type = "A", .data = "3", .time = kDay},
  };
  ASSERT_TRUE(append(messages).ok());
  settle();
  const auto last = [&](const char* type) -> std::string {
    const auto found = last_of_stream(*snapshot(), "s-1", type, nullptr);
    EXPECT_TRUE(found.ok()) << found.status().to_string();
    if (found->batch == nullptr) return "none";
    return std::string(event_row(*found->batch, found->row).data);
  };
  EXPECT_EQ(last(""), "3");
  EXPECT_EQ(last("B"), "2");
  EXPECT_EQ(last("C"), "none");
}

TEST_P(StreamsTest, StreamsAreListedInPages) {
  put("b-1", "", 1);
  put("a-2");
  put("a-1");
  put("a-1", "", 1);
  settle();
  put("a-3");
  put("a-1");
  const auto list = [&](const char* prefix, const char* after, uint32_t limit) {
    std::vector<std::string> out;
    const auto found = list_streams(*snapshot(), prefix, after, limit, nullptr);
    EXPECT_TRUE(found.ok()) << found.status().to_string();
    for (const StreamInfo& info : *found) {
      out.push_back(info.stream + " " + std::to_string(info.version) + " " +
                    std::to_string((*info.last_time - kDay) / kDayNs));
    }
    return out;
  };
  EXPECT_THAT(list("", "", 10), ElementsAre("a-1 2 1", "a-2 0 0", "a-3 0 0", "b-1 0 1"));
  EXPECT_THAT(list("", "a-1", 2), ElementsAre("a-2 0 0", "a-3 0 0"));
  EXPECT_THAT(list("a-", "a-2", 10), ElementsAre("a-3 0 0"));
}

TEST_P(StreamsTest, CategoriesCountTheirStreamsAndMessages) {
  put("b-1");
  put("a-2");
  settle();
  put("a-2");
  put("a-1");
  const auto found = list_categories(*snapshot(), kNoLimit, nullptr);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].category, "a");
  EXPECT_EQ((*found)[0].streams, 2u);
  EXPECT_EQ((*found)[0].messages, 3u);
  EXPECT_EQ((*found)[1].category, "b");
  const auto counts = count_streams(*snapshot(), kNoLimit, nullptr);
  EXPECT_EQ(counts->streams, 3u);
  EXPECT_EQ(counts->messages, 4u);
}

TEST_P(StreamsTest, ListsPiecesOfStreamsInMemoryAndBelow) {
  for (const char* stream : {"d", "b", "e"}) put(stream);
  settle();
  for (const char* stream : {"c", "f", "a", "b"}) put(stream);
  std::string names;
  std::string after;
  while (true) {
    const auto listed = list_streams(*snapshot(), "", after, 2, nullptr);
    ASSERT_TRUE(listed.ok());
    for (const StreamInfo& info : *listed) {
      names += info.stream + std::to_string(info.version) + " ";
    }
    if (listed->size() < 2) break;
    after = listed->back().stream;
  }
  EXPECT_EQ(names, "a0 b1 c0 d0 e0 f0 ");
}

TEST_P(StreamsTest, NamesInMemoryAreHeldWithinALimit) {
  for (int i = 0; i < 100; ++i) put("s-" + std::to_string(i));
  EXPECT_EQ(count_streams(*snapshot(), 1000, nullptr).status().code(), StatusCode::kTooLarge);
  EXPECT_EQ(list_categories(*snapshot(), 1000, nullptr).status().code(), StatusCode::kTooLarge);
  EXPECT_EQ(count_streams(*snapshot(), kMiB, nullptr)->streams, 100u);
}

TEST_P(StreamsTest, ADroppedStreamGoesOnCountingAndReadsSayWhatIsGone) {
  for (int i = 0; i < 3; ++i) put("cart-1");
  settle();
  command(ChunkAction::kDrop);
  EXPECT_EQ(version("cart-1"), 2);
  auto gone = read_stream(*snapshot(), {.stream = "cart-1", .from = 1}, nullptr);
  EXPECT_EQ(gone->events.size(), 0u);
  EXPECT_EQ(gone->dropped, 2u);
  put("cart-1");
  EXPECT_EQ(version("cart-1"), 3);
  auto rest = read_stream(*snapshot(), {.stream = "cart-1"}, nullptr);
  EXPECT_THAT(names(rest), ElementsAre("cart-1/3"));
  EXPECT_EQ(rest->dropped, 3u);
  auto all = read_category(*snapshot(), {.category = "cart"}, nullptr);
  EXPECT_THAT(names(all), ElementsAre("cart-1/3"));
  EXPECT_EQ(all->dropped, 3u);
  EXPECT_EQ(read_stream(*snapshot(), {.stream = "cart-1", .from = 3}, nullptr)->dropped, 0u);
  const auto listed = list_streams(*snapshot(), "", "", 10, nullptr);
  EXPECT_EQ(listed->at(0).version, 3);
}

TEST_P(StreamsTest, ADroppedStreamExpectsItsVersion) {
  put("cart-1");
  settle();
  command(ChunkAction::kDrop);
  const NewMessage next{.stream = "cart-1", .type = "T", .data = "{}", .time = kDay};
  EXPECT_EQ(append({next}, {{"cart-1", -1}}).code(), StatusCode::kConflict);
  EXPECT_TRUE(append({next}, {{"cart-1", 0}}).ok());
}

INSTANTIATE_TEST_SUITE_P(Places, StreamsTest,
                         testing::Values(Place::kMemory, Place::kSecondTier, Place::kLastTier,
                                         Place::kRestarted));

TEST(StreamAppend, RefusesMessagesWithoutStreamOrType) {
  const auto make_id = [] { return Id(); };
  const NewMessage no_type{.stream = "s", .type = ""}, no_stream{.stream = "", .type = "T"};
  EXPECT_EQ(make_stream_append({&no_type, 1}, {}, make_id, kLimits).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(make_stream_append({&no_stream, 1}, {}, make_id, kLimits).status().code(),
            StatusCode::kInvalidArgument);
  const std::string name(kLimits.stream_name_bytes + 1, 'x');
  const NewMessage long_name{.stream = name, .type = "T"};
  EXPECT_EQ(make_stream_append({&long_name, 1}, {}, make_id, kLimits).status().code(),
            StatusCode::kTooLarge);
}

TEST(StreamAppend, HasNothingOfTheOneBefore) {
  const auto make_id = [] { return Id(); };
  const auto rows_of = [&](std::span<const NewMessage> messages) -> BatchPtr {
    auto request = make_stream_append(messages, {}, make_id, kLimits);
    return request.ok() ? BatchPtr(std::move(request->batch)) : nullptr;
  };
  const NewMessage first{.stream = "a-1", .type = "A", .data = "{}", .metadata = R"({"k":1})"};
  const NewMessage refused[] = {first, {.stream = "a-1", .type = ""}};
  const NewMessage second{.stream = "b-1", .type = "B", .data = R"({"x":1})"};
  const std::string long_data = R"({"x":")" + std::string(200'000, 'x') + "\"}";
  const NewMessage large{.stream = "c-1", .type = "C", .data = long_data};
  EXPECT_EQ(rows_of({&first, 1})->rows(), 1u);
  EXPECT_EQ(rows_of(refused), nullptr);
  for (const NewMessage& message : {second, large, second}) {
    const BatchPtr batch = rows_of({&message, 1});
    ASSERT_NE(batch, nullptr);
    ASSERT_EQ(batch->rows(), 1u);
    EXPECT_EQ(batch->strings(ColumnId::kType)[0], message.type);
    EXPECT_EQ(batch->strings(ColumnId::kStream).entries(), 1u);
    EXPECT_EQ(batch->strings(ColumnId::kData)[0], message.data);
    EXPECT_FALSE(batch->has_column(ColumnId::kMetadata));
  }
}

}  // namespace
}  // namespace firn
