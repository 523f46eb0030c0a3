#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/record_batch.h"

namespace firn {

// The first place of `needle` in [begin, end); null when it is not there. Made for short texts:
// unlike memmem it has nothing to prepare.
const char* find_text(const char* begin, const char* end, std::string_view needle);
inline bool contains_text(std::string_view text, std::string_view needle) {
  return needle.empty() || find_text(text.data(), text.data() + text.size(), needle) != nullptr;
}

// Which rows of a string column contain one of the texts, byte by byte. Thread rule: one thread.
// The column's batch and the texts must outlive it.
class TextSearch {
 public:
  TextSearch(const StringColumn& column, const std::vector<std::string>& texts)
      : column_(column), texts_(texts) {}

  // Searches the whole column at once. Worth it when is_in() is asked for most rows.
  void sweep();
  bool is_in(uint32_t row) const {
    return found_.empty() ? is_in_text(column_[row]) : found_[column_.entry_of(row)] != 0;
  }

 private:
  bool is_in_text(std::string_view text) const;
  void sweep_for(std::string_view needle);

  StringColumn column_;
  const std::vector<std::string>& texts_;
  std::vector<uint8_t> found_;  // by entry, after sweep()
};

}  // namespace firn
