#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "engine/sql_value.h"

// Arrow's C data interface, as the engine fills it.
struct ArrowSchema;
struct ArrowArray;

namespace firn {

// Writes Arrow's IPC streaming format from Arrow's C data interface: a schema, record batches
// without dictionaries or compression, the end. Format version 1.x, metadata V5, little endian, as
// in https://arrow.apache.org/docs/format/Columnar.html (messages) and Schema.fbs and Message.fbs
// of the same specification (numbers of fields and types).
//
// Columns may be null, boolean, integers, float, double, decimal128, text and binary (both with
// long offsets, too), fixed-size binary, date, time, timestamp, interval (months, days,
// nanoseconds), list, fixed-size list, struct and map. Thread rule: one thread.
class ArrowStreamWriter {
 public:
  // `sink` must outlive the writer; what it returns ends the call.
  explicit ArrowStreamWriter(ByteSink* sink) : sink_(sink) {}

  // First and once. `schema` is a struct whose children are the columns. kUnsupported, naming the
  // column, for a type that is not above.
  Status start(const ArrowSchema& schema);
  // Rows of that schema, from offset 0.
  Status add_batch(const ArrowArray& rows);
  // Last and once.
  Status finish();

  // How the buffers of a column lie.
  enum class Shape { kNull, kFixed, kBytes, kList, kFixedList, kStruct };
  struct Column {
    Shape shape = Shape::kStruct;
    size_t bits = 0;       // of a value; of an offset for kBytes and kList
    size_t list_size = 0;  // kFixedList
    std::vector<Column> children;
  };

 private:
  ByteSink* const sink_;
  Column rows_;  // a struct
};

}  // namespace firn
