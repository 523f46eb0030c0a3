#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>

namespace firn {

// A growable array that never initialises what it makes room for: std::vector's zeroing costs as
// much as the copy that follows it. Keeps its capacity over clear(). Thread rule: one thread.
template <typename T>
class PodBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return items_.get(); }
  const T* data() const { return items_.get(); }
  T& operator[](size_t index) { return items_[index]; }
  const T& operator[](size_t index) const { return items_[index]; }
  const T& back() const { return items_[size_ - 1]; }
  void clear() { size_ = 0; }
  // Empties it, and gives its memory up when it has room for more than `capacity_max` items.
  void shrink(size_t capacity_max) {
    if (capacity_ > capacity_max) *this = PodBuffer();
    size_ = 0;
  }

  void push_back(T value) {
    if (size_ == capacity_) grow(1);
    items_[size_++] = value;
  }
  // Room for `count` more items behind the last; the caller fills them.
  T* extend(size_t count) {
    if (capacity_ - size_ < count) grow(count);
    T* const begin = items_.get() + size_;
    size_ += count;
    return begin;
  }
  void append(const T* from, size_t count) {
    if (count != 0) std::memcpy(extend(count), from, count * sizeof(T));
  }
  void append_repeated(T value, size_t count) { std::fill_n(extend(count), count, value); }

 private:
  void grow(size_t count) {
    const size_t capacity = std::max({size_ + count, capacity_ * 2, size_t{64}});
    auto items = std::make_unique_for_overwrite<T[]>(capacity);
    if (size_ != 0) std::memcpy(items.get(), items_.get(), size_ * sizeof(T));
    items_ = std::move(items);
    capacity_ = capacity;
  }

  std::unique_ptr<T[]> items_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace firn
