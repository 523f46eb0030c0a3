#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "query/sql.h"
#include "server/api_face.h"
#include "server/body_reader.h"
#include "server/sql_output.h"

namespace firn {

namespace {

// What a statement takes of the memory for statements: so many run at the same time.
constexpr uint64_t kStatementBytes = 16 * kMiB;

struct SqlBody {
  std::string query;
  std::vector<SqlScalar> parameters;
  SqlFormat format = SqlFormat::kJson;
};

// Whole numbers stay whole when they fit; everything else is a double.
Result<SqlScalar> number_scalar(std::string_view text) {
  int64_t whole = 0;
  const char* const end = text.data() + text.size();
  auto [whole_end, whole_error] = std::from_chars(text.data(), end, whole);
  if (whole_error == std::errc() && whole_end == end) return SqlScalar(whole);
  double real = 0;
  auto [real_end, real_error] = std::from_chars(text.data(), end, real);
  if (real_error == std::errc() && real_end == end) return SqlScalar(real);
  return invalid_argument("the number " + std::string(text) + " in 'params' is out of range");
}

Result<SqlScalar> read_scalar(JsonReader* json) {
  std::string_view text;
  bool boolean = false;
  switch (json->peek()) {
    case JsonReader::Kind::kString:
      if (!json->read_string(&text)) return json->status();
      return SqlScalar(std::string(text));
    case JsonReader::Kind::kNumber:
      if (!json->read_number(&text)) return json->status();
      return number_scalar(text);
    case JsonReader::Kind::kTrue:
    case JsonReader::Kind::kFalse:
      if (!json->read_bool(&boolean)) return json->status();
      return SqlScalar(boolean);
    case JsonReader::Kind::kNull:
      if (!json->skip_null()) return json->status();
      return SqlScalar();
    case JsonReader::Kind::kObject:
    case JsonReader::Kind::kArray:
      return invalid_argument("'params' takes null, booleans, numbers and texts only");
    case JsonReader::Kind::kBad:
      break;
  }
  return json->status();
}

Result<SqlBody> read_sql_body(std::string_view text) {
  SqlBody body;
  bool has_query = false;
  const Status read = read_json_object(
      text, [&body, &has_query](std::string_view name, JsonReader* json) -> Result<bool> {
        std::string_view value;
        if (name == "query") {
          if (json->read_string(&value)) body.query = value;
          has_query = true;
          return true;
        }
        if (name == "format") {
          if (!json->read_string(&value)) return true;
          const auto format = parse_sql_format(value);
          if (!format.has_value()) {
            return invalid_argument("'format' is '" + std::string(value) +
                                    "'; it must be json, ndjson, csv, arrow or parquet");
          }
          body.format = *format;
          return true;
        }
        if (name != "params") return false;
        if (!json->enter_array()) return true;
        while (json->next_element()) {
          FIRN_ASSIGN(SqlScalar scalar, read_scalar(json));
          body.parameters.push_back(std::move(scalar));
        }
        return true;
      });
  FIRN_TRY(read);
  if (!has_query) return invalid_argument("the body needs the member 'query'");
  return body;
}

Result<SqlOutcome> write_answer(Engine* engine, const SnapshotPtr& snapshot, const SqlQuery& query,
                                SqlFormat format, AnswerText* text) {
  if (const auto encoding = sql_encoding(format); encoding.has_value()) {
    SqlBytes bytes(text);
    return run_sql(engine, snapshot, query, *encoding, &bytes);
  }
  const std::unique_ptr<SqlOutput> output = make_sql_output(format, text);
  FIRN_ASSIGN(SqlOutcome outcome, run_sql(engine, snapshot, query, output.get()));
  output->finish(",\"tiers\":" + tiers_json(outcome.cost));
  return outcome;
}

Result<HttpResponse> answer_sql(Services* services, const HttpRequestPtr& request) {
  FIRN_ASSIGN(const Target target, find_target(services, *request));
  FIRN_ASSIGN(const SqlBody body, read_sql_body(request->body));
  FIRN_ASSIGN(const SnapshotPtr snapshot, target.open->store->snapshot(target.name_space.id));
  SqlQuery query;
  query.sql = body.query;
  query.parameters = body.parameters;
  query.time_limit_ns = services->limits.query_time_ns;
  query.rows_limit = services->limits.query_rows;
  query.control = std::make_shared<QueryControl>();
  request->cancellation.on_cancel([control = query.control] { control->cancel(); });
  MemoryBudget* const statements = services->statement_memory.get();
  MemoryBudget* const answers = services->answer_memory.get();
  FIRN_ASSIGN(const MemoryBudget::Share statement_share,
              take_memory(services, *request, statements, kStatementBytes));
  FIRN_ASSIGN(MemoryBudget::Share answer_share, take_memory(services, *request, answers, kMiB));
  AnswerText text(std::move(answer_share),
                  std::min(services->limits.answer_bytes, answers->bytes_max() / 2));
  const Result<SqlOutcome> outcome =
      write_answer(target.open->engine.get(), snapshot, query, body.format, &text);
  request->cancellation.on_cancel(nullptr);
  FIRN_TRY(outcome.status());
  HttpResponse response;
  response.content_type = sql_content_type(body.format);
  text.move_to(&response);
  if (body.format != SqlFormat::kJson) {
    response.headers.emplace_back("Firn-Tiers", tiers_text(outcome->cost));
  }
  return response;
}

}  // namespace

void add_sql_routes(Services* services, Face* face) {
  face->push_back({HttpMethod::kPost, "/api/v1/namespaces/{ns}/sql",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     run_query(services, request, respond,
                               [services, request] { return answer_sql(services, request); });
                   }});
}

}  // namespace firn
