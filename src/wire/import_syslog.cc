#include <charconv>
#include <optional>

#include "wire/import_formats.h"
#include "wire/json_text.h"
#include "wire/severity.h"

namespace firn {
namespace {

constexpr unsigned kPriorityMax = 191;  // facility 23, severity 7

struct SyslogLine {
  std::optional<unsigned> priority;
  TimeNs time = 0;
  bool has_time = false;
  std::string_view host, program, pid, msgid, structured_data, message;
};

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end.ec != std::errc() || end.ptr != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

// "<34>" off the front.
std::optional<unsigned> cut_priority(std::string_view* line) {
  if (line->empty() || line->front() != '<') return std::nullopt;
  const size_t end = line->find('>');
  if (end == std::string_view::npos || end > 4) return std::nullopt;
  const std::optional<int> value = number(line->substr(1, end - 1));
  if (!value || static_cast<unsigned>(*value) > kPriorityMax) return std::nullopt;
  line->remove_prefix(end + 1);
  return static_cast<unsigned>(*value);
}

// The latest such day that is not after the reference. 29 February may be years ago.
std::optional<TimeNs> latest_not_after(CivilTime civil, TimeNs reference) {
  constexpr int kYearsBack = 8;  // 1896 and 1904 are the longest way between two leap years
  civil.year = civil_from_time(reference).year;
  for (int i = 0; i <= kYearsBack; ++i, --civil.year) {
    const std::optional<TimeNs> time = time_from_civil(civil);
    if (time && *time <= reference) return time;
  }
  return std::nullopt;
}

// "Mar 27 13:06:56 " off the front.
std::optional<TimeNs> cut_bsd_time(std::string_view* line, TimeNs reference) {
  constexpr size_t kSize = 15;
  if (line->size() < kSize || (*line)[3] != ' ' || (*line)[6] != ' ' || (*line)[9] != ':' ||
      (*line)[12] != ':') {
    return std::nullopt;
  }
  const std::string_view day = line->substr((*line)[4] == ' ' ? 5 : 4, (*line)[4] == ' ' ? 1 : 2);
  const std::optional<int> day_number = number(day), hour = number(line->substr(7, 2)),
                           minute = number(line->substr(10, 2)),
                           second = number(line->substr(13, 2));
  CivilTime civil{};
  civil.month = month_of(line->substr(0, 3));
  if (civil.month == 0 || !day_number || !hour || !minute || !second) return std::nullopt;
  civil.day = *day_number;
  civil.hour = *hour;
  civil.minute = *minute;
  civil.second = *second;
  const std::optional<TimeNs> time = latest_not_after(civil, reference);
  if (!time) return std::nullopt;
  line->remove_prefix(kSize);
  if (!line->empty() && line->front() == ' ') line->remove_prefix(1);
  return time;
}

// "sshd[1291]: " or "kernel: " off the front; the rest is the message.
void cut_tag(std::string_view* line, SyslogLine* out) {
  const size_t end = line->find_first_of(" :[");
  if (end == std::string_view::npos || end == 0 || (*line)[end] == ' ') return;
  size_t after = end;
  std::string_view pid;
  if ((*line)[end] == '[') {
    const size_t close = line->find(']', end);
    if (close == std::string_view::npos) return;
    pid = line->substr(end + 1, close - end - 1);
    after = close + 1;
  }
  if (after >= line->size() || (*line)[after] != ':') return;
  out->program = line->substr(0, end);
  out->pid = pid;
  line->remove_prefix(after + 1);
  if (!line->empty() && line->front() == ' ') line->remove_prefix(1);
}

// Null, or why the line is not of this format.
const char* split_bsd(std::string_view line, TimeNs reference, SyslogLine* out) {
  std::optional<TimeNs> time = cut_bsd_time(&line, reference);
  if (!time) {
    const std::optional<LeadingTime> iso = leading_time(line);
    if (!iso || line.front() == '[') return "no time such as \"Mar 27 13:06:56\" or RFC 3339";
    time = iso->time;
    line.remove_prefix(iso->size);
    if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  }
  out->time = *time;
  out->has_time = true;
  out->host = cut_until(' ', &line);
  if (out->host.empty()) return "no host behind the time";
  cut_tag(&line, out);
  out->message = line;
  return nullptr;
}

// Where "[id name=\"value\"]..." ends; 0 when it is not well formed.
size_t structured_data_size(std::string_view text) {
  bool quoted = false, open = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"') quoted = false;
    } else if (open) {
      if (c == '"') quoted = true;
      if (c == ']') open = false;
    } else if (c == '[') {
      open = true;
    } else {
      return at;
    }
  }
  return open ? 0 : text.size();
}

std::string_view cut_field(std::string_view* line) {
  const std::string_view field = cut_until(' ', line);
  return field == "-" ? std::string_view() : field;
}

const char* split_5424(std::string_view line, SyslogLine* out) {
  line.remove_prefix(2);  // "1 "
  const std::string_view time = cut_field(&line);
  if (!time.empty()) {
    const std::optional<LeadingTime> parsed = leading_time(time);
    if (!parsed || parsed->size != time.size()) return "the time is not RFC 3339";
    out->time = parsed->time;
    out->has_time = true;
  }
  out->host = cut_field(&line);
  out->program = cut_field(&line);
  out->pid = cut_field(&line);
  out->msgid = cut_field(&line);
  if (line.empty()) return "no structured data";
  if (line.front() == '-') {
    line.remove_prefix(1);
  } else {
    const size_t size = structured_data_size(line);
    if (size == 0) return "the structured data is not well formed";
    out->structured_data = line.substr(0, size);
    line.remove_prefix(size);
  }
  if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  if (line.substr(0, 3) == "\xEF\xBB\xBF") line.remove_prefix(3);
  out->message = line;
  return nullptr;
}

// A value in quotes with \", \\ and \] inside, off the front; the opening quote is gone already.
std::string_view cut_param_value(std::string_view* text, StringPool* pool) {
  std::string* value = pool->take();
  size_t at = 0;
  for (; at < text->size() && (*text)[at] != '"'; ++at) {
    const bool escapes = (*text)[at] == '\\' && at + 1 < text->size() &&
                         std::string_view("\"\\]").find((*text)[at + 1]) != std::string_view::npos;
    if (escapes) ++at;
    value->push_back((*text)[at]);
  }
  text->remove_prefix(std::min(at + 1, text->size()));
  return *value;
}

// {"id":{"name":"value"}}
void write_structured_data(std::string_view text, StringPool* pool, std::string* out) {
  JsonObjectWriter elements(out);
  while (!text.empty() && text.front() == '[') {
    text.remove_prefix(1);
    const size_t id_end = std::min(text.find_first_of(" ]"), text.size());
    elements.member(text.substr(0, id_end));
    text.remove_prefix(id_end);
    JsonObjectWriter parameters(out);
    while (!text.empty() && text.front() != ']') {
      if (text.front() == ' ') {
        text.remove_prefix(1);
        continue;
      }
      const std::string_view name = cut_until('=', &text);
      if (!text.empty() && text.front() == '"') text.remove_prefix(1);
      parameters.text(name, cut_param_value(&text, pool));
    }
    parameters.close();
    if (!text.empty()) text.remove_prefix(1);
  }
  elements.close();
}

std::string_view write_data(const SyslogLine& line, StringPool* pool) {
  std::string* data = pool->take();
  JsonObjectWriter object(data);
  if (!line.host.empty()) object.text("host", line.host);
  if (!line.program.empty()) object.text("program", line.program);
  if (!line.pid.empty()) {
    const std::optional<int> pid = number(line.pid);
    // "007" is no JSON number, and no process either.
    if (pid && line.pid == std::to_string(*pid)) {
      object.integer("pid", *pid);
    } else {
      object.text("pid", line.pid);
    }
  }
  if (line.priority) object.unsigned_integer("facility", *line.priority / 8);
  if (!line.msgid.empty()) object.text("msgid", line.msgid);
  if (!line.structured_data.empty()) {
    object.member("structured_data");
    write_structured_data(line.structured_data, pool, data);
  }
  object.text("message", line.message);
  object.close();
  return *data;
}

}  // namespace

void read_syslog_line(std::string_view line, TimeNs reference_time, StringPool* pool,
                      ImportedLine* out) {
  SyslogLine syslog;
  syslog.priority = cut_priority(&line);
  const bool is_5424 = syslog.priority && line.substr(0, 2) == "1 ";
  const char* error =
      is_5424 ? split_5424(line, &syslog) : split_bsd(line, reference_time, &syslog);
  if (error != nullptr) {
    out->error = error;
    return;
  }
  EventRow& row = out->row;
  row.kind = EventKind::kLog;
  row.type = "log";
  row.source = syslog.host;
  if (syslog.priority) row.severity = severity_from_syslog(*syslog.priority % 8);
  row.time = syslog.time;
  out->has_time = syslog.has_time;
  row.data = write_data(syslog, pool);
}

}  // namespace firn
