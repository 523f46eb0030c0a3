#pragma once

// Inside the engine room only: what its few files that include DuckDB share. Nothing outside
// src/engine may include this.

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "duckdb.hpp"
#include "duckdb/main/client_context_state.hpp"
#include "engine/engine.h"
#include "engine/file_end.h"
#include "env/env.h"

namespace firn {

// Paths of Env inside DuckDB begin with this, so that DuckDB never takes one for a path of its own.
inline constexpr std::string_view kEnvPathPrefix = "firn-env://";
// A file that is only written, and is no file: the answer of a statement.
inline constexpr const char* kAnswerUrl = "firn-env://answer";
// What a failure to write a temporary file says that was ours.
inline constexpr const char* kSpillWithoutSpace = "refused, the disk's reserve would be touched";
inline std::string env_url(std::string_view path) {
  return std::string(kEnvPathPrefix) + std::string(path);
}

// All that one connection may see: its tables and the files behind them. It hangs on the
// connection, so that table functions, the replacement scan and the file system find it through the
// context.
class Session : public duckdb::ClientContextState {
 public:
  static constexpr const char* kKey = "firn";
  // Null for a context that is not ours (DuckDB's own connections at start).
  static duckdb::shared_ptr<Session> of(duckdb::ClientContext& context);

  explicit Session(Env* environment) : env(environment) {}

  // Set up before the statement starts, read-only while it runs.
  Env* const env;
  std::unordered_map<std::string, Env*> readable_paths;  // with what opens them
  const ParquetWrite* write = nullptr;                   // the file that the statement writes
  ByteSink* answer = nullptr;                            // what is written to kAnswerUrl goes there
  std::vector<const EventTable*> event_tables;           // owned by the caller of the statement
  std::vector<const ValueTable*> value_tables;
  // The part of an event table, or of several over the same dataset, that a file belongs to.
  struct Part {
    Dataset dataset = Dataset::kEvents;
    const ParquetPart* part = nullptr;
  };
  std::unordered_map<std::string, Part> parts;  // by path
  bool with_raw_column = false;                 // event tables show `_raw`

  // `opener`: null for `env`.
  void may_read(std::span<const std::string> paths, Env* opener = nullptr);

  // Written while it runs, from any thread.
  std::atomic<bool> synced{false};  // the written file was closed and its sync succeeded

  // Keeps the first failure of our own code, whose code would be lost in a DuckDB exception.
  void note_failure(const Status& status) EXCLUDES(mutex_);
  Status failure() const EXCLUDES(mutex_);
  // Notes the failure and throws a DuckDB exception with its message.
  [[noreturn]] void fail(const Status& status) EXCLUDES(mutex_);

  // A Parquet file that was opened: its end, and where to count what is read of it.
  struct OpenedFile {
    std::shared_ptr<const FileEnd> end;
    std::atomic<uint64_t>* bytes_read = nullptr;
  };
  // The end is read and compared once. Errors of load_file_end().
  Result<OpenedFile> opened(const File& file, const std::string& path) EXCLUDES(mutex_);
  // What was read of each file that was opened.
  std::map<std::string, uint64_t> bytes_read() const EXCLUDES(mutex_);

  // Nulls when the file belongs to no part.
  Part part_of(const std::string& path) const {
    const auto found = parts.find(path);
    return found == parts.end() ? Part() : found->second;
  }

  const EventTable* find_event_table(const std::string& name) const;
  const ValueTable* find_value_table(const std::string& name) const;

 private:
  mutable Mutex mutex_;
  Status failure_ GUARDED_BY(mutex_);
  struct FileUse {
    std::shared_ptr<const FileEnd> end;  // null until it was read
    std::atomic<uint64_t> bytes_read{0};
  };
  std::map<std::string, FileUse> files_ GUARDED_BY(mutex_);  // by path; entries stay
};

// A connection with its session. Thread rule: one thread, except interrupt().
struct Client {
  Client(duckdb::DuckDB& database, Env* env);
  duckdb::Connection connection;
  duckdb::shared_ptr<Session> session;
};

// env_file_system.cc: the file system of a DuckDB instance. Paths with kEnvPathPrefix lead to Env
// and only to the files of the session; others lead to `temp_directory` for DuckDB itself, and
// nowhere for statements.
duckdb::unique_ptr<duckdb::FileSystem> make_file_system(Env* env, const EngineOptions& options);

// scan_function.cc: the table functions firn_scan('<event table>') and firn_values('<value
// table>').
void register_function(duckdb::DatabaseInstance& database, duckdb::TableFunction function);
void register_scan_functions(duckdb::DatabaseInstance& database);
// parquet_scan.cc: firn_parquet([...]), which is read_parquet([...]) over files of event tables. It
// leaves out files that the statement's conditions rule out. And firn_parquet_in_order([...]),
// which is read by one thread: rows that are copied in their order then are in memory for one row
// group, where several threads fill most of the engine's memory with what waits for its turn.
void register_parquet_scan(duckdb::DatabaseInstance& database);
// firn_attribute(data, metadata, context, key), which users may call, too.
void register_attribute_function(duckdb::DatabaseInstance& database);

// sql_guard.cc: parses and checks what a user wrote, and puts the parameters in their places. The
// result is one statement that only reads, from nothing but the session's tables.
Result<duckdb::unique_ptr<duckdb::SQLStatement>> prepare_user_statement(
    const std::string& sql, const std::vector<SqlScalar>& parameters, const Session& session);
// The replacement scan: turns a table's name into the query behind it.
duckdb::unique_ptr<duckdb::TableRef> replace_table(
    duckdb::ClientContext& context, duckdb::ReplacementScanInput& input,
    duckdb::optional_ptr<duckdb::ReplacementScanData>);

// engine.cc: starts what a user wrote; the answer is fetched chunk by chunk.
Result<duckdb::unique_ptr<duckdb::QueryResult>> start_statement(Client& client,
                                                                const SqlRequest& request);
// The next chunk of the answer, counted in `rows`; null at its end. Errors as Engine::run.
Result<duckdb::unique_ptr<duckdb::DataChunk>> next_chunk(duckdb::QueryResult& result,
                                                         const SqlRequest& request,
                                                         const Session& session, uint64_t* rows);

// encoded_answer.cc: runs the statement and writes its answer. `writer`: another connection.
Status execute_encoded(Client& client, Client& writer, const SqlRequest& request,
                       SqlEncoding encoding, ByteSink* sink, SqlSummary* summary);

// results.cc: DuckDB's values as ours.
duckdb::Value to_duck_value(const SqlScalar& scalar);
Status deliver_chunk(duckdb::DataChunk& chunk, ResultSink* sink);

// Our code for a failed statement: the session's own failure when there is one.
Status to_status(const duckdb::ErrorData& error, const Session& session);

// Runs `action`, turning whatever DuckDB throws into a Status.
template <typename Action>
auto guarded(const Session& session, Action&& action) -> decltype(action()) {
  try {
    return action();
  } catch (const std::exception& exception) {
    return to_status(duckdb::ErrorData(exception), session);
  }
}

}  // namespace firn
