#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/filter.h"
#include "model/record_batch.h"

// Hashes of values that people look rows up by: ids, streams, correlation and trace ids, types.

namespace firn {

// 64 well mixed bits (XXH3). Stored in chunk files: never changes.
uint64_t lookup_hash(std::string_view value);
uint64_t lookup_hash(const Id& id);

// The hashes of which a row's value must have one for the predicate to hold. Nothing when that
// cannot be said: it is not an equality or attribute predicate, the column is neither text nor a
// 16-byte id, or it also asks for the absent value, which is never hashed.
std::optional<std::vector<uint64_t>> predicate_hashes(const Predicate& predicate);

// Calls visit(index, hash) for each row of the slice whose value of the column is present. Strings
// that repeat are hashed once. REQUIRES: the column is text or a 16-byte id.
template <typename Visit>
void visit_hashes(const BatchSlice& slice, const ColumnSchema& column, const Visit& visit) {
  const RecordBatch& batch = *slice.batch;
  if (!batch.has_column(column.id)) return;
  const uint32_t rows = slice.rows();
  if (column.type == ColumnType::kId16) {
    const auto ids = batch.ids(column.id);
    for (uint32_t i = 0; i < rows; ++i) {
      const Id& id = ids[slice.row(i)];
      if (!id.is_zero()) visit(i, lookup_hash(id));
    }
    return;
  }
  const StringColumn strings = batch.strings(column.id);
  const bool hash_entries = strings.is_dictionary() && strings.entries() <= rows;
  std::vector<uint64_t> hashes;
  if (hash_entries) {
    hashes.resize(strings.entries());
    for (uint32_t e = 0; e < strings.entries(); ++e) hashes[e] = lookup_hash(strings.entry(e));
  }
  for (uint32_t i = 0; i < rows; ++i) {
    const uint32_t entry = strings.entry_of(slice.row(i));
    const std::string_view text = strings.entry(entry);
    if (!text.empty()) visit(i, hash_entries ? hashes[entry] : lookup_hash(text));
  }
}

}  // namespace firn
