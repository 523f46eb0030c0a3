#include "server/sql_output.h"

#include <vector>

#include "base/limits.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"

namespace firn {

namespace {

Status check_size(const std::string& text, size_t bytes_max) {
  if (text.size() <= bytes_max) return Status();
  return too_large("the answer is longer than " + format_size(bytes_max) +
                   "; select fewer rows or columns");
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
  explicit JsonOutput(size_t bytes_max) : bytes_max_(bytes_max) {}

  Status columns(std::span<const SqlColumn> columns) override {
    text_ = "{\"columns\":[";
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) text_.push_back(',');
      JsonObjectWriter column(&text_);
      column.text("name", columns[i].name);
      column.text("type", columns[i].type);
      column.close();
    }
    text_ += "],\"rows\":[";
    return Status();
  }

  Status row(std::span<const SqlValue> values) override {
    if (!first_) text_.push_back(',');
    first_ = false;
    text_.push_back('[');
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) text_.push_back(',');
      append_json_value(values[i], &text_);
    }
    text_.push_back(']');
    return check_size(text_, bytes_max_);
  }

  std::string finish(std::string_view rest) override {
    text_ += "]";
    text_ += rest;
    text_ += "}\n";
    return std::move(text_);
  }

 private:
  const size_t bytes_max_;
  std::string text_;
  bool first_ = true;
};

// An object per row.
class NdjsonOutput final : public SqlOutput {
 public:
  explicit NdjsonOutput(size_t bytes_max) : bytes_max_(bytes_max) {}

  Status columns(std::span<const SqlColumn> columns) override {
    for (const SqlColumn& column : columns) names_.push_back(column.name);
    return Status();
  }

  Status row(std::span<const SqlValue> values) override {
    JsonObjectWriter object(&text_);
    for (size_t i = 0; i < values.size(); ++i) {
      object.member(names_[i]);
      append_json_value(values[i], &text_);
    }
    object.close();
    text_.push_back('\n');
    return check_size(text_, bytes_max_);
  }

  std::string finish(std::string_view) override { return std::move(text_); }

 private:
  const size_t bytes_max_;
  std::vector<std::string> names_;
  std::string text_;
};

// RFC 4180. NULL is empty, the empty text is "".
class CsvOutput final : public SqlOutput {
 public:
  explicit CsvOutput(size_t bytes_max) : bytes_max_(bytes_max) {}

  Status columns(std::span<const SqlColumn> columns) override {
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) text_.push_back(',');
      field(columns[i].name);
    }
    text_ += "\r\n";
    return Status();
  }

  Status row(std::span<const SqlValue> values) override {
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) text_.push_back(',');
      if (values[i].kind == SqlKind::kText || values[i].kind == SqlKind::kJson) {
        field(values[i].text);
      } else if (values[i].kind == SqlKind::kTime) {
        text_ += format_time(values[i].integer);
      } else if (values[i].kind != SqlKind::kNull) {
        append_json_value(values[i], &text_);
      }
    }
    text_ += "\r\n";
    return check_size(text_, bytes_max_);
  }

  std::string finish(std::string_view) override { return std::move(text_); }

 private:
  void field(std::string_view text) {
    if (!text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos) {
      text_ += text;
      return;
    }
    text_.push_back('"');
    for (const char c : text) {
      if (c == '"') text_.push_back('"');
      text_.push_back(c);
    }
    text_.push_back('"');
  }

  const size_t bytes_max_;
  std::string text_;
};

}  // namespace

std::optional<SqlFormat> parse_sql_format(std::string_view text) {
  if (text == "json") return SqlFormat::kJson;
  if (text == "ndjson") return SqlFormat::kNdjson;
  if (text == "csv") return SqlFormat::kCsv;
  return std::nullopt;
}

std::string_view sql_content_type(SqlFormat format) {
  switch (format) {
    case SqlFormat::kJson:
      return "application/json";
    case SqlFormat::kNdjson:
      return "application/x-ndjson";
    case SqlFormat::kCsv:
      break;
  }
  return "text/csv; charset=utf-8";
}

std::unique_ptr<SqlOutput> make_sql_output(SqlFormat format, size_t bytes_max) {
  switch (format) {
    case SqlFormat::kJson:
      return std::make_unique<JsonOutput>(bytes_max);
    case SqlFormat::kNdjson:
      return std::make_unique<NdjsonOutput>(bytes_max);
    case SqlFormat::kCsv:
      break;
  }
  return std::make_unique<CsvOutput>(bytes_max);
}

}  // namespace firn
