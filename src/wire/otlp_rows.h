#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/record_batch.h"
#include "wire/otlp.h"
#include "wire/otlp_value.h"

namespace firn {

// What OTLP says about where records come from. Node numbers are of the tree given along.
struct OtlpResource {
  uint32_t attributes = 0;  // a map; 0: none
  uint32_t dropped_attributes_count = 0;
  std::string_view schema_url;
};
struct OtlpScope {
  std::string_view name, version;
  uint32_t attributes = 0;
  uint32_t dropped_attributes_count = 0;
  std::string_view schema_url;
};

// Nested containers a value may have, so that the document it ends up in keeps json_depth.
uint32_t otlp_value_depth_max(const Limits& limits);
// Values that a record, a resource or a scope may have: with more it cannot be within event_bytes.
size_t otlp_values_max(const Limits& limits);
// kTooLarge: a value is nested deeper than otlp_value_depth_max().
Status otlp_too_deep(const Limits& limits);

// Turns decoded records into rows: the part that is the same for all signals, and for protobuf and
// JSON. Inside wire only. Thread rule: one thread.
class OtlpRows {
 public:
  // The records added from now on come from this resource and scope.
  void begin_scope(const OtlpResource& resource, const AnyTree& resource_tree,
                   const OtlpScope& scope, const AnyTree& scope_tree);
  // kTooLarge when the rows together passed what one request may become.
  Result<OtlpRecords> finish();

  virtual ~OtlpRows() = default;

 protected:
  // `what` names a record in messages. Both must outlive the object.
  OtlpRows(const DecodeDefaults& defaults, std::string_view what);

  const Limits& limits() const { return defaults_.limits; }
  // Of the scope; rows get them from add_row().
  std::string_view source() const { return source_; }
  std::string_view context() const { return context_; }
  // Whether a record with these attributes (a map, 0: none) and `text_bytes` of texts outside the
  // tree can become a row; rejects it otherwise.
  bool accepts(const AnyTree& tree, uint32_t attributes, size_t text_bytes);
  void reject(std::string reason);
  // A UUID of version 8 (RFC 9562) over everything the row says but the time of its arrival: a
  // record that is sent again gets the same id, another one gets another. REQUIRES: source and
  // context are set.
  Id identity_of(const EventRow& row);
  // The text of a string attribute; empty when there is none of that name. The last one counts.
  static std::string_view text_attribute(const AnyTree& tree, uint32_t map, std::string_view key);
  // For signals whose rows are no events: they count what they add, and keep it themselves.
  void count_bytes(uint64_t bytes) { total_bytes_ += bytes; }
  // A scope was begun; nothing of it is kept for those that need not know.
  virtual void scope_began(const OtlpResource&, const AnyTree&, const OtlpScope&, const AnyTree&) {}
  // The row gets the source and context of the scope, an id when it has none (with one it can be
  // the repetition of a stored row), and the current time when its own is 0. Rejects it when it is
  // too large.
  void add_row(EventRow row);
  // A time after 2262 counts as unknown, which is 0.
  TimeNs known_time(uint64_t unix_nano);
  // `text` as a column may hold it: UTF-8, at most `type_bytes`.
  std::string_view column_text(std::string_view text, std::string* out) const;

 private:
  bool is_full() const;
  void flush_if_full(size_t row_bytes);
  void flush();

  const DecodeDefaults& defaults_;
  const std::string_view what_;
  BatchBuilder builder_;
  std::vector<uint32_t> rows_with_id_;
  OtlpRecords result_;
  std::string context_, source_;
  std::string identity_;  // what identity_of() hashes
  bool context_is_too_large_ = false;
  size_t batch_bytes_ = 0;
  uint64_t total_bytes_ = 0;  // of all rows, and of contexts as often as they were written
  uint64_t late_times_ = 0;   // after 2262
};

}  // namespace firn
