#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/time.h"

namespace firn {

// Bytes that many may use at the same time, and never more than that together. Who needs memory
// takes a share before it uses it. Thread rule: any thread. Shares may outlive the budget.
class MemoryBudget {
 public:
  // A part of a budget; what is destroyed gives its bytes back. A default one has none and no
  // budget. Thread rule: a value, one thread at a time.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept { swap(other); }
    Share& operator=(Share&& other) noexcept {
      Share(std::move(other)).swap(*this);
      return *this;
    }
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    uint64_t bytes() const { return bytes_; }
    // To fewer bytes, or to more when they are left; false: they are not, and nothing changed.
    bool resize(uint64_t bytes);
    // Takes over the bytes of another share of the same budget.
    void add(Share&& other);

   private:
    friend class MemoryBudget;
    struct State;
    void swap(Share& other) noexcept {
      std::swap(state_, other.state_);
      std::swap(bytes_, other.bytes_);
    }
    std::shared_ptr<State> state_;
    uint64_t bytes_ = 0;
  };

  explicit MemoryBudget(uint64_t bytes_max);

  // A share of so many bytes, or of all there are when that is less. Waits up to `patience` for
  // others to give theirs back; nothing when they do not, or when `gives_up` says so meanwhile.
  std::optional<Share> take(uint64_t bytes, DurationNs patience,
                            const std::function<bool()>& gives_up = nullptr);
  uint64_t bytes_max() const;
  uint64_t bytes_used() const;

 private:
  std::shared_ptr<Share::State> state_;
};

}  // namespace firn
