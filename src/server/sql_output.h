#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/sql_value.h"
#include "server/http_types.h"
#include "server/memory_budget.h"

namespace firn {

enum class SqlFormat : uint8_t { kJson, kNdjson, kCsv, kArrow, kParquet };
std::optional<SqlFormat> parse_sql_format(std::string_view text);
std::string_view sql_content_type(SqlFormat format);
// How the engine writes the format; nothing for text, which make_sql_output() writes.
std::optional<SqlEncoding> sql_encoding(SqlFormat format);

// The text of an answer while it is written: in pieces, so that it need not be copied as it grows,
// and within a share of the memory for answers.
class AnswerText {
 public:
  // kTooLarge from settle() when the text has more than `bytes_max`.
  AnswerText(MemoryBudget::Share share, uint64_t bytes_max)
      : share_(std::move(share)), bytes_max_(bytes_max) {}
  // What is written next is appended here, until settle().
  std::string* tail() { return &tail_; }
  // To be called before `bytes` are appended, and after: kTooLarge, or kUnavailable when other
  // answers have the memory.
  Status settle(uint64_t bytes = 0);
  // Ends the text and moves it, with its share, into the answer.
  void move_to(HttpResponse* response);

 private:
  MemoryBudget::Share share_;
  const uint64_t bytes_max_;
  std::vector<std::string> pieces_;
  uint64_t pieces_bytes_ = 0;
  std::string tail_;
};

// Takes the bytes of an SQL answer into `text`, which must outlive it. Fails as
// AnswerText::settle().
class SqlBytes final : public ByteSink {
 public:
  explicit SqlBytes(AnswerText* text) : text_(text) {}
  Status write(std::string_view bytes) override;

 private:
  AnswerText* const text_;
};

// Writes an SQL answer as text into `text`, which must outlive it. Fails as AnswerText::settle().
class SqlOutput : public ResultSink {
 public:
  // `rest` is appended as further members of the JSON object; other formats ignore it.
  virtual void finish(std::string_view rest) = 0;
};
// REQUIRES: a format that is text.
std::unique_ptr<SqlOutput> make_sql_output(SqlFormat format, AnswerText* text);

}  // namespace firn
