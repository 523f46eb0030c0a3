#include "tier/object/test_s3_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/hash.h"

namespace firn {

namespace {

constexpr const char* kBucketPath = "/bucket";
constexpr const char* kAccessKey = "AKIDOFTHETEST";
constexpr const char* kSecret = "secret-of-the-test";
constexpr const char* kRegion = "test-region-1";
constexpr DurationNs kClockToleranceNs = 15 * kMinuteNs;

TestHttpAnswer error(int status, const std::string& code) {
  return {status,
          {{"Content-Type", "application/xml"}},
          fmt::format("<?xml version=\"1.0\"?><Error><Code>{}</Code><Message>as told</Message>"
                      "<Resource>/</Resource></Error>",
                      code)};
}

std::string decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char byte = text[i];
    if (byte == '%' && hex_decode(text.substr(std::min(i + 1, text.size()), 2), &byte, 1)) i += 2;
    out += byte;
  }
  return out;
}

NameValues split_query(std::string_view query) {
  NameValues out;
  for (size_t at = 0; at < query.size();) {
    const size_t end = std::min(query.find('&', at), query.size());
    const std::string_view part = query.substr(at, end - at);
    const size_t equals = std::min(part.find('='), part.size());
    out.emplace_back(decode(part.substr(0, equals)),
                     decode(part.substr(std::min(equals + 1, part.size()))));
    at = end + 1;
  }
  return out;
}

std::string etag_of(ByteView content) { return fmt::format("\"{:016x}\"", hash_bytes(content)); }

NameValues metadata_of(const TestHttpRequest& request) {
  NameValues out;
  for (const auto& header : request.headers) {
    if (header.first.starts_with("x-amz-meta-")) out.push_back(header);
  }
  return out;
}

std::string between(std::string_view text, std::string_view before, std::string_view after) {
  const size_t begin = text.find(before);
  if (begin == std::string_view::npos) return "";
  const size_t from = begin + before.size();
  return std::string(text.substr(from, std::min(text.find(after, from), text.size()) - from));
}

// "20261121T064427Z"
std::optional<TimeNs> parse_amz_date(const std::string& text) {
  if (text.size() != 16) return {};
  return parse_time(text.substr(0, 4) + "-" + text.substr(4, 2) + "-" + text.substr(6, 5) + ":" +
                    text.substr(11, 2) + ":" + text.substr(13));
}

void flip(std::string* bytes) {
  if (!bytes->empty()) (*bytes)[bytes->size() / 2] ^= 0x10;
}

}  // namespace

TestS3Server::TestS3Server(Env* env, bool use_tls)
    : env_(env),
      listener_([this](const TestHttpRequest& request) { return handle(request); }, use_tls) {}

S3Options TestS3Server::options() const {
  S3Options options;
  options.bucket = "bucket";
  options.prefix = "some/prefix";
  options.region = kRegion;
  options.endpoint = listener_.endpoint();
  options.credentials.source = CredentialsSource::kEnvironment;
  options.retry.pause_min_ns = kMillisecondNs / 10;
  options.retry.pause_max_ns = kMillisecondNs;
  options.transfer.low_speed_time_ns = 1 * kSecondNs;
  return options;
}

void TestS3Server::give_credentials(SimEnv* env, const std::string& secret) {
  env->set_environment_variable("AWS_ACCESS_KEY_ID", kAccessKey);
  env->set_environment_variable("AWS_SECRET_ACCESS_KEY", secret);
}

Credentials TestS3Server::credentials() { return {kAccessKey, kSecret, "", INT64_MAX}; }

void TestS3Server::fail(S3Fault fault, const std::string& method, const std::string& part,
                        uint64_t count) {
  const MutexLock lock(&mutex_);
  plans_.push_back({fault, method, part, count});
}

void TestS3Server::fail_randomly(std::vector<S3Fault> faults, uint64_t one_in, uint64_t seed) {
  const MutexLock lock(&mutex_);
  random_faults_ = std::move(faults);
  one_in_ = one_in;
  random_ = seed;
}

void TestS3Server::set_page_size(size_t objects) {
  const MutexLock lock(&mutex_);
  page_size_ = objects;
}

void TestS3Server::set_conditions(Conditions conditions) {
  const MutexLock lock(&mutex_);
  conditions_ = conditions;
}

void TestS3Server::set_secret(const std::string& secret) {
  const MutexLock lock(&mutex_);
  secret_ = secret;
}

void TestS3Server::expect_token(const std::string& token) {
  const MutexLock lock(&mutex_);
  token_ = token;
}

std::map<std::string, std::string> TestS3Server::objects() const {
  const MutexLock lock(&mutex_);
  std::map<std::string, std::string> out;
  for (const auto& [key, object] : objects_) out[key] = object.content;
  return out;
}

void TestS3Server::put_directly(const std::string& key, const std::string& content) {
  const MutexLock lock(&mutex_);
  store(key, {content, etag_of(content), {}});
}

void TestS3Server::damage(const std::string& key, size_t byte) {
  const MutexLock lock(&mutex_);
  objects_.at(key).content.at(byte) ^= 0x01;
}

size_t TestS3Server::unfinished_uploads() const {
  const MutexLock lock(&mutex_);
  return uploads_.size();
}

std::vector<std::string> TestS3Server::requests() const {
  const MutexLock lock(&mutex_);
  return log_;
}

size_t TestS3Server::requests_of(const std::string& method) const {
  const MutexLock lock(&mutex_);
  return static_cast<size_t>(std::count_if(log_.begin(), log_.end(), [&](const std::string& line) {
    return line.starts_with(method + " ");
  }));
}

TestHttpAnswer TestS3Server::handle(const TestHttpRequest& received) {
  const MutexLock lock(&mutex_);
  log_.push_back(received.method + " " + received.path +
                 (received.query.empty() ? "" : "?" + received.query));
  const auto fault = next_fault(received);
  TestHttpRequest request = received;
  if (fault == S3Fault::kDamagedRequest) flip(&request.body);
  TestHttpAnswer answer;
  if (auto refused = check_signature(request)) {
    answer = std::move(*refused);
  } else if (auto failed = fault ? fail_before(*fault) : std::nullopt) {
    answer = std::move(*failed);
  } else {
    answer = serve(request, fault);
    if (fault) fail_after(*fault, &answer);
  }
  answer.is_head = request.method == "HEAD";
  return answer;
}

std::optional<S3Fault> TestS3Server::next_fault(const TestHttpRequest& request) {
  const std::string target = request.path + "?" + request.query;
  for (auto plan = plans_.begin(); plan != plans_.end(); ++plan) {
    if (plan->method != request.method || target.find(plan->part) == std::string::npos) continue;
    const S3Fault fault = plan->fault;
    if (--plan->left == 0) plans_.erase(plan);
    return fault;
  }
  if (one_in_ == 0) return {};
  random_ = hash_bytes("next", random_);
  if (random_ % one_in_ != 0) return {};
  return random_faults_[(random_ >> 32) % random_faults_.size()];
}

// The faults of a server that does nothing.
std::optional<TestHttpAnswer> TestS3Server::fail_before(S3Fault fault) const {
  switch (fault) {
    case S3Fault::kInternalError:
      return error(500, "InternalError");
    case S3Fault::kSlowDown:
      return error(503, "SlowDown");
    case S3Fault::kErrorInAnswer:
      return error(200, "InternalError");
    case S3Fault::kForbidden:
      return error(403, "AccessDenied");
    case S3Fault::kNotFound:
      return error(404, "NoSuchKey");
    case S3Fault::kGarbage:
      return TestHttpAnswer{200, {}, "<html><body>Welcome to the proxy</html>"};
    case S3Fault::kRedirect:
      return TestHttpAnswer{307, {{"Location", "http://127.0.0.1:1/elsewhere"}}, ""};
    case S3Fault::kDropRequest: {
      TestHttpAnswer nothing;
      nothing.delivery = TestDelivery::kNothing;
      return nothing;
    }
    default:
      return {};
  }
}

// The faults of an answer.
void TestS3Server::fail_after(S3Fault fault, TestHttpAnswer* answer) const {
  switch (fault) {
    case S3Fault::kDropAnswer:
      answer->delivery = TestDelivery::kNothing;
      break;
    case S3Fault::kStallAnswer:
      answer->delivery = TestDelivery::kStall;
      break;
    case S3Fault::kErrorAfterDone:
      *answer = error(500, "InternalError");
      break;
    case S3Fault::kHalfAnswer:
      answer->delivery = TestDelivery::kHalf;
      break;
    case S3Fault::kSlowAnswer:
      answer->delivery = TestDelivery::kSlow;
      break;
    case S3Fault::kDamagedAnswer:
      flip(&answer->body);
      break;
    case S3Fault::kWrongEtag:
      for (auto& [name, value] : answer->headers) {
        if (name == "ETag") value = "\"0123456789abcdef0123456789abcdef\"";
      }
      break;
    default:
      break;
  }
}

std::optional<TestHttpAnswer> TestS3Server::check_signature(const TestHttpRequest& request) const {
  const std::string authorization = request.header("authorization");
  const std::string names = between(authorization, "SignedHeaders=", ",");
  RequestToSign to_sign;
  to_sign.method = request.method;
  // As AWS does: what was meant, encoded by the rules, and not what was sent.
  to_sign.path = uri_encode(decode(request.path), true);
  to_sign.query = canonical_query(split_query(request.query));
  to_sign.payload_hash = request.header("x-amz-content-sha256");
  for (const auto& header : request.headers) {
    const bool is_signed = (";" + names + ";").find(";" + header.first + ";") != std::string::npos;
    if (is_signed) to_sign.headers.push_back(header);
    const bool must_be = header.first.starts_with("x-amz-") || header.first == "host";
    if (must_be && !is_signed) return error(403, "AccessDenied");
  }
  const auto time = parse_amz_date(request.header("x-amz-date"));
  if (!time || std::abs(*time - env_->now()) > kClockToleranceNs) {
    return error(403, "RequestTimeTooSkewed");
  }
  const SigningScope scope{kRegion, "s3", *time};
  const Credentials credentials{kAccessKey, secret_, "", INT64_MAX};
  if (sigv4_authorization(to_sign, scope, credentials) != authorization) {
    return error(403, "SignatureDoesNotMatch");
  }
  if (request.header("x-amz-security-token") != token_) return error(403, "InvalidToken");
  if (to_sign.payload_hash != sha256_hex(request.body)) {
    return error(400, "XAmzContentSHA256Mismatch");
  }
  return {};
}

TestHttpAnswer TestS3Server::serve(const TestHttpRequest& request, std::optional<S3Fault> fault) {
  const std::string path = decode(request.path);
  if (!path.starts_with(std::string(kBucketPath) + "/")) return error(404, "NoSuchBucket");
  const std::string key = path.substr(std::string_view(kBucketPath).size() + 1);
  Parameters parameters;
  for (const auto& [name, value] : split_query(request.query)) parameters[name] = value;
  if (request.method == "PUT") return put(request, key, parameters);
  if (request.method == "POST") return post(request, key, parameters);
  if (request.method == "DELETE") return remove(key, parameters);
  if (!key.empty()) return get(request, key, fault);
  return parameters.contains("uploads") ? list_uploads(parameters) : list(parameters, fault);
}

std::optional<TestHttpAnswer> TestS3Server::check_conditions(const TestHttpRequest& request,
                                                             const std::string& key) const {
  if (request.header("if-none-match").empty() || conditions_ == Conditions::kIgnored) return {};
  if (conditions_ == Conditions::kRefused) return error(501, "NotImplemented");
  if (objects_.contains(key)) return error(412, "PreconditionFailed");
  return {};
}

void TestS3Server::store(const std::string& key, Object object) {
  objects_[key] = std::move(object);
  last_put_ = key;
}

TestHttpAnswer TestS3Server::put(const TestHttpRequest& request, const std::string& key,
                                 const Parameters& parameters) {
  if (auto refused = check_conditions(request, key)) return *refused;
  Object object{request.body, etag_of(request.body), metadata_of(request)};
  const std::string etag = object.etag;
  if (parameters.contains("uploadId")) {
    const auto upload = uploads_.find(parameters.at("uploadId"));
    if (upload == uploads_.end()) return error(404, "NoSuchUpload");
    upload->second.parts[std::atoi(parameters.at("partNumber").c_str())] = std::move(object);
  } else {
    store(key, std::move(object));
  }
  return {200, {{"ETag", etag}}, ""};
}

TestHttpAnswer TestS3Server::post(const TestHttpRequest& request, const std::string& key,
                                  const Parameters& parameters) {
  if (parameters.contains("uploads")) {
    const std::string id = fmt::format("upload+{}/=", next_id_++);
    uploads_[id] = {key, metadata_of(request), {}};
    return {200,
            {},
            "<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<UploadId>" +
                id + "</UploadId></InitiateMultipartUploadResult>"};
  }
  const auto upload = uploads_.find(parameters.at("uploadId"));
  if (upload == uploads_.end()) return error(404, "NoSuchUpload");
  if (auto refused = check_conditions(request, key)) return *refused;
  Object whole{"", "", upload->second.metadata};
  size_t at = 0;
  for (const auto& [number, part] : upload->second.parts) {
    const std::string named =
        fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", number, part.etag);
    at = request.body.find(named, at);
    if (at == std::string::npos) return error(400, "InvalidPart");
    whole.content += part.content;
  }
  whole.etag =
      fmt::format("\"{:016x}-{}\"", hash_bytes(whole.content), upload->second.parts.size());
  const std::string etag = whole.etag;
  store(key, std::move(whole));
  uploads_.erase(upload);
  return {
      200,
      {},
      "<CompleteMultipartUploadResult><ETag>" + etag + "</ETag></CompleteMultipartUploadResult>"};
}

TestHttpAnswer TestS3Server::remove(const std::string& key, const Parameters& parameters) {
  if (parameters.contains("uploadId")) {
    const bool was_there = uploads_.erase(parameters.at("uploadId")) == 1;
    return was_there ? TestHttpAnswer{204} : error(404, "NoSuchUpload");
  }
  objects_.erase(key);
  return {204};
}

TestHttpAnswer TestS3Server::get(const TestHttpRequest& request, const std::string& key,
                                 std::optional<S3Fault> fault) const {
  const auto found = objects_.find(key);
  if (found == objects_.end()) return error(404, "NoSuchKey");
  const Object& object = found->second;
  const std::string condition = request.header("if-match");
  if (!condition.empty() && condition != object.etag) return error(412, "PreconditionFailed");
  TestHttpAnswer answer{200, object.metadata, object.content};
  answer.headers.emplace_back("ETag", object.etag);
  const std::string range = request.header("range");
  if (range.empty() || fault == S3Fault::kWholeInsteadOfRange) return answer;
  size_t first = std::strtoull(between(range, "bytes=", "-").c_str(), nullptr, 10);
  size_t last = std::strtoull(between(range, "-", " ").c_str(), nullptr, 10);
  if (first >= object.content.size()) return error(416, "InvalidRange");
  last = std::min(last, object.content.size() - 1);
  if (fault == S3Fault::kOtherRange && first > 0) --first, --last;
  answer.status = 206;
  answer.body = object.content.substr(first, last - first + 1);
  answer.headers.emplace_back("Content-Range",
                              fmt::format("bytes {}-{}/{}", first, last, object.content.size()));
  return answer;
}

TestHttpAnswer TestS3Server::list(const Parameters& parameters,
                                  std::optional<S3Fault> fault) const {
  const std::string prefix = parameters.contains("prefix") ? parameters.at("prefix") : "";
  const std::string after = parameters.contains("start-after") ? parameters.at("start-after") : "";
  std::string contents;
  size_t count = 0;
  bool is_truncated = fault == S3Fault::kEndlessList;
  for (auto at = objects_.upper_bound(after); at != objects_.end(); ++at) {
    if (!at->first.starts_with(prefix)) continue;
    if (fault == S3Fault::kStaleList && at->first == last_put_) continue;
    if (count++ == page_size_) {
      is_truncated = true;
      break;
    }
    contents +=
        fmt::format("<Contents><Key>{}</Key><ETag>{}</ETag><Size>{}</Size></Contents>",
                    uri_encode(at->first, true), at->second.etag, at->second.content.size());
  }
  return {200,
          {},
          fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>"
                      "<EncodingType>url</EncodingType><IsTruncated>{}</IsTruncated>{}"
                      "</ListBucketResult>",
                      is_truncated, contents)};
}

TestHttpAnswer TestS3Server::list_uploads(const Parameters& parameters) const {
  const std::string prefix = parameters.contains("prefix") ? parameters.at("prefix") : "";
  const std::string after =
      parameters.contains("upload-id-marker") ? parameters.at("upload-id-marker") : "";
  std::string contents, last_id, last_key;
  size_t count = 0;
  bool is_truncated = false;
  for (auto at = uploads_.upper_bound(after); at != uploads_.end(); ++at) {
    if (!at->second.key.starts_with(prefix)) continue;
    if (count++ == page_size_) {
      is_truncated = true;
      break;
    }
    last_id = at->first;
    last_key = uri_encode(at->second.key, true);
    contents +=
        fmt::format("<Upload><Key>{}</Key><UploadId>{}</UploadId></Upload>", last_key, last_id);
  }
  return {200,
          {},
          fmt::format("<ListMultipartUploadsResult><EncodingType>url</EncodingType>"
                      "<IsTruncated>{}</IsTruncated><NextKeyMarker>{}</NextKeyMarker>"
                      "<NextUploadIdMarker>{}</NextUploadIdMarker>{}"
                      "</ListMultipartUploadsResult>",
                      is_truncated, last_key, last_id, contents)};
}

}  // namespace firn
