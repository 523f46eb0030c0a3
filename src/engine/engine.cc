#include "engine/engine.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "duckdb/optimizer/optimizer.hpp"
#include "duckdb/optimizer/remove_unused_columns.hpp"
#include "engine/duck.h"
#include "engine/instance.h"

namespace firn {

namespace {

constexpr std::string_view kDuckdbVersion = "v1.4.4";

bool equal_names(const std::string& a, const std::string& b) {
  return duckdb::StringUtil::CIEquals(a, b);
}

}  // namespace

duckdb::shared_ptr<Session> Session::of(duckdb::ClientContext& context) {
  return context.registered_state->Get<Session>(kKey);
}

void Session::may_read(std::span<const std::string> paths, Env* opener) {
  for (const std::string& path : paths) readable_paths[path] = opener == nullptr ? env : opener;
}

void Session::note_failure(const Status& status) {
  MutexLock lock(&mutex_);
  if (failure_.ok()) failure_ = status;
}

Status Session::failure() const {
  MutexLock lock(&mutex_);
  return failure_;
}

void Session::fail(const Status& status) {
  note_failure(status);
  throw duckdb::IOException("%s", status.to_string());
}

Result<Session::OpenedFile> Session::opened(const File& file, const std::string& path) {
  FileUse* use = nullptr;
  {
    MutexLock lock(&mutex_);
    use = &files_[path];
    if (use->end != nullptr) return OpenedFile{use->end, &use->bytes_read};
  }
  FIRN_ASSIGN(auto end, load_file_end(file, path, &use->bytes_read));
  MutexLock lock(&mutex_);
  if (use->end == nullptr) use->end = std::move(end);
  return OpenedFile{use->end, &use->bytes_read};
}

std::map<std::string, uint64_t> Session::bytes_read() const {
  MutexLock lock(&mutex_);
  std::map<std::string, uint64_t> bytes;
  for (const auto& [path, use] : files_) bytes[path] = use.bytes_read;
  return bytes;
}

const EventTable* Session::find_event_table(const std::string& name) const {
  for (const EventTable* table : event_tables) {
    if (equal_names(table->name, name)) return table;
  }
  return nullptr;
}

const ValueTable* Session::find_value_table(const std::string& name) const {
  for (const ValueTable* table : value_tables) {
    if (equal_names(table->name, name)) return table;
  }
  return nullptr;
}

Client::Client(duckdb::DuckDB& database, Env* env)
    : connection(database), session(duckdb::make_shared_ptr<Session>(env)) {
  connection.context->registered_state->Insert(Session::kKey, session);
}

void QueryControl::cancel() {
  MutexLock lock(&mutex_);
  cancelled_ = true;
  if (interrupt_) interrupt_();
}

bool QueryControl::cancelled() const {
  MutexLock lock(&mutex_);
  return cancelled_;
}

// Interrupts statements whose time is over.
Watch::Watch(Env* env) : env_(env) {}

Watch::~Watch() {
  std::unique_ptr<Worker> worker;
  {
    MutexLock lock(&mutex_);
    worker = std::move(worker_);
  }
  worker.reset();  // waits for a running step, which needs the mutex
}

uint64_t Watch::add(TimeNs deadline, std::function<void()> interrupt) {
  MutexLock lock(&mutex_);
  const uint64_t ticket = ++last_ticket_;
  entries_[ticket] = {deadline, std::move(interrupt)};
  if (worker_ == nullptr) worker_ = env_->start_worker("sql-deadline", [this] { step(); });
  if (deadline < wakes_at_) {
    wakes_at_ = deadline;
    worker_->notify();
  }
  return ticket;
}

void Watch::remove(uint64_t ticket) {
  MutexLock lock(&mutex_);
  entries_.erase(ticket);
}

void Watch::step() {
  MutexLock lock(&mutex_);
  const TimeNs now = env_->monotonic();
  TimeNs next = INT64_MAX;
  for (auto& [ticket, entry] : entries_) {
    if (entry.deadline > now) {
      next = std::min(next, entry.deadline);
    } else {
      entry.interrupt();
      // Again until it is gone: an interrupt that comes between two phases of a statement is lost.
      next = std::min(next, now + 10 * kMillisecondNs);
    }
  }
  wakes_at_ = next;
  if (next != INT64_MAX && worker_ != nullptr) worker_->notify_after(next - now);
}

Engine::Engine(std::unique_ptr<Instance> instance) : instance_(std::move(instance)) {}
Engine::~Engine() = default;

Status Engine::check_library() {
  if (duckdb::DuckDB::LibraryVersion() == kDuckdbVersion) return Status();
  return unsupported(fmt::format("Firn needs DuckDB {}, the library found is {}", kDuckdbVersion,
                                 duckdb::DuckDB::LibraryVersion()));
}

namespace {

// Before DuckDB's own passes: the query behind a table names all its columns, and the ordering of
// joins, which comes before DuckDB's own removal of unused columns, would read the statistics of
// every one of them in every row group.
void remove_unused_columns(duckdb::OptimizerExtensionInput& input,
                           duckdb::unique_ptr<duckdb::LogicalOperator>& plan) {
  duckdb::RemoveUnusedColumns remove(input.optimizer.binder, input.context, true);
  remove.VisitOperator(*plan);
}

Result<std::unique_ptr<duckdb::DuckDB>> start_database(Env* env, const EngineOptions& options) {
  try {
    duckdb::DBConfig config;
    config.file_system = make_file_system(env, options);
    config.options.autoinstall_known_extensions = false;
    config.options.autoload_known_extensions = false;
    config.options.allow_community_extensions = false;
    config.options.maximum_threads = std::max<uint32_t>(1, options.threads);
    config.options.maximum_memory = options.memory_bytes;
    // What a finished task gave back is returned to the system, not kept for the next one.
    config.options.allocator_flush_threshold = options.memory_bytes / 16;
    config.options.allocator_bulk_deallocation_flush_threshold = options.memory_bytes / 16;
    config.options.allocator_background_threads = true;
    config.options.use_temporary_directory = !options.temp_directory.empty();
    config.options.temporary_directory = options.temp_directory;
    // Else most of what was free when the first statement spilled, for ever; ours looks each time.
    config.options.maximum_swap_space = duckdb::idx_t{1} << 60;
    config.options.enable_external_file_cache = false;
    // Nothing is stored in the database itself, so a bug that one statement meets spoils no other.
    config.options.disable_database_invalidation = true;
    auto started = std::make_unique<duckdb::DuckDB>(nullptr, &config);
    auto& database = *started->instance;
    register_scan_functions(database);
    register_parquet_scan(database);
    register_attribute_function(database);
    {
      duckdb::Connection connection(*started);
      auto set = connection.Query("SET GLOBAL TimeZone = 'UTC'");
      if (set->HasError()) return internal_error("DuckDB: " + set->GetError());
    }
    duckdb::OptimizerExtension early;
    early.pre_optimize_function = remove_unused_columns;
    database.config.optimizer_extensions.push_back(std::move(early));
    database.config.replacement_scans.clear();
    database.config.replacement_scans.emplace_back(replace_table);
    database.config.options.lock_configuration = true;
    return started;
  } catch (const std::exception& exception) {
    return internal_error(std::string("DuckDB does not start: ") + exception.what());
  }
}

}  // namespace

Result<std::unique_ptr<Client>> Engine::Instance::connect() {
  duckdb::DuckDB* started = nullptr;
  {
    MutexLock lock(&mutex);
    if (database == nullptr) {
      FIRN_ASSIGN(database, start_database(env, options));
    }
    started = database.get();
  }
  return std::make_unique<Client>(*started, env);
}

Result<std::unique_ptr<Engine>> Engine::open(Env* env, const EngineOptions& options) {
  FIRN_TRY(check_library());
  if (!options.temp_directory.empty()) {
    FIRN_TRY(env->create_directories(options.temp_directory));
  }
  return std::unique_ptr<Engine>(new Engine(std::make_unique<Instance>(env, options)));
}

namespace {

Status deliver(Client& client, const SqlRequest& request, ResultSink* sink, uint64_t* rows) {
  FIRN_ASSIGN(const auto result, start_statement(client, request));
  std::vector<SqlColumn> columns;
  for (size_t i = 0; i < result->names.size(); ++i) {
    columns.push_back({result->names[i], result->types[i].ToString()});
  }
  FIRN_TRY(sink->columns(columns));
  while (true) {
    FIRN_ASSIGN(const auto chunk, next_chunk(*result, request, *client.session, rows));
    if (chunk == nullptr) return {};
    FIRN_TRY(deliver_chunk(*chunk, sink));
  }
}

}  // namespace

Result<duckdb::unique_ptr<duckdb::QueryResult>> start_statement(Client& client,
                                                                const SqlRequest& request) {
  FIRN_ASSIGN(auto statement,
              prepare_user_statement(request.sql, request.parameters, *client.session));
  auto pending = client.connection.PendingQuery(std::move(statement), true);
  if (pending->HasError()) return to_status(pending->GetErrorObject(), *client.session);
  // The statement's start forgets interrupts, so an earlier cancel() must be asked for again.
  if (request.control != nullptr && request.control->cancelled()) return cancelled("");
  auto result = pending->Execute();
  if (result->HasError()) return to_status(result->GetErrorObject(), *client.session);
  return result;
}

Result<duckdb::unique_ptr<duckdb::DataChunk>> next_chunk(duckdb::QueryResult& result,
                                                         const SqlRequest& request,
                                                         const Session& session, uint64_t* rows) {
  auto chunk = result.FetchRaw();
  if (result.HasError()) return to_status(result.GetErrorObject(), session);
  if (chunk == nullptr || chunk->size() == 0) return duckdb::unique_ptr<duckdb::DataChunk>();
  if (*rows + chunk->size() > request.rows_limit) {
    return too_large(
        fmt::format("the answer has more than query_rows ({}) rows", request.rows_limit));
  }
  *rows += chunk->size();
  return chunk;
}

Result<SqlSummary> Engine::run(const SqlRequest& request, ResultSink* sink) {
  return instance_->run(request, [&](Client& client, SqlSummary* summary) {
    return guarded(*client.session,
                   [&]() -> Status { return deliver(client, request, sink, &summary->rows); });
  });
}

Result<SqlSummary> Engine::run(const SqlRequest& request, SqlEncoding encoding, ByteSink* sink) {
  FIRN_ASSIGN(const std::unique_ptr<Client> writer, instance_->connect());
  return instance_->run(request, [&](Client& client, SqlSummary* summary) {
    return execute_encoded(client, *writer, request, encoding, sink, summary);
  });
}

Result<SqlSummary> Engine::Instance::run(
    const SqlRequest& request, const std::function<Status(Client&, SqlSummary*)>& execute) {
  FIRN_ASSIGN(const std::unique_ptr<Client> client, connect());
  Session& session = *client->session;
  for (const EventTable& table : request.event_tables) {
    session.event_tables.push_back(&table);
    for (const ParquetPart& part : table.parquet) {
      session.may_read(part.paths, part.env);
      for (const std::string& path : part.paths) session.parts[path] = {table.dataset, &part};
    }
  }
  for (const ValueTable& table : request.value_tables) session.value_tables.push_back(&table);

  const auto interrupt = [&client] { client->connection.Interrupt(); };
  QueryControl* control = request.control.get();
  if (control != nullptr) {
    MutexLock lock(&control->mutex_);
    if (control->cancelled_) return cancelled("the query was cancelled");
    control->interrupt_ = interrupt;
  }
  const TimeNs started = env->monotonic();
  const TimeNs deadline =
      request.time_limit_ns > INT64_MAX - started ? INT64_MAX : started + request.time_limit_ns;
  const uint64_t ticket = deadline == INT64_MAX ? 0 : watch.add(deadline, interrupt);

  SqlSummary summary;
  Status status = execute(*client, &summary);

  if (ticket != 0) watch.remove(ticket);
  if (control != nullptr) {
    MutexLock lock(&control->mutex_);
    control->interrupt_ = nullptr;
    if (!status.ok() && control->cancelled_) return cancelled("the query was cancelled");
  }
  if (status.code() == StatusCode::kCancelled && env->monotonic() >= deadline) {
    return deadline_exceeded(fmt::format("the query took longer than query_time ({})",
                                         format_duration(request.time_limit_ns)));
  }
  if (!status.ok()) return status;
  summary.parquet_bytes = session.bytes_read();
  return summary;
}

std::string sql_quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

std::string sql_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

}  // namespace firn
