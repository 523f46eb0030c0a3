#include "env/postgres_error.h"

#include <postgresql/libpq-fe.h>

#include <algorithm>

namespace firn {

namespace {

std::string trimmed(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

// "FATAL:  28P01: password ...": what stands between the last double blank and its colon.
std::string_view sqlstate_in(std::string_view message) {
  const auto is_code = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  for (size_t at = message.find(":  "); at != std::string_view::npos;
       at = message.find(":  ", at + 1)) {
    const std::string_view code = message.substr(at + 3, 5);
    if (code.size() == 5 && std::all_of(code.begin(), code.end(), is_code) &&
        message.substr(at + 8, 1) == ":") {
      return code;
    }
  }
  return {};
}

}  // namespace

StatusCode postgres_error_code(std::string_view sqlstate) {
  const std::string_view group = sqlstate.substr(0, 2);
  if (sqlstate == "53100") return StatusCode::kNoSpace;
  if (sqlstate == "XX001" || sqlstate == "XX002") return StatusCode::kCorruption;
  if (sqlstate == "42501" || sqlstate == "3D000" || group == "28") {
    return StatusCode::kInvalidArgument;
  }
  if (group == "23") return StatusCode::kConflict;
  if (group == "58") return StatusCode::kIoError;
  if (sqlstate == "42P01") return StatusCode::kNotFound;  // a partition that was just dropped
  // Connections, resources, operators, locks and serialization; a server that became a standby.
  for (const std::string_view retryable : {"", "08", "53", "55", "57", "40"}) {
    if (group == retryable) return StatusCode::kUnavailable;
  }
  if (sqlstate == "25006" || sqlstate == "25P03") return StatusCode::kUnavailable;
  return StatusCode::kInternal;
}

Status postgres_result_error(const pg_result* result) {
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  std::string message = primary != nullptr ? primary : trimmed(PQresultErrorMessage(result));
  if (message.empty()) message = "an answer that was not expected";
  if (sqlstate != nullptr) message += std::string(" (SQLSTATE ") + sqlstate + ")";
  return {postgres_error_code(sqlstate != nullptr ? sqlstate : ""), "PostgreSQL: " + message};
}

Status postgres_connect_error(std::string_view message, bool needs_password) {
  const std::string text = trimmed(message);
  if (needs_password) {
    return invalid_argument(text + "; give the password by PGPASSWORD or a password file");
  }
  const std::string_view sqlstate = sqlstate_in(message);
  // What libpq itself finds wrong with the encryption that was asked for.
  for (const std::string_view refusal :
       {"certificate", "SSL was required", "does not support SSL", "private key"}) {
    if (sqlstate.empty() && text.find(refusal) != std::string::npos) return invalid_argument(text);
  }
  return {postgres_error_code(sqlstate), text};
}

}  // namespace firn
