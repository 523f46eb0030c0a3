#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "query/query.h"

namespace firn {

// Where the series of a namespace come from (docs/metrics.md, "Where series come from").
struct CardinalityQuery {
  TimeRange time{};  // defined for a chunk interval that overlaps it
  uint32_t top = 10;
  uint64_t series_max = 10'000'000;  // sixteen to fifty bytes of memory for each
};

struct CardinalityEntry {
  std::string name;   // of a metric or label; of "label=value" the label
  std::string value;  // of "label=value", cut to 256 bytes
  uint64_t count = 0;
};

struct Cardinality {
  uint64_t series = 0;                   // different ones, exactly
  std::vector<CardinalityEntry> names;   // of metrics, by series
  std::vector<CardinalityEntry> labels;  // by different values
  std::vector<CardinalityEntry> pairs;   // label=value, by series
  uint64_t names_error = 0,
           pairs_error = 0;  // a count may be too great by so much; never too small
  QueryCost cost;
};

// Each list from the greatest on, at equal counts by text. Memory: `series_max` and some 20 MiB for
// the lists. kTooLarge for more series, else what a tier or the guard returns. Any thread.
Result<Cardinality> count_series(const Snapshot& snapshot, const CardinalityQuery& query,
                                 const QueryGuard& guard);

// Counts the most frequent of any number of keys in bounded memory (Space-Saving, Metwally, Agrawal
// and El Abbadi, ICDT 2005): exact while there are no more than `keys_max`. Afterwards a new key
// takes the place of the rarest and inherits its count, so counts may be too great, by at most
// error(), and a key that was seen more often than that is never missing. Thread rule: one thread.
class TopCounter {
 public:
  explicit TopCounter(size_t keys_max) : keys_max_(keys_max) {}
  // `hash` stands for the entry, whose count is not looked at.
  void add(uint64_t hash, std::string_view name, std::string_view value);
  std::vector<CardinalityEntry> top(size_t count) const;
  uint64_t error() const { return error_; }

 private:
  struct Counted {
    CardinalityEntry entry;
    std::multimap<uint64_t, uint64_t>::iterator place;
  };
  void raise(Counted* counted);

  const size_t keys_max_;
  std::unordered_map<uint64_t, Counted> by_hash_;
  std::multimap<uint64_t, uint64_t> by_count_;  // count and hash
  uint64_t error_ = 0;
};

// How many different hashes there are: exact up to 1024, then within some 3 % (the standard error
// of k minimum values, Bar-Yossef and others, RANDOM 2002). Thread rule: one thread.
class DistinctCounter {
 public:
  void add(uint64_t hash);
  uint64_t count() const;

 private:
  std::vector<uint64_t> smallest_;  // ascending, each once
};

}  // namespace firn
