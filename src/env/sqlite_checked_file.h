#pragma once

#include <optional>

#include "env/sqlite_file.h"

namespace firn {

// The files of a database with the checksums of docs/formats/sqlite_pages.md. A page that does not
// fit is SQLITE_IOERR_DATA with kCorruption behind it. Thread rule: one connection's.

inline constexpr int kSqliteReservedBytes = 8;  // at the end of each page, for its trailer

// The seed of a page's trailer.
class SqlitePageSeed {
 public:
  // `path` is the database's.
  explicit SqlitePageSeed(std::string_view path);
  // What belongs behind `content`, the page without its trailer. Pages count from 1.
  uint64_t trailer(ByteView content, uint64_t page) const;
  // Whether the whole page fits its trailer.
  bool fits(ByteView page_bytes, uint64_t page) const;

 private:
  uint64_t name_hash_;
};

class SqliteDatabaseFile final : public SqliteEnvFile {
 public:
  SqliteDatabaseFile(Env* env, std::string path, std::unique_ptr<File> file,
                     std::shared_ptr<SqliteShared> shared);
  int read(void* out, size_t size, uint64_t offset) override;
  int write(ByteView bytes, uint64_t offset) override;

 private:
  bool is_part_of_first_page(ByteView bytes);
  int write_page(ByteView bytes, uint64_t offset);
  // Where the whole pages of the file end.
  int end_of_pages(size_t page_bytes, uint64_t* end);

  const SqlitePageSeed seed_;
};

// A rollback journal.
class SqliteJournalFile final : public SqliteEnvFile {
 public:
  SqliteJournalFile(Env* env, std::string path, std::unique_ptr<File> file,
                    std::shared_ptr<SqliteShared> shared);
  int read(void* out, size_t size, uint64_t offset) override;
  int write(ByteView bytes, uint64_t offset) override;

 private:
  int check_header(uint64_t offset);
  int write_header(ByteView bytes, uint64_t offset);

  const SqlitePageSeed seed_;
  uint64_t number_offset_ = 0;  // of the four bytes that were written last: a page's number
  uint32_t number_ = 0;
};

// A write-ahead log. Nothing is added to it; what is read out of it is checked against the checksum
// that SQLite gave the frame.
class SqliteLogFile final : public SqliteEnvFile {
 public:
  using SqliteEnvFile::SqliteEnvFile;
  int read(void* out, size_t size, uint64_t offset) override;
  int write(ByteView bytes, uint64_t offset) override;

 private:
  Result<bool> frame_fits(ByteView page_bytes, uint64_t offset) const;

  uint64_t last_write_end_ = 0;
  // SQLite wrote a page of the transaction at work again, in its place: until it commits, the
  // checksums from here on are out of date.
  std::optional<uint64_t> unchained_from_;
};

}  // namespace firn
