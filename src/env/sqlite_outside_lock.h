#pragma once

#include <string>

namespace firn {

// Holds the locks that every SQLite on this machine respects, so that a `sqlite3` started by hand
// finds "database is locked" instead of changing a file under a running store (it cannot see our
// index of the write-ahead log, and would throw the log away on exit). A read-only holder still
// lets others read. Where the file system knows no such locks there is no protection.
//
// Thread rule: as a plain object. Released by the destructor.
class SqliteOutsideLock {
 public:
  SqliteOutsideLock() = default;
  ~SqliteOutsideLock();
  SqliteOutsideLock(const SqliteOutsideLock&) = delete;
  SqliteOutsideLock& operator=(const SqliteOutsideLock&) = delete;

  // Locks, or widens a read-only lock. False, and no change, when another program is in the way.
  bool acquire(const std::string& path, bool read_only);

 private:
  int descriptor_ = -1;
  bool writes_ = false;
};

}  // namespace firn
