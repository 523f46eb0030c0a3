#include "tier/object/s3_upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "tier/object/s3_xml.h"

namespace firn {

namespace {

constexpr uint64_t kPartsMax = 10'000;
constexpr const char* kContentType = "application/octet-stream";

NameValues metadata(const S3Put& put) {
  return {{"content-type", kContentType},
          {std::string(kCrcHeader), fmt::format("{:08x}", put.crc32c)},
          {std::string(kPutHeader), put.id}};
}

bool has_happened(const S3Put& put) {
  const auto found = put.find_id(true);
  return found.ok() && *found == put.id;
}

// The refusal of a condition or of an upload may come from an attempt of ours that worked without
// our knowing.
Status unless_happened(const S3Put& put, const Status& status) {
  if (status.code() != StatusCode::kConflict && status.code() != StatusCode::kNotFound) {
    return status;
  }
  const auto found = put.find_id(false);
  if (found.ok()) return *found == put.id ? Status() : status;
  return unavailable(
      "whether the object was stored cannot be told: " + std::string(status.message()) + ", but " +
      std::string(found.status().message()));
}

Status upload_whole(S3Client* client, const S3Put& put) {
  std::string body(put.content->size_bytes(), '\0');
  FIRN_TRY(put.content->read(0, body.data(), body.size()));
  S3Call call{"PUT", put.key};
  call.headers = metadata(put);
  if (put.if_absent) call.headers.emplace_back("if-none-match", "*");
  call.body = body;
  call.has_happened = [&put] { return has_happened(put); };
  return unless_happened(put, client->call(call).status());
}

Result<std::string> begin_upload(S3Client* client, const S3Put& put) {
  std::string id;
  S3Call call{"POST", put.key};
  call.query = {{"uploads", ""}};
  call.headers = metadata(put);
  call.accept = [&](const CurlResponse& response) {
    FIRN_ASSIGN(id, parse_s3_upload_id(response.body));
    return Status();
  };
  FIRN_TRY(client->call(call).status());
  return id;
}

Result<std::vector<S3Part>> upload_parts(S3Client* client, const S3Put& put,
                                         const std::string& upload_id, uint64_t part_bytes) {
  std::vector<S3Part> parts;
  std::string body;
  for (uint64_t at = 0; at < put.content->size_bytes(); at += part_bytes) {
    body.resize(std::min(part_bytes, put.content->size_bytes() - at));
    FIRN_TRY(put.content->read(at, body.data(), body.size()));
    S3Part part{static_cast<uint32_t>(parts.size() + 1), ""};
    S3Call call{"PUT", put.key};
    call.query = {{"partNumber", std::to_string(part.number)}, {"uploadId", upload_id}};
    call.headers = {{"content-type", kContentType}};
    call.body = body;
    call.accept = [&](const CurlResponse& response) {
      part.etag = response.header("etag");
      return part.etag.empty() ? corruption("an answer without an entity tag") : Status();
    };
    FIRN_TRY(client->call(call).status());
    parts.push_back(std::move(part));
  }
  return parts;
}

Status complete_upload(S3Client* client, const S3Put& put, const std::string& upload_id,
                       const std::vector<S3Part>& parts) {
  const std::string body = format_s3_completion(parts);
  S3Call call{"POST", put.key};
  call.query = {{"uploadId", upload_id}};
  call.headers = {{"content-type", "application/xml"}};
  if (put.if_absent) call.headers.emplace_back("if-none-match", "*");
  call.body = body;
  call.has_happened = [&put] { return has_happened(put); };
  // The server answers 200 before it knows; the document says how it ended.
  call.accept = [](const CurlResponse& response) {
    const auto error = parse_s3_error(response.body);
    if (error.ok()) return unavailable(error->code + ": " + error->message);
    return parse_s3_completion(response.body).status();
  };
  return unless_happened(put, client->call(call).status());
}

Status abort_upload(S3Client* client, const std::string& key, const std::string& upload_id) {
  S3Call call{"DELETE", key};
  call.query = {{"uploadId", upload_id}};
  const Status status = client->call(call).status();
  return status.code() == StatusCode::kNotFound ? Status() : status;
}

Status upload_in_parts(S3Client* client, const S3Put& put, uint64_t part_bytes) {
  FIRN_ASSIGN(const std::string upload_id, begin_upload(client, put));
  const auto parts = upload_parts(client, put, upload_id, part_bytes);
  Status status = parts.ok() ? complete_upload(client, put, upload_id, *parts) : parts.status();
  // What cannot be given up now is found by the next sweep.
  if (!status.ok()) (void)abort_upload(client, put.key, upload_id);
  return status;
}

}  // namespace

Status s3_upload(S3Client* client, const S3Put& put, uint64_t part_bytes) {
  const uint64_t size = put.content->size_bytes();
  if (size > part_bytes * kPartsMax) {
    return too_large(fmt::format("{}: '{}' has {} bytes, more than {} parts of {}", client->name(),
                                 put.key, size, kPartsMax, part_bytes));
  }
  return size <= part_bytes ? upload_whole(client, put) : upload_in_parts(client, put, part_bytes);
}

Status s3_abort_uploads(S3Client* client, const std::string& prefix,
                        const std::function<bool(std::string_view key)>& is_ours) {
  S3Uploads page;
  do {
    S3Call call{"GET", ""};
    call.query = {{"uploads", ""}, {"prefix", prefix}, {"encoding-type", "url"}};
    if (!page.next_key.empty()) {
      call.query.emplace_back("key-marker", page.next_key);
      call.query.emplace_back("upload-id-marker", page.next_id);
    }
    const std::string asked = page.next_key + "\n" + page.next_id;
    call.accept = [&](const CurlResponse& response) {
      FIRN_ASSIGN(page, parse_s3_uploads(response.body));
      return Status();
    };
    FIRN_TRY(client->call(call).status());
    for (const S3Uploads::Upload& upload : page.uploads) {
      if (!upload.key.starts_with(prefix) || !is_ours(upload.key)) continue;
      FIRN_TRY(abort_upload(client, upload.key, upload.id));
    }
    if (!page.is_last && asked == page.next_key + "\n" + page.next_id) {
      return corruption(client->name() + ": the list of uploads does not go on");
    }
  } while (!page.is_last);
  return {};
}

}  // namespace firn
