#include "cli/csv_messages.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/size.h"
#include "cli/message_line.h"
#include "wire/csv.h"

namespace firn {

namespace {

// In the order of Message DB's COPY.
enum Column : size_t {
  kGlobalPosition,
  kPosition,
  kTime,
  kStreamName,
  kType,
  kData,
  kMetadata,
  kId,
  kColumns
};
constexpr std::array<std::string_view, kColumns> kNames = {
    "global_position", "position", "time", "stream_name", "type", "data", "metadata", "id"};
constexpr size_t kRecordBytes = 16 * kMiB;

// Where each column stands in the file; kColumns + 1 or more: nowhere.
using Places = std::array<size_t, kColumns>;
constexpr size_t kNowhere = SIZE_MAX;

Result<Places> read_heading(const CsvRecord& heading) {
  Places places;
  places.fill(kNowhere);
  for (size_t i = 0; i < heading.size(); ++i) {
    const auto found = std::find(kNames.begin(), kNames.end(), heading[i].value_or(""));
    if (found != kNames.end()) places[static_cast<size_t>(found - kNames.begin())] = i;
  }
  for (const Column column : {kId, kStreamName, kType, kPosition, kTime}) {
    if (places[column] != kNowhere) continue;
    return invalid_argument("the heading names no column " + std::string(kNames[column]));
  }
  return places;
}

Result<int64_t> number_of(std::string_view name, std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return invalid_argument(std::string(name) + " is '" + std::string(text) +
                          "'; it must be a number");
}

// As PostgreSQL writes times: "2026-01-02 03:04:05.678", of UTC, or with a zone of hours, "+00".
Result<TimeNs> time_of(std::string_view text) {
  std::string normal(text);
  constexpr size_t kDateBytes = 10;
  const size_t zone = normal.find_first_of("+-Z", kDateBytes);
  if (normal.size() > kDateBytes && zone == std::string::npos) normal.push_back('Z');
  if (zone != std::string::npos && normal.size() - zone == 3) normal += ":00";
  const auto time = parse_time(normal);
  if (time.has_value()) return *time;
  return invalid_argument("time is '" + std::string(text) + "'; it must be a date and a time");
}

Result<std::string> line_of(const Places& places, const CsvRecord& record) {
  const auto cell = [&](Column column) -> std::string_view {
    const size_t place = places[column];
    if (place >= record.size() || !record[place].has_value()) return {};
    return *record[place];
  };
  MessageLine message;
  message.id = cell(kId);
  message.stream = cell(kStreamName);
  message.type = cell(kType);
  FIRN_ASSIGN(message.position, number_of(kNames[kPosition], cell(kPosition)));
  if (!cell(kGlobalPosition).empty()) {
    FIRN_ASSIGN(message.global_position, number_of(kNames[kGlobalPosition], cell(kGlobalPosition)));
  }
  message.data = cell(kData);
  message.metadata = cell(kMetadata);
  FIRN_ASSIGN(message.time, time_of(cell(kTime)));
  return message_line(message);
}

}  // namespace

Status read_csv_messages(LineSource* source,
                         const std::function<Status(std::string_view)>& on_line) {
  CsvReader reader(kRecordBytes);
  std::optional<Places> places;
  uint64_t number = 0;
  FIRN_TRY(source->for_each_line([&](std::string_view text) -> Status {
    FIRN_ASSIGN(const bool whole, reader.add_line(text));
    if (!whole) return Status();
    if (!places.has_value()) {
      FIRN_ASSIGN(places, read_heading(reader.record()));
      return Status();
    }
    ++number;
    const Result<std::string> line = line_of(*places, reader.record());
    if (!line.ok()) return line.status().with_context("record " + std::to_string(number));
    return on_line(*line);
  }));
  if (!places.has_value()) return invalid_argument("the file has no heading");
  return reader.finish();
}

Status CsvMessages::begin() {
  std::string heading;
  append_csv_record({kNames.begin(), kNames.end()}, &heading);
  return sink_->add(heading);
}

Status CsvMessages::add(std::string_view line) {
  FIRN_ASSIGN(const ParsedMessageLine parsed, parse_message_line(line));
  const EventodbRecord& message = parsed.record;
  std::string time = format_time(message.time);
  time.pop_back();  // PostgreSQL's times without zone have no Z
  std::replace(time.begin(), time.end(), 'T', ' ');
  CsvRecord record(kColumns);
  record[kGlobalPosition] = std::to_string(parsed.global_position);
  record[kPosition] = std::to_string(message.position);
  record[kTime] = std::move(time);
  record[kStreamName] = message.stream;
  record[kType] = message.type;
  record[kData] = std::string(message.data);
  if (!message.metadata.empty()) record[kMetadata] = std::string(message.metadata);
  if (message.id.has_value()) record[kId] = message.id->to_uuid();
  std::string text;
  append_csv_record(record, &text);
  return sink_->add(text);
}

}  // namespace firn
