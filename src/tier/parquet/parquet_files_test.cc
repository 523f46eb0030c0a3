#include "tier/parquet/parquet_files.h"

#include <gtest/gtest.h>

#include "model/test_rows.h"

namespace firn {
namespace {

ChunkKey key() { return {7, Dataset::kEvents, kTestTime, kTestTime + kDayNs, 2}; }

TEST(ParquetFilesTest, NamesRoundTrip) {
  const ParquetFileName name{key(), 12, 500, 77};
  EXPECT_EQ(name.text(), key().name() + "-p12-500-r77.parquet");
  const auto parsed = ParquetFileName::parse(name.text());
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->key, key());
  EXPECT_EQ(parsed->first, 12u);
  EXPECT_EQ(parsed->last, 500u);
  EXPECT_EQ(parsed->rows, 77u);
}

TEST(ParquetFilesTest, OtherNamesAreNotOurs) {
  const std::string chunk = key().name();
  for (const std::string& text :
       {std::string("x.parquet"), chunk + ".parquet", chunk + "-p1-2-r3",
        chunk + "-p2-1-r0.parquet", chunk + "-p01-2-r3.parquet", chunk + "-p1-2-r.parquet",
        chunk + "-p1-2-r3.parquet.tmp", chunk + "-p1-2-r-3.parquet", "-p1-2-r3.parquet" + chunk,
        std::string()}) {
    EXPECT_FALSE(ParquetFileName::parse(text).has_value()) << text;
  }
}

TEST(ParquetFilesTest, DirectoriesAreHivePartitions) {
  EXPECT_EQ(parquet_chunk_directory("/cold", key()), "/cold/events/namespace=7/date=2026-01-01");
}

TEST(ParquetFilesTest, MetadataRoundTrips) {
  const ParquetFileName name{key(), 1, 9, 4};
  ParquetFileStats stats{4, 1000, 1, 0xfedcba9876543210u, -5, 6, 2, 8};
  ParquetInfo info;
  info.rows = 4;
  info.metadata = parquet_metadata(name, stats, {});
  const auto parsed = parse_parquet_metadata(name, info);
  ASSERT_TRUE(parsed.ok()) << parsed.status().to_string();
  EXPECT_EQ(parsed->checksum, stats.checksum);
  EXPECT_EQ(parsed->raw_rows, 1u);
  EXPECT_EQ(parsed->time_min, -5);
  EXPECT_EQ(parsed->position_max, 8u);
}

TEST(ParquetFilesTest, MetadataMustFitTheNameAndTheRows) {
  const ParquetFileName name{key(), 1, 9, 4};
  const ParquetFileStats stats{4, 1000, 0, 1, 0, 1, 2, 8};
  ParquetInfo info;
  info.rows = 4;
  info.metadata = parquet_metadata(name, stats, {});
  ParquetFileName other = name;
  other.last = 10;
  EXPECT_EQ(parse_parquet_metadata(other, info).status().code(), StatusCode::kCorruption);
  other = name;
  other.key.generation = 3;
  EXPECT_EQ(parse_parquet_metadata(other, info).status().code(), StatusCode::kCorruption);
  info.rows = 3;
  EXPECT_EQ(parse_parquet_metadata(name, info).status().code(), StatusCode::kCorruption);
  info.rows = 4;
  info.metadata.erase(info.metadata.begin() + 6);
  EXPECT_EQ(parse_parquet_metadata(name, info).status().code(), StatusCode::kCorruption);
}

TEST(ParquetFilesTest, NewerFormatsAreRefusedByName) {
  const ParquetFileName name{key(), 1, 9, 0};
  ParquetInfo info;
  info.metadata = parquet_metadata(name, {}, {});
  info.metadata[0].second = "2";
  EXPECT_EQ(parse_parquet_metadata(name, info).status().code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace firn
