#include "engine/checked_file.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "env/fault_env.h"
#include "env/sim_env.h"

namespace firn {
namespace {

constexpr uint64_t kBlock = kChecksumBlockBytes;
const std::string kPath = "/cold/x.parquet";

std::string random_bytes(size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random()); });
  return bytes;
}

// What DuckDB would hand over: pages, a footer, its length, the magic.
std::string parquet_of(const std::string& pages, const std::string& footer) {
  std::string bytes = pages + footer;
  append_le<uint32_t>(&bytes, static_cast<uint32_t>(footer.size()));
  return bytes + "PAR1";
}

class CheckedFileTest : public testing::Test {
 protected:
  CheckedFileTest() : env_(&sim_) { EXPECT_TRUE(env_.create_directories("/cold").ok()); }

  Status write(const std::string& bytes, size_t step = 4096, const std::string& path = kPath) {
    CheckedWriter writer(std::move(*env_.open(path, OpenMode::kCreateNew)), path);
    for (size_t at = 0; at < bytes.size(); at += step) {
      FIRN_TRY(writer.append(ByteView(bytes).substr(at, step)));
    }
    return writer.finish({file_name(kPath), 11, 22});
  }

  Result<std::unique_ptr<CheckedReader>> open(const std::string& path = kPath) {
    FIRN_ASSIGN(auto file, env_.open(path, OpenMode::kRead));
    FIRN_ASSIGN(auto end, load_file_end(*file, path, &bytes_read_));
    return std::make_unique<CheckedReader>(std::move(file), path, std::move(end), &bytes_read_);
  }

  static Result<std::string> read(CheckedReader* reader, uint64_t offset, size_t size) {
    std::string out(size, '\0');
    FIRN_ASSIGN(const size_t count, reader->read_at(offset, out.data(), size));
    out.resize(count);
    return out;
  }
  Result<std::string> read_all() {
    FIRN_ASSIGN(const auto reader, open());
    return read(reader.get(), 0, reader->file_bytes());
  }

  void expect_damage(const Status& status, const std::string& detail) {
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << status.to_string();
    EXPECT_THAT(std::string(status.message()),
                testing::AllOf(testing::HasSubstr(kPath), testing::HasSubstr(detail)));
  }

  SimEnv sim_{1};
  FaultEnv env_;
  std::atomic<uint64_t> bytes_read_{0};
};

TEST_F(CheckedFileTest, PagesAndFooterKeepTheirPlaces) {
  for (const size_t size : {size_t{4}, kBlock - 1, kBlock, kBlock + 1, 3 * kBlock + 7}) {
    const std::string pages = random_bytes(size), footer = random_bytes(300);
    ASSERT_TRUE(write(parquet_of(pages, footer)).ok());
    const auto all = read_all();
    ASSERT_TRUE(all.ok()) << all.status().to_string();
    EXPECT_EQ(*all, sim_.raw_content(kPath));
    EXPECT_TRUE(all->starts_with(pages));
    EXPECT_TRUE(all->ends_with(parquet_of("", footer)));
    EXPECT_TRUE(verify_checked_file(&env_, kPath).ok());
    ASSERT_TRUE(env_.remove(kPath).ok());
  }
}

TEST_F(CheckedFileTest, AFooterThatIsWrittenAlreadyMoves) {
  // The writer only learns at the end where the footer began.
  for (const size_t footer_bytes : {1'000'000u, 1'048'570u, 1'048'576u, 3'000'000u}) {
    const std::string pages = random_bytes(100'000), footer = random_bytes(footer_bytes);
    ASSERT_TRUE(write(parquet_of(pages, footer)).ok());
    const auto all = read_all();
    ASSERT_TRUE(all.ok()) << all.status().to_string();
    EXPECT_TRUE(all->starts_with(pages));
    EXPECT_TRUE(all->ends_with(parquet_of("", footer)));
    ASSERT_TRUE(env_.remove(kPath).ok());
  }
}

TEST_F(CheckedFileTest, AnyRangeReadsWhatIsThere) {
  ASSERT_TRUE(write(parquet_of(random_bytes(5 * kBlock + 99), random_bytes(500))).ok());
  const std::string whole = sim_.raw_content(kPath);
  const auto reader = std::move(*open());
  std::mt19937_64 random(3);
  for (int i = 0; i < 500; ++i) {
    const uint64_t offset = random() % (whole.size() + 10);
    const size_t size = random() % (i % 2 == 0 ? 50 : 3 * kBlock);
    const auto bytes = read(reader.get(), offset, size);
    ASSERT_TRUE(bytes.ok()) << bytes.status().to_string();
    EXPECT_EQ(*bytes, offset < whole.size() ? whole.substr(offset, size) : "")
        << offset << " " << size;
  }
}

TEST_F(CheckedFileTest, ReadingOnwardsReadsEachBlockOnce) {
  ASSERT_TRUE(write(parquet_of(random_bytes(7 * kBlock + 99), "footer")).ok());
  const auto reader = std::move(*open());
  bytes_read_ = 0;
  uint64_t at = 0;
  for (size_t size = 1; at + size < reader->file_bytes(); size = size * 2 % 150'001) {
    ASSERT_TRUE(read(reader.get(), at, size).ok());
    at += size;
  }
  EXPECT_LE(bytes_read_, 7 * kBlock + 99);
}

TEST_F(CheckedFileTest, EveryFlippedBitIsNoticed) {
  ASSERT_TRUE(write(parquet_of(random_bytes(kBlock + 50), random_bytes(40))).ok());
  const std::string whole = sim_.raw_content(kPath);
  for (uint64_t byte = 0; byte < whole.size(); byte += byte + 2000 < whole.size() ? 997 : 1) {
    for (uint64_t bit = 8 * byte; bit < 8 * byte + 8; ++bit) {
      sim_.flip_bit(kPath, bit);
      expect_damage(read_all().status(), "");
      expect_damage(verify_checked_file(&env_, kPath), "");
      sim_.flip_bit(kPath, bit);
    }
  }
  EXPECT_EQ(*read_all(), whole);
}

TEST_F(CheckedFileTest, DamageNamesBytesAndPositions) {
  ASSERT_TRUE(write(parquet_of(random_bytes(3 * kBlock), "footer")).ok());
  sim_.flip_bit(kPath, (kBlock + 5) * 8);
  const auto reader = std::move(*open());
  expect_damage(read(reader.get(), kBlock - 1, 2).status(), "bytes 65536 to 131072");
  expect_damage(read(reader.get(), 0, 3 * kBlock).status(), "positions 11 to 22");
  EXPECT_TRUE(read(reader.get(), 0, kBlock).ok());
  EXPECT_TRUE(read(reader.get(), 2 * kBlock, 10).ok());
}

TEST_F(CheckedFileTest, EveryMissingEndIsNoticed) {
  ASSERT_TRUE(write(parquet_of(random_bytes(500), random_bytes(40))).ok());
  const std::string whole = sim_.raw_content(kPath);
  for (size_t size = 0; size < whole.size(); ++size) {
    sim_.set_raw_content(kPath, whole.substr(0, size));
    expect_damage(read_all().status(), "no checksums");
  }
  sim_.set_raw_content(kPath, whole + "x");
  expect_damage(read_all().status(), "no checksums");
}

TEST_F(CheckedFileTest, AFileWithoutChecksumsIsNotRead) {
  sim_.set_raw_content(kPath, parquet_of(random_bytes(5000), random_bytes(400)));
  expect_damage(read_all().status(), "no checksums");
}

TEST_F(CheckedFileTest, AFileUnderAnotherNameIsNotRead) {
  const std::string temporary = kPath + ".tmp";
  ASSERT_TRUE(write(parquet_of(random_bytes(500), "footer"), 4096, temporary).ok());
  EXPECT_EQ(open(temporary).status().code(), StatusCode::kCorruption);
  ASSERT_TRUE(env_.rename(temporary, kPath).ok());
  EXPECT_TRUE(read_all().ok());
  ASSERT_TRUE(env_.rename(kPath, "/cold/y.parquet").ok());
  const Status status = open("/cold/y.parquet").status();
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("was written as x.parquet"));
}

TEST_F(CheckedFileTest, BlocksThatChangedPlacesAreNoticed) {
  ASSERT_TRUE(write(parquet_of(random_bytes(4 * kBlock), "footer")).ok());
  const std::string whole = sim_.raw_content(kPath);
  sim_.set_raw_content(
      kPath, whole.substr(kBlock, kBlock) + whole.substr(0, kBlock) + whole.substr(2 * kBlock));
  expect_damage(read_all().status(), "bytes 0 to 65536");
}

TEST_F(CheckedFileTest, AFailedReadIsToldAndNotRemembered) {
  ASSERT_TRUE(write(parquet_of(random_bytes(2 * kBlock), "footer")).ok());
  const auto reader = std::move(*open());
  env_.fail_matching(IoKind::kRead, "x.parquet", 1, io_error("injected"));
  EXPECT_EQ(read(reader.get(), 5, 10).status().code(), StatusCode::kIoError);
  EXPECT_EQ(*read(reader.get(), 5, 10), sim_.raw_content(kPath).substr(5, 10));
}

TEST_F(CheckedFileTest, WhatIsNotParquetIsNotFinished) {
  for (const std::string& bytes : {std::string(), std::string("PAR1"), random_bytes(100),
                                   std::string("\x09\x00\x00\x00PAR1", 8)}) {
    EXPECT_EQ(write(bytes).code(), StatusCode::kInternal);
    ASSERT_TRUE(env_.remove(kPath).ok());
  }
}

TEST_F(CheckedFileTest, WhatIsReadBackOtherwiseIsNotFinished) {
  CheckedWriter writer(std::move(*env_.open(kPath, OpenMode::kCreateNew)), kPath);
  const std::string bytes = parquet_of("PAR1", random_bytes(3 * kMiB));
  ASSERT_TRUE(writer.append(bytes).ok());
  sim_.flip_bit(kPath, 8 * kMiB);
  EXPECT_EQ(writer.finish({}).code(), StatusCode::kIoError);
}

TEST_F(CheckedFileTest, FailedWritesAndSyncsAreTold) {
  for (const IoKind kind : {IoKind::kWrite, IoKind::kSync}) {
    env_.fail_matching(kind, "x.parquet", 1, io_error("injected"));
    EXPECT_EQ(write(parquet_of("PAR1", "footer")).code(), StatusCode::kIoError);
    ASSERT_TRUE(env_.remove(kPath).ok());
  }
}

}  // namespace
}  // namespace firn
