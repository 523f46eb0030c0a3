#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "base/time.h"

namespace firn {

// A value that another thread delivers to the coroutine of a connection.
template <typename T>
class Mailbox : public std::enable_shared_from_this<Mailbox<T>> {
 public:
  explicit Mailbox(boost::asio::io_context* context) : context_(context), wake_(*context) {}

  // Any thread.
  void put(T value) EXCLUDES(mutex_) {
    bool wake = false;
    {
      MutexLock lock(&mutex_);
      value_ = std::move(value);
      wake = waiting_;
    }
    if (wake) {
      boost::asio::post(*context_, [self = this->shared_from_this()] { self->wake_.cancel(); });
    }
  }

  // The connection's thread: takes the value if it is there.
  std::optional<T> take() EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return std::exchange(value_, std::nullopt);
  }

  // The connection's thread: returns when a value may be there, poke() was called or the time has
  // passed; look again then.
  boost::asio::awaitable<void> wait(DurationNs time_max) {
    {
      MutexLock lock(&mutex_);
      if (value_.has_value()) co_return;
      waiting_ = true;
    }
    // A put() from here on posts to this thread, so its cancel() comes after the wait has begun.
    wake_.expires_after(std::chrono::nanoseconds(time_max));
    co_await wake_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    MutexLock lock(&mutex_);
    waiting_ = false;
  }

  // The connection's thread.
  void poke() { wake_.cancel(); }

 private:
  boost::asio::io_context* const context_;
  boost::asio::steady_timer wake_;
  Mutex mutex_;
  std::optional<T> value_ GUARDED_BY(mutex_);
  bool waiting_ GUARDED_BY(mutex_) = false;
};

}  // namespace firn
