// Unpacking: never beyond the limits, and piece by piece the same as at once. Packing: comes back.

#include <algorithm>
#include <string>

#include "base/size.h"
#include "base/status.h"
#include "wire/gzip.h"

namespace firn {
namespace {

constexpr uint64_t kBytesMax = 4 * kMiB;

// Nothing when the bytes are refused.
std::string unpack_in_pieces(ByteView packed, size_t piece, bool* refused) {
  GzipReader reader;
  std::string out;
  char buffer[333];
  *refused = true;
  for (size_t at = 0; at < packed.size() && out.size() <= kBytesMax; at += piece) {
    reader.feed(packed.substr(at, piece));
    while (out.size() <= kBytesMax) {
      const auto produced = reader.produce(buffer, sizeof(buffer));
      if (!produced.ok()) return {};
      if (*produced == 0) break;
      out.append(buffer, *produced);
    }
  }
  *refused = out.size() <= kBytesMax && !reader.finish().ok();
  return out;
}

bool no_budget(uint64_t) { return true; }

void check(ByteView bytes) {
  const auto at_once = gunzip(bytes, kBytesMax, 1'000'000, no_budget);
  bool refused = false;
  const std::string in_pieces = unpack_in_pieces(bytes, 5, &refused);
  if (at_once.ok()) {
    FIRN_CHECK(at_once.value().size() <= kBytesMax);
    FIRN_CHECK(!refused && in_pieces == at_once.value());
  } else {
    FIRN_CHECK(refused || at_once.status().code() == StatusCode::kTooLarge);
  }
  const auto again =
      gunzip(gzip(bytes, 1), std::max<uint64_t>(bytes.size(), 1), 1'000'000, no_budget);
  FIRN_CHECK(again.ok() && again.value() == bytes);
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  firn::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
