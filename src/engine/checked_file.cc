#include "engine/checked_file.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "base/mutant.h"
#include "base/size.h"

namespace firn {

namespace {

constexpr size_t kWriteBufferBytes = 1 * kMiB;
constexpr uint64_t kVerifyBytes = 1 * kMiB;

}  // namespace

CheckedReader::CheckedReader(std::unique_ptr<File> file, std::string path,
                             std::shared_ptr<const FileEnd> end, std::atomic<uint64_t>* bytes_read)
    : file_(std::move(file)),
      path_(std::move(path)),
      end_(std::move(end)),
      bytes_read_(bytes_read) {}

uint64_t CheckedReader::block_end(uint64_t begin) const {
  return std::min(begin + end_->block_bytes, end_->data_bytes);
}

uint64_t CheckedReader::whole_blocks_end(uint64_t end) const {
  if (end >= end_->data_bytes) return end_->data_bytes;
  return end - end % end_->block_bytes;
}

Status CheckedReader::read_blocks(uint64_t begin, uint64_t end, char* out) const {
  FIRN_ASSIGN(const size_t count, file_->read_at(begin, out, end - begin));
  if (bytes_read_ != nullptr) *bytes_read_ += count;
  if (count != end - begin) {
    return corruption(
        fmt::format("{}: ends at byte {} instead of {}", path_, begin + count, end_->file_bytes()));
  }
  for (uint64_t at = begin; at < end; at = block_end(at)) {
    const uint32_t found = crc32c(0, out + (at - begin), block_end(at) - at);
    const uint32_t written = end_->checksums[at / end_->block_bytes];
    if (found == written || mutant(21)) continue;
    return corruption(fmt::format(
        "{}: bytes {} to {} are not what was written (checksum {:08x} instead of "
        "{:08x}); the file holds positions {} to {}. Put back a copy of the file",
        path_, at, block_end(at), found, written, end_->identity.first, end_->identity.last));
  }
  return {};
}

Status CheckedReader::load_block(uint64_t begin) {
  if (!block_.empty() && block_begin_ == begin) return {};
  block_.resize(block_end(begin) - begin);
  block_begin_ = begin;
  Status status = read_blocks(begin, block_end(begin), block_.data());
  if (!status.ok()) block_.clear();
  return status;
}

Result<size_t> CheckedReader::read_at(uint64_t offset, void* out, size_t size) {
  if (offset >= file_bytes()) return size_t{0};
  const uint64_t end = offset + std::min<uint64_t>(size, file_bytes() - offset);
  auto* to = static_cast<char*>(out);
  uint64_t at = offset;
  while (at < end && at < end_->data_bytes) {
    const uint64_t begin = at - at % end_->block_bytes;
    const uint64_t whole_end = whole_blocks_end(end);
    if (at == begin && whole_end > at) {
      FIRN_TRY(read_blocks(at, whole_end, to));
      to += whole_end - at;
      at = whole_end;
      continue;
    }
    MutexLock lock(&mutex_);
    FIRN_TRY(load_block(begin));
    const uint64_t count = std::min(end, block_end(begin)) - at;
    std::memcpy(to, block_.data() + (at - begin), count);
    to += count;
    at += count;
  }
  if (at < end) std::memcpy(to, end_->bytes.data() + (at - end_->data_bytes), end - at);
  return static_cast<size_t>(end - offset);
}

void CheckedWriter::add_checksums(ByteView bytes) {
  while (!bytes.empty()) {
    const ByteView part = bytes.substr(0, kChecksumBlockBytes - block_filled_);
    block_checksum_ = crc32c(block_checksum_, part.data(), part.size());
    block_filled_ += part.size();
    bytes.remove_prefix(part.size());
    if (block_filled_ < kChecksumBlockBytes) return;
    checksums_.push_back(block_checksum_);
    block_checksum_ = 0;
    block_filled_ = 0;
  }
}

Status CheckedWriter::append(ByteView bytes) {
  add_checksums(bytes);
  buffer_ += bytes;
  return buffer_.size() >= kWriteBufferBytes ? flush() : Status();
}

Status CheckedWriter::flush() {
  FIRN_TRY(file_->write_at(written_, buffer_));
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

Result<std::string> CheckedWriter::appended_from(uint64_t begin) const {
  if (begin >= written_) return buffer_.substr(begin - written_);
  std::string bytes(written_ - begin, '\0');
  FIRN_ASSIGN(const size_t count, file_->read_at(begin, bytes.data(), bytes.size()));
  if (count != bytes.size()) return io_error(path_ + ": is shorter than what was written");
  return bytes + buffer_;
}

bool CheckedWriter::is_as_appended(uint64_t begin, ByteView bytes) const {
  for (size_t block = begin / kChecksumBlockBytes; !bytes.empty(); ++block) {
    const ByteView part = bytes.substr(0, kChecksumBlockBytes);
    if (crc32c(part) != (block < checksums_.size() ? checksums_[block] : block_checksum_)) {
      return false;
    }
    bytes.remove_prefix(part.size());
  }
  return true;
}

Status CheckedWriter::finish(FileIdentity identity, std::span<const ChangedValue> changes) {
  if (identity.name.empty()) identity.name = file_name(path_);
  FIRN_ASSIGN(const std::string tail,
              appended_from(size() - std::min<uint64_t>(size(), kParquetTailBytes)));
  const std::optional<uint64_t> footer = find_footer(tail, size());
  if (!footer) return internal_error(path_ + ": what was written does not end as Parquet does");
  const uint64_t data_bytes = *footer;
  const uint64_t block_begin = data_bytes - data_bytes % kChecksumBlockBytes;
  FIRN_ASSIGN(const std::string rest, appended_from(block_begin));
  if (!is_as_appended(block_begin, rest)) {
    return io_error(path_ + ": the bytes read back are not those that were written");
  }
  const ByteView last_block = ByteView(rest).substr(0, data_bytes - block_begin);
  checksums_.resize(block_begin / kChecksumBlockBytes);
  if (!last_block.empty()) checksums_.push_back(crc32c(last_block));
  std::string footer_bytes = rest.substr(last_block.size());
  for (const ChangedValue& change : changes) {
    if (change_metadata(change, &footer_bytes)) continue;
    return internal_error(path_ + ": its footer does not have the value of " + change.key);
  }
  const std::string end = encode_file_end(identity, data_bytes, checksums_, footer_bytes);
  // Over the footer, as far as that is written.
  buffer_.resize(data_bytes - std::min(written_, data_bytes));
  buffer_ += end;
  written_ = std::min(written_, data_bytes);
  FIRN_TRY(flush());
  return file_->sync();
}

Result<std::unique_ptr<File>> open_known_file(Env* env, const std::string& path) {
  Result<std::unique_ptr<File>> file = env->open(path, OpenMode::kRead);
  if (file.status().code() == StatusCode::kNotFound) {
    return corruption(path + ": the file is missing; bring it back from a backup");
  }
  return file;
}

Status verify_checked_file(Env* env, const std::string& path) {
  FIRN_ASSIGN(auto file, open_known_file(env, path));
  FIRN_ASSIGN(auto end, load_file_end(*file, path, nullptr));
  CheckedReader reader(std::move(file), path, end, nullptr);
  const uint64_t step = std::max(kVerifyBytes, end->block_bytes);
  std::string bytes(step, '\0');
  for (uint64_t at = 0; at < end->data_bytes; at += step) {
    FIRN_TRY(reader.read_at(at, bytes.data(), step).status());
  }
  return {};
}

}  // namespace firn
