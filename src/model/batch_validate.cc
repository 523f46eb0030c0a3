#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "model/batch_format.h"

namespace firn {
namespace {

// One batch under proof. Its bytes may be anything.
class Validator {
 public:
  Validator(const uint64_t* buffer, uint64_t size_bytes)
      : bytes_(reinterpret_cast<const char*>(buffer)), size_bytes_(size_bytes) {}

  Status run() {
    FIRN_TRY(check_header());
    uint64_t end = sizeof(BatchHeader) + uint64_t{header_.column_count} * sizeof(BatchColumnEntry);
    if (end > size_bytes_) return corruption("batch: the directory goes beyond the end");
    int previous_id = -1;
    for (size_t i = 0; i < header_.column_count; ++i) {
      const auto entry =
          load_le<BatchColumnEntry>(bytes_ + sizeof(BatchHeader) + i * sizeof(BatchColumnEntry));
      if (entry.id <= previous_id) return damage(entry, "columns do not ascend");
      previous_id = entry.id;
      FIRN_TRY(check_bounds(entry, end));
      end = align_up(uint64_t{entry.offset} + entry.size, 8);
      FIRN_TRY(check_column(entry));
    }
    if (end != size_bytes_) return corruption("batch: bytes behind the last column");
    return check_positions_and_times();
  }

 private:
  Status check_header() {
    if (size_bytes_ < sizeof(BatchHeader)) {
      return corruption(fmt::format("batch: {} bytes are too few", size_bytes_));
    }
    header_ = load_le<BatchHeader>(bytes_);
    if (header_.magic != kBatchMagic) return corruption("batch: wrong magic number");
    if (header_.version != kBatchVersion) {
      return corruption(
          fmt::format("batch: version {}, this program reads {}", header_.version, kBatchVersion));
    }
    if (header_.total_bytes != size_bytes_ || size_bytes_ % 8 != 0 ||
        size_bytes_ > kBatchBytesMax) {
      return corruption(
          fmt::format("batch: {} bytes, but the header says {}", size_bytes_, header_.total_bytes));
    }
    if (dataset_columns(dataset()).empty()) {
      return corruption(fmt::format("batch: unknown dataset {}", header_.dataset));
    }
    if (header_.rows == 0 || header_.rows > kBatchRowsMax) {
      return corruption(fmt::format("batch: {} rows", header_.rows));
    }
    if (header_.first_position > static_cast<Position>(INT64_MAX) - header_.rows) {
      return corruption(fmt::format("batch: first position {}", header_.first_position));
    }
    return {};
  }

  // Payloads follow each other, so that none can lie over another: the commit writes in place.
  Status check_bounds(const BatchColumnEntry& entry, uint64_t end) const {
    if (entry.offset != end) return damage(entry, "the payload is not where it should be");
    if (uint64_t{entry.offset} + entry.size > size_bytes_) {
      return damage(entry, "the payload goes beyond the end");
    }
    return {};
  }

  Status check_column(const BatchColumnEntry& entry) {
    const ColumnSchema* schema = find_column(dataset(), static_cast<ColumnId>(entry.id));
    if (schema == nullptr) return {};  // of a newer version; its bounds were checked
    if (entry.type != static_cast<uint8_t>(schema->type)) return damage(entry, "wrong type");
    const auto encoding = static_cast<ColumnEncoding>(entry.encoding);
    switch (encoding) {
      case ColumnEncoding::kPlain:
        if (entry.entries != header_.rows) return damage(entry, "not one value per row");
        break;
      case ColumnEncoding::kConstant:
        if (entry.entries != 1) return damage(entry, "constant, but not one value");
        break;
      case ColumnEncoding::kDictionary:
        if (schema->type != ColumnType::kString) return damage(entry, "wrong encoding");
        break;
      default:
        return damage(entry, "unknown encoding");
    }
    if (schema->id == ColumnId::kTime) time_ = entry;
    if (schema->id == ColumnId::kPosition) {
      if (encoding != ColumnEncoding::kPlain) return damage(entry, "positions must be plain");
      position_ = entry;
    }
    if (schema->type == ColumnType::kString) return check_string(entry, encoding);
    if (entry.size != uint64_t{entry.entries} * fixed_size(schema->type)) {
      return damage(entry, "the size is not that of its values");
    }
    return {};
  }

  Status check_string(const BatchColumnEntry& entry, ColumnEncoding encoding) const {
    const bool has_indexes = encoding == ColumnEncoding::kDictionary;
    const uint64_t index_bytes = has_indexes ? uint64_t{header_.rows} * 4 : 0;
    const uint64_t fixed_bytes = index_bytes + (uint64_t{entry.entries} + 1) * 4;
    if (entry.size < fixed_bytes) return damage(entry, "too small for its offsets");

    const auto* payload = reinterpret_cast<const uint32_t*>(bytes_ + entry.offset);
    const uint32_t* offsets = payload + index_bytes / 4;
    if (offsets[0] != 0) return damage(entry, "the first offset is not 0");
    // Folded instead of left at the first hit: no branch per row.
    bool ascends = true;
    for (uint32_t i = 0; i < entry.entries; ++i) ascends &= offsets[i] <= offsets[i + 1];
    if (!ascends) return damage(entry, "offsets descend");
    if (offsets[entry.entries] != entry.size - fixed_bytes) {
      return damage(entry, "the last offset is not the number of bytes");
    }
    if (has_indexes) {
      uint32_t greatest = 0;
      for (uint32_t i = 0; i < header_.rows; ++i) greatest = std::max(greatest, payload[i]);
      if (greatest >= entry.entries) return damage(entry, "index beyond the dictionary");
    }
    return {};
  }

  Status check_positions_and_times() const {
    if (position_.size != 0) {
      const int64_t* positions = values(position_);
      if (positions[0] <= 0 || static_cast<Position>(positions[0]) != header_.first_position) {
        return damage(position_, "the first is not the header's");
      }
      bool ascends = true;
      for (uint32_t i = 1; i < header_.rows; ++i) ascends &= positions[i - 1] < positions[i];
      if (!ascends) return damage(position_, "positions do not ascend");
    }
    int64_t least = kAbsentInt64;
    int64_t greatest = kAbsentInt64;
    if (time_.size != 0) {
      const int64_t* times = values(time_);
      const auto found = std::minmax_element(times, times + time_.entries);
      least = *found.first;
      greatest = *found.second;
    }
    if (least != header_.time_min || greatest != header_.time_max) {
      return corruption("batch: time_min and time_max are not those of the time column");
    }
    return {};
  }

  Dataset dataset() const { return static_cast<Dataset>(header_.dataset); }
  const int64_t* values(const BatchColumnEntry& entry) const {
    return reinterpret_cast<const int64_t*>(bytes_ + entry.offset);
  }
  Status damage(const BatchColumnEntry& entry, std::string_view reason) const {
    const ColumnSchema* schema = find_column(dataset(), static_cast<ColumnId>(entry.id));
    const std::string name = schema ? std::string(schema->name) : fmt::format("{}", entry.id);
    return corruption(fmt::format("batch: column {}: {}", name, reason));
  }

  const char* bytes_;
  uint64_t size_bytes_;
  BatchHeader header_{};
  BatchColumnEntry position_{};  // size 0: not there
  BatchColumnEntry time_{};
};

}  // namespace

Status validate_batch(const uint64_t* buffer, uint64_t size_bytes) {
  return Validator(buffer, size_bytes).run();
}

}  // namespace firn
