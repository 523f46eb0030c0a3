#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "model/record_batch.h"
#include "model/schema.h"

namespace firn {

enum class PredicateKind : uint8_t {
  kEqual,      // text, id or number equal to one of the values
  kAtLeast,    // number >= value (severity_min)
  kLess,       // number < value
  kAttribute,  // attribute `key` (see attribute_of) has one of the text values
  kCategory,   // text up to its first '-' equal to one of the texts; absent values have none
  kContains,   // data or metadata contains the text, byte by byte
};

// One condition; a row must satisfy all of a filter's predicates. Which member of the value is used
// follows the column's type.
struct Predicate {
  PredicateKind kind = PredicateKind::kEqual;
  ColumnId column = ColumnId::kType;  // unused by kAttribute and kContains
  std::string key{};                  // kAttribute only
  std::vector<std::string> texts{};   // any of (strings, attributes, kContains: all one text)
  std::vector<Id> ids{};              // any of (kId16; kId8 uses the first 8 bytes)
  std::vector<int64_t> numbers{};     // any of (kInt64, kUint8, kPosition)
};

// What a scan selects, whatever tier executes it.
struct Filter {
  TimeRange time{};
  PositionRange positions{};
  std::vector<Predicate> predicates{};
};

// Set of columns by bit; position is always delivered.
class Projection {
 public:
  static Projection all() { return Projection(~uint64_t{0}); }
  static Projection none() { return Projection(0); }
  Projection& add(ColumnId id) {
    bits_ |= uint64_t{1} << static_cast<unsigned>(id);
    return *this;
  }
  bool has(ColumnId id) const { return ((bits_ >> static_cast<unsigned>(id)) & 1) != 0; }
  // The columns plus those that the filter must look at (time, predicates').
  Projection with(const Filter& filter) const;

 private:
  explicit Projection(uint64_t bits) : bits_(bits) {}
  uint64_t bits_;
};

// The rows of the slice that satisfy the filter: the slice itself when all do, a null batch when
// none does. Evaluates dictionary columns once per distinct value.
BatchSlice apply_filter(const BatchSlice& slice, const Filter& filter);

// "order" of "order-17-a"; the whole text when it has no '-'.
inline std::string_view category_of(std::string_view text) {
  return text.substr(0, text.find('-'));
}

// The text of attribute `key` of an event: looked for in this order, first found wins: metadata
// "attributes" object, metadata top level, data top level, context "resource"."attributes",
// context "scope"."attributes", context top level. A key matches literally first ("http.status"),
// then as a path of nested keys split at dots. Strings come unescaped, other values as their JSON
// text. Nothing when absent or when the documents are not JSON objects.
std::optional<std::string> attribute_of(std::string_view data, std::string_view metadata,
                                        std::string_view context, std::string_view key);

}  // namespace firn
