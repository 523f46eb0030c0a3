#include "tier/object/s3_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>

#include "base/crc32c.h"
#include "tier/object/s3_client.h"
#include "tier/object/s3_upload.h"
#include "tier/object/s3_xml.h"

namespace firn {

namespace {

constexpr const char* kPageObjects = "1000";

std::optional<uint64_t> parse_number(std::string_view text, int base = 10) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::optional<uint32_t> stored_crc(const CurlResponse& response) {
  const std::string_view text = response.header(kCrcHeader);
  const auto value = parse_number(text, 16);
  if (text.size() != 8 || !value) return {};
  return static_cast<uint32_t>(*value);
}

class S3Store final : public ObjectStore {
 public:
  S3Store(Env* env, const S3Options& options)
      : env_(env),
        prefix_(options.prefix.empty() ? "" : options.prefix + "/"),
        part_bytes_(options.part_bytes),
        client_(env, options) {}

  std::string name() const override { return client_.name() + "/" + prefix_; }

  Result<ObjectInfo> put(const std::string& key, const ObjectContent& content,
                         PutMode mode) override {
    FIRN_TRY(check_object_key(key));
    if (mode == PutMode::kIfAbsent) {
      const auto there = head(key);
      if (there.ok()) return conflict(name() + key + " exists already");
      if (there.status().code() != StatusCode::kNotFound) return there.status();
    }
    S3Put put;
    put.key = prefix_ + key;
    put.content = &content;
    put.id = fmt::format("{:016x}", env_->random_u64());
    put.find_id = [&](bool once) -> Result<std::string> {
      FIRN_ASSIGN(Found found, find(key, once));
      return std::move(found.put_id);
    };
    FIRN_ASSIGN(put.crc32c, content_crc32c(content));
    put.if_absent = mode == PutMode::kIfAbsent && !server_has_no_conditions_;
    Status status = s3_upload(&client_, put, part_bytes_);
    if (status.code() == StatusCode::kUnsupported && put.if_absent) {
      server_has_no_conditions_ = true;
      put.if_absent = false;
      status = s3_upload(&client_, put, part_bytes_);
    }
    FIRN_TRY(status);
    return stored(key, put);
  }

  Result<size_t> read_at(const ObjectInfo& object, uint64_t offset, char* out,
                         size_t size) override {
    FIRN_TRY(check_object_key(object.key));
    if (offset >= object.size_bytes || size == 0) return size_t{0};
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(size, object.size_bytes - offset));
    const uint64_t last = offset + wanted - 1;
    S3Call get{"GET", prefix_ + object.key};
    get.headers = {{"range", fmt::format("bytes={}-{}", offset, last)}};
    if (!object.version.empty()) get.headers.emplace_back("if-match", object.version);
    get.out = out;
    get.out_size = wanted;
    const std::string range = fmt::format("bytes {}-{}/{}", offset, last, object.size_bytes);
    get.accept = [&](const CurlResponse& response) {
      const bool is_all = response.status == 200 && wanted == object.size_bytes;
      if (!is_all && response.header("content-range") != range) {
        return corruption("asked for '" + range + "', got '" +
                          std::string(response.header("content-range").substr(0, 100)) + "'");
      }
      if (response.received_bytes == wanted) return Status();
      return corruption(fmt::format("got {} bytes of {}", response.received_bytes, wanted));
    };
    FIRN_TRY(client_.call(get).status());
    return wanted;
  }

  Result<ObjectInfo> head(const std::string& key) override {
    FIRN_TRY(check_object_key(key));
    FIRN_ASSIGN(Found found, find(key, false));
    return std::move(found.info);
  }

  Result<ObjectPage> list_page(const std::string& prefix, const std::string& after) override {
    S3Call list{"GET", ""};
    list.query = {{"list-type", "2"},
                  {"prefix", prefix_ + prefix},
                  {"max-keys", kPageObjects},
                  {"encoding-type", "url"}};
    if (!after.empty()) list.query.emplace_back("start-after", prefix_ + after);
    ObjectPage page;
    list.accept = [&](const CurlResponse& response) {
      FIRN_ASSIGN(page, parse_s3_list(response.body));
      for (ObjectInfo& object : page.objects) {
        if (!object.key.starts_with(prefix_)) return corruption("a key without the prefix listed");
        object.key.erase(0, prefix_.size());
      }
      return Status();
    };
    FIRN_TRY(client_.call(list).status());
    return page;
  }

  Status remove(const std::string& key) override {
    FIRN_TRY(check_object_key(key));
    const Status status = client_.call({"DELETE", prefix_ + key}).status();
    return status.code() == StatusCode::kNotFound ? Status() : status;
  }

  Status sweep(const std::string& prefix,
               const std::function<bool(std::string_view)>& is_ours) override {
    return s3_abort_uploads(&client_, prefix_ + prefix, [&](std::string_view key) {
      return is_ours(key.substr(prefix_.size()));
    });
  }

  void cancel() override { client_.cancel(); }
  ObjectStoreStats stats() const override { return client_.stats(); }

 private:
  struct Found {
    ObjectInfo info;
    std::string put_id;
  };

  Result<Found> find(const std::string& key, bool once) {
    Found found;
    S3Call head{"HEAD", prefix_ + key};
    head.once = once;
    head.accept = [&](const CurlResponse& response) {
      const auto size = parse_number(response.header("content-length"));
      const std::string_view version = response.header("etag");
      if (!size || version.empty()) return corruption("an answer without length or entity tag");
      found.info = {key, *size, std::string(version), stored_crc(response)};
      found.put_id = response.header(kPutHeader);
      return Status();
    };
    FIRN_TRY(client_.call(head).status());
    return found;
  }

  // What is there after a put. Another put may have come in between; then ours was there.
  Result<ObjectInfo> stored(const std::string& key, const S3Put& put) {
    FIRN_ASSIGN(Found found, find(key, false));
    if (found.put_id == put.id &&
        (found.info.size_bytes != put.content->size_bytes() || found.info.crc32c != put.crc32c)) {
      return corruption(name() + key + ": the store has " + std::to_string(found.info.size_bytes) +
                        " bytes of " + std::to_string(put.content->size_bytes()));
    }
    return std::move(found.info);
  }

  Env* const env_;
  const std::string prefix_;  // with '/' at its end, or empty
  const uint64_t part_bytes_;
  S3Client client_;
  std::atomic<bool> server_has_no_conditions_ = false;
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_s3_store(Env* env, const S3Options& options) {
  FIRN_TRY(validate_s3_options(options));
  return std::unique_ptr<ObjectStore>(std::make_unique<S3Store>(env, options));
}

}  // namespace firn
