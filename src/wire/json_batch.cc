#include "wire/json_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace firn {

Status JsonBatch::read(std::span<BatchMember> members, const std::function<Status()>& take) {
  FIRN_TRY(check_utf8(body_));
  std::string_view name;
  size_t items = 0;
  bool is_listed = false;
  reader_.enter_object();
  while (reader_.next_member(&name)) {
    if (name != list_ || is_listed) {
      return invalid_argument(
          fmt::format("the body has one member \"{}\", byte {}", list_, reader_.offset()));
    }
    is_listed = true;
    reader_.enter_array();
    while (reader_.next_element()) {
      Status status = read_object(members);
      if (status.ok()) status = take();
      if (!status.ok()) return status.with_context(fmt::format("{} {}", item_, items));
      ++items;
    }
  }
  FIRN_TRY(reader_.finish());
  if (items > 0) return Status();
  return invalid_argument(fmt::format("the body holds no {}", item_));
}

Status JsonBatch::read_object(std::span<BatchMember> members) {
  pool_.reset();
  for (BatchMember& member : members) member.json = {};
  std::string_view name;
  reader_.enter_object();
  while (reader_.next_member(&name)) {
    const auto found = std::find_if(members.begin(), members.end(),
                                    [&](const BatchMember& known) { return known.name == name; });
    if (found == members.end()) {
      return invalid_argument(
          fmt::format("\"{}\" is no member of a {}, byte {}", name, item_, reader_.offset()));
    }
    if (!found->json.empty()) return refuse(*found, "is given twice");
    reader_.read_raw(&found->json);
  }
  for (BatchMember& member : members) {
    if (member.json == "null") member.json = {};
  }
  return reader_.status();
}

std::string_view JsonBatch::text(const BatchMember& member) {
  std::string_view text = member.json.substr(1, member.json.size() - 2);
  if (text.find('\\') == std::string_view::npos) return text;
  JsonReader reader(member.json, 1, &pool_);
  reader.read_string(&text);
  return text;
}

Result<TimeNs> JsonBatch::time(const BatchMember& member) {
  if (member.is_text()) {
    const std::string_view date = text(member);
    // What has only digits would be a number of something.
    const bool is_date = date.find('-', 1) != std::string_view::npos;
    if (const auto time = parse_time(date); time && is_date) return *time;
  }
  int64_t milliseconds = 0;
  TimeNs time = 0;
  const char* const end = member.json.data() + member.json.size();
  const auto [behind, error] = std::from_chars(member.json.data(), end, milliseconds);
  if (!member.json.empty() && error == std::errc() && behind == end &&
      !__builtin_mul_overflow(milliseconds, kMillisecondNs, &time)) {
    return time;
  }
  return refuse(member, "must be a whole number of milliseconds since 1970, or RFC 3339");
}

Status JsonBatch::refuse(const BatchMember& member, std::string_view what) const {
  const size_t offset = member.json.empty()
                            ? reader_.offset()
                            : static_cast<size_t>(member.json.data() - body_.data());
  return invalid_argument(fmt::format("\"{}\" {}, byte {}", member.name, what, offset));
}

Result<DecodedSamples> finish_one(SampleRows* rows, std::string_view items, const Limits& limits) {
  std::vector<DecodedSamples> parts = rows->finish();
  if (parts.size() == 1) return std::move(parts[0]);
  return too_large(fmt::format(
      "the {} exceed the limit batch_events of {} or batch_bytes of {}; send fewer at a time",
      items, limits.batch_events, limits.batch_bytes));
}

}  // namespace firn
