#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/mutex.h"

namespace firn {

// Memory of texts that were needed for a moment, for the next ones: fresh pages cost as much as
// what is written into them. Any thread.
class TextMemory {
 public:
  // Keeps at most `bytes_max`; what would exceed that goes back to the system.
  explicit TextMemory(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // A text that was given back, the latest first, with whatever it holds; or an empty one.
  std::string take() EXCLUDES(mutex_);
  void give(std::string text) EXCLUDES(mutex_);

 private:
  const uint64_t bytes_max_;
  Mutex mutex_;
  uint64_t bytes_ GUARDED_BY(mutex_) = 0;
  std::vector<std::string> texts_ GUARDED_BY(mutex_);
};

}  // namespace firn
