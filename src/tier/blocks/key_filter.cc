#include "tier/blocks/key_filter.h"

#include <algorithm>
#include <array>

#include "base/crc32c.h"
#include "tier/blocks/block_format.h"
#include "tier/lookup.h"

namespace firn {

namespace {

constexpr size_t kCrcBytes = 4;
constexpr std::array<ColumnId, 8> kFilteredColumns = {
    ColumnId::kId,     ColumnId::kType,          ColumnId::kSource,
    ColumnId::kStream, ColumnId::kCorrelationId, ColumnId::kTraceId,
    ColumnId::kSeries, ColumnId::kName};

// Calls visit(bit) with the numbers of the hash's bits; bit 0 is the first bit of the first line.
template <typename Visit>
void for_bits(uint64_t hash, uint64_t lines, const Visit& visit) {
  const uint64_t line = ((hash >> 32) * lines) >> 32;
  uint64_t groups = (hash & 0xffffffff) * kFilterMultiplier;
  for (size_t i = 0; i < kFilterProbes; ++i) {
    visit(line * kFilterLineBytes * 8 + (groups & 511));
    groups >>= 9;
  }
}

// Whether the document may have a key spelled like this: when it neither has the bytes nor an
// escaped character that could stand for one of them, it has not.
bool may_have_key(std::string_view document, std::string_view key) {
  if (document.empty()) return false;
  // Most characters can only be escaped as \uXXXX; a few also with one character.
  const bool plain = key.find_first_of("\"\\/\b\f\n\r\t") == std::string_view::npos;
  return document.find(key) != std::string_view::npos ||
         document.find(plain ? "\\u" : "\\") != std::string_view::npos;
}

// Attributes mostly come from `context`, which repeats: its answer is remembered as long as the
// row's own documents cannot have the key.
std::vector<uint64_t> attribute_hashes(const RecordBatch& batch, const std::string& key) {
  const StringColumn data = batch.strings(ColumnId::kData);
  const StringColumn metadata = batch.strings(ColumnId::kMetadata);
  const StringColumn context = batch.strings(ColumnId::kContext);
  const std::string_view first_part = std::string_view(key).substr(0, key.find('.'));
  std::vector<bool> context_done(context.entries(), false);
  std::vector<uint64_t> hashes;
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    const bool own = may_have_key(data[row], first_part) || may_have_key(metadata[row], first_part);
    if (!own && !context.is_dictionary() && context[row].empty()) continue;
    if (!own && context.is_dictionary()) {
      const uint32_t entry = context.entry_of(row);
      if (context_done[entry]) continue;
      context_done[entry] = true;
    }
    const auto value = own ? attribute_of(data[row], metadata[row], context[row], key)
                           : attribute_of({}, {}, context[row], key);
    if (value) hashes.push_back(lookup_hash(*value));
  }
  return hashes;
}

}  // namespace

std::string build_key_filter(std::vector<uint64_t> hashes) {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  constexpr size_t kLineBits = kFilterLineBytes * 8;
  const size_t lines =
      std::max<size_t>(1, (hashes.size() * kFilterBitsPerValue + kLineBits - 1) / kLineBits);
  std::string filter(kCrcBytes + lines * kFilterLineBytes, '\0');
  auto* bytes = reinterpret_cast<uint8_t*>(filter.data() + kCrcBytes);
  for (const uint64_t hash : hashes) {
    for_bits(hash, lines, [&](uint64_t bit) {
      bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] | (1u << (bit % 8)));
    });
  }
  store_le<uint32_t>(filter.data(), crc32c(ByteView(filter).substr(kCrcBytes)));
  return filter;
}

bool key_filter_is_intact(ByteView filter) {
  return filter.size() >= kCrcBytes + kFilterLineBytes &&
         (filter.size() - kCrcBytes) % kFilterLineBytes == 0 &&
         load_le<uint32_t>(filter.data()) == crc32c(filter.substr(kCrcBytes));
}

bool key_filter_may_contain(ByteView filter, uint64_t hash) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(filter.data() + kCrcBytes);
  const uint64_t lines = (filter.size() - kCrcBytes) / kFilterLineBytes;
  bool all = true;
  for_bits(hash, lines, [&](uint64_t bit) { all &= ((bytes[bit / 8] >> (bit % 8)) & 1) != 0; });
  return all;
}

std::vector<std::pair<uint32_t, std::string>> build_block_filters(
    const RecordBatch& batch, const std::vector<std::string>& attributes) {
  std::vector<std::pair<uint32_t, std::string>> filters;
  // A slice of the whole batch that does not own it.
  const BatchSlice all{BatchPtr(BatchPtr(), &batch), nullptr};
  for (const ColumnId id : kFilteredColumns) {
    if (!batch.has_column(id)) continue;
    std::vector<uint64_t> hashes;
    visit_hashes(all, column_schema(id), [&](uint32_t, uint64_t hash) { hashes.push_back(hash); });
    if (hashes.empty()) continue;
    filters.emplace_back(static_cast<uint32_t>(id), build_key_filter(std::move(hashes)));
  }
  for (size_t i = 0; i < attributes.size(); ++i) {
    std::vector<uint64_t> hashes = attribute_hashes(batch, attributes[i]);
    if (hashes.empty()) continue;
    filters.emplace_back(kAttributeFilterKind + static_cast<uint32_t>(i),
                         build_key_filter(std::move(hashes)));
  }
  return filters;
}

std::optional<uint32_t> filter_kind_of(const Predicate& predicate,
                                       const std::vector<std::string>& attributes) {
  if (predicate.kind == PredicateKind::kAttribute) {
    const auto found = std::find(attributes.begin(), attributes.end(), predicate.key);
    if (found == attributes.end()) return std::nullopt;
    return kAttributeFilterKind + static_cast<uint32_t>(found - attributes.begin());
  }
  if (predicate.kind != PredicateKind::kEqual) return std::nullopt;
  const auto found = std::find(kFilteredColumns.begin(), kFilteredColumns.end(), predicate.column);
  if (found == kFilteredColumns.end()) return std::nullopt;
  return static_cast<uint32_t>(*found);
}

}  // namespace firn
