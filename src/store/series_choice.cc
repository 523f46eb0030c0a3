#include "store/series_choice.h"

#include <memory>
#include <utility>
#include <vector>

namespace firn {

bool SeriesChoice::removes(std::string_view series) const {
  const auto id = Id::parse(series);
  return id && !id->is_zero() && listed.contains(*id) != listed_stay;
}

BatchSlice staying_rows(const BatchSlice& slice, const SeriesChoice& choice) {
  enum class Fate : uint8_t { kUnknown, kStays, kGoes };
  const StringColumn series = slice.batch->strings(ColumnId::kSeries);
  std::vector<Fate> fates(series.entries(), Fate::kUnknown);
  auto staying = std::make_shared<std::vector<uint32_t>>();
  for (uint32_t i = 0; i < slice.rows(); ++i) {
    const uint32_t row = slice.row(i), entry = series.entry_of(row);
    Fate& fate = fates[entry];
    if (fate == Fate::kUnknown) {
      fate = choice.removes(series.entry(entry)) ? Fate::kGoes : Fate::kStays;
    }
    if (fate == Fate::kStays) staying->push_back(row);
  }
  if (staying->size() == slice.rows()) return slice;
  if (staying->empty()) return {};
  return {slice.batch, std::move(staying)};
}

}  // namespace firn
