#include "env/sqlite_checked_file.h"

#include <array>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "base/hash.h"

namespace firn {
namespace {

constexpr uint64_t kPageFactor = 0x9e3779b97f4a7c15;
constexpr size_t kPageBytesMin = 512;
// In the header of a database.
constexpr size_t kPageSizeOffset = 16, kReservedByteOffset = 20;
// https://sqlite.org/fileformat2.html: a record of a rollback journal is a page's number, the page
// and four bytes more, behind a header of a sector. So pages begin 4 bytes behind a multiple of 8.
constexpr uint64_t kJournalPageOffset = 4;
constexpr size_t kNumberBytes = 4;
// The header: 8 bytes that SQLite writes last, the number of records, and what we check: the size
// that the database is cut to, among others. Our checksum stands in the unused rest of the sector.
constexpr uint64_t kSectorBytes = 4096;
constexpr size_t kMagicBytes = 8;
constexpr size_t kHeaderCheckedFrom = 12, kHeaderCheckedTo = 28;
constexpr unsigned char kMagic[kMagicBytes] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
// A log is a header and frames of a header and a page. Both headers end with a checksum of 8 bytes.
constexpr uint64_t kLogHeaderBytes = 32, kFrameHeaderBytes = 24, kFrameSumBytes = 8;
constexpr size_t kFrameHeaderSummed = 8;
constexpr uint64_t kLogPageSizeOffset = 8;

bool may_be_page(size_t size) { return size >= kPageBytesMin && std::has_single_bit(size); }
bool is_database_page(size_t size, uint64_t offset) {
  return may_be_page(size) && offset % size == 0;
}
bool is_journal_page(size_t size, uint64_t offset) {
  return may_be_page(size) && offset % 8 == kJournalPageOffset;
}
bool is_journal_header(size_t size, uint64_t offset) {
  return may_be_page(size) && offset % kSectorBytes == 0;
}
bool is_log_page(size_t size, uint64_t offset) {
  return may_be_page(size) && offset >= kLogHeaderBytes + kFrameHeaderBytes &&
         (offset - kLogHeaderBytes) % (size + kFrameHeaderBytes) == kFrameHeaderBytes;
}

uint32_t load_big_endian(const char* bytes) {
  uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof(value));
  return __builtin_bswap32(value);
}

// SQLite's checksum of a frame, continued over `bytes`.
struct FrameSum {
  uint32_t first = 0, second = 0;

  void add(ByteView bytes) {
    for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      std::array<uint32_t, 2> words{};
      std::memcpy(words.data(), bytes.data() + i, sizeof(words));
      first += words[0] + second;
      second += words[1] + first;
    }
  }
  auto operator<=>(const FrameSum&) const = default;
};

FrameSum load_sum(const char* bytes) {
  return {load_big_endian(bytes), load_big_endian(bytes + 4)};
}

int damaged(const std::string& path, uint64_t page, uint64_t offset, std::string_view reason) {
  return sqlite_vfs_failure(
      corruption(fmt::format("{}: page {} at offset {} {}; restore the file from a backup", path,
                             page, offset, reason)),
      SQLITE_IOERR_DATA);
}

constexpr std::string_view kDoesNotFit = "does not fit its checksum";

}  // namespace

SqlitePageSeed::SqlitePageSeed(std::string_view path)
    : name_hash_(hash_bytes(path.substr(path.rfind('/') + 1))) {}

uint64_t SqlitePageSeed::trailer(ByteView content, uint64_t page) const {
  return hash_bytes(content, name_hash_ + page * kPageFactor);
}

bool SqlitePageSeed::fits(ByteView page_bytes, uint64_t page) const {
  const size_t content_bytes = page_bytes.size() - kSqliteReservedBytes;
  return load_le<uint64_t>(page_bytes.data() + content_bytes) ==
         trailer(page_bytes.substr(0, content_bytes), page);
}

// --- SqliteDatabaseFile ---------------------------------------------------------------------

SqliteDatabaseFile::SqliteDatabaseFile(Env* env, std::string path, std::unique_ptr<File> file,
                                       std::shared_ptr<SqliteShared> shared)
    : SqliteEnvFile(env, std::move(path), std::move(file), std::move(shared)),
      seed_(this->path()) {}

int SqliteDatabaseFile::read(void* out, size_t size, uint64_t offset) {
  size_t count = 0;
  const int code = read_some(out, size, offset, &count);
  // Behind the end, or a part of the header: SQLite does not rely on either.
  if (count == 0 || !is_database_page(size, offset)) return code;
  const uint64_t page = offset / size + 1;
  if (count < size) return damaged(path(), page, offset, "is cut off");
  const ByteView bytes(static_cast<const char*>(out), size);
  if (seed_.fits(bytes, page) || (page == 1 && is_part_of_first_page(bytes))) return code;
  return damaged(path(), page, offset, kDoesNotFit);
}

// A connection that was opened while the file was empty does not know the size of its pages yet,
// and learns it by reading the first one with the wrong size.
bool SqliteDatabaseFile::is_part_of_first_page(ByteView bytes) {
  const auto* size_field = reinterpret_cast<const unsigned char*>(bytes.data() + kPageSizeOffset);
  const size_t page_bytes = size_t{size_field[0]} << 8 | size_field[1];
  if (page_bytes == bytes.size() || !may_be_page(page_bytes)) return false;
  std::string whole(page_bytes, '\0');
  size_t count = 0;
  return read_some(whole.data(), whole.size(), 0, &count) == SQLITE_OK && seed_.fits(whole, 1);
}

int SqliteDatabaseFile::write(ByteView bytes, uint64_t offset) {
  if (!is_database_page(bytes.size(), offset) ||
      (offset == 0 && bytes[kReservedByteOffset] != kSqliteReservedBytes)) {
    return sqlite_vfs_failure(internal_error(fmt::format("{}: {} bytes at offset {} are no page "
                                                         "with room for a checksum",
                                                         path(), bytes.size(), offset)),
                              SQLITE_IOERR_WRITE);
  }
  uint64_t end = 0;
  if (const int code = end_of_pages(bytes.size(), &end); code != SQLITE_OK) return code;
  // A page that SQLite skips here is one it has no use for, yet it may be read one day.
  for (const std::string empty(end < offset ? bytes.size() : 0, '\0'); end < offset;
       end += bytes.size()) {
    if (const int code = write_page(empty, end); code != SQLITE_OK) return code;
  }
  return write_page(bytes, offset);
}

int SqliteDatabaseFile::end_of_pages(size_t page_bytes, uint64_t* end) {
  sqlite3_int64 size_now = 0;
  if (const int code = size(&size_now); code != SQLITE_OK) return code;
  *end = static_cast<uint64_t>(size_now) / page_bytes * page_bytes;
  return SQLITE_OK;
}

int SqliteDatabaseFile::write_page(ByteView bytes, uint64_t offset) {
  const ByteView content = bytes.substr(0, bytes.size() - kSqliteReservedBytes);
  std::array<char, kSqliteReservedBytes> trailer{};
  store_le<uint64_t>(trailer.data(), seed_.trailer(content, offset / bytes.size() + 1));
  const std::array<ByteView, 2> parts{content, ByteView(trailer.data(), trailer.size())};
  return write_parts(parts, offset);
}

// --- SqliteJournalFile ----------------------------------------------------------------------

SqliteJournalFile::SqliteJournalFile(Env* env, std::string path, std::unique_ptr<File> file,
                                     std::shared_ptr<SqliteShared> shared)
    : SqliteEnvFile(env, std::move(path), std::move(file), shared), seed_(shared->path()) {}

int SqliteJournalFile::read(void* out, size_t size, uint64_t offset) {
  size_t count = 0;
  const int code = read_some(out, size, offset, &count);
  if (code != SQLITE_OK) return code;
  if (size == kMagicBytes && offset % kSectorBytes == 0 &&
      std::memcmp(out, kMagic, kMagicBytes) == 0) {
    return check_header(offset);
  }
  if (!is_journal_page(size, offset)) return code;
  std::array<char, kNumberBytes> number{};
  const int number_code = read_some(number.data(), number.size(), offset - number.size(), &count);
  if (number_code != SQLITE_OK) return number_code;
  const uint32_t page = load_big_endian(number.data());
  if (seed_.fits({static_cast<const char*>(out), size}, page)) return code;
  return damaged(path(), page, offset, kDoesNotFit);
}

int SqliteJournalFile::check_header(uint64_t offset) {
  std::array<char, kHeaderCheckedTo - kHeaderCheckedFrom + kSqliteReservedBytes> header{};
  size_t count = 0;
  const int code = read_some(header.data(), header.size(), offset + kHeaderCheckedFrom, &count);
  if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) return code;
  if (seed_.fits({header.data(), header.size()}, 0)) return SQLITE_OK;
  return sqlite_vfs_failure(
      corruption(fmt::format("{}: the header at offset {} {}; restore the database from a backup",
                             path(), offset, kDoesNotFit)),
      SQLITE_IOERR_DATA);
}

int SqliteJournalFile::write_header(ByteView bytes, uint64_t offset) {
  std::array<char, kSqliteReservedBytes> trailer{};
  const ByteView checked = bytes.substr(kHeaderCheckedFrom, kHeaderCheckedTo - kHeaderCheckedFrom);
  store_le<uint64_t>(trailer.data(), seed_.trailer(checked, 0));
  const std::array<ByteView, 3> parts{bytes.substr(0, kHeaderCheckedTo),
                                      ByteView(trailer.data(), trailer.size()),
                                      bytes.substr(kHeaderCheckedTo + trailer.size())};
  return write_parts(parts, offset);
}

int SqliteJournalFile::write(ByteView bytes, uint64_t offset) {
  if (is_journal_header(bytes.size(), offset)) return write_header(bytes, offset);
  if (bytes.size() == kNumberBytes) {
    number_offset_ = offset;
    number_ = load_big_endian(bytes.data());
  }
  const bool is_page =
      is_journal_page(bytes.size(), offset) && number_offset_ + kNumberBytes == offset;
  if (!is_page) return write_parts({&bytes, 1}, offset);
  const ByteView content = bytes.substr(0, bytes.size() - kSqliteReservedBytes);
  std::array<char, kSqliteReservedBytes> trailer{};
  store_le<uint64_t>(trailer.data(), seed_.trailer(content, number_));
  const std::array<ByteView, 2> parts{content, ByteView(trailer.data(), trailer.size())};
  return write_parts(parts, offset);
}

// --- SqliteLogFile --------------------------------------------------------------------------

int SqliteLogFile::read(void* out, size_t size, uint64_t offset) {
  size_t count = 0;
  const int code = read_some(out, size, offset, &count);
  if (code != SQLITE_OK || !is_log_page(size, offset)) return code;
  if (unchained_from_.has_value() && offset >= *unchained_from_) return code;
  std::array<char, 4> page_bytes{};
  const int size_code = read_some(page_bytes.data(), page_bytes.size(), kLogPageSizeOffset, &count);
  if (size_code != SQLITE_OK) return size_code;
  // Only a part of the page, by a connection that does not know the size of pages yet.
  if (size < load_big_endian(page_bytes.data())) return code;
  const Result<bool> fits = frame_fits({static_cast<const char*>(out), size}, offset);
  if (!fits.ok()) return sqlite_vfs_failure(fits.status(), SQLITE_IOERR_READ);
  if (*fits) return code;
  const uint64_t frame = (offset - kLogHeaderBytes) / (size + kFrameHeaderBytes) + 1;
  return sqlite_vfs_failure(
      corruption(fmt::format("{}: frame {} at offset {} {}; restore the file from a backup", path(),
                             frame, offset, kDoesNotFit)),
      SQLITE_IOERR_DATA);
}

Result<bool> SqliteLogFile::frame_fits(ByteView page_bytes, uint64_t offset) const {
  const uint64_t frame_bytes = page_bytes.size() + kFrameHeaderBytes;
  const uint64_t header_offset = offset - kFrameHeaderBytes;
  // The checksum of the frame before, or of the log's header, goes on in this one.
  const bool is_first = header_offset == kLogHeaderBytes;
  const uint64_t sum_before =
      is_first ? kLogHeaderBytes - kFrameSumBytes
               : header_offset - frame_bytes + kFrameHeaderBytes - kFrameSumBytes;
  std::array<char, kFrameSumBytes> before{};
  std::array<char, kFrameHeaderBytes> header{};
  FIRN_ASSIGN(const size_t count_before, file().read_at(sum_before, before.data(), before.size()));
  FIRN_ASSIGN(const size_t count, file().read_at(header_offset, header.data(), header.size()));
  if (count_before != before.size() || count != header.size()) return false;
  FrameSum sum = load_sum(before.data());
  sum.add({header.data(), kFrameHeaderSummed});
  sum.add(page_bytes);
  return sum == load_sum(header.data() + kFrameHeaderBytes - kFrameSumBytes);
}

int SqliteLogFile::write(ByteView bytes, uint64_t offset) {
  if (is_log_page(bytes.size(), offset) && offset != last_write_end_) {
    unchained_from_ = std::min(unchained_from_.value_or(offset), offset);
  } else if (bytes.size() == kFrameHeaderBytes && unchained_from_.has_value() &&
             offset + kFrameHeaderBytes <= *unchained_from_) {
    unchained_from_.reset();  // from here on SQLite writes them anew
  }
  last_write_end_ = offset + bytes.size();
  return write_parts({&bytes, 1}, offset);
}

}  // namespace firn
