// Arbitrary bytes as the segments of a log. Reading them never crashes and never takes more memory
// than the files have bytes; a log that opens can be appended to and shows the same records again.
//
// The first byte chooses how the rest is used:
//   0 mod 3: raw file contents;
//   1 mod 3: a small program that builds segments with right checksums and odd fields, so that what
//            lies behind the checksums is reached;
//   2 mod 3: edits of a log that was written properly: what is read is then a prefix of it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/crc32c.h"
#include "env/sim_env.h"
#include "input.h"
#include "wal/format.h"
#include "wal/segment_files.h"
#include "wal/segment_wal.h"

namespace {

using firn::ByteView;
using firn::Input;
using firn::Lsn;
using firn::SimEnv;
using firn::Status;
using firn::StatusCode;

const std::string kDirectory = "/log";
constexpr uint64_t kSegmentsMax = 4;

void require(bool condition) {
  if (!condition) std::abort();
}

firn::WalOptions options() {
  firn::WalOptions options;
  options.directory = kDirectory;
  options.segment_bytes = firn::wal::kSegmentBytesMin;
  options.disk_reserve_bytes = 0;
  return options;
}

struct Opened {
  Status status;
  std::unique_ptr<firn::Wal> log;
  std::vector<std::string> seen;
};

Opened open_log(SimEnv* sim) {
  Opened opened;
  auto log = firn::open_segment_wal(sim, options());
  require(log.ok());
  opened.log = std::move(*log);
  opened.status = opened.log->replay(
      {},
      [&](Lsn, ByteView payload) {
        opened.seen.emplace_back(payload);
        return Status();
      },
      nullptr);
  return opened;
}

void append(SimEnv* sim, firn::Wal* log, ByteView payload) {
  bool durable = false;
  firn::WalAppend append;
  append.parts = {payload};
  append.on_durable = [&](const Status& status, Lsn) { durable = status.ok(); };
  log->append(std::move(append));
  sim->run_until_idle();
  require(durable);
}

void put_raw(SimEnv* sim, Input* input) {
  const uint64_t count = 1 + input->below(kSegmentsMax);
  for (uint64_t i = 0; i < count; ++i) {
    const ByteView content = input->take(input->number(2));
    sim->set_raw_content(firn::wal::segment_path(kDirectory, i + 1), content);
  }
}

void build_record(Input* input, uint32_t seed, std::string* content, uint32_t* last_crc,
                  uint64_t* group) {
  const uint64_t choice = input->number(1);
  const ByteView payload = input->take(input->below(64));
  const uint64_t offset = content->size();
  if ((choice & 1) != 0) *group = offset;
  firn::wal::RecordHeader header;
  header.type = static_cast<firn::wal::RecordType>(1 + input->below(6));
  header.payload_crc = firn::crc32c(payload);
  header.payload_bytes = static_cast<uint32_t>(payload.size());
  header.previous_crc = *last_crc;
  header.synced = static_cast<uint32_t>(*group);
  if ((choice & 0x0e) == 0x02) header.payload_bytes = static_cast<uint32_t>(input->number(4));
  if ((choice & 0x0e) == 0x04) header.synced = static_cast<uint32_t>(input->number(4));
  if ((choice & 0x0e) == 0x06) header.previous_crc ^= 1;
  if ((choice & 0x0e) == 0x08) header.payload_crc ^= 1;
  char encoded[firn::wal::kRecordHeaderBytes];
  firn::wal::encode_record_header(seed, offset, &header, encoded);
  content->append(encoded, sizeof(encoded));
  content->append(payload);
  content->resize(firn::align_up(content->size(), firn::wal::kAlignmentBytes));
  *last_crc = header.crc;
  if ((choice & 0x30) == 0x30) content->append(input->below(200) * 8, '\0');
}

void build_segments(SimEnv* sim, Input* input) {
  const uint64_t count = 1 + input->below(kSegmentsMax);
  firn::wal::SegmentHeader header;
  uint64_t end = 0;
  uint32_t last_crc = 0;
  for (uint64_t id = 1; id <= count; ++id) {
    header.segment_id = id;
    header.file_bytes = input->below(4) == 0 ? input->number(4) : firn::wal::kSegmentBytesMin;
    header.previous_segment = id - 1;
    header.previous_end = input->below(8) == 0 ? input->number(8) : end;
    header.previous_crc = last_crc;
    if (input->below(16) == 0) header.log_id.bytes[0] ^= 1;
    std::string content(firn::wal::kSegmentHeaderBytes, '\0');
    firn::wal::encode_segment_header(&header, content.data());
    const uint32_t seed = firn::wal::segment_seed(header.log_id, id);
    uint64_t group = content.size();
    last_crc = header.crc;
    const uint64_t records = input->below(12);
    for (uint64_t i = 0; i < records; ++i) {
      end = content.size();
      build_record(input, seed, &content, &last_crc, &group);
    }
    end = content.size();
    content.resize(std::max<size_t>(content.size(), input->below(2) * 8192));
    sim->set_raw_content(firn::wal::segment_path(kDirectory, id), content);
  }
}

std::vector<std::string> write_log(SimEnv* sim) {
  std::vector<std::string> written;
  Opened opened = open_log(sim);
  require(opened.status.ok());
  for (size_t i = 0; i < 12; ++i) {
    written.push_back(std::to_string(i) + std::string(i * 100, 'w'));
    append(sim, opened.log.get(), written.back());
  }
  return written;
}

void edit(SimEnv* sim, Input* input) {
  const std::vector<std::string> files = sim->all_files();
  while (!input->empty()) {
    const std::string& path = files[input->below(files.size())];
    std::string content = sim->raw_content(path);
    if (content.empty()) continue;
    const size_t at = input->number(2) % content.size();
    const auto what = static_cast<char>(input->number(1));
    if (what == 0) {
      content.resize(std::max<size_t>(at, firn::wal::kSegmentHeaderBytes));
    } else {
      content[at] = static_cast<char>(content[at] ^ what);
    }
    sim->set_raw_content(path, content);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  SimEnv sim(1);
  require(sim.create_directories(kDirectory).ok());
  Input input(data, size);
  const uint64_t mode = input.below(3);
  std::vector<std::string> written;
  if (mode == 0) put_raw(&sim, &input);
  if (mode == 1) build_segments(&sim, &input);
  if (mode == 2) {
    written = write_log(&sim);
    edit(&sim, &input);
  }

  const auto damage = firn::verify_segment_wal(&sim, kDirectory);
  require(damage.ok());
  Opened first = open_log(&sim);
  if (mode == 2) {
    require(first.seen.size() <= written.size());
    require(std::equal(first.seen.begin(), first.seen.end(), written.begin()));
  }
  if (!first.status.ok()) {
    require(first.status.code() == StatusCode::kCorruption ||
            first.status.code() == StatusCode::kUnsupported);
    require(!damage->empty());
    return 0;
  }
  append(&sim, first.log.get(), "one more");
  first.log.reset();
  first.seen.emplace_back("one more");
  const Opened second = open_log(&sim);
  require(second.status.ok());
  require(second.seen == first.seen);
  return 0;
}
