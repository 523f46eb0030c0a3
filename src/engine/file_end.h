#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/size.h"
#include "base/status.h"
#include "env/env.h"
#include "model/schema.h"

// What Firn puts between the pages and the footer of a Parquet file, so that every read notices
// damage: docs/formats/parquet.md, "Checksums". The constants of that page are here.

namespace firn {

inline constexpr uint64_t kChecksumBlockBytes = 64 * kKiB;
inline constexpr uint64_t kChecksumBlockBytesMax = 16 * kMiB;  // that a file may ask for
inline constexpr std::string_view kFileEndMagic = "FirnSums";
inline constexpr size_t kFileEndFixedBytes = 44;  // from D to the magic
inline constexpr std::string_view kParquetMagic = "PAR1";
inline constexpr size_t kParquetTailBytes = 8;  // the footer's length and kParquetMagic

// Key-value metadata of a Parquet file.
using ParquetMetadata = std::vector<std::pair<std::string, std::string>>;

// What a file says it is.
struct FileIdentity {
  std::string name;              // of the file, without its directory
  Position first = 0, last = 0;  // inclusive; the positions it accounts for
};

// The end of a file, compared with its checksum: everything behind the pages. Immutable.
struct FileEnd {
  FileIdentity identity;
  uint64_t data_bytes = 0;  // of the pages, where the end begins
  uint64_t block_bytes = kChecksumBlockBytes;
  std::vector<uint32_t> checksums;  // of the blocks of the pages; the last may be short
  std::string bytes;                // from data_bytes to the end of the file
  uint64_t file_bytes() const { return data_bytes + bytes.size(); }
};

// A value of key-value metadata that is known only when all rows were written, and stands in for
// another one of the same length until then.
struct ChangedValue {
  std::string key, before, after;
};

// Of the same keys in the same order, those whose values differ.
std::vector<ChangedValue> changed_values(const ParquetMetadata& before,
                                         const ParquetMetadata& after);

// Changes the value in a Parquet footer. False: the footer does not have it.
[[nodiscard]] bool change_metadata(const ChangedValue& change, std::string* footer);

// Where the footer begins in a file of `file_bytes` that ends with `last_bytes` (at least 8 of
// them, or all). Nothing when it does not end as Parquet does.
std::optional<uint64_t> find_footer(ByteView last_bytes, uint64_t file_bytes);

// The bytes that belong behind `data_bytes` bytes of pages: checksums, identity, and the footer
// with its length and magic.
std::string encode_file_end(const FileIdentity& identity, uint64_t data_bytes,
                            const std::vector<uint32_t>& checksums, ByteView footer);

// Reads and compares the end of the file at `path`. kCorruption, naming it, when it has no such
// end, when the end is damaged, or when it is that of a file with another name; otherwise what Env
// returns. `bytes_read` (may be null) is added to.
Result<std::shared_ptr<const FileEnd>> load_file_end(const File& file, const std::string& path,
                                                     std::atomic<uint64_t>* bytes_read);

// The last part of a path.
std::string file_name(const std::string& path);

}  // namespace firn
