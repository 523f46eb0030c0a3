#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "env/env.h"

struct sqlite3;
struct sqlite3_stmt;

namespace firn {

// The one way to talk to SQLite. All I/O goes through the Env (sqlite_vfs.h).
//
// Errors of everything below, with the path and the statement in the message: kCorruption (damaged,
// or no database of ours), kNoSpace, kUnavailable (somebody else holds a lock; nothing was
// changed), kOutcomeUnknown (a sync failed: the transaction may or may not be there, and the
// database refuses all further writes until every connection to it is closed and it is opened
// again), kConflict (a constraint), kTooLarge, kCancelled (interrupt()), kIoError, kInternal (our
// SQL is wrong).

// What a column of a row holds. The values are those of SQLITE_INTEGER... and may be stored.
enum class SqliteType : uint8_t { kInteger = 1, kFloat = 2, kText = 3, kBlob = 4, kNull = 5 };

// A prepared statement. Thread rule: as its SqliteDb. Must be destroyed before its SqliteDb.
class SqliteStatement {
 public:
  SqliteStatement() = default;  // only good for being assigned to
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&& other) noexcept;
  ~SqliteStatement();

  // Parameters count from 1; kTooLarge when SQLite cannot take the value. bind_text and bind_blob
  // copy; the _static forms do not: the bytes must stay as they are until the next bind of that
  // index, clear() or destruction. Bindings outlive step() and reset(). REQUIRES no row at hand.
  Status bind_int64(int index, int64_t value);
  Status bind_double(int index, double value);
  Status bind_text(int index, std::string_view text);
  Status bind_text_static(int index, std::string_view text);
  Status bind_blob(int index, ByteView bytes);
  Status bind_blob_static(int index, ByteView bytes);
  Status bind_null(int index);

  // True when there is a row; false at the end, and then the statement is reset: the next step()
  // starts over. After a failure it is reset too.
  Result<bool> step();
  // Runs a statement to its end, ignoring rows, and resets it. Bindings stay.
  Status run();
  // Starts over with the same bindings. Ends the read of a statement that has rows left.
  void reset();
  // reset(), and all parameters are null.
  void clear();

  // Columns count from 0, REQUIRES a row. Text and blobs are views into SQLite's memory, good until
  // the next step, reset or read of the same column as another type. Null reads as 0 or "".
  int64_t column_int64(int column) const;
  double column_double(int column) const;
  std::string_view column_text(int column) const;
  ByteView column_blob(int column) const;
  bool column_is_null(int column) const;
  // Before the column was read as another type.
  SqliteType column_type(int column) const;
  int column_count() const;

 private:
  friend class SqliteDb;
  SqliteStatement(class SqliteDb* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  Status bound(int code) const;

  class SqliteDb* db_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// How changes get into the file.
enum class SqliteJournal : uint8_t {
  // A write-ahead log beside the file: readers and the writer do not wait for each other, a commit
  // is one sync. A damaged log reads like a shorter one: who needs to know must have other means.
  kLog,
  // A rollback journal beside the file, only while it is written: after a commit all is in the
  // file. Readers and the writer wait for each other, a commit is five syncs.
  kRollback,
};

struct SqliteOpenFlags {
  bool create = false;     // create the file when it is missing
  bool read_only = false;  // neither settings nor content of the file are touched
  SqliteJournal journal = SqliteJournal::kLog;  // the same for all connections to a file
};

// A connection to one database. Several may be open on the same file, in one process; one writes at
// a time, and readers see the state of when their read began, without waiting.
//
// A committed transaction is durable when commit() (or, outside a transaction, run()) returned ok.
//
// Must be destroyed before its Env. In a simulation, destroy it before the machine boots again:
// connections of before and after a crash would share locks and the index of the log.
//
// Thread rule: one thread at a time, except interrupt().
class SqliteDb {
 public:
  // New files get pages of 4 KiB, each with a checksum
  // (docs/formats/sqlite_pages.md); a file of another program has none and is kCorruption. Sets and
  // verifies the journal mode and synchronous=EXTRA (that is FULL, and removed journals stay
  // removed); a read-only connection leaves the file as it is. kNotFound when there is no file and
  // !create.
  // The path is the identity of the database within the process: use one spelling.
  static Result<std::unique_ptr<SqliteDb>> open(Env* env, const std::string& path,
                                                SqliteOpenFlags flags);
  // Rolls back an open transaction. The last connection moves the log into the file.
  ~SqliteDb();
  SqliteDb(const SqliteDb&) = delete;
  SqliteDb& operator=(const SqliteDb&) = delete;

  // Runs one or more statements, ignoring rows.
  Status exec(const std::string& sql);
  // Compiles exactly one statement, or takes one of the same text that was destroyed lately: for
  // short reads compiling is most of the work.
  Result<SqliteStatement> prepare(std::string_view sql);

  int64_t last_insert_rowid() const;
  // Rows changed by the last insert, update or delete.
  int64_t changes() const;
  bool in_transaction() const;
  const std::string& path() const { return path_; }

  // Moves what the write-ahead log holds into the file as far as readers allow, without waiting.
  Status checkpoint();
  // Makes the file complete in itself: log moved in, rollback journal mode, no file beside it, all
  // of it durable; then closes the connection. REQUIRES no open statement or transaction.
  // kUnavailable when other connections are open: nothing is closed, and it may be tried again.
  // After another failure the file is a good database still, but perhaps not a plain file yet, and
  // the connection may be closed. On a closed connection everything fails with kInternal.
  Status finish();
  // SQLite's integrity_check; kCorruption with what it found.
  Status check_integrity();
  // Makes a running statement of this connection end with kCancelled. Any thread, but not during
  // finish().
  void interrupt();

 private:
  friend class SqliteStatement;
  SqliteDb(Env* env, std::string path, SqliteOpenFlags flags)
      : env_(env), path_(std::move(path)), flags_(flags) {}
  Status configure();
  Status configure_writing();
  Status closed() const;
  // What `code`, the last result on this connection, means; `sql` may be empty.
  Status error(int code, std::string_view sql) const;
  // The only value of the only row.
  Result<std::string> query_text(const std::string& sql);
  // Of destroyed statements, without rows and bindings.
  sqlite3_stmt* take_idle(std::string_view sql);
  void give_idle(sqlite3_stmt* statement);
  void finalize_idle(size_t most);  // all but that many

  Env* env_;
  std::string path_;
  SqliteOpenFlags flags_;
  sqlite3* handle_ = nullptr;
  std::vector<sqlite3_stmt*> idle_;  // the latest last
};

// A transaction, rolled back by the destructor unless commit() was called. Must not outlive its db.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteDb* db) : db_(db) {}
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  // For writing. Waits a few seconds for another writer, then kUnavailable.
  Status begin();
  // For reading: all reads until the end see the database as it is now.
  Status begin_read();
  // Ok: durable. On failure this process goes on as if nothing had been changed; when the disk was
  // at fault (kOutcomeUnknown, kIoError, kNoSpace) the next opening may still find all of it.
  Status commit();

 private:
  Status run(const char* sql);

  SqliteDb* db_;
  bool open_ = false;
};

// Removes a database that nobody has open, with the files beside it, durably. Ok when there is
// none.
Status remove_sqlite_db(Env* env, const std::string& path);

}  // namespace firn
