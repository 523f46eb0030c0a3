#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace firn {

// The next position of each stream of a namespace, by name. Streams are looked up once per row and
// there may be millions, so this is a flat table of hashes beside the names. One thread.
class StreamHeads {
 public:
  // The stream's next position; null when it is not known here. Stays valid and in place.
  int64_t* find(std::string_view stream);
  // REQUIRES: not known yet.
  int64_t* insert(std::string_view stream, int64_t next_position);
  size_t size() const { return streams_.size(); }

 private:
  struct Stream {
    std::string name;
    int64_t next_position;
  };
  struct Slot {
    uint32_t hash = 0;   // its low bits choose the slot
    uint32_t index = 0;  // 1 + that of the stream; 0: free
  };
  void put(const Slot& slot);

  std::deque<Stream> streams_;  // grows without moving
  std::vector<Slot> slots_;     // open addressing, power of two, at most 3/4 used
};

}  // namespace firn
