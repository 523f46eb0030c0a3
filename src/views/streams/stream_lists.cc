#include "views/streams/stream_lists.h"

#include <algorithm>
#include <map>

#include "views/streams/stream_reads.h"

namespace firn {

namespace {

constexpr uint32_t kPieceStreams = 10'000;

using Heads = std::map<std::string, int64_t, std::less<>>;

// The next positions of streams that have rows in memory.
Result<Heads> heads_in_memory(const Snapshot& snapshot, std::string_view prefix,
                              std::string_view after, const QueryGuard& guard) {
  Heads heads;
  ScanSpec spec;
  spec.projection = Projection::none().add(ColumnId::kStream).add(ColumnId::kStreamPosition);
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kEvents, Filter{})) {
    if (!chunk.in_memory) continue;
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
        if (positions[row] == kAbsentInt64 || stream <= after || !stream.starts_with(prefix)) {
          continue;
        }
        auto head = heads.find(stream);
        if (head == heads.end()) head = heads.emplace(std::string(stream), 0).first;
        head->second = std::max(head->second, positions[row] + 1);
      }
    }
  }
  return heads;
}

// Calls visit(stream, next position) for the streams in ascending order until it returns false.
template <typename Visit>
Status visit_streams(const Snapshot& snapshot, std::string_view prefix, std::string after,
                     uint32_t piece, const QueryGuard& guard, const Visit& visit) {
  FIRN_ASSIGN(const Heads in_memory, heads_in_memory(snapshot, prefix, after, guard));
  auto next = in_memory.begin();
  while (true) {
    if (guard) FIRN_TRY(guard());
    FIRN_ASSIGN(const auto flushed, snapshot.flushed_stream_heads(prefix, after, piece));
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

}  // namespace

Result<std::vector<StreamInfo>> list_streams(const Snapshot& snapshot, const std::string& prefix,
                                             const std::string& after, uint32_t limit,
                                             const QueryGuard& guard) {
  std::vector<StreamInfo> streams;
  if (limit == 0) return streams;
  FIRN_TRY(visit_streams(snapshot, prefix, after, limit, guard,
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

Result<std::vector<CategoryInfo>> list_categories(const Snapshot& snapshot,
                                                  const QueryGuard& guard) {
  std::map<std::string, CategoryInfo, std::less<>> categories;
  const auto category = [&](std::string_view stream) -> CategoryInfo& {
    const std::string_view name = category_of(stream);
    auto found = categories.find(name);
    if (found == categories.end()) {
      found = categories.emplace(std::string(name), CategoryInfo{std::string(name)}).first;
    }
    return found->second;
  };
  FIRN_TRY(visit_streams(snapshot, "", "", kPieceStreams, guard,
                         [&](const std::string& stream, int64_t) {
                           ++category(stream).streams;
                           return true;
                         }));
  AggregateSpec spec;
  spec.group_by = {ColumnId::kStream};
  spec.filter.predicates = category_predicates("");
  FIRN_ASSIGN(const AggregateAnswer answer,
              query_aggregate(snapshot, Dataset::kEvents, spec, guard));
  for (const auto& [key, state] : answer.states) category(key.values[0]).messages += state.count;
  std::vector<CategoryInfo> list;
  list.reserve(categories.size());
  for (auto& [name, info] : categories) list.push_back(std::move(info));
  return list;
}

Result<StreamCounts> count_streams(const Snapshot& snapshot, const QueryGuard& guard) {
  StreamCounts counts;
  FIRN_TRY(visit_streams(snapshot, "", "", kPieceStreams, guard, [&](const std::string&, int64_t) {
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
