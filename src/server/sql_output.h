#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/sql_value.h"

namespace firn {

enum class SqlFormat : uint8_t { kJson, kNdjson, kCsv };
std::optional<SqlFormat> parse_sql_format(std::string_view text);
std::string_view sql_content_type(SqlFormat format);

// Writes an SQL answer as text. kTooLarge as soon as the text passes `bytes_max`.
class SqlOutput : public ResultSink {
 public:
  // `rest` is appended as further members of the JSON object; other formats ignore it.
  virtual std::string finish(std::string_view rest) = 0;
};
std::unique_ptr<SqlOutput> make_sql_output(SqlFormat format, size_t bytes_max);

}  // namespace firn
