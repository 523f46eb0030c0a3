#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "tests/crash/damaged_store.h"

// Ways to damage the files of a kind. Each function damages at most `samples` places per file
// (UINT64_MAX: every place), chosen by the seed, and lets the store be judged after each.

namespace firn {

struct DamageCount {
  uint64_t cycles = 0;
  uint64_t named = 0;  // in how many of them an error named the damage
  // Where the store did wrong: by the sort of wrong, how often, and the first example.
  std::map<std::string, std::pair<uint64_t, std::string>> wrongs;
};

// One bit of a byte flipped, each byte that holds something and some of the others.
DamageCount flip_bits(DamagedStore* store, FileKind kind, uint64_t samples, uint64_t seed);
// Two blocks of 4 KiB of a file exchanged.
DamageCount swap_blocks(DamagedStore* store, FileKind kind, uint64_t samples, uint64_t seed);
// A block of 4 KiB as it was earlier.
DamageCount bring_back_blocks(DamagedStore* store, FileKind kind, uint64_t samples, uint64_t seed);
// A whole file as it was earlier.
DamageCount bring_back_files(DamagedStore* store, FileKind kind);

enum class TailDamage : uint8_t { kCut, kZeros, kGarbage };
// The newest segment of the log from each byte on cut off, filled with zeros or with garbage.
DamageCount damage_tail(DamagedStore* store, TailDamage damage, uint64_t samples, uint64_t seed);

// Adds the numbers; the first problem stays.
void add(const DamageCount& more, DamageCount* all);
// Fails the running test unless the store did everything right, and prints the line of the rig.
void expect_sound(const DamagedStore& store, const DamageCount& count, uint64_t seed);

}  // namespace firn
