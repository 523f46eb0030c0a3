#pragma once

// Inside the engine room only, see duck.h.

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "engine/duck.h"

namespace firn {

// A failed read of a file that is there, by its right name: DuckDB reports damage in many ways, and
// a good file of ours never fails to decode. Failures of Env stay what they are.
Status as_damage(const Status& status, const Session& session, const std::string& path);

// The reader behind Engine::read_parquet. Ascending it is one streaming statement over the file.
// Descending it is one statement per window of positions, from the end: the first windows are
// small, so that the last few rows cost little, and no window crosses a row group.
class ParquetReader : public BatchReader {
 public:
  ParquetReader(std::unique_ptr<Client> client, const ParquetRead& read);
  ~ParquetReader() override;

  Result<bool> next(BatchSlice* out) override;

 private:
  struct Column {
    const ColumnSchema* schema;  // null: `_raw`
  };

  void plan_windows();
  // Starts the statement for the next window; false when there is none left.
  Result<bool> start_next_window();
  Result<bool> next_in_window(BatchSlice* out);
  Result<bool> next_descending(BatchSlice* out);
  // Appends the chunk's rows to the builder.
  Status add_rows(duckdb::DataChunk& chunk);
  void count_bytes();

  // The result refers to the client, so it is declared behind it.
  std::unique_ptr<Client> client_;
  const ParquetRead read_;
  std::vector<Column> columns_;
  std::string select_;
  std::vector<PositionRange> windows_;  // still to be read, the next one last
  BatchBuilder builder_;
  Position last_position_ = 0;  // of the current window
  uint64_t bytes_counted_ = 0;
  std::deque<BatchSlice> reversed_;  // descending: the current window's slices
  duckdb::unique_ptr<duckdb::QueryResult> result_;
};

}  // namespace firn
