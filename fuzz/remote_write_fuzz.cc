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
  check_with_and_without_cache(
      [&](const DecodeDefaults& defaults) { return decode_remote_write(body, version, defaults); });
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
