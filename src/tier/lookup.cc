#include "tier/lookup.h"

#include "base/hash.h"

namespace firn {

uint64_t lookup_hash(std::string_view value) { return hash_bytes(value); }

uint64_t lookup_hash(const Id& id) {
  return hash_bytes({reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
}

std::optional<std::vector<uint64_t>> predicate_hashes(const Predicate& predicate) {
  std::vector<uint64_t> hashes;
  const auto add_texts = [&] {
    for (const std::string& text : predicate.texts) hashes.push_back(lookup_hash(text));
  };
  if (predicate.kind == PredicateKind::kAttribute) {
    add_texts();
    return hashes;
  }
  if (predicate.kind != PredicateKind::kEqual) return std::nullopt;
  const ColumnType type = column_schema(predicate.column).type;
  if (type == ColumnType::kString) {
    for (const std::string& text : predicate.texts) {
      if (text.empty()) return std::nullopt;
    }
    add_texts();
    return hashes;
  }
  if (type != ColumnType::kId16) return std::nullopt;
  for (const Id& id : predicate.ids) {
    if (id.is_zero()) return std::nullopt;
    hashes.push_back(lookup_hash(id));
  }
  return hashes;
}

}  // namespace firn
