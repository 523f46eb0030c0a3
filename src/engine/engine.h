#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/mutex.h"
#include "base/status.h"
#include "engine/batch_source.h"
#include "engine/file_end.h"
#include "engine/sql_value.h"
#include "env/env.h"
#include "model/filter.h"
#include "model/record_batch.h"
#include "model/schema.h"

namespace firn {

struct EngineOptions {
  uint32_t threads = 2;  // also counts the calling thread; 1: no other thread
  uint64_t memory_bytes = kLimits.query_memory_bytes;  // for everything that runs at the same time
  // A real directory for what does not fit into memory; created when needed. Empty: nothing spills,
  // a statement that needs more memory fails.
  std::string temp_directory;
  // A statement ends with kNoSpace before less than this is free on that directory's disk.
  uint64_t temp_reserve_bytes = 0;
};

// Lets another thread stop a statement. Thread rule: any thread, any number of times, before,
// during and after the run.
class QueryControl {
 public:
  void cancel() EXCLUDES(mutex_);
  bool cancelled() const EXCLUDES(mutex_);

 private:
  friend class Engine;
  mutable Mutex mutex_;
  bool cancelled_ GUARDED_BY(mutex_) = false;
  std::function<void()> interrupt_ GUARDED_BY(mutex_);  // set while a statement runs
};

// A chunk as Parquet files of the tier's format (docs/formats/parquet.md), read through an Env.
// Their rows are bounded to `positions`, so that a file that grew a successor since the caller's
// snapshot is not seen twice.
struct ParquetPart {
  std::vector<std::string> paths;
  PositionRange positions;
  std::vector<std::string> extras;  // one per EventTable::extra_columns
  Env* env = nullptr;               // opens the paths; null: the engine's
  std::string tier{};               // for EXPLAIN
  size_t whole_paths = 0;           // the first of them, which have no row outside `positions`
  // No row is outside of these, ends included; files are not read for conditions that are.
  TimeNs time_min = INT64_MIN, time_max = INT64_MAX;
  Position position_min = 0, position_max = UINT64_MAX;
};

// A table of events: the rows of `batches` (may be null) and of all `parquet` parts. Columns are
// those of the dataset, named as in model/schema.h, then the extra ones (VARCHAR). Types: times are
// TIMESTAMP_NS; position, stream_position and duration BIGINT; value DOUBLE; severity SMALLINT; id
// is UUID text, trace_id and parent_id 32, span_id 16 hexadecimal digits; kind is its name; data,
// metadata and context are VARCHAR with JSON. Absent values are NULL. Text that is not UTF-8 shows
// U+FFFD.
struct EventTable {
  std::string name;
  Dataset dataset = Dataset::kEvents;
  std::shared_ptr<BatchSource> batches;
  std::vector<ParquetPart> parquet;
  std::vector<std::string> extra_columns;
  // What statements see of the table: a SELECT over its rows, which it calls `written`. Empty: the
  // rows as they are.
  std::string shows;
};

enum class SqlColumnType : uint8_t { kBoolean, kInt64, kDouble, kText, kTime };

// A small table of plain values. `load` is called only when a statement reads the table, at most
// once per mention, perhaps on another thread; it returns rows with one scalar per column, each
// null or of the column's type.
struct ValueTable {
  std::string name;
  std::vector<std::pair<std::string, SqlColumnType>> columns;
  std::function<Result<std::vector<std::vector<SqlScalar>>>()> load;
};

struct SqlRequest {
  std::string sql;
  std::vector<SqlScalar> parameters;  // for ? and $1, $2, ...
  // The tables the statement may name (case-insensitive, unquoted or quoted); nothing else exists.
  std::vector<EventTable> event_tables;
  std::vector<ValueTable> value_tables;
  DurationNs time_limit_ns = kLimits.query_time_ns;
  uint64_t rows_limit = kLimits.query_rows;
  std::shared_ptr<QueryControl> control;  // may be null
};

struct SqlSummary {
  uint64_t rows = 0;                              // delivered to the sink
  std::map<std::string, uint64_t> parquet_bytes;  // read from each Parquet file that was opened
};

// What a Parquet file says about itself in its footer.
struct ParquetInfo {
  uint64_t rows = 0;
  uint64_t row_groups = 0;
  ParquetMetadata metadata;

  // The value of a metadata key; nothing when the file has no such key.
  std::optional<std::string> find(std::string_view key) const;
};

struct ParquetRowGroup {
  uint64_t rows = 0;
  Position first = 0, last = 0;  // inclusive
};

// A column of a Parquet file beside the dataset's own: an attribute of each row. NULL where the row
// has no such attribute, or one whose value is not of the type.
enum class AttributeType : uint8_t { kText, kInteger, kNumber, kBoolean };
struct AttributeColumn {
  std::string name;  // of the column
  std::string key;   // as attribute_of() takes it
  AttributeType type = AttributeType::kText;
  bool operator==(const AttributeColumn&) const = default;
};

// One Parquet file to be written: zstd level 1, row groups of about `row_group_rows`, rows in the
// order of their source. At most one of `rows` and `merge` is set; without both the file is empty.
struct ParquetWrite {
  std::string path;  // must not exist; its directory must
  Dataset dataset = Dataset::kEvents;
  // Read to its end, by one thread at a time. Its errors come back from write_parquet() unchanged.
  BatchReader* rows = nullptr;
  uint64_t rows_about = 0;         // of `rows`, so that they can be shared out among threads
  std::vector<std::string> merge;  // Parquet files of this format, one behind the other
  std::vector<AttributeColumn> attributes;
  ParquetMetadata metadata;
  uint32_t row_group_rows = 100'000;
  // What the file will be when it has its place; it can only be read under this name. Empty name:
  // that of `path`.
  FileIdentity identity;
  // Called once when the last row has passed, and may change `metadata` and `identity` to what is
  // known only then. Keys stay what they are, and values as long as they are. May be null.
  std::function<void(ParquetMetadata* metadata, FileIdentity* identity)> at_end;
};

// How rows are read back from one Parquet file.
struct ParquetRead {
  std::string path;
  Dataset dataset = Dataset::kEvents;
  NamespaceId namespace_id = 0;
  Filter filter;
  Projection projection = Projection::all();
  // True: the file's row groups from the last to the first (see ScanOrder::kPositionDescending).
  bool descending = false;
  std::vector<ParquetRowGroup> row_groups;  // of the file, ascending; only needed for descending
  bool has_raw_rows = false;       // false promises that every text in the file is what was written
  uint64_t* bytes_read = nullptr;  // added to while reading; may be null, must outlive the reader
};

// The one place that knows DuckDB: an in-memory instance without extensions from outside, whose
// only file system is Env, and there only the files that the running statement was given. It sees
// no byte of them that was not compared with its checksum (engine/checked_file.h): damage is
// kCorruption with file, range of bytes and positions, whatever reads. Exceptions of DuckDB end
// here and become Status.
//
// Thread rule: every method may be called from several threads at once. Destroyed after all readers
// it made and after all calls returned.
class Engine {
 public:
  // kUnsupported when the DuckDB library is not the version Firn was built for.
  static Status check_library();
  // What check_library() says, too. Takes tens of milliseconds. `env` must outlive the engine.
  // Statements with a time limit use one worker of `env`, started with the first.
  static Result<std::unique_ptr<Engine>> open(Env* env, const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Runs one statement that a user wrote and delivers its rows. Blocks until done. Only statements
  // that read are accepted: SELECT, WITH, VALUES, FROM, DESCRIBE, SUMMARIZE, SHOW, EXPLAIN of
  // these. kInvalidArgument: a syntax, name or type error, another kind of statement, several
  // statements, a table function that is not among range, generate_series, unnest, repeat,
  // json_each, json_tree, a name that is not in the request, too few or too many parameters, a
  // computation that fails (cast, overflow, division). kTooLarge: more than rows_limit rows or
  // sql_bytes of text, or out of memory; rows may have been delivered before. kDeadlineExceeded,
  // kCancelled. kUnavailable: a Parquet file went away since the caller's snapshot; ask again with
  // a new one. kCorruption: a Parquet file is damaged. Otherwise what a BatchSource, a ValueTable,
  // the sink or Env returned.
  Result<SqlSummary> run(const SqlRequest& request, ResultSink* sink);
  // The same with the answer as bytes; after a failure a part of them may have been delivered.
  // kInvalidArgument also for a number of 39 digits.
  Result<SqlSummary> run(const SqlRequest& request, SqlEncoding encoding, ByteSink* sink);

  // Writes the file and syncs it; the caller syncs its directory. After a failure a part of the
  // file may be there; the caller removes it.
  Status write_parquet(const ParquetWrite& write);

  // One for each file, in the order of the paths. kCorruption, naming the file, when it is damaged
  // or missing.
  Result<std::vector<ParquetInfo>> parquet_info(std::span<const std::string> paths);
  // The row groups that have rows, in file order. Errors as above.
  Result<std::vector<ParquetRowGroup>> parquet_row_groups(const std::string& path);

  // Reads rows that satisfy the filter, ascending by position within and across slices (across:
  // descending on request). Equality, ranges of time, position and numbers, and kContains are given
  // to Parquet, so row groups and pages without matches are skipped; every predicate is checked.
  // Rows come back as they were written, bit for bit. kCorruption, or what Env returned,
  // here or from next().
  Result<std::unique_ptr<BatchReader>> read_parquet(const ParquetRead& read);

 private:
  struct Instance;
  explicit Engine(std::unique_ptr<Instance> instance);
  std::unique_ptr<Instance> instance_;
};

// SQL text of a string literal: in quotes, inner quotes doubled.
std::string sql_quote(std::string_view text);
// The same for an identifier.
std::string sql_identifier(std::string_view name);
// The predicates and ranges of a filter as an SQL condition over an EventTable's columns that holds
// for exactly the same rows, provided no text in the table is invalid UTF-8. Nothing when some
// predicate has no such form (kAttribute; texts that are not UTF-8). "TRUE" for an empty filter.
std::optional<std::string> sql_condition(const Filter& filter);

}  // namespace firn
