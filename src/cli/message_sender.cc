#include "cli/message_sender.h"

#include <algorithm>
#include <charconv>

#include "base/size.h"
#include "cli/json_rows.h"
#include "cli/retry.h"
#include "env/env.h"

namespace firn {

namespace {

// Below what a server takes as one body.
constexpr size_t kPieceBytes = 8 * kMiB;
constexpr size_t kPieceRecords = 20'000;
constexpr DurationNs kGiveUpNs = 2 * kMinuteNs;
constexpr DurationNs kRetryNs = 500 * kMillisecondNs;

// Empty when there is no such member.
std::string text_member(std::string_view json, const char* name) {
  const Result<std::string> text = json_member(json, name);
  return text.ok() ? *text : std::string();
}

uint64_t number_member(std::string_view json, const char* name) {
  const std::string text = text_member(json, name);
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

Status MessageSender::add(std::string_view line) {
  ++line_;
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return Status();
  if (!lines_.empty() && text_.size() + line.size() >= kPieceBytes) FIRN_TRY(send_piece());
  text_.append(line);
  text_.push_back('\n');
  lines_.push_back(line_);
  return lines_.size() < kPieceRecords ? Status() : send_piece();
}

Status MessageSender::send_piece() {
  Env* env = posix_env();
  TimeNs begin = env->monotonic();
  ImportMode mode = mode_;
  while (true) {
    Outcome outcome;
    Status answered = post(mode, &outcome);
    imported_ += outcome.imported;
    skipped_ += outcome.skipped;
    if (outcome.done) break;
    const uint64_t stored = outcome.imported + outcome.skipped;
    if (stored > 0) begin = env->monotonic();
    const bool failed_to_store = outcome.error == "IMPORT_FAILED";
    const bool give_up = !place_->connection()->reached() || env->monotonic() - begin > kGiveUpNs;
    if (give_up || !(failed_to_store || may_work_later(answered))) {
      if (!answered.ok()) return answered;
      const uint64_t line =
          outcome.line > 0 && outcome.line <= lines_.size() ? lines_[outcome.line - 1] : line_;
      return invalid_argument("line " + std::to_string(line) + ": " + outcome.error + ": " +
                              outcome.message);
    }
    forget(stored);
    // Whether the step that failed is stored nobody knows.
    if (mode != ImportMode::kForce || stored > 0) mode = ImportMode::kResume;
    pause_for(kRetryNs);
  }
  if (mode_ == ImportMode::kForce) mode_ = ImportMode::kPlain;
  text_.clear();
  lines_.clear();
  return Status();
}

Status MessageSender::post(ImportMode mode, Outcome* outcome) {
  std::string path = place_->messages_path("import");
  if (mode == ImportMode::kForce) path += "?force=true";
  if (mode == ImportMode::kResume) path += "?resume=true";
  constexpr std::string_view kData = "data: ";
  FIRN_TRY(place_->connection()->post_and_stream(path, text_, [&](std::string_view line) {
    if (!line.starts_with(kData)) return true;
    line.remove_prefix(kData.size());
    outcome->error = text_member(line, "error");
    if (!outcome->error.empty()) {
      outcome->message = text_member(line, "message");
      outcome->line = number_member(line, "line");
      return true;
    }
    outcome->imported = number_member(line, "imported");
    outcome->skipped = number_member(line, "skipped");
    outcome->done = text_member(line, "done") == "true";
    return true;
  }));
  if (outcome->done || !outcome->error.empty()) return Status();
  return outcome_unknown("the server ended its answer early");
}

void MessageSender::forget(uint64_t records) {
  records = std::min<uint64_t>(records, lines_.size());
  size_t end = 0;
  for (uint64_t i = 0; i < records; ++i) end = text_.find('\n', end) + 1;
  text_.erase(0, end);
  lines_.erase(lines_.begin(), lines_.begin() + static_cast<ptrdiff_t>(records));
}

}  // namespace firn
