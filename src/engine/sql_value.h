#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "base/time.h"

namespace firn {

// A point in time as an SQL value, so that it is not taken for a number.
struct SqlTime {
  TimeNs ns = 0;
  auto operator<=>(const SqlTime&) const = default;
};

// A value that owns what it holds: a parameter of a statement or a cell of a ValueTable. Text must
// be valid UTF-8.
using SqlScalar = std::variant<std::monostate, bool, int64_t, double, std::string, SqlTime>;

enum class SqlKind : uint8_t {
  kNull,
  kBool,    // boolean
  kInt64,   // integer: every integer type that fits
  kUint64,  // unsigned_integer: only UBIGINT values above INT64_MAX
  kDouble,  // real: FLOAT and DOUBLE, also nan and infinities
  kText,    // text: VARCHAR, and what has no simpler form: HUGEINT, DECIMAL, DATE, TIME, UUID, ...
  kJson,    // text: LIST, STRUCT, MAP, ARRAY and UNION as JSON; columns of type JSON as they are
  kTime,    // integer: any TIMESTAMP as nanoseconds since the epoch, UTC
};

// A value of an answer. `text` points into memory of the engine and is valid only during the call
// that delivers it.
struct SqlValue {
  SqlKind kind = SqlKind::kNull;
  bool boolean = false;
  int64_t integer = 0;
  uint64_t unsigned_integer = 0;
  double real = 0;
  std::string_view text;
};

struct SqlColumn {
  std::string name;
  std::string type;  // DuckDB's name: "BIGINT", "VARCHAR", "TIMESTAMP_NS", "STRUCT(a INTEGER)"
};

// Takes an answer row by row. Called on the thread that called Engine::run, columns() first and
// once, also when there is no row. A status that is not ok ends the query and comes back from
// run().
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  virtual Status columns(std::span<const SqlColumn> columns) = 0;
  virtual Status row(std::span<const SqlValue> values) = 0;
};

// An answer as bytes for other programs, typed. What both forms lack is there as follows: HUGEINT
// and UHUGEINT as DECIMAL(38, 0), and what JSON answers show as text for want of a better form
// (ENUM, BIT, UNION, TIME WITH TIME ZONE, BIGNUM) as text.
enum class SqlEncoding : uint8_t {
  kParquet,      // a file, zstd
  kArrowStream,  // engine/arrow_stream.h; UUID as text
};

// Takes the bytes of such an answer, from front to back. Called by one thread at a time. A status
// that is not ok ends the query and comes back from run().
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Status write(std::string_view bytes) = 0;
};

}  // namespace firn
