#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <firn/check.h>

namespace firn {

// Why an operation did not do what was asked. A code exists only where some caller reacts to it
// differently; everything else is told by the message.
enum class StatusCode : uint8_t {
  kOk = 0,
  kInvalidArgument,   // the caller's input is wrong and will stay wrong
  kTooLarge,          // a limit of base/limits.h was exceeded; the message names it
  kSeriesLimit,       // a namespace has as many series as it may; known ones may go on
  kNotFound,          // what was asked for does not exist
  kConflict,          // it exists with other content, or is in another state
  kUnavailable,       // cannot now, retry later: overload, start-up, a backend that is away
  kNoSpace,           // the disk is full or the reserve would be used; retry later
  kOutcomeUnknown,    // a sync failed: what was being written may or may not be there
  kCorruption,        // stored bytes fail their checksum or contradict each other
  kIoError,           // the operating system reported a failure
  kCancelled,         // the caller went away or the store is closing
  kDeadlineExceeded,  // a time limit of a query was reached
  kUnsupported,       // the feature is not available with this backend or build
  kInternal,          // our own mistake
};

// The name of a code as users see it, in snake_case: "invalid_argument".
std::string_view status_code_name(StatusCode code);

// The outcome of an operation without a value. Cheap to copy and move; ok() costs a null pointer.
// Thread rule: a Status is a value; one object must not be written and read at the same time.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message)
      : state_(code == StatusCode::kOk
                   ? nullptr
                   : std::make_shared<const State>(State{code, std::move(message)})) {}

  bool ok() const { return state_ == nullptr; }
  StatusCode code() const { return state_ ? state_->code : StatusCode::kOk; }
  // Empty when ok(). Says what happened, where, and what to do.
  std::string_view message() const { return state_ ? std::string_view(state_->message) : ""; }
  // "code: message", or "ok".
  std::string to_string() const;
  // The same code with `context` put in front: "<context>: <message>". Ok stays ok.
  Status with_context(std::string_view context) const;

 private:
  struct State {
    StatusCode code;
    std::string message;
  };
  std::shared_ptr<const State> state_;
};

inline Status invalid_argument(std::string m) {
  return {StatusCode::kInvalidArgument, std::move(m)};
}
inline Status too_large(std::string m) { return {StatusCode::kTooLarge, std::move(m)}; }
inline Status series_limit_reached(std::string m) {
  return {StatusCode::kSeriesLimit, std::move(m)};
}
inline Status not_found(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
inline Status conflict(std::string m) { return {StatusCode::kConflict, std::move(m)}; }
inline Status unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
inline Status no_space(std::string m) { return {StatusCode::kNoSpace, std::move(m)}; }
inline Status outcome_unknown(std::string m) { return {StatusCode::kOutcomeUnknown, std::move(m)}; }
inline Status corruption(std::string m) { return {StatusCode::kCorruption, std::move(m)}; }
inline Status io_error(std::string m) { return {StatusCode::kIoError, std::move(m)}; }
inline Status cancelled(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }
inline Status deadline_exceeded(std::string m) {
  return {StatusCode::kDeadlineExceeded, std::move(m)};
}
inline Status unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }
inline Status internal_error(std::string m) { return {StatusCode::kInternal, std::move(m)}; }

// A value of T or the Status that says why there is none. Never holds an ok Status.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}        // NOLINT: implicit
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {  // NOLINT: implicit
    FIRN_CHECK(!std::get<1>(state_).ok());
  }

  bool ok() const { return state_.index() == 0; }
  // REQUIRES: ok().
  T& value() & {
    FIRN_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    FIRN_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    FIRN_CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  // The reason there is no value; ok when there is one.
  Status status() const { return ok() ? Status() : *std::get_if<1>(&state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace firn

// Leaves the enclosing function with the Status (or the Result's Status) when it is not ok.
#define FIRN_TRY(expression)                             \
  do {                                                   \
    ::firn::Status firn_try_status_ = (expression);      \
    if (!firn_try_status_.ok()) return firn_try_status_; \
  } while (0)

#define FIRN_CONCAT_INNER(a, b) a##b
#define FIRN_CONCAT(a, b) FIRN_CONCAT_INNER(a, b)

// FIRN_ASSIGN(auto x, f()): declares or assigns the value, or leaves with the Status.
// NOLINTBEGIN(bugprone-macro-parentheses): the target may be a declaration
#define FIRN_ASSIGN(target, expression) \
  FIRN_ASSIGN_INNER(FIRN_CONCAT(firn_result_, __LINE__), target, expression)
#define FIRN_ASSIGN_INNER(result, target, expression) \
  auto result = (expression);                         \
  if (!result.ok()) return result.status();           \
  target = std::move(result).value()
// NOLINTEND(bugprone-macro-parentheses)
