#include <charconv>
#include <optional>

#include "wire/import_formats.h"
#include "wire/json_text.h"

namespace firn {
namespace {

constexpr uint8_t kInfo = 9, kWarn = 13, kError = 17;

template <typename T>
std::optional<T> whole(std::string_view text) {
  T value{};
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end.ec != std::errc() || end.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// "17/May/2015:10:05:03 +0000"
std::optional<TimeNs> parse_access_time(std::string_view text) {
  if (text.size() != 26 || text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' ||
      text[17] != ':' || text[20] != ' ' || (text[21] != '+' && text[21] != '-')) {
    return std::nullopt;
  }
  const auto number = [&](size_t at, size_t size) {
    return whole<int>(text.substr(at, size)).value_or(-1);
  };
  const int zone_hours = number(22, 2), zone_minutes = number(24, 2);
  CivilTime civil{};
  civil.year = number(7, 4);
  civil.month = month_of(text.substr(3, 3));
  civil.day = number(0, 2);
  civil.hour = number(12, 2);
  civil.minute = number(15, 2);
  civil.second = number(18, 2);
  if (zone_hours < 0 || zone_minutes < 0 || zone_hours > 23 || zone_minutes > 59) {
    return std::nullopt;
  }
  const std::optional<TimeNs> local = time_from_civil(civil);
  if (!local) return std::nullopt;
  const DurationNs zone = zone_hours * kHourNs + zone_minutes * kMinuteNs;
  TimeNs time = 0;
  if (__builtin_add_overflow(*local, text[21] == '-' ? zone : -zone, &time)) return std::nullopt;
  return time;
}

// Cuts "text" with \" and \\ inside off the front. Nothing when the quotes do not match.
std::optional<std::string_view> cut_quoted(std::string_view* text, StringPool* pool) {
  if (text->empty() || text->front() != '"') return std::nullopt;
  std::string* value = nullptr;  // only when there is something to unescape
  size_t from = 1;
  for (size_t at = 1; at < text->size(); ++at) {
    const char c = (*text)[at];
    if (c == '"') {
      std::string_view rest = text->substr(from, at - from);
      if (value != nullptr) rest = value->append(rest);
      text->remove_prefix(at + 1);
      if (!text->empty() && text->front() == ' ') text->remove_prefix(1);
      return rest;
    }
    if (c == '\\' && at + 1 < text->size()) {
      ++at;
      const char next = (*text)[at];
      if (next != '"' && next != '\\') continue;  // "\x16" stays as the server wrote it
      if (value == nullptr) value = pool->take();
      value->append(text->substr(from, at - 1 - from));
      value->push_back(next);
      from = at + 1;
    }
  }
  return std::nullopt;
}

struct AccessLine {
  std::string_view client, ident, user, request, status, bytes;
  std::optional<std::string_view> referrer, user_agent;
  std::string_view extra;
  TimeNs time = 0;
};

// Null, or why the line is not of this format.
const char* split_access_line(std::string_view line, StringPool* pool, AccessLine* out) {
  out->client = cut_until(' ', &line);
  out->ident = cut_until(' ', &line);
  const size_t bracket = line.find(" [");  // a user's name may hold blanks
  if (bracket == std::string_view::npos) return "no [time]";
  out->user = line.substr(0, bracket);
  line.remove_prefix(bracket + 2);
  const std::optional<TimeNs> time = parse_access_time(cut_until(']', &line));
  if (!time) return "the [time] is not of the form 17/May/2015:10:05:03 +0000";
  out->time = *time;
  if (line.empty() || line.front() != ' ') return "no request behind the time";
  line.remove_prefix(1);
  const std::optional<std::string_view> request = cut_quoted(&line, pool);
  if (!request) return "no \"request\" in quotes";
  out->request = *request;
  out->status = cut_until(' ', &line);
  out->bytes = cut_until(' ', &line);
  if (!whole<uint16_t>(out->status)) return "no status behind the request";
  if (out->bytes != "-" && !whole<uint64_t>(out->bytes)) return "no number of bytes";
  out->referrer = cut_quoted(&line, pool);
  if (out->referrer) out->user_agent = cut_quoted(&line, pool);
  out->extra = line;
  return nullptr;
}

void write_request(std::string_view request, JsonObjectWriter* object) {
  if (request.empty() || request == "-") return;
  std::string_view rest = request;
  const std::string_view method = cut_until(' ', &rest);
  const size_t last = rest.rfind(' ');
  const std::string_view protocol =
      last == std::string_view::npos ? std::string_view() : rest.substr(last + 1);
  if (protocol.substr(0, 5) != "HTTP/") {
    object->text("request", request);
    return;
  }
  object->text("method", method);
  object->text("path", rest.substr(0, last));
  object->text("protocol", protocol);
}

void write_present(std::string_view key, std::optional<std::string_view> value,
                   JsonObjectWriter* object) {
  if (value && !value->empty() && *value != "-") object->text(key, *value);
}

}  // namespace

void read_apache_line(std::string_view line, StringPool* pool, ImportedLine* out) {
  AccessLine access;
  if (const char* error = split_access_line(line, pool, &access)) {
    out->error = error;
    return;
  }
  std::string* data = pool->take();
  JsonObjectWriter object(data);
  object.text("client", access.client);
  write_present("ident", access.ident, &object);
  write_present("user", access.user, &object);
  write_request(access.request, &object);
  const unsigned status = whole<uint16_t>(access.status).value_or(0);
  object.unsigned_integer("status", status);
  if (const std::optional<uint64_t> bytes = whole<uint64_t>(access.bytes)) {
    object.unsigned_integer("bytes", *bytes);
  }
  write_present("referrer", access.referrer, &object);
  write_present("user_agent", access.user_agent, &object);
  write_present("extra", access.extra, &object);
  object.close();

  EventRow& row = out->row;
  row.kind = EventKind::kLog;
  row.type = "http.request";
  row.severity = status >= 500 ? kError : status >= 400 ? kWarn : kInfo;
  row.time = access.time;
  out->has_time = true;
  row.data = *data;
}

}  // namespace firn
