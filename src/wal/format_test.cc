#include "wal/format.h"

#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"

namespace firn::wal {
namespace {

SegmentHeader example_header() {
  SegmentHeader header;
  header.segment_id = 1;
  header.file_bytes = 8192;
  for (uint8_t i = 0; i < 16; ++i) header.log_id.bytes[i] = i;
  return header;
}

std::string encode(SegmentHeader header) {
  std::string block(kSegmentHeaderBytes, 'x');
  encode_segment_header(&header, block.data());
  return block;
}

// The record of `payload` at `offset` of segment 1 of the example; sets *previous_crc to its own.
std::string encode_record(uint64_t offset, uint32_t synced, ByteView payload,
                          uint32_t* previous_crc) {
  RecordHeader header;
  header.payload_crc = crc32c(payload);
  header.payload_bytes = static_cast<uint32_t>(payload.size());
  header.previous_crc = *previous_crc;
  header.synced = synced;
  std::string out(kRecordHeaderBytes, '\0');
  encode_record_header(segment_seed(example_header().log_id, 1), offset, &header, out.data());
  *previous_crc = header.crc;
  return out;
}

TEST(WalFormat, WritesTheBytesOfTheWorkedExample) {
  const std::string block = encode(example_header());
  EXPECT_EQ(hex_encode(ByteView(block).substr(0, 72)),
            "4649524e2d57414c0100000000100000"
            "01000000000000000020000000000000"
            "000102030405060708090a0b0c0d0e0f"
            "00000000000000000000000000000000"
            "00000000412f23d0");
  EXPECT_EQ(block.substr(72), std::string(kSegmentHeaderBytes - 72, '\0'));
  uint32_t crc = load_le<uint32_t>(block.data() + 68);
  EXPECT_EQ(hex_encode(encode_record(4096, 4096, "snow", &crc)),
            "c29c0763ad94d4b20400000001000000412f23d000100000");
  EXPECT_EQ(hex_encode(encode_record(4128, 4128, "ice", &crc)),
            "4320246aed7e193b0300000001000000c29c076320100000");
}

TEST(WalFormat, ReadsASegmentHeaderBack) {
  SegmentHeader header = example_header();
  header.segment_id = 7;
  header.previous_segment = 6;
  header.previous_end = 5000;
  header.previous_crc = 0xdeadbeef;
  const auto read = decode_segment_header(encode(header));
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  EXPECT_EQ(read->segment_id, 7u);
  EXPECT_EQ(read->file_bytes, 8192u);
  EXPECT_EQ(read->log_id, header.log_id);
  EXPECT_EQ(read->previous_segment, 6u);
  EXPECT_EQ(read->previous_end, 5000u);
  EXPECT_EQ(read->previous_crc, 0xdeadbeefu);
}

TEST(WalFormat, RefusesASegmentHeaderWithAnyBitFlipped) {
  const std::string block = encode(example_header());
  for (size_t bit = 0; bit < 72 * 8; ++bit) {
    std::string flipped = block;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(decode_segment_header(flipped).status().code(), StatusCode::kCorruption) << bit;
  }
}

TEST(WalFormat, RefusesANewerVersionByName) {
  std::string block = encode(example_header());
  store_le<uint32_t>(block.data() + 8, kVersion + 1);
  store_le<uint32_t>(block.data() + 68, crc32c(0, block.data(), 68));
  const Status status = decode_segment_header(block).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("version 2"), std::string::npos) << status.to_string();
}

TEST(WalFormat, RecognisesARecordOnlyInItsPlace) {
  uint32_t crc = 0;
  const std::string bytes = encode_record(4096, 4096, "snow", &crc);
  const Id log = example_header().log_id;
  Id other_log = log;
  other_log.bytes[0] = 99;
  RecordHeader header;
  EXPECT_TRUE(decode_record_header(segment_seed(log, 1), 4096, bytes.data(), &header));
  EXPECT_FALSE(decode_record_header(segment_seed(log, 1), 4104, bytes.data(), &header));
  EXPECT_FALSE(decode_record_header(segment_seed(log, 2), 4096, bytes.data(), &header));
  EXPECT_FALSE(decode_record_header(segment_seed(other_log, 1), 4096, bytes.data(), &header));
}

TEST(WalFormat, RefusesARecordHeaderWithAnyBitFlipped) {
  uint32_t crc = 0;
  const std::string bytes = encode_record(4096, 4096, "snow", &crc);
  const uint32_t seed = segment_seed(example_header().log_id, 1);
  for (size_t bit = 0; bit < kRecordHeaderBytes * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    RecordHeader header;
    EXPECT_FALSE(decode_record_header(seed, 4096, flipped.data(), &header)) << bit;
  }
}

}  // namespace
}  // namespace firn::wal
