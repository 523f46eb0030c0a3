#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/place.h"

namespace firn {

enum class ImportMode : uint8_t {
  kPlain,   // what is there already is refused
  kForce,   // the namespace is emptied first
  kResume,  // what is there already, under its id and place, is passed over
};

// Sends EventoDB's lines (docs/eventodb.md) to a place, in order and in pieces, again while the
// server asks for that. Thread rule: one thread.
class MessageSender {
 public:
  // The place must outlive the sender.
  MessageSender(Place* place, ImportMode mode) : place_(place), mode_(mode) {}

  // Takes one line; blank ones count and do nothing else. Failures name the line, from 1, and what
  // lies before it is stored.
  Status add(std::string_view line);
  // Sends what is left.
  Status finish() { return lines_.empty() ? Status() : send_piece(); }

  uint64_t imported() const { return imported_; }
  uint64_t skipped() const { return skipped_; }

 private:
  // What the answer to a piece told last.
  struct Outcome {
    uint64_t imported = 0, skipped = 0;
    bool done = false;
    std::string error, message;
    uint64_t line = 0;
  };

  Status send_piece();
  // One try. Not ok when there was no whole answer.
  Status post(ImportMode mode, Outcome* outcome);
  // Forgets the first records of the piece, which are stored.
  void forget(uint64_t records);

  Place* const place_;
  ImportMode mode_;
  std::string text_;             // of the piece
  std::vector<uint64_t> lines_;  // for each of its records: the number of its line
  uint64_t line_ = 0;
  uint64_t imported_ = 0, skipped_ = 0;
};

}  // namespace firn
