#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/crash/sim_store.h"

// A data directory to damage, and a judge of what a store makes of it: what store_damage_test.cc
// samples and store_damage_exhaustive_test.cc runs in full.

namespace firn {

enum class FileKind : uint8_t {
  kManifest,
  kManifestJournal,  // SQLite's rollback journal beside it, after a crash in a commit
  kLog,
  kSpareLog,  // a segment kept to be used again
  kBlocksChunk,
  kBlocksJournal,
  kRowsChunk,
  kRowsJournal,
  kParquetChunk,
  kLock,
};

// How the process that filled the directory ended.
enum class Ending : uint8_t {
  kCleanly,
  kPowerCut,          // with everything on the disk that was written
  kPowerCutInCommit,  // the same in the middle of a commit of the manifest
};

struct Verdict {
  std::string problem;  // empty: the store did what it must
  bool named = false;   // an error named the damage
};

class DamagedStore {
 public:
  // Fills a directory: chunks in both lower tiers, an open and a sealed one, a log of several
  // segments, and events that are in the log only. Then the process ends.
  DamagedStore(uint64_t seed, const StoreOptions& options, uint32_t filler_bytes, Ending ending);

  // Empty when the directory is as it should be.
  std::string check_undamaged();

  std::vector<std::string> files(FileKind kind) const;
  std::string content(const std::string& path) const { return machine_.env.raw_content(path); }
  // What the file was when about half of the events were stored; empty when there was none.
  std::string earlier_content(const std::string& path) const;
  void set_content(const std::string& path, ByteView content) {
    machine_.env.set_raw_content(path, content);
  }
  void flip_bit(const std::string& path, uint64_t bit) { machine_.env.flip_bit(path, bit); }
  // Puts the undamaged directory back.
  void restore();

  // Opens the damaged directory, reads everything in every way, verifies, appends, and says whether
  // that is as promised: every acknowledged event comes back as it was, or an error names a place;
  // nothing is shown that was never stored; no file is removed; what is acknowledged now comes back
  // too. Leaves the directory changed.
  Verdict judge();

  // Whether events may be shown changed where verify names their chunk.
  bool only_verify_finds_changes = false;
  // Whether the last batches may be missing without an error, as after a cut of the log's end.
  bool end_may_be_missing = false;
  uint64_t acked() const { return expected_.size(); }
  // For the test of the judge.
  void expect_an_event_that_was_never_stored() { expected_.emplace(0, "never stored"); }

 private:
  struct Reading {
    std::map<Position, std::string> rows;  // event_line()
    std::vector<std::string> errors;
    std::string problem;
  };

  void fill(uint64_t seed, Ending ending);
  void cut_power_in_commit(uint64_t seed);
  void move_one_chunk();
  // What is missing without an error, shown twice or wrongly.
  std::string compare(const Reading& reading, const std::vector<std::string>& evidence) const;
  // Whether exactly the batches from this position on are missing.
  bool ends_before(const Reading& reading, Position position) const;
  Reading read();
  void read_chunks(const Snapshot& snapshot, Reading* reading);
  void read_by_query(const Snapshot& snapshot, Reading* reading);
  std::string check_files() const;
  std::string work_on(const std::vector<std::string>& evidence);

  SimStore machine_;
  std::shared_ptr<const SimSnapshot> disk_;
  std::map<std::string, std::string> earlier_files_;
  std::vector<std::string> files_;
  std::map<Position, std::string> expected_;
  Position required_through_ = 0;  // what lies behind may be missing without an error
  size_t batches_ = 0;
};

// Bytes of a file worth damaging: all that are near something, and a few of the empty rest.
std::vector<uint64_t> bytes_to_damage(const std::string& content);

}  // namespace firn
