#pragma once

#include <cstddef>
#include <deque>
#include <string>

namespace firn {

// Strings that live until reset(), whose memory is used again afterwards. For text that a decoder
// has to build while a row is put together. Thread rule: one thread.
class StringPool {
 public:
  // An empty string; valid until reset() and never moved.
  std::string* take() {
    if (used_ == strings_.size()) strings_.emplace_back();
    std::string* string = &strings_[used_++];
    string->clear();
    return string;
  }
  void reset() { used_ = 0; }

 private:
  std::deque<std::string> strings_;  // a deque, so that earlier strings stay where they are
  size_t used_ = 0;
};

}  // namespace firn
