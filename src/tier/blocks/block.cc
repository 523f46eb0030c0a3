#include "tier/blocks/block.h"

#include <algorithm>
#include <bit>

#include "base/crc32c.h"
#include "base/mutant.h"
#include "model/checksum.h"

namespace firn {

namespace {

constexpr uint64_t kAllKinds = ~uint64_t{0};

uint64_t kind_bit(int64_t kind) { return kind < 0 || kind > 63 ? kAllKinds : uint64_t{1} << kind; }

bool predicate_may_match(const BlockHeader& header, const Predicate& predicate) {
  if (predicate.column != ColumnId::kSeverity && predicate.column != ColumnId::kKind) return true;
  const auto& numbers = predicate.numbers;
  if (predicate.kind == PredicateKind::kEqual) {
    return std::any_of(numbers.begin(), numbers.end(), [&](int64_t number) {
      return predicate.column == ColumnId::kSeverity ? number <= header.severity_max
                                                     : (header.kinds & kind_bit(number)) != 0;
    });
  }
  if (predicate.kind == PredicateKind::kAtLeast && predicate.column == ColumnId::kSeverity) {
    return !numbers.empty() && numbers[0] <= header.severity_max;
  }
  return true;
}

}  // namespace

BlockNumbers block_numbers(const BlockHeader& header) {
  return {static_cast<uint64_t>(header.id),
          static_cast<uint64_t>(header.first_block),
          header.rows,
          header.position_min,
          header.position_max,
          static_cast<uint64_t>(header.time_min),
          static_cast<uint64_t>(header.time_max),
          header.severity_max,
          header.kinds,
          header.columns,
          header.filters,
          header.raw_bytes,
          header.packed_bytes,
          header.checksum,
          header.crc()};
}

uint32_t BlockHeader::crc() const {
  std::string bytes;
  for (const uint64_t value :
       {static_cast<uint64_t>(id), static_cast<uint64_t>(first_block), uint64_t{rows}, position_min,
        position_max, static_cast<uint64_t>(time_min), static_cast<uint64_t>(time_max),
        uint64_t{severity_max}, kinds, columns, filters, raw_bytes, packed_bytes, checksum}) {
    append_le(&bytes, value);
  }
  return crc32c(bytes);
}

std::string BlockHeader::describe() const {
  return "block " + std::to_string(id) + " (positions " + std::to_string(position_min) + " to " +
         std::to_string(position_max) + ")";
}

BlockHeader summarize_block(const RecordBatch& batch) {
  BlockHeader header;
  header.rows = batch.rows();
  header.position_min = batch.first_position();
  header.position_max = batch.last_position();
  header.time_min = batch.time_min();
  header.time_max = batch.time_max();
  header.kinds = kind_bit(0);
  if (batch.has_column(ColumnId::kKind)) {
    header.kinds = 0;
    const auto kinds = batch.uint8s(ColumnId::kKind);
    for (uint32_t row = 0; row < header.rows; ++row) header.kinds |= kind_bit(kinds[row]);
  }
  if (batch.has_column(ColumnId::kSeverity)) {
    const auto severities = batch.uint8s(ColumnId::kSeverity);
    for (uint32_t row = 0; row < header.rows; ++row) {
      header.severity_max = std::max(header.severity_max, severities[row]);
    }
  }
  header.raw_bytes = batch.size_bytes();
  // A slice of the whole batch that does not own it.
  header.checksum = rows_checksum({BatchPtr(BatchPtr(), &batch), nullptr});
  return header;
}

bool zone_may_match(const BlockHeader& header, const Filter& filter) {
  if (!filter.time.overlaps(header.time_min, header.time_max)) return false;
  if (!filter.positions.overlaps(header.position_min, header.position_max)) return false;
  return std::all_of(
      filter.predicates.begin(), filter.predicates.end(),
      [&](const Predicate& predicate) { return predicate_may_match(header, predicate); });
}

bool zone_is_inside(const BlockHeader& header, const Filter& filter) {
  return filter.predicates.empty() && filter.time.contains(header.time_min) &&
         filter.time.contains(header.time_max) && filter.positions.contains(header.position_min) &&
         filter.positions.contains(header.position_max);
}

BlockGroup last_group(std::span<const BlockHeader> headers) {
  BlockGroup group;
  const int64_t first_block = headers.back().first_block;
  group.begin = headers.size();
  while (group.begin > 0 && headers[group.begin - 1].first_block == first_block) {
    const BlockHeader& header = headers[--group.begin];
    group.rows += header.rows;
    group.raw_bytes += header.raw_bytes;
    group.position_max = std::max(group.position_max, header.position_max);
  }
  group.is_whole = headers[group.begin].id == first_block;
  return group;
}

namespace {

bool follows(const BlockHeader& header, std::span<const BlockHeader> headers) {
  if (header.first_block > header.id) return false;
  if (headers.empty()) return true;
  if (header.id <= headers.back().id) return false;
  const bool begins = header.first_block == header.id;
  if (!begins && header.first_block != headers.back().first_block) return false;
  // What lies before the block's group.
  if (!begins) headers = headers.first(last_group(headers).begin);
  return headers.empty() || header.position_min > last_group(headers).position_max;
}

}  // namespace

Status append_header(const BlockNumbers& numbers, std::vector<BlockHeader>* headers) {
  BlockHeader header;
  size_t next = 0;
  header.id = static_cast<int64_t>(numbers[next++]);
  header.first_block = static_cast<int64_t>(numbers[next++]);
  const uint64_t rows = numbers[next++];
  header.rows = static_cast<uint32_t>(rows);
  header.position_min = numbers[next++];
  header.position_max = numbers[next++];
  header.time_min = static_cast<TimeNs>(numbers[next++]);
  header.time_max = static_cast<TimeNs>(numbers[next++]);
  header.severity_max = static_cast<uint8_t>(numbers[next++]);
  header.kinds = numbers[next++];
  header.columns = numbers[next++];
  header.filters = numbers[next++];
  header.raw_bytes = numbers[next++];
  header.packed_bytes = numbers[next++];
  header.checksum = numbers[next++];
  if ((header.crc() != numbers[next] && !mutant(18)) || header.rows != rows) {
    return corruption(header.describe() + ": its row in the table blocks does not fit its crc");
  }
  if (!follows(header, *headers)) {
    return corruption(header.describe() + ": it does not follow the blocks before it");
  }
  headers->push_back(header);
  return Status();
}

Status ColumnReader::fetch(const BlockHeader& header, const Projection& asked, ScanCost* cost) {
  Projection projection = asked;
  if (dataset_ != Dataset::kEvents) projection.add(ColumnId::kSeries);
  if (block_ != header.id) packed_.clear();
  block_ = header.id;
  uint64_t missing = 0;
  for (uint64_t left = header.columns; left != 0; left &= left - 1) {
    const auto column = static_cast<ColumnId>(std::countr_zero(left));
    if (column != ColumnId::kPosition && !projection.has(column)) continue;
    const bool present = std::any_of(packed_.begin(), packed_.end(),
                                     [&](const PackedColumn& p) { return p.id == column; });
    if (!present) missing |= left & -left;
  }
  if (missing != 0) {
    const size_t known = packed_.size();
    FIRN_TRY(source_->load_columns(header, missing, &packed_));
    for (size_t i = known; cost != nullptr && i < packed_.size(); ++i) {
      cost->bytes_read += packed_[i].bytes.size();
    }
  }
  std::sort(packed_.begin(), packed_.end(),
            [](const PackedColumn& a, const PackedColumn& b) { return a.id < b.id; });
  return Status();
}

Result<BatchPtr> ColumnReader::load(const BlockHeader& header, NamespaceId namespace_id,
                                    const Projection& projection, ScanCost* cost) {
  FIRN_TRY(fetch(header, projection, cost));
  memory_.batch = recycler_.take();
  auto unpacked = unpack_columns(dataset_, namespace_id, header.rows, packed_, &memory_);
  if (!unpacked.ok()) return unpacked.status().with_context(header.describe());
  BatchPtr batch = recycler_.share(std::move(unpacked).value());
  if (batch->first_position() != header.position_min ||
      batch->last_position() != header.position_max) {
    return corruption(header.describe() + ": its positions are " +
                      std::to_string(batch->first_position()) + " to " +
                      std::to_string(batch->last_position()));
  }
  return batch;
}

Result<BatchPtr> ColumnReader::load_rows(const BlockHeader& header, NamespaceId namespace_id,
                                         const Projection& projection,
                                         std::span<const uint32_t> selected, ScanCost* cost) {
  FIRN_TRY(fetch(header, projection, cost));
  memory_.batch = recycler_.take();
  auto unpacked = unpack_rows(dataset_, namespace_id, header.rows, packed_, selected, &memory_);
  if (!unpacked.ok()) return unpacked.status().with_context(header.describe());
  return recycler_.share(std::move(unpacked).value());
}

}  // namespace firn
