// Arbitrary bytes as a Parquet file with checksums. Opening and reading it never crashes, and what
// is read from a damaged file is what was written, or an error.
//
// The first byte chooses how the rest is used:
//   0 mod 3: raw file content;
//   1 mod 3: edits of a file that was written properly;
//   2 mod 3: the same, with the checksum of the end made right again, so that what lies behind it
//   is
//            reached.

#include <cstdlib>
#include <string>

#include "base/crc32c.h"
#include "engine/checked_file.h"
#include "env/sim_env.h"
#include "input.h"

namespace {

using firn::ByteView;
using firn::Input;

const std::string kPath = "/x.parquet";

void require(bool condition) {
  if (!condition) std::abort();
}

std::string write_file(firn::SimEnv* sim) {
  firn::CheckedWriter writer(std::move(*sim->open(kPath, firn::OpenMode::kCreateNew)), kPath);
  std::string content(firn::kChecksumBlockBytes + 500, 'p');
  content += "footer";
  firn::append_le<uint32_t>(&content, 6);
  content += firn::kParquetMagic;
  require(writer.append(content).ok() && writer.finish({}).ok());
  return sim->raw_content(kPath);
}

// Half of the edits are near the end, where the fields are.
std::string edit(std::string content, Input* input) {
  while (!input->empty()) {
    const size_t range =
        input->below(2) == 0 ? content.size() : std::min<size_t>(content.size(), 80);
    if (range == 0) break;
    const size_t at = content.size() - 1 - input->number(3) % range;
    const auto what = static_cast<char>(input->number(1));
    if (what == 0) {
      content.resize(at);
    } else {
      content[at] = static_cast<char>(content[at] ^ what);
    }
  }
  return content;
}

// Makes the checksum of the end right where the fields lead to one.
void mend(std::string* content) {
  const auto footer = firn::find_footer(*content, content->size());
  if (!footer || *footer < firn::kFileEndFixedBytes) return;
  const auto data_bytes =
      firn::load_le<uint64_t>(content->data() + *footer - firn::kFileEndFixedBytes);
  const size_t checksum_at = *footer - firn::kFileEndMagic.size() - sizeof(uint32_t);
  if (data_bytes > checksum_at) return;
  const ByteView before = ByteView(*content).substr(data_bytes, checksum_at - data_bytes);
  const ByteView behind = ByteView(*content).substr(checksum_at + sizeof(uint32_t));
  firn::store_le<uint32_t>(content->data() + checksum_at,
                           firn::crc32c(firn::crc32c(before), behind.data(), behind.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  firn::SimEnv sim(1);
  Input input(data, size);
  const uint64_t mode = input.below(3);
  const std::string written = mode == 0 ? "" : write_file(&sim);
  std::string content = mode == 0 ? std::string(input.take(size)) : edit(written, &input);
  if (mode == 2) mend(&content);
  sim.set_raw_content(kPath, content);

  const bool verified = firn::verify_checked_file(&sim, kPath).ok();
  auto file = std::move(*sim.open(kPath, firn::OpenMode::kRead));
  const auto end = firn::load_file_end(*file, kPath, nullptr);
  if (!end.ok()) {
    require(end.status().code() == firn::StatusCode::kCorruption && !verified);
    return 0;
  }
  firn::CheckedReader reader(std::move(file), kPath, *end, nullptr);
  require(reader.file_bytes() == content.size());
  bool all = true;
  for (uint64_t at = 0; at < content.size(); at += 50'000) {
    std::string read(60'000, '\0');
    const auto count = reader.read_at(at, read.data(), read.size());
    all = all && count.ok();
    if (!count.ok()) continue;
    require(read.substr(0, *count) == content.substr(at, read.size()));
    if (mode == 1) require(read.substr(0, *count) == written.substr(at, read.size()));
  }
  require(all == verified);
  return 0;
}
