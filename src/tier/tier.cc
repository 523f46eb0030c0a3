#include "tier/tier.h"

#include <charconv>
#include <cstdio>

namespace firn {

namespace {

// "20261121T000000Z", with the fraction of a second behind the seconds when there is one:
// "20261121T000000.5Z". Years of 64-bit nanoseconds always have four digits.
std::string compact_time(TimeNs time) {
  const CivilTime civil = civil_from_time(time);
  char text[48];
  std::snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02d", static_cast<int>(civil.year),
                civil.month, civil.day, civil.hour, civil.minute, civil.second);
  std::string out = text;
  if (civil.nanosecond != 0) {
    std::snprintf(text, sizeof(text), ".%09d", static_cast<int>(civil.nanosecond));
    out += text;
    while (out.back() == '0') out.pop_back();
  }
  out += 'Z';
  return out;
}

bool all_digits(std::string_view text) {
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return !text.empty();
}

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value = 0;
  if (!all_digits(text)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<TimeNs> parse_compact_time(std::string_view text) {
  if (text.size() < 16 || text[8] != 'T' || text.back() != 'Z') return std::nullopt;
  const auto digits = [&](size_t begin, size_t count) {
    return parse_number<int>(text.substr(begin, count));
  };
  const auto year = digits(0, 4), month = digits(4, 2), day = digits(6, 2);
  const auto hour = digits(9, 2), minute = digits(11, 2), second = digits(13, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  int nanosecond = 0;
  if (text.size() > 16) {
    std::string fraction(text.substr(16, text.size() - 17));
    if (text[15] != '.' || fraction.size() > 9) return std::nullopt;
    fraction.resize(9, '0');
    const auto parsed = parse_number<int>(fraction);
    if (!parsed) return std::nullopt;
    nanosecond = *parsed;
  }
  return time_from_civil({*year, *month, *day, *hour, *minute, *second, nanosecond});
}

}  // namespace

std::string ChunkKey::name() const {
  return "ns" + std::to_string(namespace_id) + "-" + std::string(dataset_name(dataset)) + "-" +
         compact_time(start) + "-" + compact_time(end) + "-g" + std::to_string(generation);
}

std::optional<ChunkKey> ChunkKey::parse(std::string_view name) {
  std::array<std::string_view, 5> parts;
  std::string_view rest = name;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t dash = rest.find('-');
    if ((dash == std::string_view::npos) != (i + 1 == parts.size())) return std::nullopt;
    parts[i] = rest.substr(0, dash);
    if (dash != std::string_view::npos) rest.remove_prefix(dash + 1);
  }
  if (!parts[0].starts_with("ns") || !parts[4].starts_with("g")) return std::nullopt;
  const auto namespace_id = parse_number<NamespaceId>(parts[0].substr(2));
  const auto dataset = parse_dataset(parts[1]);
  const auto start = parse_compact_time(parts[2]);
  const auto end = parse_compact_time(parts[3]);
  const auto generation = parse_number<uint32_t>(parts[4].substr(1));
  if (!namespace_id || !dataset || !start || !end || !generation) return std::nullopt;
  const ChunkKey key{*namespace_id, *dataset, *start, *end, *generation};
  // Only the one spelling that name() writes is a chunk's: "ns01-..." is somebody else's file.
  if (key.name() != name) return std::nullopt;
  return key;
}

Result<ChunkStats> Tier::write_all(const ChunkKey& key, const RowStream& stream) {
  std::vector<BatchSlice> piece;
  uint64_t bytes = 0;
  while (true) {
    BatchSlice slice;
    FIRN_ASSIGN(const bool more, stream.reader->next(&slice));
    if (!more) return write(key, piece, stream.through);
    if (slice.rows() == 0) continue;
    bytes += slice.batch->size_bytes();
    piece.push_back(std::move(slice));
    if (bytes < stream.piece_bytes) continue;
    const BatchSlice& last = piece.back();
    FIRN_TRY(write(key, piece, last.batch->position(last.row(last.rows() - 1))).status());
    piece.clear();
    bytes = 0;
  }
}

Result<bool> Tier::is_compressed(const ChunkKey&) { return true; }

Status Tier::create_compressed(const ChunkKey&) { return Status(); }

Result<AggregateStates> Tier::aggregate(const ChunkKey& key, const AggregateSpec& spec,
                                        ScanCost* cost) {
  ScanSpec scan_spec;
  scan_spec.filter = spec.filter;
  scan_spec.projection = aggregate_projection(spec).with(spec.filter);
  scan_spec.complete_through = spec.complete_through;
  FIRN_ASSIGN(const auto reader, scan(key, scan_spec, cost));
  return aggregate_reader(reader.get(), spec);
}

}  // namespace firn
