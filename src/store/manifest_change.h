#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/status.h"
#include "env/sqlite_db.h"

namespace firn {

// A value of a statement: a number, text or bytes.
struct ManifestBytes {
  ByteView bytes;
};
using ManifestValue = std::variant<int64_t, std::string_view, ManifestBytes>;

// A change of one table. `where` finds the rows that `sql` touches, before and after; its
// parameters are the first ones of `sql`.
struct ManifestStatement {
  const char* table;
  const char* where;
  const char* sql;
};

// The sum of the hashes of all rows, as docs/formats/manifest.md defines it. Reads everything.
Result<uint64_t> manifest_content_sum(SqliteDb* db);

// A transaction of the manifest, which changes the sum along with the rows. Rolled back by the
// destructor unless commit() was called.
class ManifestChange {
 public:
  // `sum` is that of the database as it is; commit() changes it. Both must outlive this.
  ManifestChange(SqliteDb* db, uint64_t* sum) : transaction_(db), db_(db), sum_(sum), next_(*sum) {}

  Status begin() { return transaction_.begin(); }
  // Binds `key`, the parameters of `where`, and behind them `rest`. `what` must outlive this.
  Status run(const ManifestStatement& what, std::span<const ManifestValue> key,
             std::span<const ManifestValue> rest);
  Status set_meta(std::string_view key, std::string_view value);
  // As SqliteTransaction::commit().
  Status commit();

 private:
  struct Prepared {
    SqliteStatement rows, change;
  };
  Result<Prepared*> prepare(const ManifestStatement& what);

  SqliteTransaction transaction_;
  SqliteDb* const db_;
  uint64_t* const sum_;
  uint64_t next_;  // the sum after the commit
  std::map<const ManifestStatement*, Prepared> prepared_;
};

}  // namespace firn
