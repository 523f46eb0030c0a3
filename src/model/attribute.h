#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/filter.h"
#include "model/record_batch.h"

namespace firn {

// The keys of a JSON object, unescaped, in their order; none for other text.
std::vector<std::string> attribute_keys(std::string_view document);

// A text and whether a JSON document that holds it may spell it otherwise.
struct JsonNeedle {
  explicit JsonNeedle(std::string_view needle_text);
  bool may_be_in(std::string_view document) const;
  std::string_view text;
  bool has_slash = false;    // JSON may write it as "\/"
  bool must_escape = false;  // cannot stand in a JSON string as it is
};

// Whether documents (the labels of series) have an attribute with this text: what attribute_of()
// would say of them as data, without parsing those that cannot. Thread rule: any thread. Key and
// text must outlive it.
class DocumentMatcher {
 public:
  DocumentMatcher(std::string_view key, std::string_view text);
  bool matches(std::string_view document) const;

 private:
  std::string_view key_, text_;
  JsonNeedle key_needle_, text_needle_;
};

// Whether a row's attribute has one of the wanted values, for many rows of one batch: what
// attribute_of() would say, without parsing documents that cannot hold the answer. Thread rule: one
// thread. The batch and the predicate must outlive it.
class AttributeMatcher {
 public:
  AttributeMatcher(const RecordBatch& batch, const Predicate& predicate);
  bool matches(uint32_t row);

 private:
  enum class Answer : uint8_t { kUnknown, kAbsent, kNo, kYes };

  bool may_hold_key(std::string_view document) const { return key_.may_be_in(document); }
  bool may_match(std::string_view document) const;
  Answer judge(const std::optional<std::string>& found) const;
  Answer of_context(uint32_t row);

  const Predicate& predicate_;
  StringColumn data_, metadata_, context_;
  JsonNeedle key_;
  std::vector<JsonNeedle> values_;
  std::vector<Answer> context_answers_;  // by entry
};

}  // namespace firn
