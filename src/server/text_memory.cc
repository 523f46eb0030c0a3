#include "server/text_memory.h"

#include <utility>

namespace firn {

std::string TextMemory::take() {
  MutexLock lock(&mutex_);
  if (texts_.empty()) return {};
  std::string text = std::move(texts_.back());
  texts_.pop_back();
  bytes_ -= text.capacity();
  return text;
}

void TextMemory::give(std::string text) {
  MutexLock lock(&mutex_);
  if (bytes_ + text.capacity() > bytes_max_) return;
  bytes_ += text.capacity();
  texts_.push_back(std::move(text));
}

}  // namespace firn
