#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "env/env.h"

namespace firn {

// What is put: bytes that can be read again, because a request may have to be sent twice. read()
// may be called by any thread.
class ObjectContent {
 public:
  virtual ~ObjectContent() = default;
  virtual uint64_t size_bytes() const = 0;
  // Exactly `size` bytes. REQUIRES: offset + size <= size_bytes().
  virtual Status read(uint64_t offset, char* out, size_t size) const = 0;
};

// Bytes of somebody who keeps them until the put has ended.
class BytesContent final : public ObjectContent {
 public:
  explicit BytesContent(ByteView bytes) : bytes_(bytes) {}
  uint64_t size_bytes() const override { return bytes_.size(); }
  Status read(uint64_t offset, char* out, size_t size) const override;

 private:
  const ByteView bytes_;
};

// The first `size_bytes` bytes of a file, which stays open and unchanged until the put has ended.
class FileContent final : public ObjectContent {
 public:
  FileContent(const File* file, std::string path, uint64_t size_bytes)
      : file_(file), path_(std::move(path)), size_bytes_(size_bytes) {}
  uint64_t size_bytes() const override { return size_bytes_; }
  // kCorruption when the file is shorter.
  Status read(uint64_t offset, char* out, size_t size) const override;

 private:
  const File* const file_;
  const std::string path_;
  const uint64_t size_bytes_;
};

// An object as it was when it was found.
struct ObjectInfo {
  std::string key;
  uint64_t size_bytes = 0;
  // Changes whenever the object is replaced; empty where the store has no such thing.
  std::string version;
  // Of the whole content; only from put() and head(), and only where the store keeps it.
  std::optional<uint32_t> crc32c;
};

enum class PutMode : uint8_t {
  kReplace,
  kIfAbsent,  // kConflict when there is an object of that name already
};

struct ObjectPage {
  std::vector<ObjectInfo> objects;  // ascending by the bytes of their keys
  bool is_last = true;
};

// Counted since the store was opened. One call may take several requests.
struct ObjectStoreStats {
  uint64_t requests = 0;        // attempts that were begun
  uint64_t retries = 0;         // of them, repetitions of a failed one
  uint64_t failures = 0;        // calls that failed after all attempts
  uint64_t sent_bytes = 0;      // of bodies
  uint64_t received_bytes = 0;  // of bodies
};

// Named objects that are written whole and read in ranges (docs/object-storage.md). An object is
// visible as a whole or not at all, and durable when put() returns.
//
// Failures beyond those named below: kInvalidArgument for a key that is none; kUnavailable when the
// store cannot be reached or is overloaded, also after all retries; kNoSpace; kCorruption for
// content that does not match its length or checksum; kIoError for what the store refuses;
// kCancelled after cancel(). Messages name the store and the key, never a secret.
//
// Thread rule: any number of threads, all methods. Calls block.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // "s3://bucket/prefix" or "file:/directory", for messages.
  virtual std::string name() const = 0;
  // Stores an object. After a failure other than kConflict the object is there as a whole or not at
  // all, and an object that was to be replaced may or may not be the old one.
  virtual Result<ObjectInfo> put(const std::string& key, const ObjectContent& content,
                                 PutMode mode) = 0;
  // Reads up to `size` bytes at `offset` into `out`; fewer only at the end of the object. Returns
  // how many were read. kNotFound when it is gone, kConflict when it was replaced since it was
  // found (where there are versions).
  virtual Result<size_t> read_at(const ObjectInfo& object, uint64_t offset, char* out,
                                 size_t size) = 0;
  // kNotFound when there is none.
  virtual Result<ObjectInfo> head(const std::string& key) = 0;
  // Objects whose keys begin with `prefix` and are greater than `after`; an empty prefix is
  // everything. A page may be empty and yet not the last. Objects that are put or removed meanwhile
  // may or may not be listed; all others are.
  virtual Result<ObjectPage> list_page(const std::string& prefix, const std::string& after) = 0;
  // Removes the object; ok when there is none.
  virtual Status remove(const std::string& key) = 0;
  // Removes what puts that were interrupted left behind, for keys with this prefix for which
  // is_ours() is true. REQUIRES: nobody puts such keys meanwhile.
  virtual Status sweep(const std::string& prefix,
                       const std::function<bool(std::string_view key)>& is_ours) = 0;
  // Ends running calls soon and all later ones at once, with kCancelled.
  virtual void cancel() = 0;
  virtual ObjectStoreStats stats() const = 0;
};

// kInvalidArgument saying what is wrong with the key (docs/object-storage.md).
Status check_object_key(std::string_view key);

// Calls on_object for every object with the prefix, in ascending order, until it fails. kCorruption
// when the store lists keys out of order, or without an end.
Status list_objects(ObjectStore* store, const std::string& prefix,
                    const std::function<Status(const ObjectInfo&)>& on_object);

// The whole object, its length and (if known) its checksum compared. kTooLarge when it is longer
// than `limit_bytes`.
Result<std::string> read_object(ObjectStore* store, const std::string& key, uint64_t limit_bytes);

// Reads the whole object back and compares it with what was put. kCorruption when it differs.
Status verify_object(ObjectStore* store, const std::string& key, uint64_t size_bytes,
                     uint32_t crc32c);

// Reads all of it, piece by piece, and returns its CRC-32C. `visit` (may be null) gets each piece
// with its offset; what it fails with is returned.
using ContentVisitor = std::function<Status(uint64_t offset, ByteView piece)>;
Result<uint32_t> content_crc32c(const ObjectContent& content,
                                const ContentVisitor& visit = nullptr);

}  // namespace firn
