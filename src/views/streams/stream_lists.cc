#include "views/streams/stream_lists.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "base/size.h"
#include "views/streams/stream_reads.h"

namespace firn {

namespace {

constexpr uint32_t kPieceStreams = 10'000;

using Heads = std::map<std::string, int64_t, std::less<>>;

// What an entry of a map takes besides its name.
constexpr uint64_t kEntryBytes = 96;

// Which streams are looked for, and how much may be held of them.
struct Wanted {
  std::string_view prefix{};
  std::string after{};
  uint64_t limit = kNoLimit;  // only the first ones
  uint64_t bytes_max = kNoLimit;
};

// The next positions of streams that have rows in memory.
Result<Heads> heads_in_memory(const Snapshot& snapshot, const Wanted& wanted,
                              const QueryGuard& guard) {
  Heads heads;
  uint64_t bytes = 0;
  ScanSpec spec;
  spec.projection = Projection::none().add(ColumnId::kStream).add(ColumnId::kStreamPosition);
  for (const SnapshotChunk& chunk : snapshot.memory_chunks(Dataset::kEvents)) {
    FIRN_ASSIGN(const auto reader, snapshot.scan(chunk, spec, nullptr));
    BatchSlice slice;
    while (true) {
      if (guard) FIRN_TRY(guard());
      FIRN_ASSIGN(const bool more, reader->next(&slice));
      if (!more) break;
      if (!slice.batch->has_column(ColumnId::kStreamPosition)) continue;
      const StringColumn streams = slice.batch->strings(ColumnId::kStream);
      const auto positions = slice.batch->int64s(ColumnId::kStreamPosition);
      for (uint32_t i = 0; i < slice.rows(); ++i) {
        const uint32_t row = slice.row(i);
        const std::string_view stream = streams[row];
        if (positions[row] == kAbsentInt64 || stream <= wanted.after ||
            !stream.starts_with(wanted.prefix)) {
          continue;
        }
        auto head = heads.find(stream);
        if (head == heads.end()) {
          if (heads.size() == wanted.limit && stream > heads.rbegin()->first) continue;
          head = heads.emplace(std::string(stream), 0).first;
          bytes += stream.size() + kEntryBytes;
        }
        head->second = std::max(head->second, positions[row] + 1);
        if (heads.size() > wanted.limit) {
          const auto last = std::prev(heads.end());
          bytes -= last->first.size() + kEntryBytes;
          heads.erase(last);
        }
        if (bytes > wanted.bytes_max) {
          return too_large("the streams that have messages in memory take more than " +
                           format_size(wanted.bytes_max) + "; ask again when they were flushed");
        }
      }
    }
  }
  return heads;
}

// Calls visit(stream, next position) for the streams in ascending order until it returns false, at
// the latest for the last one that is wanted.
template <typename Visit>
Status visit_streams(const Snapshot& snapshot, const Wanted& wanted, const QueryGuard& guard,
                     const Visit& visit) {
  FIRN_ASSIGN(const Heads in_memory, heads_in_memory(snapshot, wanted, guard));
  const auto piece = static_cast<uint32_t>(std::min<uint64_t>(wanted.limit, kPieceStreams));
  std::string after = wanted.after;
  auto next = in_memory.begin();
  while (true) {
    if (guard) FIRN_TRY(guard());
    FIRN_ASSIGN(const auto flushed, snapshot.flushed_stream_heads(wanted.prefix, after, piece));
    for (const auto& [stream, head] : flushed) {
      for (; next != in_memory.end() && next->first < stream; ++next) {
        if (!visit(next->first, next->second)) return Status();
      }
      int64_t newest = head;
      if (next != in_memory.end() && next->first == stream) {
        newest = std::max(newest, next->second);
        ++next;
      }
      if (!visit(stream, newest)) return Status();
    }
    if (flushed.size() < piece) break;
    after = flushed.back().first;
  }
  for (; next != in_memory.end(); ++next) {
    if (!visit(next->first, next->second)) break;
  }
  return Status();
}

using CategoryCounts = std::map<std::string, CategoryInfo, std::less<>>;

CategoryInfo& category_of_stream(std::string_view stream, CategoryCounts* categories) {
  const std::string_view name = category_of(stream);
  auto found = categories->find(name);
  if (found == categories->end()) {
    found = categories->emplace(std::string(name), CategoryInfo{std::string(name)}).first;
  }
  return found->second;
}

// Counts the messages of every category, block by block.
Status count_messages(const Snapshot& snapshot, const QueryGuard& guard,
                      CategoryCounts* categories) {
  ScanSpec spec;
  spec.filter.predicates = category_predicates("");
  spec.projection = Projection::none().add(ColumnId::kStream);
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kEvents, spec.filter)) {
    FIRN_ASSIGN(const auto reader, snapshot.scan(chunk, spec, nullptr));
    BatchSlice slice;
    while (true) {
      if (guard) FIRN_TRY(guard());
      FIRN_ASSIGN(const bool more, reader->next(&slice));
      if (!more) break;
      const StringColumn streams = slice.batch->strings(ColumnId::kStream);
      for (uint32_t i = 0; i < slice.rows(); ++i) {
        ++category_of_stream(streams[slice.row(i)], categories).messages;
      }
    }
  }
  return Status();
}

}  // namespace

Result<std::vector<StreamInfo>> list_streams(const Snapshot& snapshot, const std::string& prefix,
                                             const std::string& after, uint32_t limit,
                                             const QueryGuard& guard) {
  std::vector<StreamInfo> streams;
  if (limit == 0) return streams;
  FIRN_TRY(visit_streams(snapshot, {prefix, after, limit, kNoLimit}, guard,
                         [&](const std::string& stream, int64_t next) {
                           streams.push_back({stream, next - 1, std::nullopt});
                           return streams.size() < limit;
                         }));
  if (streams.empty()) return streams;
  AggregateSpec spec;
  spec.group_by = {ColumnId::kStream};
  spec.measures = {ColumnId::kTime};
  Predicate listed;
  listed.column = ColumnId::kStream;
  for (const StreamInfo& info : streams) listed.texts.push_back(info.stream);
  spec.filter.predicates = {std::move(listed)};
  FIRN_ASSIGN(const AggregateAnswer answer,
              query_aggregate(snapshot, Dataset::kEvents, spec, guard));
  for (StreamInfo& info : streams) {
    const auto found = answer.states.find({0, {info.stream}});
    if (found != answer.states.end()) info.last_time = found->second.measures[0].max;
  }
  return streams;
}

Result<std::vector<CategoryInfo>> list_categories(const Snapshot& snapshot, uint64_t bytes_max,
                                                  const QueryGuard& guard) {
  CategoryCounts categories;
  const Wanted wanted{.bytes_max = bytes_max};
  FIRN_TRY(visit_streams(snapshot, wanted, guard, [&](const std::string& stream, int64_t) {
    ++category_of_stream(stream, &categories).streams;
    return true;
  }));
  FIRN_TRY(count_messages(snapshot, guard, &categories));
  std::vector<CategoryInfo> list;
  list.reserve(categories.size());
  for (auto& [name, info] : categories) list.push_back(std::move(info));
  return list;
}

Result<StreamCounts> count_streams(const Snapshot& snapshot, uint64_t bytes_max,
                                   const QueryGuard& guard) {
  StreamCounts counts;
  const Wanted wanted{.bytes_max = bytes_max};
  FIRN_TRY(visit_streams(snapshot, wanted, guard, [&](const std::string&, int64_t) {
    ++counts.streams;
    return true;
  }));
  AggregateSpec spec;
  spec.measures = {ColumnId::kTime};
  spec.filter.predicates = category_predicates("");
  FIRN_ASSIGN(const AggregateAnswer answer,
              query_aggregate(snapshot, Dataset::kEvents, spec, guard));
  for (const auto& [key, state] : answer.states) {
    counts.messages += state.count;
    if (state.count > 0) counts.last_time = state.measures[0].max;
  }
  return counts;
}

}  // namespace firn
