#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "model/filter.h"
#include "model/record_batch.h"

// Filters: small sets of value hashes per block that may answer "perhaps" for a value that is not
// there, never "no" for one that is (docs/formats/sqlite_chunk.md).

namespace firn {

// The stored form of the set of `hashes`; duplicates do no harm.
std::string build_key_filter(std::vector<uint64_t> hashes);
// False when the bytes are not a whole, undamaged filter.
bool key_filter_is_intact(ByteView filter);
// REQUIRES: key_filter_is_intact().
bool key_filter_may_contain(ByteView filter, uint64_t hash);

// The filters of a block by kind, ascending. Kinds without any value are left out.
std::vector<std::pair<uint32_t, std::string>> build_block_filters(
    const RecordBatch& batch, const std::vector<std::string>& attributes);
// The kind of filter that answers the predicate, if one does.
std::optional<uint32_t> filter_kind_of(const Predicate& predicate,
                                       const std::vector<std::string>& attributes);

}  // namespace firn
