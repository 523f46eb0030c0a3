#include "cli/progress.h"

#include <unistd.h>

#include <cstdio>

#include "base/size.h"

namespace firn {

Progress::Progress(std::string name) : name_(std::move(name)), visible_(isatty(2) == 1) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

void Progress::show(uint64_t bytes_done, uint64_t bytes_total, uint64_t events) {
  if (!visible_) return;
  shown_ = true;
  constexpr int kWidth = 30;
  if (bytes_total == 0) {
    std::fprintf(stderr, "\r\033[K%s: %s, %llu events", name_.c_str(),
                 format_size(bytes_done).c_str(), static_cast<unsigned long long>(events));
    return;
  }
  const double done = static_cast<double>(bytes_done) / static_cast<double>(bytes_total);
  const int filled = static_cast<int>(done * kWidth);
  std::fprintf(stderr, "\r\033[K%s [%-*.*s] %3d %%, %llu events", name_.c_str(), kWidth, filled,
               "##############################", static_cast<int>(done * 100),
               static_cast<unsigned long long>(events));
}

void Progress::show_count(uint64_t done, uint64_t total) {
  if (!visible_) return;
  shown_ = true;
  std::fprintf(stderr, "\r\033[K%s %llu of %llu", name_.c_str(),
               static_cast<unsigned long long>(done), static_cast<unsigned long long>(total));
}

}  // namespace firn
