#pragma once

#include <cstdint>
#include <string>

namespace firn {

// How far a command is, on standard error, when that is a terminal. Thread rule: one thread.
class Progress {
 public:
  explicit Progress(std::string name);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // A bar, or only the numbers when `bytes_total` is 0.
  void show(uint64_t bytes_done, uint64_t bytes_total, uint64_t events);
  // "<name> 3 of 7".
  void show_count(uint64_t done, uint64_t total);

 private:
  std::string name_;
  bool visible_;
  bool shown_ = false;
};

}  // namespace firn
