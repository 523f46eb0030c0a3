#include "tier/object/object_store.h"

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"
#include "base/size.h"

namespace firn {

namespace {

constexpr size_t kKeyBytesMax = 1024;      // S3's limit
constexpr size_t kPieceBytes = 4 * kMiB;   // of what is read, or read back
constexpr uint64_t kPagesMax = 1'000'000;  // a thousand million objects

bool is_valid_part(std::string_view part) { return !part.empty() && part != "." && part != ".."; }

Status refuse_key(std::string_view key, const char* why) {
  return invalid_argument("object key '" + std::string(key.substr(0, kKeyBytesMax)) + "' " + why);
}

// Reads all of it in pieces; returns its checksum. `out` (may be null) gets the content.
Result<uint32_t> read_pieces(ObjectStore* store, const ObjectInfo& object, std::string* out) {
  std::string buffer(std::min<uint64_t>(kPieceBytes, object.size_bytes), '\0');
  uint32_t crc = 0;
  for (uint64_t at = 0; at < object.size_bytes;) {
    const auto wanted =
        static_cast<size_t>(std::min<uint64_t>(buffer.size(), object.size_bytes - at));
    FIRN_ASSIGN(const size_t count, store->read_at(object, at, buffer.data(), wanted));
    if (count != wanted) {
      return corruption(store->name() + ": '" + object.key + "' ends at byte " +
                        std::to_string(at + count) + " of " + std::to_string(object.size_bytes));
    }
    crc = crc32c(crc, buffer.data(), count);
    if (out != nullptr) out->append(buffer, 0, count);
    at += count;
  }
  return crc;
}

Status compare_crc(ObjectStore* store, const std::string& key, uint32_t found, uint32_t expected) {
  if (found == expected) return {};
  return corruption(store->name() + ": the content of '" + key +
                    "' has another checksum than what was stored");
}

}  // namespace

Status BytesContent::read(uint64_t offset, char* out, size_t size) const {
  FIRN_CHECK(offset <= bytes_.size() && size <= bytes_.size() - offset);
  if (size > 0) std::memcpy(out, bytes_.data() + offset, size);
  return {};
}

Status FileContent::read(uint64_t offset, char* out, size_t size) const {
  FIRN_CHECK(offset <= size_bytes_ && size <= size_bytes_ - offset);
  FIRN_ASSIGN(const size_t count, file_->read_at(offset, out, size));
  if (count == size) return {};
  return corruption(path_ + ": ends at byte " + std::to_string(offset + count) + ", " +
                    std::to_string(size_bytes_) + " were expected");
}

Status check_object_key(std::string_view key) {
  if (key.empty() || key.size() > kKeyBytesMax) {
    return refuse_key(key, "must have 1 to 1024 bytes");
  }
  if (key.ends_with(".tmp")) return refuse_key(key, "must not end with .tmp");
  for (const char c : key) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return refuse_key(key, "must not contain control characters");
    }
  }
  for (size_t begin = 0; begin <= key.size();) {
    const size_t end = std::min(key.find('/', begin), key.size());
    if (!is_valid_part(key.substr(begin, end - begin))) {
      return refuse_key(key, "must not have a part that is empty, '.' or '..'");
    }
    begin = end + 1;
  }
  return {};
}

Status list_objects(ObjectStore* store, const std::string& prefix,
                    const std::function<Status(const ObjectInfo&)>& on_object) {
  std::string last;
  for (uint64_t page_number = 0; page_number < kPagesMax; ++page_number) {
    FIRN_ASSIGN(const ObjectPage page, store->list_page(prefix, last));
    const bool has_moved = !page.objects.empty();
    for (const ObjectInfo& object : page.objects) {
      if (object.key <= last || !object.key.starts_with(prefix)) {
        return corruption(store->name() + ": lists '" + object.key + "' behind '" + last +
                          "', which is not its place");
      }
      FIRN_TRY(on_object(object));
      last = object.key;
    }
    if (page.is_last) return {};
    if (!has_moved) break;
  }
  return corruption(store->name() + ": the list of '" + prefix + "' does not end");
}

Result<std::string> read_object(ObjectStore* store, const std::string& key, uint64_t limit_bytes) {
  FIRN_ASSIGN(const ObjectInfo object, store->head(key));
  if (object.size_bytes > limit_bytes) {
    return too_large(store->name() + ": '" + key + "' has " + std::to_string(object.size_bytes) +
                     " bytes, more than " + std::to_string(limit_bytes));
  }
  std::string content;
  FIRN_ASSIGN(const uint32_t crc, read_pieces(store, object, &content));
  if (object.crc32c) FIRN_TRY(compare_crc(store, key, crc, *object.crc32c));
  return content;
}

Status verify_object(ObjectStore* store, const std::string& key, uint64_t size_bytes,
                     uint32_t crc32c) {
  FIRN_ASSIGN(const ObjectInfo object, store->head(key));
  if (object.size_bytes != size_bytes) {
    return corruption(store->name() + ": '" + key + "' has " + std::to_string(object.size_bytes) +
                      " bytes, " + std::to_string(size_bytes) + " were stored");
  }
  FIRN_ASSIGN(const uint32_t found, read_pieces(store, object, nullptr));
  return compare_crc(store, key, found, crc32c);
}

Result<uint32_t> content_crc32c(const ObjectContent& content, const ContentVisitor& visit) {
  std::string buffer(std::min<uint64_t>(kPieceBytes, content.size_bytes()), '\0');
  uint32_t crc = 0;
  for (uint64_t at = 0; at < content.size_bytes();) {
    const auto size =
        static_cast<size_t>(std::min<uint64_t>(buffer.size(), content.size_bytes() - at));
    FIRN_TRY(content.read(at, buffer.data(), size));
    crc = crc32c(crc, buffer.data(), size);
    if (visit) FIRN_TRY(visit(at, ByteView(buffer.data(), size)));
    at += size;
  }
  return crc;
}

}  // namespace firn
