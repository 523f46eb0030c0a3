#include <algorithm>

#include "store/mover.h"
#include "store/places.h"

// What the mover does when it is told to (docs/lifecycle.md).

namespace firn {

namespace {

TimeNs later(TimeNs time, DurationNs duration) {
  TimeNs sum = 0;
  return __builtin_add_overflow(time, duration, &sum) ? INT64_MAX : sum;
}

// Ok when the chunk has no rows behind the position.
Status check_through(const std::string& chunk, const ChunkStats& stats, Position through) {
  if (stats.position_max <= through) return Status();
  return conflict("chunk " + chunk + " has rows behind position " + std::to_string(through));
}

bool has_series_to_prune(Dataset dataset) {
  return dataset != Dataset::kEvents && dataset != Dataset::kSeries;
}

}  // namespace

// A command at work: which chunks it is for, and what became of them.
struct Mover::Execution {
  Execution(const ChunkCommand& what, NamespacePtr name_space, TimeNs time)
      : command(what),
        ns(std::move(name_space)),
        now(time),
        unmatched(what.names.begin(), what.names.end()) {}

  bool selects(const ChunkKey& key, std::string_view tier) {
    if (command.tier.has_value() && *command.tier != tier) return false;
    if (command.older_than_ns.has_value() && !ended_before(key, now, *command.older_than_ns)) {
      return false;
    }
    if (command.names.empty()) return true;
    const std::string name = key.name();
    unmatched.erase(name);
    return std::find(command.names.begin(), command.names.end(), name) != command.names.end();
  }
  void report(ChunkOutcome outcome) {
    if (!outcome.status.ok() && result.status.ok()) result.status = outcome.status;
    result.chunks.push_back(std::move(outcome));
  }
  void report(const ChunkRecord& record, std::string_view to, const Result<ChunkKey>& into) {
    ChunkOutcome outcome;
    outcome.chunk = record.key.name();
    outcome.from_tier = record.tier;
    outcome.to_tier = to;
    outcome.rows = record.stats.rows;
    outcome.bytes = record.stats.bytes;
    outcome.status = into.status();
    if (into.ok() && *into != record.key) outcome.into = into->name();
    report(std::move(outcome));
  }

  const ChunkCommand& command;
  const NamespacePtr ns;
  const TimeNs now;
  std::set<std::string> unmatched;
  std::unique_ptr<Tier> destination;  // kExport
  ChunkCommandResult result;
};

Status Mover::check_command(const ChunkCommand& command) {
  if (core_->find_namespace(command.namespace_id) == nullptr) {
    return not_found("the namespace was deleted");
  }
  if (command.older_than_ns.has_value() && core_->condition.clock_suspect()) {
    return conflict(
        "the wall clock jumped, so 'older than' cannot be decided; look at the clock, then confirm "
        "it, or name the chunks");
  }
  if (!command.to_tier.empty()) {
    const size_t index = tier_index(command.to_tier);
    if (index == core_->tiers.size()) {
      return not_found("there is no tier '" + command.to_tier + "'");
    }
    if (!core_->tiers[index]->is_durable()) {
      return invalid_argument("chunks cannot be brought up to tier '" + command.to_tier +
                              "', which only holds what was just appended");
    }
  }
  if (command.action == ChunkAction::kPrune && command.series == nullptr) {
    return invalid_argument("it is not said which series are to go");
  }
  return command.dry_run ? Status() : core_->manifest->settle();
}

Status Mover::open_destination(Execution* work) const {
  FIRN_ASSIGN(const TierConfig config, find_destination(core_->options, work->command.destination));
  if (work->command.dry_run) return Status();
  FIRN_ASSIGN(work->destination, open_tier(core_->env, core_->options, config));
  return Status();
}

void Mover::execute_in_memory(Execution* work) {
  const bool drops = work->command.action == ChunkAction::kDrop;
  const bool prunes = work->command.action == ChunkAction::kPrune;
  const std::string from(core_->memory->name());
  const bool has_next = core_->tiers.size() > 1;
  for (const MemoryChunkInfo& chunk : memory_chunks(work->ns)) {
    if (prunes && !has_series_to_prune(chunk.key.dataset)) continue;
    if (!work->selects(chunk.key, from)) continue;
    ChunkOutcome outcome;
    outcome.chunk = chunk.key.name();
    outcome.from_tier = from;
    outcome.rows = chunk.stats.rows;
    outcome.bytes = chunk.stats.bytes;
    if (!drops && has_next) outcome.to_tier = core_->tiers[1]->name();
    if (drops && !has_next) {
      outcome.status = check_through(outcome.chunk, chunk.stats, work->command.positions_through);
    }
    if (!outcome.status.ok()) {
      // It stays.
    } else if (!drops && !has_next) {
      outcome.status = unsupported("there is no tier below '" + from + "' to flush to");
    } else if (!work->command.dry_run) {
      // Rows in memory go with the generation they are flushed into, later.
      outcome.status =
          has_next ? flush_chunk(work->ns, chunk.key) : drop_from_memory(work->ns, chunk.key);
      if ((drops || prunes) && has_next && outcome.status.ok()) continue;
    }
    work->report(std::move(outcome));
  }
}

std::optional<size_t> Mover::target_of(const ChunkCommand& command, const ChunkRecord& record) {
  const size_t index = tier_index(record.tier);
  if (command.action == ChunkAction::kPrune && !has_series_to_prune(record.key.dataset)) {
    return std::nullopt;
  }
  if (command.action == ChunkAction::kMove) {
    return index + 1 < core_->tiers.size() ? std::optional(index + 1) : std::nullopt;
  }
  if (command.action != ChunkAction::kRehydrate) return index;
  const size_t target = command.to_tier.empty() ? index - 1 : tier_index(command.to_tier);
  return target < index && core_->tiers[target]->is_durable() ? std::optional(target)
                                                              : std::nullopt;
}

void Mover::execute_on(const ChunkRecordPtr& record, size_t target, Execution* work) {
  const ChunkCommand& command = work->command;
  std::string_view to = core_->tiers[target]->name();
  Result<ChunkKey> into = record->key;
  const auto run = [&](const auto& action) {
    if (command.dry_run) return;
    const Status status = action();
    if (!status.ok()) into = status;
  };
  if (command.action == ChunkAction::kDrop) {
    to = "";
    run([&]() -> Status {
      FIRN_TRY(check_through(record->key.name(), record->stats, command.positions_through));
      return drop_chunk(record);
    });
  } else if (command.action == ChunkAction::kMove) {
    run([&] { return move_chunk(record, target); });
  } else if (command.action == ChunkAction::kPrune) {
    run([&]() -> Status {
      FIRN_ASSIGN(const std::optional<ChunkKey> left, prune(record, command));
      if (left) into = *left;
      if (!left) to = "";
      return Status();
    });
  } else if (command.action == ChunkAction::kExport) {
    to = work->command.destination;
    run([&] { return export_chunk(record, work->destination.get()); });
  } else if (!command.dry_run) {
    // In the form that the target's policy would give it at once.
    const DurationNs compress_after =
        compress_after_of(core_->options.tiers[target], record->key.dataset);
    into = rewrite({{record},
                    core_->tiers[target].get(),
                    ended_before(record->key, work->now, compress_after),
                    later(work->now, command.keep_ns)});
  }
  work->report(*record, to, into);
}

Result<std::optional<ChunkKey>> Mover::prune(ChunkRecordPtr record, const ChunkCommand& command) {
  Tier* const tier = core_->find_tier(record->tier);
  ChosenRows rows;
  Position counted = 0;
  const auto count = [&]() -> Status {
    FIRN_ASSIGN(rows, count_chosen(tier, *record, *command.series, core_->stopping));
    counted = record->stats.watermark;
    return {};
  };
  FIRN_TRY(check_through(record->key.name(), record->stats, command.positions_through));
  FIRN_TRY(copy_beside_flushes(nullptr, count));
  if (rows.going == 0) return std::optional(record->key);
  FIRN_TRY(seal_chunk(&record));
  // Sealing flushes once more.
  FIRN_TRY(check_through(record->key.name(), record->stats, command.positions_through));
  if (record->stats.watermark != counted) FIRN_TRY(copy_beside_flushes(nullptr, count));
  if (rows.staying == 0) {
    FIRN_TRY(drop_chunk(record, RowsGone::kSomeSeries));
    return std::optional<ChunkKey>();
  }
  const bool is_compressed = record->state == ChunkState::kCompressed;
  FIRN_ASSIGN(const ChunkKey left, rewrite({.sources = {record},
                                            .target = tier,
                                            .compresses = is_compressed,
                                            .keep_until = record->keep_until,
                                            .without = command.series.get()}));
  return std::optional(left);
}

void Mover::execute_on_stored(Execution* work) {
  const ManifestVersionPtr version = core_->manifest->current();
  std::vector<ChunkRecordPtr> selected;
  for (const auto& [key, record] : version->chunks) {
    if (key.namespace_id != work->ns->id || record->state == ChunkState::kDropped) continue;
    if (target_of(work->command, *record) && work->selects(key, record->tier)) {
      selected.push_back(record);
    }
  }
  // Definitions of series can be dropped behind what they define.
  std::stable_partition(selected.begin(), selected.end(), [](const ChunkRecordPtr& record) {
    return record->key.dataset != Dataset::kSeries;
  });
  for (const ChunkRecordPtr& record : selected) {
    execute_on(record, *target_of(work->command, *record), work);
  }
}

void Mover::execute_compress(Execution* work) {
  const ManifestVersionPtr version = core_->manifest->current();
  ChunkKey previous;
  for (const auto& [key, record] : version->chunks) {
    ChunkKey interval = key;
    interval.generation = 0;
    if (key.namespace_id != work->ns->id || interval == previous) continue;
    previous = interval;
    const auto is_selected = [&](const ChunkRecord& candidate) {
      return work->selects(candidate.key, candidate.tier);
    };
    for (const auto& run : neighbour_runs(version->live_generations(interval), is_selected)) {
      const Result<ChunkKey> into =
          work->command.dry_run ? Result<ChunkKey>(run.front()->key) : compress(run);
      for (const ChunkRecordPtr& source : run) {
        work->report(*source, source->tier,
                     work->command.dry_run ? Result<ChunkKey>(source->key) : into);
      }
    }
  }
}

ChunkCommandResult Mover::execute(const ChunkCommand& command) {
  Execution work(command, core_->find_namespace(command.namespace_id), core_->env->now());
  ChunkCommandResult& result = work.result;
  result.status = check_command(command);
  if (result.status.ok() && command.action == ChunkAction::kExport) {
    result.status = open_destination(&work);
  }
  if (!result.status.ok()) return std::move(result);
  const bool is_for_memory = command.action == ChunkAction::kFlush ||
                             command.action == ChunkAction::kDrop ||
                             command.action == ChunkAction::kPrune;
  if (is_for_memory) execute_in_memory(&work);
  if (command.action == ChunkAction::kCompress) {
    execute_compress(&work);
  } else if (command.action != ChunkAction::kFlush) {
    execute_on_stored(&work);
  }
  if (!work.unmatched.empty() && result.status.ok()) {
    result.status = not_found("no chunk '" + *work.unmatched.begin() +
                              "' that this can be done to; list them with GET .../chunks");
  }
  if (command.dry_run) return std::move(result);
  if (result.status.ok()) result.status = remove_unused();
  if (result.status.ok()) result.status = trim_log();
  return std::move(result);
}

}  // namespace firn
