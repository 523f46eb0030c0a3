#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/schema.h"

namespace firn {

// The next position of each stream of a namespace, by name, as far as the manifest does not know it
// yet; what it knows is kept too as long as there is room. Streams are looked up once per row and
// there may be millions, so this is flat tables of hashes beside the names. One thread.
class StreamHeads {
 public:
  // The stream's next position; null when it is not known here. Stays valid and in place until
  // forget_stored(). `through`: up to where in the namespace the caller may give out positions
  // before it asks again.
  int64_t* find(std::string_view stream, Position through);
  // find() for many names at once, which hides the latency of memory: the tables of many streams
  // fit into no cache. `heads` has as many places as `streams`; names may repeat.
  void find_all(std::span<const std::string_view> streams, Position through,
                std::span<int64_t*> heads);
  // REQUIRES: not known yet.
  int64_t* insert(std::string_view stream, int64_t next_position, Position through);
  // Gives memory back: heads that were last asked for when no position above `stored_through` was
  // given out may go. The manifest MUST know what they were.
  void forget_stored(Position stored_through);
  size_t bytes() const { return current_.bytes() + older_.bytes(); }

 private:
  class Table {
   public:
    int64_t* find(std::string_view stream, uint32_t hash);
    int64_t* insert(std::string_view stream, uint32_t hash, int64_t next_position);
    // Two steps that bring into the cache what find() will read, the second a while after the
    // first.
    void prefetch_slot(uint32_t hash) const;
    void prefetch_stream(uint32_t hash) const;
    bool empty() const { return streams_.empty(); }
    size_t bytes() const { return slots_.size() * sizeof(Slot) + stream_bytes_; }

    Position through = 0;  // the highest that was asked with

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
    size_t stream_bytes_ = 0;
  };

  int64_t* find(std::string_view stream, uint32_t hash, Position through);

  // A stream that is asked for moves from the older table to the current one, where it counts.
  Table current_, older_;
};

}  // namespace firn
