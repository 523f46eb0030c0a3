#include "env/sim_bytes.h"

#include <algorithm>
#include <cstring>

namespace firn {

size_t SimBytes::read(uint64_t offset, void* out, size_t size) const {
  if (offset >= size_) return 0;
  const size_t total = std::min<uint64_t>(size, size_ - offset);
  auto* to = static_cast<char*>(out);
  for (size_t done = 0; done < total;) {
    const size_t index = (offset + done) / kPageBytes;
    const size_t within = (offset + done) % kPageBytes;
    const size_t count = std::min(total - done, kPageBytes - within);
    if (index < pages_.size() && pages_[index] != nullptr) {
      std::memcpy(to + done, pages_[index]->data() + within, count);
    } else {
      std::memset(to + done, 0, count);
    }
    done += count;
  }
  return total;
}

SimBytes::Page* SimBytes::writable_page(size_t index) {
  if (index >= pages_.size()) pages_.resize(index + 1);
  std::shared_ptr<Page>& page = pages_[index];
  if (page == nullptr) {
    page = std::make_shared<Page>();
    page->fill('\0');
  } else if (page.use_count() > 1) {
    page = std::make_shared<Page>(*page);
  }
  return page.get();
}

void SimBytes::write(uint64_t offset, ByteView bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const size_t index = (offset + done) / kPageBytes;
    const size_t within = (offset + done) % kPageBytes;
    const size_t count = std::min(bytes.size() - done, kPageBytes - within);
    std::memcpy(writable_page(index)->data() + within, bytes.data() + done, count);
    done += count;
  }
  if (!bytes.empty()) size_ = std::max<uint64_t>(size_, offset + bytes.size());
}

void SimBytes::resize(uint64_t size) {
  if (size < size_) {
    const size_t pages = align_up(size, kPageBytes) / kPageBytes;
    if (pages < pages_.size()) pages_.resize(pages);
    const size_t within = size % kPageBytes;
    if (within != 0 && pages == pages_.size() && pages_.back() != nullptr) {
      Page* page = writable_page(pages - 1);
      std::fill(page->begin() + static_cast<ptrdiff_t>(within), page->end(), '\0');
    }
  }
  size_ = size;
}

std::string SimBytes::to_string() const {
  std::string bytes(size_, '\0');
  read(0, bytes.data(), bytes.size());
  return bytes;
}

}  // namespace firn
