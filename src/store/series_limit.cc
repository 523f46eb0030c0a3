#include "store/series_limit.h"

#include <algorithm>
#include <string>

#include "store/snapshot.h"

namespace firn {

namespace {

constexpr size_t kWaitingMax = 1000;  // requests

TimeRange range_of(TimeNs start, DurationNs width) {
  TimeRange range;
  range.from = start;
  if (__builtin_add_overflow(start, width, &range.to)) range.to = INT64_MAX;
  return range;
}

}  // namespace

std::vector<SeriesLimit::Run> SeriesLimit::Request::runs() const {
  std::vector<Run> runs;
  const std::span<const SeriesDefinition> all(definitions);
  for (size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    while (end < all.size() && all[end].first == all[begin].first) ++end;
    runs.push_back({{name_space->id, all[begin].first}, all.subspan(begin, end - begin)});
  }
  return runs;
}

SeriesLimit::SeriesLimit(std::shared_ptr<StoreCore> core) : core_(std::move(core)) {}

void SeriesLimit::start() {
  worker_.start(core_->env, "series", [this] { step(); });
}

void SeriesLimit::stop() {
  stopping_.store(true);
  worker_.stop();
  std::deque<Request> waiting;
  {
    MutexLock lock(&mutex_);
    waiting.swap(waiting_);
  }
  for (const Request& request : waiting) request.then(cancelled("the store is closing"));
}

uint64_t SeriesLimit::limit_of(const NamespaceState& ns) const {
  const uint64_t own = ns.series_limit.load();
  return own != 0 ? own : core_->options.series_limit_or_default();
}

void SeriesLimit::admit(NamespaceId id, std::vector<SeriesDefinition> definitions, Admitted then) {
  Request request{core_->find_namespace(id), std::move(definitions), std::move(then)};
  if (request.name_space == nullptr) return request.then(not_found("there is no such namespace"));
  if (!core_->condition.accepts_writes()) return request.then(core_->condition.refusal());
  if (claim_counted(request.name_space, request.runs())) return request.then(Status());
  const Status refused = [&] {
    MutexLock lock(&mutex_);
    if (stopping_.load()) return cancelled("the store is closing");
    if (waiting_.size() >= kWaitingMax) {
      return unavailable("more than " + std::to_string(kWaitingMax) +
                         " batches with new series wait for the count of series in namespace '" +
                         request.name_space->name + "'; try again");
    }
    waiting_.push_back(std::move(request));
    return Status();
  }();
  if (!refused.ok()) return request.then(refused);
  worker_.notify();
}

void SeriesLimit::settle(NamespaceId id, const std::vector<SeriesDefinition>& definitions,
                         bool stored) {
  MutexLock lock(&mutex_);
  for (const auto& [interval, series] : definitions) {
    const auto found = intervals_.find({id, interval});
    FIRN_CHECK(found != intervals_.end() && found->second.in_flight > 0);
    --found->second.in_flight;
    if (!stored) found->second.is_exact = false;  // others may have brought the same series
    if (found->second.is_idle()) intervals_.erase(found);
  }
  if (!waiting_.empty()) worker_.notify();
}

std::map<TimeNs, uint64_t> SeriesLimit::count_rows(const NamespacePtr& ns,
                                                   const std::vector<Run>& runs) const {
  std::map<TimeNs, uint64_t> rows;
  if (runs.empty()) return rows;
  Filter filter;
  filter.time = {runs.front().key.second,
                 range_of(runs.back().key.second, core_->options.chunk_interval_ns).to};
  const Snapshot snapshot(core_, ns);
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kSeries, filter)) {
    rows[chunk.key.start] += chunk.stats.rows;
  }
  return rows;
}

// What was settled before the snapshot is in it, and what is not settled was counted before: so
// nothing is missed, and at worst something counts twice.
bool SeriesLimit::claim_counted(const NamespacePtr& ns, const std::vector<Run>& runs) {
  std::vector<uint64_t> claimed;
  {
    MutexLock lock(&mutex_);
    if (stopping_.load()) return false;
    for (const Run& run : runs) {
      const auto found = intervals_.find(run.key);
      if (found != intervals_.end() && found->second.wanted_exact) return false;
    }
    for (const Run& run : runs) {
      claimed.push_back(intervals_[run.key].in_flight += run.definitions.size());
    }
  }
  std::map<TimeNs, uint64_t> rows = count_rows(ns, runs);
  const uint64_t limit = limit_of(*ns);
  bool is_admitted = true;
  std::vector<bool> fits;
  for (size_t i = 0; i < runs.size(); ++i) {
    fits.push_back(rows[runs[i].key.second] + claimed[i] <= limit);
    is_admitted = is_admitted && fits.back();
  }
  if (is_admitted) return true;
  {
    MutexLock lock(&mutex_);
    for (size_t i = 0; i < runs.size(); ++i) {
      if (!fits[i]) intervals_[runs[i].key].wanted_exact = true;
    }
  }
  unclaim(runs);
  return false;
}

void SeriesLimit::unclaim(const std::vector<Run>& runs) {
  MutexLock lock(&mutex_);
  for (const Run& run : runs) {
    const auto found = intervals_.find(run.key);
    found->second.in_flight -= run.definitions.size();
    if (found->second.is_idle()) intervals_.erase(found);
  }
  if (!waiting_.empty()) worker_.notify();
}

std::optional<Status> SeriesLimit::claim_exact(const NamespacePtr& ns,
                                               const std::vector<Run>& runs) {
  std::map<TimeNs, uint64_t> rows = count_rows(ns, runs);
  const uint64_t limit = limit_of(*ns);
  MutexLock lock(&mutex_);
  for (const Run& run : runs) {
    Interval& interval = intervals_[run.key];
    if (!interval.is_exact) return std::nullopt;
    const auto added = static_cast<uint64_t>(
        std::count_if(run.definitions.begin(), run.definitions.end(),
                      [&](const auto& one) { return !interval.series.contains(one.second); }));
    if (added == 0 || interval.series.size() + added <= limit) continue;
    if (rows[run.key.second] + interval.in_flight < interval.series.size()) {
      interval.is_exact = false;  // some were dropped meanwhile
      return std::nullopt;
    }
    return series_limit_reached(
        "namespace '" + ns->name + "' has " + std::to_string(interval.series.size()) +
        " series in the chunk interval from " + format_time(run.key.second) +
        ", its series_limit is " + std::to_string(limit) + ", and the batch would add " +
        std::to_string(added) + "; nothing of it was stored. GET /api/v1/namespaces/" + ns->name +
        "/metrics/cardinality tells which names and labels they come from; send fewer, or raise "
        "the "
        "limit with PUT /api/v1/namespaces/" +
        ns->name + " {\"series_limit\":...}");
  }
  for (const Run& run : runs) {
    Interval& interval = intervals_[run.key];
    interval.in_flight += run.definitions.size();
    for (const auto& [start, series] : run.definitions) interval.series.insert(series);
  }
  return Status();
}

void SeriesLimit::step() {
  while (true) {
    const Request* first = nullptr;
    {
      MutexLock lock(&mutex_);
      if (waiting_.empty()) return;
      first = &waiting_.front();  // stays there: others only add behind it
    }
    const std::optional<Status> decision = decide(*first);
    if (!decision) return;  // settle() wakes
    Request request;
    {
      MutexLock lock(&mutex_);
      request = std::move(waiting_.front());
      waiting_.pop_front();
    }
    request.then(*decision);
  }
}

std::optional<Status> SeriesLimit::decide(const Request& request) {
  while (true) {
    if (stopping_.load()) return cancelled("the store is closing");
    std::vector<Run> exact, counted;
    std::optional<Key> wanted;
    {
      MutexLock lock(&mutex_);
      forget_dropped();
      for (const Run& run : request.runs()) {
        const auto found = intervals_.find(run.key);
        const bool is_exact = found != intervals_.end() && found->second.wanted_exact;
        (is_exact ? exact : counted).push_back(run);
        if (!is_exact || found->second.is_exact) continue;
        if (found->second.in_flight > 0) return std::nullopt;
        wanted = run.key;
      }
    }
    if (wanted) {
      IdSet series;
      FIRN_TRY(load(request.name_space, wanted->second, &series));
      MutexLock lock(&mutex_);
      make_room();
      Interval& interval = intervals_[*wanted];
      interval.wanted_exact = interval.is_exact = true;
      interval.series = std::move(series);
      continue;
    }
    if (!claim_counted(request.name_space, counted)) continue;
    std::optional<Status> claimed = claim_exact(request.name_space, exact);
    if (claimed && claimed->ok()) return claimed;
    unclaim(counted);
    if (claimed) return claimed;
  }
}

Status SeriesLimit::load(const NamespacePtr& ns, TimeNs interval, IdSet* series) const {
  ScanSpec spec;
  spec.filter.time = range_of(interval, core_->options.chunk_interval_ns);
  spec.projection = Projection::none();
  spec.projection.add(ColumnId::kSeries);
  const Snapshot snapshot(core_, ns);
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kSeries, spec.filter)) {
    FIRN_ASSIGN(const auto reader, snapshot.scan(chunk, spec, nullptr));
    BatchSlice slice;
    while (true) {
      if (stopping_.load()) return cancelled("the store is closing");
      FIRN_ASSIGN(const bool more, reader->next(&slice));
      if (!more) break;
      const StringColumn ids = slice.batch->strings(ColumnId::kSeries);
      for (uint32_t i = 0; i < slice.rows(); ++i) {
        if (const auto id = Id::parse(ids[slice.row(i)])) series->insert(*id);
      }
    }
  }
  return Status();
}

// Rows are counted again from then on: what was dropped has freed its place.
void SeriesLimit::forget_dropped() {
  const uint64_t epoch = core_->known_series->epoch();
  if (epoch == epoch_) return;
  epoch_ = epoch;
  for (auto it = intervals_.begin(); it != intervals_.end();) {
    Interval& interval = it->second;
    interval.wanted_exact = interval.is_exact = false;
    interval.series = IdSet();
    it = interval.is_idle() ? intervals_.erase(it) : std::next(it);
  }
}

// What is forgotten here is counted by rows again, and read again when it must be.
void SeriesLimit::make_room() {
  uint64_t bytes = 0;
  for (const auto& [key, interval] : intervals_) bytes += interval.series.bytes();
  if (bytes <= core_->options.memory_bytes_max / 16) return;
  std::erase_if(intervals_, [](const auto& known) {
    return known.second.in_flight == 0 && known.second.is_exact;
  });
}

}  // namespace firn
