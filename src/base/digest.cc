#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/status.h"

namespace firn {

namespace {

template <size_t size>
std::array<uint8_t, size> digest(const EVP_MD* kind, ByteView bytes) {
  std::array<uint8_t, size> out;
  unsigned written = 0;
  const int done = EVP_Digest(bytes.data(), bytes.size(), out.data(), &written, kind, nullptr);
  FIRN_CHECK(done == 1 && written == size);
  return out;
}

}  // namespace

std::array<uint8_t, 16> md5(ByteView bytes) { return digest<16>(EVP_md5(), bytes); }
std::array<uint8_t, 32> sha256(ByteView bytes) { return digest<32>(EVP_sha256(), bytes); }

bool equal_in_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace firn
