#include "wire/wanted_definitions.h"

namespace firn {

bool WantedDefinitions::wants(const Id& series, TimeNs time, bool is_new, uint64_t* known_stamp) {
  if (knowledge_.known == nullptr) return is_new;
  const auto width = static_cast<uint64_t>(knowledge_.interval_ns);
  const bool is_first =
      has_first_ && static_cast<uint64_t>(time) - static_cast<uint64_t>(first_) < width;
  if (is_first && is_in_first_ && !is_new) return false;
  const SeriesDefinition definition{
      is_first ? first_ : interval_start(time, knowledge_.interval_ns), series};
  if (!is_new && definition == checked_) return false;
  checked_ = definition;
  if (!has_first_) {
    has_first_ = true;
    first_ = definition.first;
    first_stamp_ = knowledge_.known->stamp(knowledge_.name_space, first_);
  }
  const bool in_first = definition.first == first_;
  is_in_first_ = is_in_first_ && in_first;
  if (in_first && *known_stamp == first_stamp_ && first_stamp_ != 0) return false;
  if (!knowledge_.known->contains(knowledge_.name_space, definition)) {
    return defined_.insert(series);
  }
  // Read before it was asked for: when it changed since, it is nobody's any more.
  if (in_first) *known_stamp = first_stamp_;
  return false;
}

std::unique_ptr<RecordBatch> WantedDefinitions::finish(BatchBuilder* definitions) {
  defined_.clear();
  has_first_ = false;
  is_in_first_ = true;
  checked_ = SeriesDefinition();
  return definitions->rows() > 0 ? definitions->finish() : nullptr;
}

}  // namespace firn
