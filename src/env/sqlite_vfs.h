#pragma once

#include <string>

#include "base/status.h"
#include "env/env.h"

namespace firn {

// Makes SQLite do all of its I/O through `env`; returns the name to give to sqlite3_open_v2().
// Once per Env, later calls return the same name. `env` must stay until all connections that use
// the name are closed.
//
// All connections to a database are in this process: they share locks and the index of the
// write-ahead log in memory (sqlite_locks.h), keyed by the path as it is spelled. The journal
// modes WAL and DELETE work; in the others a power cut may leave an old journal that a new one has
// overwritten in part. Temporary files live in memory.
//
// Every page of a database has a checksum in its last 8 bytes, which are to be reserved before the
// first page is written (SQLITE_FCNTL_RESERVE_BYTES); a page that does not fit is
// SQLITE_IOERR_DATA, see docs/formats/sqlite_pages.md.
//
// What a sync makes durable includes the name of the file: the first sync of every opened file is
// followed by one of its directory. After a failed sync all files of that database refuse to be
// written until every connection is closed.
//
// Thread rule: any thread.
Result<std::string> register_sqlite_vfs(Env* env);

// The last failure of I/O on this thread on behalf of SQLite, or ok; forgets it. SQLite itself only
// passes numbers on: ask this right after it returned SQLITE_IOERR, SQLITE_FULL or SQLITE_CANTOPEN.
Status take_last_sqlite_vfs_error();

}  // namespace firn
