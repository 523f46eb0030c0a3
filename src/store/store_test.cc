#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/test_store.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(StoreTest, AnAppendGetsTheNextPositions) {
  EXPECT_EQ(append({{"a"}, {"b"}})->first_position, 1u);
  const auto second = append({{"c"}});
  EXPECT_EQ(second->first_position, 3u);
  EXPECT_EQ(second->last_position, 3u);
  EXPECT_EQ(second->count, 1u);
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c"));
}

TEST_F(StoreTest, ARestartKeepsRowsAndGoesOnCounting) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  restart();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
  EXPECT_EQ(append({{"c"}})->first_position, 3u);
}

TEST_F(StoreTest, RowsKeepOneOwnerWhileTheyMoveDown) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  EXPECT_THAT(places(), ElementsAre("hot/memory"));
  ASSERT_TRUE(flush().ok());
  EXPECT_THAT(places(), ElementsAre("warm/open"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
  ASSERT_TRUE(append({{"c"}}).ok());
  EXPECT_THAT(places(), ElementsAre("warm/open", "hot/memory"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c"));
  ASSERT_TRUE(move().ok());
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c"));
  restart();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c"));
}

TEST_F(StoreTest, LateRowsStartTheNextGeneration) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  ASSERT_TRUE(append({{"late"}}).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_THAT(places(), ElementsAre("cold/sealed", "warm/open"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:late"));
  ASSERT_TRUE(move().ok());
  EXPECT_THAT(places(), ElementsAre("cold/sealed", "cold/sealed"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:late"));
}

TEST_F(StoreTest, ABatchOverSeveralDaysLandsInSeveralChunks) {
  ASSERT_TRUE(append({{"a", kDay}, {"b", kDay - kDayNs}, {"c", kDay + kDayNs}, {"d", kDay}}).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_THAT(places(), ElementsAre("warm/open", "warm/open", "warm/open"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c", "4:d"));
}

TEST_F(StoreTest, ASnapshotDoesNotChangeWhileChunksMoveAndRowsArrive) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  const SnapshotPtr before = *store_->snapshot(space_);
  const auto chunks = before->chunks(Dataset::kEvents, Filter{});
  ASSERT_TRUE(append({{"c"}}).ok());
  ASSERT_TRUE(move().ok());
  ASSERT_EQ(chunks.size(), 1u);
  auto reader = before->scan(chunks[0], ScanSpec{}, nullptr);
  ASSERT_TRUE(reader.ok()) << reader.status().to_string();
  uint32_t rows = 0;
  BatchSlice slice;
  while (*(*reader)->next(&slice)) rows += slice.rows();
  EXPECT_EQ(rows, 2u);
}

TEST_F(StoreTest, ARepeatedIdReturnsTheOriginalPosition) {
  ASSERT_TRUE(append({{"x"}, {"a", kDay, id_of(1)}}).ok());
  for (int round = 0; round < 4; ++round) {
    const auto again = append({{"a", kDay, id_of(1)}});
    ASSERT_TRUE(again.ok()) << again.status().to_string();
    EXPECT_EQ(again->first_position, 2u) << "round " << round;
    EXPECT_EQ(again->duplicates, 1u);
    if (round == 0) restart();
    if (round == 1) {
      ASSERT_TRUE(flush().ok());
    }
    if (round == 2) {
      ASSERT_TRUE(move().ok());
    }
  }
  EXPECT_THAT(contents(), ElementsAre("1:x", "2:a"));
}

TEST_F(StoreTest, AnIdMadeByTheStoreIsRecognisedWhenItComesBack) {
  const Id id = store_->id_source()();
  ASSERT_TRUE(append({{"a", kDay, id}}).ok());
  EXPECT_EQ(append({{"a", kDay, id}})->duplicates, 1u);
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(append({{"a", kDay, id}})->duplicates, 1u);
}

TEST_F(StoreTest, TheSameIdWithOtherContentIsAConflictAndStoresNothing) {
  ASSERT_TRUE(append({{"a", kDay, id_of(1)}}).ok());
  const auto refused = append({{"new"}, {"other", kDay, id_of(1)}});
  EXPECT_EQ(refused.status().code(), StatusCode::kConflict);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("event 1"));
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(append({{"other", kDay, id_of(1)}}).status().code(), StatusCode::kConflict);
  EXPECT_THAT(contents(), ElementsAre("1:a"));
}

TEST_F(StoreTest, OnlyTheNewRowsOfAPartlyRepeatedBatchAreStored) {
  ASSERT_TRUE(append({{"a", kDay, id_of(1)}}).ok());
  const auto mixed = append({{"b", kDay, id_of(2)}, {"a", kDay, id_of(1)}, {"c", kDay, id_of(3)}});
  ASSERT_TRUE(mixed.ok()) << mixed.status().to_string();
  EXPECT_EQ(mixed->duplicates, 1u);
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c"));
  EXPECT_EQ(append({{"c", kDay, id_of(3)}})->first_position, 3u);
}

TEST_F(StoreTest, ALargeRequestIsRecognisedWhereverItsEventsAre) {
  std::vector<Spec> all;
  for (uint64_t i = 0; i < 1500; ++i) {
    all.push_back({"e" + std::to_string(i), kDay + static_cast<TimeNs>(i % 3) * kDayNs, id_of(i)});
  }
  const auto part = [&all](size_t begin, size_t end) {
    return std::vector<Spec>(all.begin() + static_cast<ptrdiff_t>(begin),
                             all.begin() + static_cast<ptrdiff_t>(end));
  };
  ASSERT_TRUE(append(part(0, 600)).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  ASSERT_TRUE(append(part(600, 1000)).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(append(part(1000, 1400)).ok());
  const auto again = append(all);
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  EXPECT_EQ(again->duplicates, 1400u);
  EXPECT_EQ(again->last_position, 1500u);
  EXPECT_EQ(contents().size(), 1500u);
  all[300].data = "other";
  const auto refused = append(all);
  EXPECT_EQ(refused.status().code(), StatusCode::kConflict);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("event 300: id "));
}

TEST_F(StoreTest, AnIdTwiceInOneBatchIsStoredOnce) {
  const auto twice = append({{"a", kDay, id_of(1)}, {"b"}, {"a", kDay, id_of(1)}});
  ASSERT_TRUE(twice.ok()) << twice.status().to_string();
  EXPECT_EQ(twice->duplicates, 1u);
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
  EXPECT_EQ(append({{"a", kDay, id_of(4)}, {"b", kDay, id_of(4)}}).status().code(),
            StatusCode::kConflict);
}

TEST_F(StoreTest, StreamPositionsGoOnAfterFlushTrimAndRestart) {
  const auto stream_positions = [&] {
    std::vector<int64_t> found;
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kEvents, Filter{})) {
      auto reader = snapshot->scan(chunk, ScanSpec{}, nullptr);
      BatchSlice slice;
      while (*(*reader)->next(&slice)) {
        for (uint32_t i = 0; i < slice.rows(); ++i) {
          found.push_back(event_row(*slice.batch, slice.row(i)).stream_position);
        }
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  };
  ASSERT_TRUE(append({{"a", kDay, {}, "s"}, {"b", kDay, {}, "s"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(append({{"c", kDay, {}, "s"}}).ok());
  restart();
  ASSERT_TRUE(append({{"d", kDay, {}, "s"}}).ok());
  ASSERT_TRUE(flush().ok());
  restart();
  ASSERT_TRUE(append({{"e", kDay, {}, "s"}}).ok());
  EXPECT_THAT(stream_positions(), ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(StoreTest, ADroppedChunkStaysGoneAndPositionsGoOn) {
  ASSERT_TRUE(append({{"a", kDay}, {"b", kDay + kDayNs}}).ok());
  ASSERT_TRUE(flush().ok());
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  const std::string first = snapshot->chunks(Dataset::kEvents, Filter{})[0].key.name();
  ASSERT_TRUE(command(ChunkAction::kDrop, {first}).status.ok());
  EXPECT_THAT(contents(), ElementsAre("2:b"));
  restart();
  EXPECT_THAT(contents(), ElementsAre("2:b"));
  EXPECT_EQ(append({{"c"}})->first_position, 3u);
  EXPECT_EQ(command(ChunkAction::kDrop, {"no-such-chunk"}).status.code(), StatusCode::kNotFound);
}

TEST_F(StoreTest, NamespacesDoNotMixAndADeletedOneIsGone) {
  ASSERT_TRUE(store_->put_namespace("other", kForever).ok());
  ASSERT_TRUE(append({{"a"}}).ok());
  const NamespaceId first = space_;
  space_ = store_->find_namespace("other")->id;
  EXPECT_EQ(append({{"b"}})->first_position, 1u);
  EXPECT_THAT(contents(), ElementsAre("1:b"));
  ASSERT_TRUE(store_->delete_namespace("other").ok());
  EXPECT_EQ(append({{"c"}}).status().code(), StatusCode::kNotFound);
  space_ = first;
  restart();
  EXPECT_THAT(contents(), ElementsAre("1:a"));
  EXPECT_EQ(store_->find_namespace("other").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->put_namespace("Bad Name", kForever).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(StoreTest, ASecondProcessOnTheDirectoryIsRefused) {
  const auto second = Store::open(posix_env(), options());
  EXPECT_EQ(second.status().code(), StatusCode::kConflict);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another process"));
}

TEST_F(StoreTest, RowsOlderThanTheirTierKeepsMoveDownByThemselves) {
  change_options_ = [](StoreOptions* options) {
    options->tiers[0].keep_ns = 30 * kMillisecondNs;
    options->tiers[1].keep_ns = 60 * kDayNs;
  };
  restart();
  ASSERT_TRUE(append({{"old", kDay}, {"new", posix_env()->now()}}).ok());
  for (int i = 0; i < 500 && places() != std::vector<std::string>{"cold/sealed", "warm/open"};
       ++i) {
    pause();
  }
  EXPECT_THAT(places(), ElementsAre("cold/sealed", "warm/open"));
  EXPECT_THAT(contents(), ElementsAre("1:old", "2:new"));
}

TEST_F(StoreTest, RetentionOfANamespaceDropsWholeChunks) {
  // The first day began more than the retention ago, but most of it is younger.
  const TimeNs now = posix_env()->now(), first_day = now - 7 * kDayNs + kMinuteNs;
  ASSERT_TRUE(append({{"old", kDay}, {"first day", first_day}, {"new", now}}).ok());
  ASSERT_TRUE(store_->put_namespace("default", 7 * kDayNs).ok());
  for (int i = 0; i < 500 && contents().size() > 2; ++i) pause();
  EXPECT_THAT(contents(), ElementsAre("2:first day", "3:new"));
  restart();
  EXPECT_THAT(contents(), ElementsAre("2:first day", "3:new"));
}

TEST_F(StoreTest, FlushedRowsLetTheLogShrink) {
  change_options_ = [](StoreOptions* options) { options->wal_segment_bytes = 1 * kMiB; };
  restart();
  const std::string filler(300 * 1024, 'x');
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append({{filler}}).ok());
  const uint64_t before = store_->health().wal.segments;
  ASSERT_TRUE(flush().ok());
  EXPECT_LT(store_->health().wal.segments, before);
  restart();
  EXPECT_EQ(contents().size(), 20u);
  EXPECT_EQ(append({{"next"}})->first_position, 21u);
}

TEST_F(StoreTest, AppendsAreRefusedWhenMemoryIsSpentAndTakenAgainAfterAFlush) {
  change_options_ = [](StoreOptions* options) {
    options->memory_bytes_max = 64 * kMiB;
    options->tiers[0].max_memory_bytes = 48 * kMiB;
  };
  restart();
  const std::string filler(1000 * 1000, 'x');
  uint64_t stored = 0;
  for (int i = 0; i < 200; ++i) {
    const auto result = append({{filler}});
    if (result.ok()) {
      ++stored;
    } else {
      EXPECT_EQ(result.status().code(), StatusCode::kUnavailable);
    }
    EXPECT_LE(store_->health().memory_bytes, 64 * kMiB);
  }
  EXPECT_GT(stored, 60u);
  EXPECT_EQ(contents().size(), stored);
}

TEST_F(StoreTest, VerifyFindsNothingOnSoundDataAndNamesADamagedChunk) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  VerifyReport report = store_->verify();
  EXPECT_TRUE(report.findings.empty()) << report.findings[0].status.to_string();
  EXPECT_EQ(report.rows, 2u);
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  const auto chunks = snapshot->chunks(Dataset::kEvents, Filter{});
  const std::string file = snapshot->files(chunks[0]).at(0).path;
  auto opened = *posix_env()->open(file, OpenMode::kReadWrite);
  char byte = 0;
  ASSERT_TRUE(opened->read_at(40, &byte, 1).ok());
  byte = static_cast<char>(byte ^ 0x10);
  ASSERT_TRUE(opened->write_at(40, ByteView(&byte, 1)).ok());
  report = store_->verify();
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_THAT(report.findings[0].status.to_string(), HasSubstr("corruption"));
}

TEST_F(StoreTest, AMissingChunkIsNamedAndHidesNoRows) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  const std::string name =
      (*store_->snapshot(space_))->chunks(Dataset::kEvents, Filter{})[0].key.name();
  store_.reset();
  for (const char* suffix : {".db", ".db-wal"}) {
    (void)posix_env()->remove(directory_.path() + "/warm/" + name + suffix);
  }
  open();
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  const auto chunks = snapshot->chunks(Dataset::kEvents, Filter{});
  ASSERT_EQ(chunks.size(), 1u);
  for (const Status& status : {snapshot->scan(chunks[0], ScanSpec{}, nullptr).status(),
                               snapshot->aggregate(chunks[0], AggregateSpec{}, nullptr).status()}) {
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << status.to_string();
    EXPECT_THAT(status.to_string(), HasSubstr(name));
  }
}

TEST_F(StoreTest, ADamagedOpenChunkDoesNotStopWhatArrivesLater) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  std::string file;
  {
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    file = snapshot->files(snapshot->chunks(Dataset::kEvents, Filter{})[0]).at(0).path;
  }
  store_.reset();
  ASSERT_TRUE(replace_file(posix_env(), file, std::string(8192, 'x')).ok());
  open();
  ASSERT_TRUE(append({{"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_THAT(places(), ElementsAre("warm/open", "warm/open"));
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  const auto chunks = snapshot->chunks(Dataset::kEvents, Filter{});
  EXPECT_EQ(snapshot->scan(chunks[0], ScanSpec{}, nullptr).status().code(),
            StatusCode::kCorruption);
  auto reader = snapshot->scan(chunks[1], ScanSpec{}, nullptr);
  ASSERT_TRUE(reader.ok()) << reader.status().to_string();
  BatchSlice slice;
  ASSERT_TRUE(*(*reader)->next(&slice));
  EXPECT_EQ(event_row(*slice.batch, slice.row(0)).data, "b");
  EXPECT_EQ(slice.batch->position(slice.row(0)), 2u);
}

TEST_F(StoreTest, OptionsThatCannotBeAppliedAreRefused) {
  store_.reset();
  change_options_ = [](StoreOptions* options) { options->chunk_interval_ns = kHourNs; };
  EXPECT_THAT(std::string(Store::open(posix_env(), options()).status().message()),
              HasSubstr("chunk_interval"));
  change_options_ = [](StoreOptions* options) { options->tiers[1].keep_ns = kForever; };
  EXPECT_EQ(Store::open(posix_env(), options()).status().code(), StatusCode::kInvalidArgument);
  change_options_ = [](StoreOptions* options) { options->tiers.erase(options->tiers.begin()); };
  EXPECT_EQ(Store::open(posix_env(), options()).status().code(), StatusCode::kInvalidArgument);
}

// Regressions that a review found.

TEST_F(StoreTest, AFlushDuringTheReplayClaimsNoRowsThatAreStillToCome) {
  change_options_ = [](StoreOptions* o) {
    o->memory_bytes_max = 64 * kMiB;
    o->tiers[0].max_memory_bytes = 63 * kMiB;
    o->wal_segment_bytes = 1 * kMiB;
  };
  restart();
  const std::string filler(500 * 1024, 'x');
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(append({{filler, kDay}}).ok());
  for (int i = 0; i < 105; ++i) ASSERT_TRUE(append({{filler, kDay + kDayNs}}).ok());
  const auto first = (*store_->snapshot(space_))->chunks(Dataset::kEvents, Filter{})[0].key.name();
  ASSERT_TRUE(command(ChunkAction::kFlush, {first}).status.ok());
  restart();
  EXPECT_EQ(contents().size(), 111u);
}

TEST_F(StoreTest, TheLastRepresentableTimeIsATimeLikeAnyOther) {
  ASSERT_TRUE(append({{"z", INT64_MAX}, {"a", INT64_MIN}}).ok());
  restart();
  EXPECT_THAT(contents(), ElementsAre("1:z", "2:a"));
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  EXPECT_THAT(contents(), ElementsAre("1:z", "2:a"));
}

TEST_F(StoreTest, ADroppedChunkUnderAReaderDoesNotMixWithItsSuccessor) {
  change_options_ = [](StoreOptions* o) { o->wal_segment_bytes = 1 * kMiB; };
  restart();
  const std::string filler(300 * 1024, 'x');
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append({{filler}}).ok());
  ASSERT_TRUE(flush().ok());
  SnapshotPtr reader = *store_->snapshot(space_);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(append({{filler, kDay + kDayNs}}).ok());
  ASSERT_TRUE(command(ChunkAction::kDrop).status.ok());
  ASSERT_TRUE(append({{"new"}}).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(contents().size(), 1u);
  reader.reset();
  for (int i = 0; i < 30; ++i) pause();
  EXPECT_EQ(contents().size(), 1u);
}

TEST_F(StoreTest, ADroppedChunkStaysGoneWhileTheLogStillHoldsItsRows) {
  change_options_ = [](StoreOptions* o) { o->wal_segment_bytes = 1 * kMiB; };
  restart();
  const std::string filler(300 * 1024, 'x');
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append({{filler}}).ok());
  ASSERT_TRUE(command(ChunkAction::kDrop).status.ok());
  restart();
  EXPECT_EQ(contents().size(), 0u);
}

TEST_F(StoreTest, AnEmptyManifestOverExistingChunksIsRefused) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  store_.reset();
  const std::string path = directory_.file("manifest.db");
  ASSERT_TRUE((*posix_env()->open(path, OpenMode::kReadWrite))->truncate(0).ok());
  (void)posix_env()->remove(path + "-wal");
  EXPECT_EQ(Store::open(posix_env(), options()).status().code(), StatusCode::kCorruption);
}

TEST_F(StoreTest, StreamPositionsGoOnBehindADropFromMemory) {
  change_options_ = [](StoreOptions* o) {
    o->tiers.resize(1);
    o->tiers[0].keep_ns = kForever;
  };
  restart();
  ASSERT_TRUE(append({{"a", kDay, {}, "s"}, {"b", kDay, {}, "s"}}).ok());
  ASSERT_TRUE(command(ChunkAction::kDrop).status.ok());
  restart();
  ASSERT_TRUE(append({{"c", kDay, {}, "s"}}).ok());
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  auto rows = snapshot->scan(snapshot->chunks(Dataset::kEvents, Filter{})[0], ScanSpec{}, nullptr);
  BatchSlice slice;
  ASSERT_TRUE(*(*rows)->next(&slice));
  EXPECT_EQ(event_row(*slice.batch, slice.row(0)).stream_position, 2);
}

TEST_F(StoreTest, TheRocksdbLogKeepsRowsPositionsAndShrinks) {
  store_.reset();
  const TestDirectory directory;
  change_options_ = [&](StoreOptions* o) {
    o->data_dir = directory.path();
    o->wal_type = WalType::kRocksdb;
    o->wal_segment_bytes = 1 * kMiB;
  };
  open();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(append({{std::string(900 * kKiB, static_cast<char>('a' + i))}}).ok());
    restart();
  }
  EXPECT_EQ(contents().size(), 3u);
  EXPECT_TRUE(store_->verify().findings.empty());
  const uint64_t before = store_->health().wal.segments;
  ASSERT_TRUE(flush().ok());
  EXPECT_LT(store_->health().wal.segments, before);
  restart();
  EXPECT_EQ(append({{"d"}})->first_position, 4u);
  EXPECT_EQ(contents().size(), 4u);
}

TEST_F(StoreTest, AnotherTypeOfLogThanTheDirectoryHoldsIsRefused) {
  ASSERT_TRUE(append({{"a"}}).ok());
  store_.reset();
  StoreOptions other = options();
  other.wal_type = WalType::kRocksdb;
  const Status refused = Store::open(posix_env(), other).status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("wal.type is rocksdb"));
  open();
  EXPECT_THAT(contents(), ElementsAre("1:a"));
}

TEST_F(StoreTest, AReadOnlyStoreChangesNothing) {
  ASSERT_TRUE(store_->put_namespace("other", kForever).ok());
  store_.reset();
  change_options_ = [](StoreOptions* o) { o->read_only = true; };
  open();
  EXPECT_FALSE(store_->delete_namespace("other").ok());
  EXPECT_FALSE(store_->put_namespace("third", kForever).ok());
  EXPECT_FALSE(append({{"a"}}).ok());
}

TEST_F(StoreTest, ATextThatNoIndexTakesIsRefused) {
  EXPECT_TRUE(append({{.data = "a", .stream = std::string(512, 's')}}).ok());
  const Status status = append({{.data = "b", .stream = std::string(513, 's')}}).status();
  EXPECT_EQ(status.code(), StatusCode::kTooLarge);
  EXPECT_THAT(std::string(status.message()), HasSubstr("stream_name_bytes"));
  EXPECT_THAT(contents(), ElementsAre("1:a"));
}

TEST_F(StoreTest, ABatchScatteredOverTooManyIntervalsIsRefused) {
  std::vector<Spec> events;
  for (int i = 0; i < 1001; ++i) events.push_back({"x", kDay + i * kDayNs});
  EXPECT_EQ(append(events).status().code(), StatusCode::kTooLarge);
}

TEST_F(StoreTest, ANamespaceKeepsItsProfile) {
  ASSERT_TRUE(store_->create_namespace("shop", {"ours", std::string(32, 'x')}).ok());
  EXPECT_EQ(store_->create_namespace("shop", {}).status().code(), StatusCode::kConflict);
  restart();
  EXPECT_EQ(store_->find_namespace("shop")->profile->description, "ours");
  EXPECT_EQ(store_->find_namespace("shop")->profile->token_sha256, std::string(32, 'x'));
  ASSERT_TRUE(store_->set_namespace_profile("default", {"", "y"}).ok());
  EXPECT_EQ(store_->find_namespace("default")->profile->token_sha256, "y");
  restart();
  EXPECT_EQ(store_->find_namespace("default")->profile->token_sha256, "y");
}

TEST_F(StoreTest, AClearedNamespaceBeginsAgain) {
  ASSERT_TRUE(store_->set_namespace_profile("default", {"ours", "x"}).ok());
  ASSERT_TRUE(append({{.data = "a", .stream = "s"}}).ok());
  ASSERT_TRUE(store_->clear_namespace("default").ok());
  const NamespaceInfo info = *store_->find_namespace("default");
  EXPECT_EQ(info.last_position, 0u);
  EXPECT_EQ(info.profile->description, "ours");
  space_ = info.id;
  EXPECT_EQ(append({{.data = "b", .stream = "s"}})->first_position, 1u);
  restart();
  EXPECT_EQ(store_->find_namespace("default")->last_position, 1u);
}

}  // namespace
}  // namespace firn
