#include <algorithm>
#include <charconv>
#include <string>

#include "model/aggregate.h"
#include "server/api_append.h"
#include "server/api_face.h"
#include "server/event_parameters.h"
#include "wire/json_events.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"

namespace firn {

namespace {

// Of the memory for answers, what one page may be. While it is made it takes some times that much:
// its rows, twice when they are copied together, and its text as it grows.
constexpr uint64_t kPageShare = 8;
constexpr uint64_t kPageCopies = 4;

// One object or array, or one object per line? A body whose first line is a whole object with more
// behind it can only be the latter.
JsonBodyKind body_kind(const HttpRequest& request, const Limits& limits) {
  const std::string type = media_type(request.content_type);
  if (type == "application/x-ndjson" || type == "application/ndjson" ||
      type == "application/jsonl" || type == "application/x-jsonlines") {
    return JsonBodyKind::kNdjson;
  }
  const std::string_view body = request.body;
  const size_t line_end = body.find('\n');
  if (line_end == std::string_view::npos) return JsonBodyKind::kJson;
  if (body.find_first_not_of(" \t\r\n", line_end) == std::string_view::npos) {
    return JsonBodyKind::kJson;
  }
  const std::string_view line = body.substr(0, line_end);
  const size_t begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos || line[begin] != '{') return JsonBodyKind::kJson;
  return check_json(line, limits.json_depth).ok() ? JsonBodyKind::kNdjson : JsonBodyKind::kJson;
}

void append_events(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  const auto accepted = accept_write(services, request, respond);
  if (!accepted) return;
  Store* store = accepted->target.open->store.get();
  DecodeDefaults defaults;
  defaults.now = services->env->now();
  defaults.make_id = store->id_source();
  defaults.limits = services->limits;
  Result<DecodedEvents> decoded =
      decode_events_json(request->body, body_kind(*request, services->limits), defaults);
  if (!decoded.ok()) return respond(refuse_append(services, decoded.status()));
  std::string().swap(request->body);  // the batch has everything

  AppendRequest append;
  append.batch = std::move(decoded->batch);
  append.rows_with_client_id = std::move(decoded->rows_with_id);
  append.ack = accepted->ack;
  const uint64_t bytes = append.batch->size_bytes();
  store->append(accepted->target.name_space.id, std::move(append),
                [services, respond, bytes](const Result<AppendResult>& result) {
                  answer_append(services, respond, bytes, result);
                });
}

EventCursor cursor_behind(const EventRef& event) {
  EventCursor cursor;
  cursor.time = event.batch->int64s(ColumnId::kTime)[event.row];
  cursor.position = event.batch->position(event.row);
  return cursor;
}

HttpResponse page_answer(EventPage page, uint64_t bytes_max, bool ndjson) {
  HttpResponse response;
  std::string* body = &response.body;
  if (!ndjson) *body += "{\"events\":[";
  for (size_t i = 0; i < page.events.size(); ++i) {
    if (body->size() > bytes_max) {
      page.next = cursor_behind(page.events[i - 1]);
      break;
    }
    if (!ndjson && i > 0) body->push_back(',');
    append_event_json(*page.events[i].batch, page.events[i].row, body);
    if (ndjson) body->push_back('\n');
  }
  const std::string next = page.next.has_value() ? page.next->encode() : "";
  if (ndjson) {
    response.content_type = "application/x-ndjson";
    if (!next.empty()) response.headers.emplace_back("Firn-Next", next);
    response.headers.emplace_back("Firn-Tiers", tiers_text(page.cost));
    return response;
  }
  *body += "],\"next\":";
  if (next.empty()) {
    *body += "null";
  } else {
    append_json_string(next, body);
  }
  *body += ",\"tiers\":" + tiers_json(page.cost) + "}\n";
  return response;
}

Result<EventSelection> select_page(Services* services, const HttpRequest& request) {
  return parse_selection(request.query, SelectionKind::kPage, services->env->now(),
                         services->limits);
}

// The events of the trace that the path names.
Result<EventSelection> select_trace(Services* services, const HttpRequest& request) {
  const std::string& text = request.path_arguments[1];
  const auto id = Id::parse(text);
  if (!id.has_value() || id->is_zero()) {
    return invalid_argument("'" + text + "' is no trace id: 32 hexadecimal digits, not all zero");
  }
  FIRN_ASSIGN(EventSelection selection, parse_selection(request.query, SelectionKind::kTrace,
                                                        services->env->now(), services->limits));
  Predicate trace;
  trace.column = ColumnId::kTraceId;
  trace.ids = {*id};
  selection.filter.predicates.push_back(std::move(trace));
  return selection;
}

template <typename Select>
void get_page(Services* services, const HttpRequestPtr& request, const Responder& respond,
              const Select& select) {
  run_query(services, request, respond, [services, request, select]() -> Result<HttpResponse> {
    FIRN_ASSIGN(const Target target, find_target(services, *request));
    FIRN_ASSIGN(EventSelection selection, select(services, *request));
    FIRN_ASSIGN(const SnapshotPtr snapshot, target.open->store->snapshot(target.name_space.id));
    EventQuery query;
    query.filter = std::move(selection.filter);
    query.order = selection.order;
    query.limit = selection.limit;
    query.cursor = selection.cursor;
    MemoryBudget* const memory = services->answer_memory.get();
    query.bytes_max = std::min(services->limits.page_bytes, memory->bytes_max() / kPageShare);
    FIRN_ASSIGN(MemoryBudget::Share share,
                take_memory(services, *request, memory, kPageCopies * query.bytes_max));
    FIRN_ASSIGN(EventPage page, query_events(*snapshot, query, make_guard(services, request)));
    HttpResponse response = page_answer(std::move(page), query.bytes_max, accepts_ndjson(*request));
    share.resize(std::min<uint64_t>(share.bytes(), response.body.capacity()));
    response.memory = std::move(share);
    return response;
  });
}

void get_events(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  get_page(services, request, respond, select_page);
}

void get_trace(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  get_page(services, request, respond, select_trace);
}

void get_event(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  run_query(services, request, respond, [services, request]() -> Result<HttpResponse> {
    FIRN_ASSIGN(const Target target, find_target(services, *request));
    const std::string& text = request->path_arguments[1];
    const auto id = Id::parse(text);
    if (!id.has_value()) {
      return invalid_argument("'" + text + "' is no event id: UUID or 32 hexadecimal digits");
    }
    FIRN_ASSIGN(const SnapshotPtr snapshot, target.open->store->snapshot(target.name_space.id));
    QueryCost cost;
    FIRN_ASSIGN(const EventRef event,
                query_event_by_id(*snapshot, *id, &cost, make_guard(services, request)));
    if (event.batch == nullptr) return not_found("there is no event with the id " + text);
    HttpResponse response;
    append_event_json(*event.batch, event.row, &response.body);
    response.body.push_back('\n');
    return response;
  });
}

// The value of a group as JSON: times as text, other numbers as numbers, the rest as text.
void append_group_value(ColumnId column, const std::string& value, std::string* out) {
  const ColumnSchema* schema = find_column(Dataset::kEvents, column);
  FIRN_CHECK(schema != nullptr);
  const bool number = (schema->type == ColumnType::kInt64 || schema->type == ColumnType::kUint8) &&
                      column != ColumnId::kKind && !value.empty();
  if (!number) return append_json_string(value, out);
  TimeNs time = 0;
  if (column == ColumnId::kTime || column == ColumnId::kObservedTime) {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), time);
    if (error == std::errc()) return append_json_string(format_time(time), out);
  }
  *out += value;
}

Result<HttpResponse> count_answer(const AggregateAnswer& answer, const EventSelection& selection,
                                  const Limits& limits) {
  if (answer.states.size() > limits.query_rows) {
    return too_large("the answer has " + std::to_string(answer.states.size()) +
                     " groups; the limit query_rows is " + std::to_string(limits.query_rows));
  }
  uint64_t total = 0;
  std::string groups = "[";
  for (const auto& [key, state] : answer.states) {
    total += state.count;
    if (groups.size() > 1) groups.push_back(',');
    JsonObjectWriter group(&groups);
    if (selection.window_ns > 0) group.text("window", format_time(key.window_start));
    for (size_t i = 0; i < selection.group_by.size(); ++i) {
      group.member(find_column(Dataset::kEvents, selection.group_by[i])->name);
      append_group_value(selection.group_by[i], key.values[i], &groups);
    }
    group.unsigned_integer("count", state.count);
    group.close();
  }
  groups.push_back(']');
  HttpResponse response;
  JsonObjectWriter object(&response.body);
  object.unsigned_integer("count", total);
  if (selection.window_ns > 0 || !selection.group_by.empty()) object.raw("groups", groups);
  object.raw("tiers", tiers_json(answer.cost));
  object.close();
  response.body.push_back('\n');
  return response;
}

void count_events(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  run_query(services, request, respond, [services, request]() -> Result<HttpResponse> {
    FIRN_ASSIGN(const Target target, find_target(services, *request));
    FIRN_ASSIGN(const EventSelection selection,
                parse_selection(request->query, SelectionKind::kCount, services->env->now(),
                                services->limits));
    FIRN_ASSIGN(const SnapshotPtr snapshot, target.open->store->snapshot(target.name_space.id));
    AggregateSpec spec;
    spec.filter = selection.filter;
    spec.window_ns = selection.window_ns;
    spec.group_by = selection.group_by;
    FIRN_ASSIGN(const AggregateAnswer answer,
                query_aggregate(*snapshot, Dataset::kEvents, spec, make_guard(services, request)));
    return count_answer(answer, selection, services->limits);
  });
}

}  // namespace

void add_event_routes(Services* services, Face* face) {
  const auto bind = [services](auto function) -> HttpHandler {
    return [services, function](const HttpRequestPtr& request, const Responder& respond) {
      function(services, request, respond);
    };
  };
  const std::string base = "/api/v1/namespaces/{ns}/events";
  face->push_back({HttpMethod::kPost, base, bind(append_events)});
  face->push_back({HttpMethod::kGet, base, bind(get_events)});
  face->push_back({HttpMethod::kGet, base + "/{id}", bind(get_event)});
  face->push_back({HttpMethod::kGet, base + ":count", bind(count_events)});
  face->push_back({HttpMethod::kGet, "/api/v1/namespaces/{ns}/traces/{id}", bind(get_trace)});
}

}  // namespace firn
