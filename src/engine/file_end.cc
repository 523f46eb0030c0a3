#include "engine/file_end.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/crc32c.h"

namespace firn {

namespace {

// Holds the ends of most files, so that one read is enough.
constexpr uint64_t kFirstReadBytes = 64 * kKiB;
// Of the fixed part, counted from its end.
constexpr size_t kChecksumFromEnd = kFileEndMagic.size() + sizeof(uint32_t);

// The part of fixed size, as it stands in the file.
struct FixedPart {
  uint64_t data_bytes = 0;
  Position first = 0, last = 0;
  uint32_t block_bytes = 0, name_bytes = 0, checksum = 0;
};

FixedPart decode_fixed(const char* from) {
  FixedPart fixed;
  fixed.data_bytes = load_le<uint64_t>(from);
  fixed.first = load_le<uint64_t>(from + 8);
  fixed.last = load_le<uint64_t>(from + 16);
  fixed.block_bytes = load_le<uint32_t>(from + 24);
  fixed.name_bytes = load_le<uint32_t>(from + 28);
  fixed.checksum = load_le<uint32_t>(from + 32);
  return fixed;
}

uint64_t blocks_of(uint64_t data_bytes, uint64_t block_bytes) {
  return data_bytes / block_bytes + (data_bytes % block_bytes != 0 ? 1 : 0);
}

Status no_checksums(const std::string& path) {
  return corruption(path +
                    ": has no checksums where they belong. Its end is damaged, or Firn did not "
                    "write it; put back a copy of the file");
}

Result<std::string> read_range(const File& file, const std::string& path, uint64_t begin,
                               uint64_t end, std::atomic<uint64_t>* bytes_read) {
  std::string bytes(end - begin, '\0');
  FIRN_ASSIGN(const size_t count, file.read_at(begin, bytes.data(), bytes.size()));
  if (count != bytes.size()) {
    return corruption(fmt::format("{}: ends at byte {} instead of {}", path, begin + count, end));
  }
  if (bytes_read != nullptr) *bytes_read += count;
  return bytes;
}

// Whether checksums, name and fixed part fill exactly what lies between pages and footer.
bool fits(const FixedPart& fixed, uint64_t fixed_begin) {
  if (!std::has_single_bit(fixed.block_bytes) || fixed.block_bytes > kChecksumBlockBytesMax) {
    return false;
  }
  if (fixed.data_bytes > fixed_begin) return false;
  return blocks_of(fixed.data_bytes, fixed.block_bytes) * sizeof(uint32_t) + fixed.name_bytes ==
         fixed_begin - fixed.data_bytes;
}

uint32_t checksum_of_end(ByteView end, size_t checksum_at) {
  const ByteView behind = end.substr(checksum_at + sizeof(uint32_t));
  return crc32c(crc32c(end.substr(0, checksum_at)), behind.data(), behind.size());
}

// In Thrift's compact protocol: that the next field of a struct is a text, its length, its bytes.
std::string thrift_text(const std::string& text) {
  FIRN_CHECK(text.size() < 0x80);  // so that the length takes one byte
  return std::string("\x18") + static_cast<char>(text.size()) + text;
}

}  // namespace

std::vector<ChangedValue> changed_values(const ParquetMetadata& before,
                                         const ParquetMetadata& after) {
  FIRN_CHECK(before.size() == after.size());
  std::vector<ChangedValue> changes;
  for (size_t i = 0; i < before.size(); ++i) {
    FIRN_CHECK(before[i].first == after[i].first);
    FIRN_CHECK(before[i].second.size() == after[i].second.size());
    if (before[i].second == after[i].second) continue;
    changes.push_back({before[i].first, before[i].second, after[i].second});
  }
  return changes;
}

// The metadata lies behind all that quotes rows, so the last one found is it.
bool change_metadata(const ChangedValue& change, std::string* footer) {
  FIRN_CHECK(change.before.size() == change.after.size());
  const std::string entry = thrift_text(change.key) + thrift_text(change.before);
  const size_t at = footer->rfind(entry);
  if (at == std::string::npos) return false;
  footer->replace(at + entry.size() - change.before.size(), change.before.size(), change.after);
  return true;
}

std::optional<uint64_t> find_footer(ByteView last_bytes, uint64_t file_bytes) {
  if (last_bytes.size() < kParquetTailBytes || !last_bytes.ends_with(kParquetMagic)) return {};
  const uint64_t footer_bytes =
      kParquetTailBytes +
      load_le<uint32_t>(last_bytes.data() + last_bytes.size() - kParquetTailBytes);
  if (footer_bytes > file_bytes) return {};
  return file_bytes - footer_bytes;
}

std::string encode_file_end(const FileIdentity& identity, uint64_t data_bytes,
                            const std::vector<uint32_t>& checksums, ByteView footer) {
  FIRN_CHECK(checksums.size() == blocks_of(data_bytes, kChecksumBlockBytes));
  std::string end;
  for (const uint32_t checksum : checksums) append_le<uint32_t>(&end, checksum);
  end += identity.name;
  append_le<uint64_t>(&end, data_bytes);
  append_le<uint64_t>(&end, identity.first);
  append_le<uint64_t>(&end, identity.last);
  append_le<uint32_t>(&end, kChecksumBlockBytes);
  append_le<uint32_t>(&end, static_cast<uint32_t>(identity.name.size()));
  const size_t checksum_at = end.size();
  append_le<uint32_t>(&end, 0);
  end += kFileEndMagic;
  end += footer;
  store_le<uint32_t>(end.data() + checksum_at, checksum_of_end(end, checksum_at));
  return end;
}

Result<std::shared_ptr<const FileEnd>> load_file_end(const File& file, const std::string& path,
                                                     std::atomic<uint64_t>* bytes_read) {
  FIRN_ASSIGN(const uint64_t file_bytes, file.size());
  uint64_t begin = file_bytes - std::min(file_bytes, kFirstReadBytes);
  FIRN_ASSIGN(std::string bytes, read_range(file, path, begin, file_bytes, bytes_read));
  const uint64_t footer_begin = find_footer(bytes, file_bytes).value_or(0);
  if (footer_begin < kFileEndFixedBytes) return no_checksums(path);
  const uint64_t fixed_begin = footer_begin - kFileEndFixedBytes;
  std::string fixed_bytes;
  if (fixed_begin >= begin) {
    fixed_bytes = bytes.substr(fixed_begin - begin, kFileEndFixedBytes);
  } else {
    FIRN_ASSIGN(fixed_bytes, read_range(file, path, fixed_begin, footer_begin, bytes_read));
  }
  const FixedPart fixed = decode_fixed(fixed_bytes.data());
  if (!fixed_bytes.ends_with(kFileEndMagic) || !fits(fixed, fixed_begin)) {
    return no_checksums(path);
  }
  if (fixed.data_bytes >= begin) {
    bytes.erase(0, fixed.data_bytes - begin);
  } else {
    FIRN_ASSIGN(std::string front, read_range(file, path, fixed.data_bytes, begin, bytes_read));
    bytes = std::move(front) + bytes;
  }

  const size_t fixed_at = fixed_begin - fixed.data_bytes;
  const size_t checksum_at = fixed_at + kFileEndFixedBytes - kChecksumFromEnd;
  const uint32_t found = checksum_of_end(bytes, checksum_at);
  if (found != fixed.checksum) {
    return corruption(
        fmt::format("{}: bytes {} to {}, its end, are not what was written (checksum {:08x} "
                    "instead of {:08x}). Put back a copy of the file",
                    path, fixed.data_bytes, file_bytes, found, fixed.checksum));
  }
  auto end = std::make_shared<FileEnd>();
  end->data_bytes = fixed.data_bytes;
  end->block_bytes = fixed.block_bytes;
  end->checksums.resize(blocks_of(fixed.data_bytes, fixed.block_bytes));
  for (size_t i = 0; i < end->checksums.size(); ++i) {
    end->checksums[i] = load_le<uint32_t>(bytes.data() + i * sizeof(uint32_t));
  }
  end->identity = {bytes.substr(fixed_at - fixed.name_bytes, fixed.name_bytes), fixed.first,
                   fixed.last};
  end->bytes = std::move(bytes);
  if (end->identity.name != file_name(path)) {
    return corruption(
        fmt::format("{}: was written as {}; put the right file back", path, end->identity.name));
  }
  return std::shared_ptr<const FileEnd>(std::move(end));
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace firn
