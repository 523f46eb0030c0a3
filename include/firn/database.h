#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <firn/event.h>
#include <firn/status.h>

namespace firn {

// What an acknowledgement waits for; see docs/guarantees.md.
enum class Ack : uint8_t { kFsync, kOs, kMemory };

struct Appended {
  uint64_t first_position = 0;
  uint64_t last_position = 0;
  uint32_t count = 0;
  uint32_t duplicates = 0;  // events of the batch that were stored before, by their id
  Ack ack = Ack::kFsync;
};
using AppendDone = std::function<void(const Result<Appended>&)>;

// Conditions of a read; what is empty or unset does not restrict.
struct EventFilter {
  std::optional<int64_t> from_ns, to_ns;  // half-open
  uint64_t after_position = 0;
  std::vector<std::string> types, sources, streams;  // any of
  std::string correlation_id, trace_id;
  uint8_t severity_min = 0;
  std::string contains;  // in data or metadata
};

// One column name per column, then rows of text; an absent text is SQL's NULL.
struct SqlTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::vector<std::string> tiers;  // that were read
};

// All rows of an interval in one tier; what can become of it is in docs/lifecycle.md.
struct ChunkInfo {
  std::string name, dataset, tier, state;
  int64_t from_ns = 0, to_ns = 0;  // half-open
  uint64_t rows = 0, bytes = 0;
  uint64_t raw_bytes = 0;  // of the same rows, unpacked
};

enum class ChunkWork : uint8_t { kFlush, kCompress, kMove, kRehydrate, kExport, kDrop };

// What to do with which chunks. Without names, tier and age: with all that it can be done to;
// kDrop needs one of them.
struct ChunkRequest {
  ChunkWork work = ChunkWork::kFlush;
  std::vector<std::string> names;
  std::string tier;
  std::optional<int64_t> older_than_ns;  // that ended at least so long ago
  bool dry_run = false;                  // only say what would be done
  std::string to_tier;                   // kRehydrate; empty: the next tier above
  int64_t keep_ns = INT64_MAX;           // kRehydrate: how long it stays up
};

struct ChunkChange {
  std::string chunk, from_tier;
  std::string to_tier;  // empty: dropped
  std::string into;     // the chunk that has the rows now, when that is another one
  uint64_t rows = 0;
  Status status;
};

struct ChunkReport {
  Status status;  // the first failure; kNotFound for a name that is no chunk
  std::vector<ChunkChange> chunks;
};

struct DatabaseOptions {
  std::string directory;  // created when missing
  uint64_t memory_bytes_max = uint64_t{1} << 30;
  // Where ChunkWork::kExport and back_up() write: a path, or a name inside `directory`. Empty:
  // nowhere.
  std::string export_directory = {};
};

// What a backup holds, or a restore brought back; what of it was not there before.
struct BackupCounts {
  uint64_t chunks = 0, rows = 0;
  uint64_t copied_chunks = 0, copied_rows = 0;
};

// A Firn store inside a program: the same log, tiers and queries as the server, without a socket.
// memory -> SQLite after an hour -> Parquet after 30 days, all under one directory that one process
// may use at a time.
//
// Thread rule: every method from any thread. Destroying it is quick; what was acknowledged with
// Ack::kFsync is durable already, what was not yet acknowledged gets its callback with an error.
class Database {
 public:
  // kConflict when another process uses the directory.
  static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options);
  ~Database();

  // Creates the namespace when missing; "default" always exists.
  Status create_namespace(const std::string& name);

  // Appends all events or none and waits for the acknowledgement. kInvalidArgument naming the index
  // of a bad event, kConflict for an id with other content, kUnavailable and kNoSpace to retry
  // later, kOutcomeUnknown when the log failed.
  Result<Appended> append(std::string_view name_space, std::span<const Event> events,
                          Ack ack = Ack::kFsync);
  // The same without waiting: `done` is called once, from a worker of the store or before the
  // return, and must not block.
  void append_async(std::string_view name_space, std::span<const Event> events, Ack ack,
                    AppendDone done);

  // The first `limit` matching events in position order.
  Result<std::vector<StoredEvent>> read(std::string_view name_space, const EventFilter& filter,
                                        uint32_t limit);
  Result<uint64_t> count(std::string_view name_space, const EventFilter& filter);
  // SQL over the tables events, chunks and tiers.
  Result<SqlTable> sql(std::string_view name_space, const std::string& query);

  // The chunks of the namespace, old to fresh.
  Result<std::vector<ChunkInfo>> chunks(std::string_view name_space);
  // Waits until it is done.
  ChunkReport change_chunks(std::string_view name_space, const ChunkRequest& request);

  // Copies everything acknowledged by now, of all namespaces, to `backup` in the export directory,
  // and waits until it is done; what is there already is not copied again. Appends go on meanwhile.
  // kConflict while another backup is at work, or when the place has another store's backup.
  Result<BackupCounts> back_up();
  // Makes options.directory, which must have no store, of the backup in the export directory. After
  // an interruption it may be called again. kNotFound without a backup there.
  static Result<BackupCounts> restore(const DatabaseOptions& options);

  // Moves what is in memory to SQLite now.
  Status flush(std::string_view name_space);
  // Moves what is in SQLite to Parquet now.
  Status move_to_cold(std::string_view name_space);

 private:
  friend class Streams;               // firn/streams.h
  friend class DurableSubscriptions;  // firn/subscriptions.h
  friend class StreamFollower;
  friend class Metrics;  // firn/metrics.h
  struct Parts;
  explicit Database(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firn
