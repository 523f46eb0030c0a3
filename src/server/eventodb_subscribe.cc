#include <charconv>

#include "server/api_face.h"
#include "server/event_parameters.h"
#include "server/eventodb_face.h"
#include "server/eventodb_rpc.h"
#include "server/tail_stream.h"
#include "views/streams/stream_reads.h"
#include "wire/json_text.h"

// GET /subscribe: server-sent events that tell where messages are ("pokes").

namespace firn {

namespace {

void write_poke(const RecordBatch& batch, uint32_t row, std::string* out) {
  *out += "id: ";
  append_json_unsigned(batch.position(row), out);
  *out += "\nevent: poke\ndata: ";
  JsonObjectWriter object(out);
  object.text("stream", batch.strings(ColumnId::kStream)[row]);
  object.integer("position", batch.int64s(ColumnId::kStreamPosition)[row]);
  object.unsigned_integer("globalPosition", batch.position(row));
  object.close();
  *out += "\n\n";
}

// The number of a parameter under either name; nothing when it is not given.
Result<std::optional<int64_t>> number_parameter(const QueryParameters& parameters,
                                                std::string_view name,
                                                std::string_view other_name = {}) {
  auto text = query_parameter(parameters, name);
  if (!text.has_value() && !other_name.empty()) text = query_parameter(parameters, other_name);
  if (!text.has_value()) return std::optional<int64_t>();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc() && end == text->data() + text->size()) return std::optional(number);
  return invalid_argument("'" + std::string(name) + "' is '" + *text + "'; it must be an integer");
}

Result<std::optional<ConsumerGroup>> group_parameter(const QueryParameters& parameters) {
  FIRN_ASSIGN(const auto member, number_parameter(parameters, "consumer", "consumerGroupMember"));
  FIRN_ASSIGN(const auto size, number_parameter(parameters, "size", "consumerGroupSize"));
  if (!member.has_value() && !size.has_value()) return std::optional<ConsumerGroup>();
  if (member.has_value() && size.has_value() && *member >= 0 && *member < *size) {
    return std::optional(ConsumerGroup{*member, *size});
  }
  return invalid_argument("'consumer' must be from 0 to below 'size'");
}

Predicate stream_position_at_least(int64_t position) {
  Predicate predicate;
  predicate.kind = PredicateKind::kAtLeast;
  predicate.column = ColumnId::kStreamPosition;
  predicate.numbers = {position};
  return predicate;
}

Position position_before(int64_t position) {
  return position < 1 ? 0 : static_cast<Position>(position) - 1;
}

Result<TailOptions> parse_subscription(const QueryParameters& parameters, Position published) {
  const auto stream = query_parameter(parameters, "stream");
  const auto category = query_parameter(parameters, "category");
  const bool all = query_parameter(parameters, "all") == "true";
  const bool has_stream = stream.has_value() && !stream->empty();
  const bool has_category = category.has_value() && !category->empty();
  if (int{has_stream} + int{has_category} + int{all} != 1) {
    return invalid_argument("give exactly one of stream, category and all=true");
  }
  FIRN_ASSIGN(const auto given, number_parameter(parameters, "position"));
  const int64_t position = given.value_or(0);
  TailOptions options;
  options.projection = Projection::none().add(ColumnId::kStream).add(ColumnId::kStreamPosition);
  if (has_stream) {
    Predicate predicate;
    predicate.column = ColumnId::kStream;
    predicate.texts = {*stream};
    options.filter.predicates = {std::move(predicate),
                                 stream_position_at_least(std::max<int64_t>(position, 0))};
    options.after = std::min(position_before(position), published);
    return options;
  }
  if (all) {
    // Only what comes: hubs connect with position 0 and want no history.
    options.filter.predicates = category_predicates("");
    options.after = std::max(published, position_before(position));
    return options;
  }
  options.filter.predicates = category_predicates(*category);
  options.after = position_before(position);
  FIRN_ASSIGN(const auto group, group_parameter(parameters));
  if (group.has_value()) {
    options.passes = [group = *group](const RecordBatch& batch, uint32_t row) {
      return is_member(group, batch.strings(ColumnId::kStream)[row]);
    };
  }
  return options;
}

HttpResponse plain_error(const Status& status) {
  HttpResponse response;
  response.status = 400;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::string(status.message()) + "\n";
  return response;
}

void subscribe(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  EventodbCaller caller;
  HttpResponse refusal;
  if (!authenticate_to_namespace(services, *request, &caller, &refusal)) {
    return respond(std::move(refusal));
  }
  const Result<QueryParameters> parameters = parse_query(request->query);
  if (!parameters.ok()) return respond(plain_error(parameters.status()));
  Result<TailOptions> options = parse_subscription(*parameters, caller.info->last_position);
  if (!options.ok()) return respond(plain_error(options.status()));
  // A client that comes back goes on behind the last poke it got.
  if (const auto last = parse_unsigned(request->last_event_id); last.has_value()) {
    options->after = *last;
  }
  options->namespace_id = caller.info->id;
  options->namespace_name = caller.name_space;
  options->write = write_poke;
  options->greeting = ": ready\n\n";
  HttpResponse response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  response.stream = make_tail_stream(services, caller.open, std::move(*options));
  respond(std::move(response));
}

}  // namespace

void add_subscribe_route(Services* services, Face* face) {
  face->push_back({HttpMethod::kGet, "/subscribe",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     subscribe(services, request, respond);
                   },
                   eventodb_route_error});
}

}  // namespace firn
