#include "server/sql_output.h"

#include <algorithm>
#include <vector>

#include "base/limits.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"

namespace firn {

namespace {

constexpr size_t kPieceBytes = 256 * kKiB;

// A row with long texts asks before it is written.
uint64_t text_bytes(std::span<const SqlValue> values) {
  uint64_t bytes = 0;
  for (const SqlValue& value : values) bytes += value.text.size();
  return bytes;
}

void append_json_value(const SqlValue& value, std::string* out) {
  switch (value.kind) {
    case SqlKind::kNull:
      *out += "null";
      return;
    case SqlKind::kBool:
      *out += value.boolean ? "true" : "false";
      return;
    case SqlKind::kInt64:
      return append_json_integer(value.integer, out);
    case SqlKind::kUint64:
      return append_json_unsigned(value.unsigned_integer, out);
    case SqlKind::kDouble:
      return append_json_double(value.real, out);
    case SqlKind::kText:
      return append_json_string(value.text, out);
    case SqlKind::kJson:
      if (check_json(value.text, JsonReader::kDepthMax).ok()) {
        return append_json_one_line(value.text, out);
      }
      return append_json_string(value.text, out);
    case SqlKind::kTime:
      return append_json_string(format_time(value.integer), out);
  }
}

// {"columns":[{"name":"a","type":"BIGINT"}],"rows":[[1],[2]]}
class JsonOutput final : public SqlOutput {
 public:
  explicit JsonOutput(AnswerText* text) : text_(text), out_(text->tail()) {}

  Status columns(std::span<const SqlColumn> columns) override {
    *out_ += "{\"columns\":[";
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) out_->push_back(',');
      JsonObjectWriter column(out_);
      column.text("name", columns[i].name);
      column.text("type", columns[i].type);
      column.close();
    }
    *out_ += "],\"rows\":[";
    return Status();
  }

  Status row(std::span<const SqlValue> values) override {
    FIRN_TRY(text_->settle(text_bytes(values)));
    if (!first_) out_->push_back(',');
    first_ = false;
    out_->push_back('[');
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_->push_back(',');
      append_json_value(values[i], out_);
    }
    out_->push_back(']');
    return text_->settle();
  }

  void finish(std::string_view rest) override {
    *out_ += "]";
    *out_ += rest;
    *out_ += "}\n";
  }

 private:
  AnswerText* const text_;
  std::string* const out_;
  bool first_ = true;
};

// An object per row.
class NdjsonOutput final : public SqlOutput {
 public:
  explicit NdjsonOutput(AnswerText* text) : text_(text), out_(text->tail()) {}

  Status columns(std::span<const SqlColumn> columns) override {
    for (const SqlColumn& column : columns) names_.push_back(column.name);
    return Status();
  }

  Status row(std::span<const SqlValue> values) override {
    FIRN_TRY(text_->settle(text_bytes(values)));
    JsonObjectWriter object(out_);
    for (size_t i = 0; i < values.size(); ++i) {
      object.member(names_[i]);
      append_json_value(values[i], out_);
    }
    object.close();
    out_->push_back('\n');
    return text_->settle();
  }

  void finish(std::string_view) override {}

 private:
  AnswerText* const text_;
  std::string* const out_;
  std::vector<std::string> names_;
};

// RFC 4180. NULL is empty, the empty text is "".
class CsvOutput final : public SqlOutput {
 public:
  explicit CsvOutput(AnswerText* text) : text_(text), out_(text->tail()) {}

  Status columns(std::span<const SqlColumn> columns) override {
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) out_->push_back(',');
      field(columns[i].name);
    }
    *out_ += "\r\n";
    return Status();
  }

  Status row(std::span<const SqlValue> values) override {
    FIRN_TRY(text_->settle(text_bytes(values)));
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_->push_back(',');
      if (values[i].kind == SqlKind::kText || values[i].kind == SqlKind::kJson) {
        field(values[i].text);
      } else if (values[i].kind == SqlKind::kTime) {
        *out_ += format_time(values[i].integer);
      } else if (values[i].kind != SqlKind::kNull) {
        append_json_value(values[i], out_);
      }
    }
    *out_ += "\r\n";
    return text_->settle();
  }

  void finish(std::string_view) override {}

 private:
  void field(std::string_view text) {
    if (!text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos) {
      *out_ += text;
      return;
    }
    out_->push_back('"');
    for (const char c : text) {
      if (c == '"') out_->push_back('"');
      out_->push_back(c);
    }
    out_->push_back('"');
  }

  AnswerText* const text_;
  std::string* const out_;
};

}  // namespace

Status AnswerText::settle(uint64_t bytes) {
  const uint64_t needed = pieces_bytes_ + tail_.size() + bytes;
  if (needed > bytes_max_) {
    return too_large("the answer is longer than " + format_size(bytes_max_) +
                     "; select fewer rows or columns");
  }
  // The tail may grow to twice a piece before it is noticed, or to what is asked for now.
  const uint64_t wanted =
      pieces_bytes_ + std::max(tail_.capacity(), tail_.size() + bytes) + kPieceBytes;
  if (wanted > share_.bytes() && !share_.resize(wanted)) {
    return unavailable("other answers use the memory for queries (query_memory); try again later");
  }
  if (tail_.size() < kPieceBytes || bytes > 0) return Status();
  pieces_bytes_ += tail_.size();
  tail_.shrink_to_fit();
  pieces_.push_back(std::exchange(tail_, std::string()));
  return Status();
}

void AnswerText::move_to(HttpResponse* response) {
  response->memory = std::move(share_);
  pieces_.push_back(std::move(tail_));
  response->body = std::move(pieces_.front());
  pieces_.erase(pieces_.begin());
  response->more = std::move(pieces_);
}

std::optional<SqlFormat> parse_sql_format(std::string_view text) {
  if (text == "json") return SqlFormat::kJson;
  if (text == "ndjson") return SqlFormat::kNdjson;
  if (text == "csv") return SqlFormat::kCsv;
  if (text == "arrow") return SqlFormat::kArrow;
  if (text == "parquet") return SqlFormat::kParquet;
  return std::nullopt;
}

std::string_view sql_content_type(SqlFormat format) {
  switch (format) {
    case SqlFormat::kJson:
      return "application/json";
    case SqlFormat::kNdjson:
      return "application/x-ndjson";
    case SqlFormat::kArrow:
      return "application/vnd.apache.arrow.stream";
    case SqlFormat::kParquet:
      return "application/vnd.apache.parquet";
    case SqlFormat::kCsv:
      break;
  }
  return "text/csv; charset=utf-8";
}

std::optional<SqlEncoding> sql_encoding(SqlFormat format) {
  if (format == SqlFormat::kArrow) return SqlEncoding::kArrowStream;
  if (format == SqlFormat::kParquet) return SqlEncoding::kParquet;
  return std::nullopt;
}

Status SqlBytes::write(std::string_view bytes) {
  FIRN_TRY(text_->settle(bytes.size()));
  *text_->tail() += bytes;
  return text_->settle();
}

std::unique_ptr<SqlOutput> make_sql_output(SqlFormat format, AnswerText* text) {
  FIRN_CHECK(!sql_encoding(format).has_value());
  switch (format) {
    case SqlFormat::kJson:
      return std::make_unique<JsonOutput>(text);
    case SqlFormat::kNdjson:
      return std::make_unique<NdjsonOutput>(text);
    default:
      break;
  }
  return std::make_unique<CsvOutput>(text);
}

}  // namespace firn
