#pragma once

// DuckDB as its users know it, reading files by itself: what our SQL over Parquet is compared with.

#include <duckdb.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace firn::bench {

class DuckDbAlone {
 public:
  DuckDbAlone() {
    if (duckdb_open(nullptr, &database_) != DuckDBSuccess ||
        duckdb_connect(database_, &connection_) != DuckDBSuccess) {
      std::exit(1);
    }
  }
  ~DuckDbAlone() {
    duckdb_disconnect(&connection_);
    duckdb_close(&database_);
  }
  DuckDbAlone(const DuckDbAlone&) = delete;
  DuckDbAlone& operator=(const DuckDbAlone&) = delete;

  void run(const std::string& sql) {
    duckdb_result result;
    if (duckdb_query(connection_, sql.c_str(), &result) != DuckDBSuccess) {
      fmt::print(stderr, "duckdb: {}\n", duckdb_result_error(&result));
      std::exit(1);
    }
    duckdb_destroy_result(&result);
  }

 private:
  duckdb_database database_ = nullptr;
  duckdb_connection connection_ = nullptr;
};

}  // namespace firn::bench
