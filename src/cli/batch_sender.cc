#include "cli/batch_sender.h"

#include <utility>

#include "cli/retry.h"

namespace firn {

Status BatchSender::send(std::string batch) {
  waiting_bytes_ += batch.size();
  waiting_.push_back(std::move(batch));
  Status refused;
  while (!waiting_.empty()) {
    Status status = send_(waiting_.front());
    // The same sample may be written twice, so a silence is as good as a lost answer.
    if (may_work_later(status) || status.code() == StatusCode::kDeadlineExceeded) {
      while (waiting_.size() > kWaitingBatchesMax || waiting_bytes_ > kWaitingBytesMax) {
        remove_oldest();
        ++dropped_;
      }
      return status;
    }
    remove_oldest();
    if (status.ok()) {
      ++sent_;
    } else if (refused.ok()) {
      refused = std::move(status);
    }
  }
  return refused;
}

void BatchSender::remove_oldest() {
  waiting_bytes_ -= waiting_.front().size();
  waiting_.pop_front();
}

}  // namespace firn
