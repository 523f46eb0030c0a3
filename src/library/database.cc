#include <firn/database.h>

#include "env/env.h"
#include "library/database_parts.h"
#include "query/sql.h"
#include "store/restore.h"

namespace firn {

namespace {

AckLevel level_of(Ack ack) { return static_cast<AckLevel>(ack); }
static_assert(static_cast<int>(Ack::kMemory) == static_cast<int>(AckLevel::kMemory));

Appended appended_of(const AppendResult& result) {
  return {result.first_position, result.last_position, result.count, result.duplicates,
          static_cast<Ack>(result.ack)};
}

Status bad_event(size_t index, const char* field, std::string_view text, const char* expected) {
  return invalid_argument("event " + std::to_string(index) + ": " + field + " is '" +
                          std::string(text) + "'; expected " + expected);
}

// The row of an event; views stay the caller's.
Status to_row(const Event& event, size_t index, TimeNs now, EventRow* row) {
  if (event.type.empty()) {
    return invalid_argument("event " + std::to_string(index) + ": type is empty");
  }
  row->time = event.time_ns != 0 ? event.time_ns : now;
  row->type = event.type;
  row->source = event.source;
  row->subject = event.subject;
  row->severity = event.severity;
  row->stream = event.stream;
  row->correlation_id = event.correlation_id;
  row->data = event.data;
  row->metadata = event.metadata;
  row->context = event.context;
  if (event.duration_ns >= 0) row->duration = event.duration_ns;
  for (const auto& [text, field, id] :
       {std::tuple(event.id, "id", &row->id),
        std::tuple(event.trace_id, "trace_id", &row->trace_id),
        std::tuple(event.parent_id, "parent_id", &row->parent_id)}) {
    if (text.empty()) continue;
    const std::optional<Id> parsed = Id::parse(text);
    if (!parsed.has_value())
      return bad_event(index, field, text, "a UUID or 32 hexadecimal digits");
    *id = *parsed;
  }
  if (!event.span_id.empty() &&
      !hex_decode(event.span_id, row->span_id.data(), row->span_id.size())) {
    return bad_event(index, "span_id", event.span_id, "16 hexadecimal digits");
  }
  return Status();
}

Result<AppendRequest> make_request(Store* store, std::span<const Event> events, Ack ack) {
  if (events.empty()) return invalid_argument("the batch has no events");
  // One builder per thread keeps its buffers between batches.
  thread_local BatchBuilder builder(Dataset::kEvents);
  AppendRequest request;
  request.ack = level_of(ack);
  const TimeNs now = posix_env()->now();
  const std::function<Id()> make_id = store->id_source();
  for (size_t i = 0; i < events.size(); ++i) {
    EventRow row;
    if (Status status = to_row(events[i], i, now, &row); !status.ok()) {
      builder = BatchBuilder(Dataset::kEvents);  // forgets the rows before the bad one
      return status;
    }
    if (row.id.is_zero()) {
      row.id = make_id();
    } else {
      request.rows_with_client_id.push_back(static_cast<uint32_t>(i));
    }
    builder.add(row);
  }
  request.batch = builder.finish();
  return request;
}

Predicate any_of(ColumnId column, std::vector<std::string> texts) {
  Predicate predicate;
  predicate.column = column;
  predicate.texts = std::move(texts);
  return predicate;
}

Result<Filter> to_filter(const EventFilter& wanted) {
  Filter filter;
  if (wanted.from_ns.has_value()) filter.time.from = *wanted.from_ns;
  if (wanted.to_ns.has_value()) filter.time.to = *wanted.to_ns;
  if (wanted.after_position < UINT64_MAX)
    filter.positions.from = wanted.after_position + 1;
  else
    filter.positions.to = 0;
  const std::pair<ColumnId, const std::vector<std::string>*> lists[] = {
      {ColumnId::kType, &wanted.types},
      {ColumnId::kSource, &wanted.sources},
      {ColumnId::kStream, &wanted.streams}};
  for (const auto& [column, texts] : lists) {
    if (!texts->empty()) filter.predicates.push_back(any_of(column, *texts));
  }
  if (!wanted.correlation_id.empty()) {
    filter.predicates.push_back(any_of(ColumnId::kCorrelationId, {wanted.correlation_id}));
  }
  if (!wanted.trace_id.empty()) {
    const std::optional<Id> id = Id::parse(wanted.trace_id);
    if (!id.has_value()) {
      return invalid_argument("trace_id is '" + wanted.trace_id +
                              "'; expected 32 hexadecimal digits");
    }
    Predicate predicate;
    predicate.column = ColumnId::kTraceId;
    predicate.ids = {*id};
    filter.predicates.push_back(std::move(predicate));
  }
  if (wanted.severity_min > 0) {
    Predicate predicate;
    predicate.kind = PredicateKind::kAtLeast;
    predicate.column = ColumnId::kSeverity;
    predicate.numbers = {wanted.severity_min};
    filter.predicates.push_back(std::move(predicate));
  }
  if (!wanted.contains.empty()) {
    Predicate predicate;
    predicate.kind = PredicateKind::kContains;
    predicate.texts = {wanted.contains};
    filter.predicates.push_back(std::move(predicate));
  }
  return filter;
}

std::optional<std::string> text_of(const SqlValue& value) {
  switch (value.kind) {
    case SqlKind::kNull:
      return std::nullopt;
    case SqlKind::kBool:
      return value.boolean ? "true" : "false";
    case SqlKind::kInt64:
      return std::to_string(value.integer);
    case SqlKind::kUint64:
      return std::to_string(value.unsigned_integer);
    case SqlKind::kDouble:
      return std::to_string(value.real);
    case SqlKind::kTime:
      return format_time(value.integer);
    case SqlKind::kText:
    case SqlKind::kJson:
      return std::string(value.text);
  }
  return std::nullopt;
}

class TableSink : public ResultSink {
 public:
  explicit TableSink(SqlTable* table) : table_(table) {}
  Status columns(std::span<const SqlColumn> columns) override {
    for (const SqlColumn& column : columns) table_->columns.push_back(column.name);
    return Status();
  }
  Status row(std::span<const SqlValue> values) override {
    std::vector<std::optional<std::string>>& cells = table_->rows.emplace_back();
    for (const SqlValue& value : values) cells.push_back(text_of(value));
    return Status();
  }

 private:
  SqlTable* table_;
};

}  // namespace

namespace {

constexpr const char* kExportName = "export";

ChunkAction action_of(ChunkWork work) {
  switch (work) {
    case ChunkWork::kFlush:
      return ChunkAction::kFlush;
    case ChunkWork::kCompress:
      return ChunkAction::kCompress;
    case ChunkWork::kMove:
      return ChunkAction::kMove;
    case ChunkWork::kRehydrate:
      return ChunkAction::kRehydrate;
    case ChunkWork::kExport:
      return ChunkAction::kExport;
    case ChunkWork::kDrop:
      break;
  }
  return ChunkAction::kDrop;
}

}  // namespace

StoredEvent stored_event(const EventRef& ref) {
  const EventRow row = event_row(*ref.batch, ref.row);
  StoredEvent event;
  event.position = ref.batch->position(ref.row);
  if (row.stream_position != kAbsentInt64) event.stream_position = row.stream_position;
  event.time_ns = row.time;
  event.id = row.id.to_uuid();
  event.type = row.type;
  event.source = row.source;
  event.subject = row.subject;
  event.severity = row.severity;
  event.stream = row.stream;
  event.correlation_id = row.correlation_id;
  if (!row.trace_id.is_zero()) event.trace_id = row.trace_id.to_hex();
  const ByteView span(reinterpret_cast<const char*>(row.span_id.data()), row.span_id.size());
  if (row.span_id != std::array<uint8_t, 8>{}) event.span_id = hex_encode(span);
  if (!row.parent_id.is_zero()) event.parent_id = row.parent_id.to_uuid();
  if (row.duration != kAbsentInt64) event.duration_ns = row.duration;
  event.data = row.data;
  event.metadata = row.metadata;
  event.context = row.context;
  return event;
}

namespace {

StoreOptions store_options_of(const DatabaseOptions& options) {
  StoreOptions store_options = default_store_options(options.directory);
  store_options.memory_bytes_max = options.memory_bytes_max;
  if (options.export_directory.empty()) return store_options;
  TierConfig destination;
  destination.name = kExportName;
  destination.backend = "parquet";
  destination.directory = options.export_directory;
  store_options.exports = {destination};
  return store_options;
}

BackupCounts counts_of(const BackupReport& report) {
  return {report.chunks, report.rows, report.copied_chunks, report.copied_rows};
}

}  // namespace

Database::Database(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options) {
  auto parts = std::make_unique<Parts>();
  FIRN_ASSIGN(parts->store, Store::open(posix_env(), store_options_of(options)));
  parts->subscriptions = std::make_unique<Subscriptions>(posix_env(), parts->store.get());
  parts->rollups = std::make_unique<RollupKeeper>(posix_env(), parts->store.get());
  return std::unique_ptr<Database>(new Database(std::move(parts)));
}

Status Database::create_namespace(const std::string& name) {
  if (parts_->store->find_namespace(name).ok()) return Status();
  return parts_->store->put_namespace(name, kForever).status();
}

void Database::append_async(std::string_view name_space, std::span<const Event> events, Ack ack,
                            AppendDone done) {
  const Result<NamespaceId> id = parts_->namespace_id(name_space);
  if (!id.ok()) return done(id.status());
  Result<AppendRequest> request = make_request(parts_->store.get(), events, ack);
  if (!request.ok()) return done(request.status());
  parts_->store->append(*id, std::move(*request), [done = std::move(done)](const auto& result) {
    if (result.ok())
      done(appended_of(*result));
    else
      done(result.status());
  });
}

Result<Appended> Database::append(std::string_view name_space, std::span<const Event> events,
                                  Ack ack) {
  FIRN_ASSIGN(const NamespaceId id, parts_->namespace_id(name_space));
  FIRN_ASSIGN(AppendRequest request, make_request(parts_->store.get(), events, ack));
  FIRN_ASSIGN(const AppendResult result, parts_->store->append_and_wait(id, std::move(request)));
  return appended_of(result);
}

Result<std::vector<StoredEvent>> Database::read(std::string_view name_space,
                                                const EventFilter& filter, uint32_t limit) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, parts_->snapshot(name_space));
  EventQuery query;
  FIRN_ASSIGN(query.filter, to_filter(filter));
  query.limit = limit;
  FIRN_ASSIGN(const EventPage page, query_events(*snapshot, query, nullptr));
  std::vector<StoredEvent> events;
  for (const EventRef& ref : page.events) events.push_back(stored_event(ref));
  return events;
}

Result<uint64_t> Database::count(std::string_view name_space, const EventFilter& filter) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, parts_->snapshot(name_space));
  AggregateSpec spec;
  FIRN_ASSIGN(spec.filter, to_filter(filter));
  FIRN_ASSIGN(const AggregateAnswer answer,
              query_aggregate(*snapshot, Dataset::kEvents, spec, nullptr));
  uint64_t total = 0;
  for (const auto& [key, state] : answer.states) total += state.count;
  return total;
}

Result<SqlTable> Database::sql(std::string_view name_space, const std::string& query) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, parts_->snapshot(name_space));
  Engine* engine = nullptr;
  {
    MutexLock lock(&parts_->mutex);
    if (parts_->engine == nullptr) {
      FIRN_ASSIGN(parts_->engine, Engine::open(posix_env(), EngineOptions{}));
    }
    engine = parts_->engine.get();
  }
  SqlTable table;
  TableSink sink(&table);
  SqlQuery sql_query;
  sql_query.sql = query;
  FIRN_ASSIGN(const SqlOutcome outcome, run_sql(engine, snapshot, sql_query, &sink));
  table.tiers = outcome.cost.tier_names();
  return table;
}

Result<std::vector<ChunkInfo>> Database::chunks(std::string_view name_space) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, parts_->snapshot(name_space));
  std::vector<ChunkInfo> infos;
  for (const SnapshotChunk& chunk : snapshot->all_chunks()) {
    infos.push_back({chunk.key.name(), std::string(dataset_name(chunk.key.dataset)), chunk.tier,
                     std::string(snapshot->state_name(chunk)), chunk.key.start, chunk.key.end,
                     chunk.stats.rows, chunk.stats.bytes, chunk.stats.raw_bytes});
  }
  return infos;
}

ChunkReport Database::change_chunks(std::string_view name_space, const ChunkRequest& request) {
  ChunkReport report;
  const Result<NamespaceId> id = parts_->namespace_id(name_space);
  report.status = id.status();
  const bool selects =
      !request.names.empty() || !request.tier.empty() || request.older_than_ns.has_value();
  if (request.work == ChunkWork::kDrop && !selects) {
    report.status = invalid_argument("say which chunks to drop: names, tier or older_than_ns");
  }
  if (!report.status.ok()) return report;
  ChunkCommand command;
  command.action = action_of(request.work);
  command.namespace_id = *id;
  command.names = request.names;
  if (!request.tier.empty()) command.tier = request.tier;
  command.older_than_ns = request.older_than_ns;
  command.dry_run = request.dry_run;
  command.to_tier = request.to_tier;
  command.keep_ns = request.keep_ns;
  if (request.work == ChunkWork::kExport) command.destination = kExportName;
  ChunkCommandResult result = parts_->store->command_and_wait(std::move(command));
  report.status = std::move(result.status);
  for (ChunkOutcome& outcome : result.chunks) {
    report.chunks.push_back({std::move(outcome.chunk), std::move(outcome.from_tier),
                             std::move(outcome.to_tier), std::move(outcome.into), outcome.rows,
                             std::move(outcome.status)});
  }
  return report;
}

Result<BackupCounts> Database::back_up() {
  FIRN_ASSIGN(const BackupReport report, parts_->store->backup_and_wait(kExportName));
  return counts_of(report);
}

Result<BackupCounts> Database::restore(const DatabaseOptions& options) {
  FIRN_ASSIGN(const BackupReport report,
              restore_backup(posix_env(), store_options_of(options), kExportName));
  return counts_of(report);
}

Status Database::flush(std::string_view name_space) {
  return parts_->command(name_space, ChunkAction::kFlush);
}

Status Database::move_to_cold(std::string_view name_space) {
  return parts_->command(name_space, ChunkAction::kMove);
}

}  // namespace firn
