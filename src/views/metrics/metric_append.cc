#include "views/metrics/metric_append.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/id_set.h"
#include "base/mutex.h"
#include "base/size.h"
#include "model/sample_flags.h"
#include "store/series_limit.h"

namespace firn {

namespace {

// One append on its way: definitions, samples, and definitions again when what was known of them
// was dropped meanwhile.
class SamplesAppend : public std::enable_shared_from_this<SamplesAppend> {
 public:
  SamplesAppend(Store* store, NamespaceId name_space, NewSamples given, AppendCallback done)
      : store_(store),
        name_space_(name_space),
        given_(std::move(given)),
        done_(std::move(done)),
        first_(interval_start(given_.samples->time_min(), width())),
        last_(interval_start(given_.samples->time_max(), width())),
        wanted_(wanted_definitions()),
        epoch_(given_.known_epoch != 0 ? given_.known_epoch : store->known_series().epoch()) {}

  void start() {
    std::vector<SeriesDefinition> unknown = store_->known_series().unknown(name_space_, wanted_);
    if (unknown.empty()) return append();
    store_->series_limit().admit(
        name_space_, unknown, [self = shared_from_this(), unknown](const Status& admitted) {
          if (!admitted.ok()) return self->done_(admitted);
          self->define(unknown, [self, unknown](const Status& defined) {
            self->store_->series_limit().settle(self->name_space_, unknown, defined.ok());
            if (!defined.ok()) return self->done_(defined);
            self->append();
          });
        });
  }

 private:
  DurationNs width() const { return store_->options().chunk_interval_ns; }

  // What the samples need of what came along, each once.
  std::vector<SeriesDefinition> wanted_definitions() const {
    if (given_.definitions == nullptr) return {};
    const RecordBatch& batch = *given_.samples;
    const StringColumn series = batch.strings(ColumnId::kSeries);
    const auto times = batch.int64s(ColumnId::kTime);
    const IdSet defined = defined_series();
    std::vector<std::optional<Id>> ids(series.entries());  // of those that came along
    for (uint32_t entry = 0; entry < series.entries(); ++entry) {
      const Id id = Id::parse(series.entry(entry)).value_or(Id());
      if (given_.known_epoch == 0 || defined.contains(id)) ids[entry] = id;
    }
    std::vector<SeriesDefinition> wanted;
    if (first_ == last_) {
      // Entries of a dictionary differ.
      for (const std::optional<Id>& id : ids) {
        if (id) wanted.emplace_back(first_, *id);
      }
      return wanted;
    }
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      const std::optional<Id>& id = ids[series.entry_of(row)];
      if (id) wanted.emplace_back(interval_start(times[row], width()), *id);
    }
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    return wanted;
  }

  // Empty when all of them are.
  IdSet defined_series() const {
    IdSet defined;
    if (given_.known_epoch == 0) return defined;
    const StringColumn series = given_.definitions->strings(ColumnId::kSeries);
    for (uint32_t row = 0; row < given_.definitions->rows(); ++row) {
      defined.insert(Id::parse(series[row]).value_or(Id()));
    }
    return defined;
  }

  std::unique_ptr<RecordBatch> make_batch(const std::vector<SeriesDefinition>& definitions) const {
    const RecordBatch& given = *given_.definitions;
    const StringColumn series = given.strings(ColumnId::kSeries);
    std::map<Id, uint32_t> rows;
    for (uint32_t row = 0; row < given.rows(); ++row) {
      if (const auto id = Id::parse(series[row])) rows.emplace(*id, row);
    }
    BatchBuilder builder(Dataset::kSeries);
    for (const auto& [interval, id] : definitions) {
      const auto found = rows.find(id);
      FIRN_CHECK(found != rows.end());
      EventRow row = event_row(given, found->second);
      row.time = interval;
      builder.add(row);
    }
    return builder.finish();
  }

  // Makes the definitions durable, or fails.
  void define(std::vector<SeriesDefinition> definitions, std::function<void(const Status&)> then) {
    AppendRequest request;
    request.batch = make_batch(definitions);
    store_->append(name_space_, std::move(request),
                   [self = shared_from_this(), definitions = std::move(definitions),
                    then = std::move(then)](const Result<AppendResult>& result) {
                     if (result.ok()) {
                       self->store_->known_series().add(self->name_space_, definitions,
                                                        self->epoch_);
                     }
                     then(result.status());
                   });
  }

  static Status forgotten() {
    return Status(
        StatusCode::kOutcomeUnknown,
        "definitions of the series were dropped while samples of their chunk interval arrived; "
        "send the samples again");
  }

  void append() {
    AppendRequest request;
    request.batch = std::move(given_.samples);
    request.ack = given_.ack;
    store_->append(
        name_space_, std::move(request),
        [self = shared_from_this()](const Result<AppendResult>& result) { self->finish(result); });
  }

  void finish(const Result<AppendResult>& result) {
    const KnownSeries& known = store_->known_series();
    const uint64_t epoch = known.epoch();
    if (!result.ok() || !known.was_forgotten(name_space_, first_, last_, epoch_)) {
      return done_(result);
    }
    if (given_.known_epoch != 0) return done_(forgotten());
    epoch_ = epoch;
    // They were admitted before, so the limit of series is not asked again.
    define(wanted_, [self = shared_from_this(), result](const Status& defined) {
      if (!defined.ok()) return self->done_(defined);
      self->finish(result);
    });
  }

  Store* const store_;
  const NamespaceId name_space_;
  NewSamples given_;
  const AppendCallback done_;
  const TimeNs first_, last_;  // chunk intervals of the samples
  const std::vector<SeriesDefinition> wanted_;
  uint64_t epoch_;
};

}  // namespace

void append_samples(Store* store, NamespaceId name_space, NewSamples samples, AppendCallback done) {
  std::make_shared<SamplesAppend>(store, name_space, std::move(samples), std::move(done))->start();
}

Result<AppendResult> append_samples_and_wait(Store* store, NamespaceId name_space,
                                             NewSamples samples) {
  struct Outcome {
    Mutex mutex;
    CondVar changed;
    std::optional<Result<AppendResult>> result GUARDED_BY(mutex);
  };
  const auto outcome = std::make_shared<Outcome>();
  append_samples(store, name_space, std::move(samples),
                 [outcome](const Result<AppendResult>& result) {
                   MutexLock lock(&outcome->mutex);
                   outcome->result = result;
                   outcome->changed.notify_all();
                 });
  MutexLock lock(&outcome->mutex);
  while (!outcome->result) outcome->changed.wait(&outcome->mutex);
  return *outcome->result;
}

namespace {

void add_definition(const Series& series, BatchBuilder* definitions) {
  EventRow row;
  row.series = series.series;
  row.name = series.name;
  row.type = series.type;
  row.unit = series.unit;
  row.temporality = series.temporality;
  row.monotonic = series.monotonic ? 1 : 0;
  row.description = series.description;
  row.labels = series.labels;
  row.metadata = series.metadata;
  row.context = series.context;
  definitions->add(row);
}

// The page's points again, as deleted ones.
NewSamples deleted_samples(const PointPage& page) {
  BatchBuilder samples(Dataset::kSamples), definitions(Dataset::kSeries);
  std::vector<bool> is_defined(page.series.size(), false);
  for (const Point& point : page.points) {
    EventRow row;
    row.series = page.series[point.series].series;
    row.time = point.time;
    row.flags = kSampleDeleted;
    samples.add(row);
    if (is_defined[point.series]) continue;
    is_defined[point.series] = true;
    add_definition(page.series[point.series], &definitions);
  }
  return {samples.finish(), definitions.finish()};
}

}  // namespace

Result<uint64_t> delete_points(Store* store, NamespaceId name_space, const SeriesMatch& match,
                               const TimeRange& time, const QueryGuard& guard) {
  constexpr uint32_t kPointsAtOnce = 10'000;
  FIRN_ASSIGN(const SnapshotPtr snapshot, store->snapshot(name_space));
  PointQuery query;
  query.match = match;
  query.time = time;
  query.limit = kPointsAtOnce;
  query.bytes_max = 16 * kMiB;
  uint64_t deleted = 0;
  do {
    FIRN_ASSIGN(const PointPage page, read_points(*snapshot, query, guard));
    query.from = page.next;
    if (page.points.empty()) continue;
    FIRN_TRY(append_samples_and_wait(store, name_space, deleted_samples(page)).status());
    deleted += page.points.size();
  } while (query.from);
  return deleted;
}

}  // namespace firn
