// usage: export_tree <empty directory>
// Exports chunks to <directory>/lake while the columns of attributes change three times, and prints
// for each column what Firn itself says of it: "<column> <values> <checksum>". The other programs
// of this test print the same from the tree.
#include <cstdio>
#include <string>
#include <vector>

#include <firn/database.h>

#include "env/posix_env.h"
#include "model/record_batch.h"
#include "store/store.h"

namespace {

using namespace firn;

constexpr TimeNs kFirstDay = 1'700'006'400 * kSecondNs;  // a midnight
constexpr int kRows = 500;

// The last one has the attribute that was an integer as a text.
const std::vector<std::vector<std::string>> kPhases = {
    {}, {"host"}, {"host", "http.status:integer"}, {"host", "http.status", "took:number"}};

std::string attributes_of(int row) {
  std::string json = "{\"host\":\"h" + std::to_string(row % 7) + "\"";
  if (row % 3 != 0) json += ",\"http.status\":" + std::to_string(200 + row % 5);
  if (row % 3 == 0 && row % 2 == 0) json += ",\"http.status\":\"teapot \xc3\xa9\"";
  if (row % 5 == 0) json += ",\"took\":" + std::to_string(row % 9) + ".5";
  return json + "}";
}

void append(Store* store, NamespaceId space, size_t phase, TimeNs start, int rows) {
  BatchBuilder builder(Dataset::kEvents);
  const auto next_id = store->id_source();
  for (int i = 0; i < rows; ++i) {
    const std::string source = "phase-" + std::to_string(phase);
    const std::string data = "{\"number\": 9007199254740993, \"row\": " + std::to_string(i) + "}";
    const std::string metadata = attributes_of(i);
    EventRow row;
    row.time = start + i * kMillisecondNs;
    row.observed_time = i % 2 == 0 ? row.time + kSecondNs : kAbsentInt64;
    row.id = next_id();
    row.type = i % 4 == 0 ? "a" : "b";
    row.source = source;
    row.severity = static_cast<uint8_t>(i % 25);
    if (i % 6 == 0) row.stream = "stream-1";
    row.duration = i % 8 == 0 ? i : kAbsentInt64;
    row.data = data;
    row.metadata = metadata;
    builder.add(row);
  }
  AppendRequest request;
  request.batch = builder.finish();
  FIRN_CHECK(store->append_and_wait(space, std::move(request)).ok());
}

void run(Store* store, NamespaceId space, ChunkAction action) {
  ChunkCommand command;
  command.action = action;
  command.namespace_id = space;
  command.destination = "lake";
  const Status status = store->command_and_wait(std::move(command)).status;
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.to_string().c_str());
  FIRN_CHECK(status.ok());
}

void run_phase(const std::string& directory, size_t phase) {
  StoreOptions options = default_store_options(join_path(directory, "data"));
  options.tiers[1].keep_ns = 36'500 * kDayNs;
  TierConfig lake;
  lake.name = "lake";
  lake.backend = "parquet";
  lake.directory = join_path(directory, "lake");
  lake.columns = kPhases[phase];
  options.exports = {lake};
  auto store = Store::open(posix_env(), options);
  FIRN_CHECK(store.ok());
  const NamespaceId space = (*store)->find_namespace("default")->id;
  append(store->get(), space, phase, kFirstDay + static_cast<TimeNs>(phase) * kDayNs, kRows);
  // Late rows of the first day: another schema beside the first one.
  if (phase + 1 == kPhases.size()) append(store->get(), space, phase, kFirstDay + kHourNs, 10);
  run(store->get(), space, ChunkAction::kFlush);
  run(store->get(), space, ChunkAction::kExport);
}

// What the column of the tree must hold, in Firn's own SQL.
struct Column {
  const char* name;
  const char* text;
};
constexpr Column kColumns[] = {
    {"position", "position::VARCHAR"},
    {"time", "(epoch_ns(time) // 1000000)::VARCHAR"},
    {"observed_time", "(epoch_ns(observed_time) // 1000000)::VARCHAR"},
    {"id", "id"},
    {"kind", "kind"},
    {"type", "type"},
    {"source", "source"},
    {"severity", "severity::VARCHAR"},
    {"stream", "stream"},
    {"stream_position", "stream_position::VARCHAR"},
    {"duration", "duration::VARCHAR"},
    {"data", "data"},
    {"metadata", "metadata"},
    {"attr_host",
     "CASE WHEN source <> 'phase-0' THEN firn_attribute(data, metadata, context, 'host') END"},
    {"attr_http_status_integer",
     "CASE WHEN source = 'phase-2' AND firn_attribute(data, metadata, context, 'http.status') NOT "
     "LIKE 'teapot%' THEN firn_attribute(data, metadata, context, 'http.status') END"},
    {"attr_http_status",
     "CASE WHEN source = 'phase-3' THEN firn_attribute(data, metadata, context, 'http.status') "
     "END"},
    {"attr_took_number",
     "CASE WHEN source = 'phase-3' THEN firn_attribute(data, metadata, context, 'took') END"},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string directory = argv[1];
  for (size_t phase = 0; phase < kPhases.size(); ++phase) run_phase(directory, phase);
  auto database = Database::open({.directory = join_path(directory, "data")});
  FIRN_CHECK(database.ok());
  for (const Column& column : kColumns) {
    const std::string text = column.text;
    const auto table = (*database)->sql("default", "SELECT count(" + text +
                                                       "), coalesce(sum(('0x' || substr(md5(" +
                                                       text + "), 1, 8))::BIGINT), 0) FROM events");
    if (!table.ok()) std::fprintf(stderr, "%s\n", table.status().to_string().c_str());
    FIRN_CHECK(table.ok());
    std::printf("%s %s %s\n", column.name, table->rows[0][0]->c_str(), table->rows[0][1]->c_str());
  }
  return 0;
}
