#include "views/metrics/cardinality.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "base/id_set.h"
#include "model/attribute.h"
#include "views/metrics/sample_scan.h"

namespace firn {

namespace {

constexpr size_t kKeysMax = 10'000;     // of a list that are counted
constexpr size_t kLabelsMax = 1000;     // labels whose values are counted
constexpr size_t kSmallestMax = 1024;   // hashes of a label's values
constexpr size_t kValueBytesMax = 256;  // shown of a value

uint64_t hash_text(std::string_view text, uint64_t seed = 0) {
  return hash_bytes({text.data(), text.size()}, seed);
}

// The greatest first.
std::vector<CardinalityEntry> sorted(std::vector<CardinalityEntry> entries, size_t count) {
  const auto is_before = [](const CardinalityEntry& a, const CardinalityEntry& b) {
    return std::tie(b.count, a.name, a.value) < std::tie(a.count, b.name, b.value);
  };
  const size_t shown = std::min(count, entries.size());
  std::partial_sort(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(shown), entries.end(),
                    is_before);
  entries.resize(shown);
  return entries;
}

class SeriesCount {
 public:
  explicit SeriesCount(const CardinalityQuery& query) : query_(query) {}

  bool is_full() const { return series_.size() > query_.series_max; }

  void visit(const RecordBatch& batch, uint32_t row) {
    const auto id = Id::parse(batch.strings(ColumnId::kSeries)[row]);
    if (!id || is_full() || !series_.insert(*id)) return;
    const std::string_view name = batch.strings(ColumnId::kName)[row];
    names_.add(hash_text(name), name, "");
    const std::string_view labels = batch.strings(ColumnId::kLabels)[row];
    for (const std::string& key : attribute_keys(labels)) {
      const auto value = attribute_of(labels, {}, {}, key);
      if (value) add_label(key, *value);
    }
  }

  void take(Cardinality* found) const {
    found->series = series_.size();
    found->names = names_.top(query_.top);
    found->names_error = names_.error();
    found->pairs = pairs_.top(query_.top);
    found->pairs_error = pairs_.error();
    std::vector<CardinalityEntry> labels;
    for (const auto& [key, values] : labels_) labels.push_back({key, "", values.count()});
    found->labels = sorted(std::move(labels), query_.top);
  }

 private:
  void add_label(const std::string& key, std::string_view value) {
    const uint64_t hash = hash_text(value, hash_text(key));
    pairs_.add(hash, key, value);
    auto known = labels_.find(key);
    if (known == labels_.end()) {
      if (labels_.size() == kLabelsMax) return;
      known = labels_.try_emplace(key).first;
    }
    known->second.add(hash);
  }

  const CardinalityQuery& query_;
  IdSet series_;
  TopCounter names_{kKeysMax}, pairs_{kKeysMax};
  std::map<std::string, DistinctCounter> labels_;
};

}  // namespace

void TopCounter::raise(Counted* counted) {
  const uint64_t hash = counted->place->second;
  by_count_.erase(counted->place);
  counted->place = by_count_.emplace(++counted->entry.count, hash);
}

void TopCounter::add(uint64_t hash, std::string_view name, std::string_view value) {
  const auto known = by_hash_.find(hash);
  if (known != by_hash_.end()) return raise(&known->second);
  uint64_t inherited = 0;
  if (by_hash_.size() == keys_max_) {
    const auto rarest = by_count_.begin();
    inherited = rarest->first;
    error_ = std::max(error_, inherited);
    by_hash_.erase(rarest->second);
    by_count_.erase(rarest);
  }
  CardinalityEntry entry{std::string(name), std::string(value.substr(0, kValueBytesMax)),
                         inherited + 1};
  const auto place = by_count_.emplace(entry.count, hash);
  by_hash_.emplace(hash, Counted{std::move(entry), place});
}

std::vector<CardinalityEntry> TopCounter::top(size_t count) const {
  std::vector<CardinalityEntry> entries;
  for (const auto& [hash, counted] : by_hash_) entries.push_back(counted.entry);
  return sorted(std::move(entries), count);
}

void DistinctCounter::add(uint64_t hash) {
  if (smallest_.size() == kSmallestMax && hash >= smallest_.back()) return;
  const auto at = std::lower_bound(smallest_.begin(), smallest_.end(), hash);
  if (at != smallest_.end() && *at == hash) return;
  smallest_.insert(at, hash);
  if (smallest_.size() > kSmallestMax) smallest_.pop_back();
}

uint64_t DistinctCounter::count() const {
  if (smallest_.size() < kSmallestMax) return smallest_.size();
  const double share = std::ldexp(static_cast<double>(smallest_.back()), -64);
  return static_cast<uint64_t>(static_cast<double>(kSmallestMax - 1) / share);
}

Result<Cardinality> count_series(const Snapshot& snapshot, const CardinalityQuery& query,
                                 const QueryGuard& guard) {
  ScanSpec spec;
  spec.projection = Projection::none();
  spec.projection.add(ColumnId::kSeries).add(ColumnId::kName).add(ColumnId::kLabels);
  Cardinality found;
  SeriesCount counted(query);
  // Definitions stand at the start of their interval, which may be before the range.
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kSeries, Filter{})) {
    if (!query.time.overlaps(chunk.key.start, chunk.key.end - 1)) continue;
    FIRN_TRY(
        for_each_row(snapshot, chunk, spec, guard, &found.cost,
                     [&](const RecordBatch& batch, uint32_t row) { counted.visit(batch, row); }));
    if (!counted.is_full()) continue;
    return too_large("there are more than " + std::to_string(query.series_max) +
                     " series, for which there is memory; ask for a shorter range of time, or give "
                     "more query_memory");
  }
  counted.take(&found);
  return found;
}

}  // namespace firn
