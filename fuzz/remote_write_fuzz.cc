// A remote write request of both versions, and as a snappy block: whatever is accepted becomes rows
// that other rooms can rely on, the same ones when the cache knows the series.

#include <string>

#include "base/size.h"
#include "base/status.h"
#include "samples.h"
#include "wire/remote_write.h"
#include "wire/snappy_block.h"

namespace firn {
namespace {

void check_request(std::string_view body, RemoteWriteVersion version) {
  static SeriesCache cache(16 * kMiB, 1);
  DecodeDefaults defaults;
  defaults.now = 1;
  const auto plain = decode_remote_write(body, version, defaults);
  defaults.series_cache = &cache;
  const auto cached = decode_remote_write(body, version, defaults);
  FIRN_CHECK(plain.ok() == cached.ok());
  if (!plain.ok()) return;
  check_samples(plain->parts);
  FIRN_CHECK(plain->parts.size() == cached->parts.size());
  for (size_t i = 0; i < plain->parts.size(); ++i) {
    FIRN_CHECK(plain->parts[i].samples->encoded() == cached->parts[i].samples->encoded());
    FIRN_CHECK(plain->parts[i].definitions->encoded() == cached->parts[i].definitions->encoded());
  }
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  firn::check_request(body, firn::RemoteWriteVersion::k1);
  firn::check_request(body, firn::RemoteWriteVersion::k2);
  const auto unpacked = firn::unpack_snappy(body, firn::kMiB, 100, [](uint64_t) { return true; });
  if (unpacked.ok()) {
    FIRN_CHECK(
        firn::unpack_snappy(firn::pack_snappy(*unpacked), firn::kMiB, firn::kMiB, [](uint64_t) {
          return true;
        }).value() == *unpacked);
  }
  return 0;
}
