#include "base/id.h"

namespace firn {
namespace {

constexpr size_t kUuidTextSize = 36;
constexpr size_t kHexSize = 32;
constexpr size_t kDashes[] = {8, 13, 18, 23};

ByteView bytes_of(const Id& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

// The finalizer of MurmurHash3: reversible, and every input bit reaches every output bit.
uint64_t mix(uint64_t value) {
  value = (value ^ value >> 33) * 0xff51afd7ed558ccd;
  value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53;
  return value ^ value >> 33;
}

}  // namespace

std::optional<Id> Id::parse(std::string_view text) {
  char digits[kHexSize];
  if (text.size() == kUuidTextSize) {
    for (const size_t dash : kDashes) {
      if (text[dash] != '-') return std::nullopt;
    }
    size_t count = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
      if (!is_dash) digits[count++] = text[i];
    }
    text = std::string_view(digits, count);
  }
  Id id;
  if (!hex_decode(text, id.bytes.data(), id.bytes.size())) return std::nullopt;
  return id;
}

std::string Id::to_uuid() const {
  std::string text = hex_encode(bytes_of(*this));
  for (const size_t dash : kDashes) text.insert(dash, 1, '-');
  return text;
}

Id make_uuid7(uint64_t unix_ms, uint64_t random_high, uint64_t random_low) {
  Id id;
  for (size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<uint8_t>(unix_ms >> (40 - 8 * i));
  id.bytes[6] = static_cast<uint8_t>(0x70 | (random_high >> 8 & 0x0f));
  id.bytes[7] = static_cast<uint8_t>(random_high);
  store_le<uint64_t>(id.bytes.data() + 8, random_low);
  id.bytes[8] = static_cast<uint8_t>(0x80 | (id.bytes[8] & 0x3f));
  return id;
}

Uuid7Sequence::Uuid7Sequence(uint64_t unix_ms, uint64_t random_high, uint64_t random_low)
    : id_(make_uuid7(unix_ms, random_high, random_low)),
      // The first bit is clear, so that a sequence does not wrap around.
      counter_((random_high >> 16) & 0x7f'ffff'ffff) {}

Id Uuid7Sequence::next() {
  for (size_t i = 0; i < 5; ++i) {
    id_.bytes[9 + i] = static_cast<uint8_t>(counter_ >> (32 - 8 * i));
  }
  ++counter_;
  return id_;
}

uint64_t hash_id(const Id& id) { return mix(id.high() ^ mix(id.low() + 0x9e3779b97f4a7c15)); }

}  // namespace firn
