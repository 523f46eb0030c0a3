#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "base/size.h"
#include "base/status.h"

namespace firn {

// Most that waits for a server that is away; the oldest batches go first. Also in
// docs/operating.md.
inline constexpr size_t kWaitingBatchesMax = 360;
inline constexpr uint64_t kWaitingBytesMax = 16 * kMiB;

// Sends batches in order, and keeps those that a server cannot take now. A batch whose answer was
// lost is sent again, so taking it twice must be taking it once. Thread rule: one thread.
class BatchSender {
 public:
  // Sends one body.
  using Send = std::function<Status(std::string_view)>;
  explicit BatchSender(Send send) : send_(std::move(send)) {}

  // Sends what waits and then the batch. Failures: of a batch that has to wait, and all behind it;
  // otherwise the first of those that were refused for good, which are forgotten.
  Status send(std::string batch);

  size_t waiting() const { return waiting_.size(); }
  uint64_t sent() const { return sent_; }
  // Batches that were given up because too many waited.
  uint64_t dropped() const { return dropped_; }

 private:
  void remove_oldest();

  const Send send_;
  std::deque<std::string> waiting_;
  uint64_t waiting_bytes_ = 0;
  uint64_t sent_ = 0, dropped_ = 0;
};

}  // namespace firn
