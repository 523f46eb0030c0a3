// usage: duckdb_alone <tree>
// What DuckDB says of the exported tree, with nothing of Firn: the lines of export_tree.cc.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <duckdb.h>

namespace {

constexpr const char* kColumns[][2] = {
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
    {"attr_host", "attr_host"},
    {"attr_http_status_integer", "attr_http_status_integer::VARCHAR"},
    {"attr_http_status", "attr_http_status"},
    {"attr_took_number", "attr_took_number::VARCHAR"},
};

void print_line(duckdb_connection connection, const std::string& tree, const char* name,
                const std::string& text) {
  const std::string sql = "SELECT count(" + text + "), coalesce(sum(('0x' || substr(md5(" + text +
                          "), 1, 8))::BIGINT), 0) FROM read_parquet('" + tree +
                          "/**/*.parquet', union_by_name = true, hive_partitioning = true)";
  duckdb_result result;
  if (duckdb_query(connection, sql.c_str(), &result) != DuckDBSuccess) {
    std::fprintf(stderr, "%s: %s\n", name, duckdb_result_error(&result));
    std::exit(1);
  }
  char* count = duckdb_value_varchar(&result, 0, 0);
  char* sum = duckdb_value_varchar(&result, 1, 0);
  std::printf("%s %s %s\n", name, count, sum);
  duckdb_free(count);
  duckdb_free(sum);
  duckdb_destroy_result(&result);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  duckdb_database database = nullptr;
  duckdb_connection connection = nullptr;
  if (duckdb_open(nullptr, &database) != DuckDBSuccess) return 1;
  if (duckdb_connect(database, &connection) != DuckDBSuccess) return 1;
  for (const auto& column : kColumns) print_line(connection, argv[1], column[0], column[1]);
  duckdb_disconnect(&connection);
  duckdb_close(&database);
  return 0;
}
