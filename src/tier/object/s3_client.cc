#include "tier/object/s3_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "tier/object/s3_xml.h"
#include "tier/object/sigv4.h"

namespace firn {

namespace {

constexpr size_t kMessageBytesMax = 300;  // of a server's text in ours
constexpr int64_t kRetryAfterSecondsMax = 60;

// What a server says, as part of one line of ours.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, kMessageBytesMax));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

DurationNs retry_after(const CurlResponse& response) {
  const std::string_view text = response.header("retry-after");
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) return 0;
  return std::min(seconds, kRetryAfterSecondsMax) * kSecondNs;
}

bool is_quota(std::string_view code) {
  return code == "QuotaExceeded" || code == "XMinioStorageFull" || code == "InsufficientStorage";
}

// An answer that is not 2xx and does not get better.
Status refusal(int status, const S3Error& error) {
  std::string text = fmt::format("{} {}", status, printable(error.code));
  if (!error.message.empty()) text += ": " + printable(error.message);
  if (status == 404) return not_found(text);
  if (status == 409 || status == 412) return conflict(text);
  if (status == 501) return unsupported(text);
  if (status == 507 || is_quota(error.code)) return no_space(text);
  if (status / 100 == 3) {
    return io_error(text + "; redirects are not followed, check endpoint, region and path_style");
  }
  if (error.code == "RequestTimeTooSkewed") text += "; set the clock of this machine";
  if (status == 401 || status == 403) text += "; check the credentials and what they allow";
  return io_error(text);
}

}  // namespace

S3Client::S3Client(Env* env, const S3Options& options)
    : env_(env),
      retry_(options.retry),
      region_(options.region),
      address_(s3_address(options)),
      name_("s3://" + options.bucket),
      credentials_(make_credentials_provider(env, options.credentials)),
      curl_(options.transfer) {}

Result<CurlResponse> S3Client::call(const S3Call& call) {
  auto response = run(call);
  if (response.ok()) return response;
  if (is_retryable(response.status())) ++failures_;
  return response.status().with_context(fmt::format("{}: {} '{}'", name_, call.method, call.key));
}

Result<CurlResponse> S3Client::run(const S3Call& call) {
  const TimeNs start = env_->monotonic();
  FIRN_ASSIGN(Credentials credentials, credentials_->get());
  bool has_looked_again = false;
  for (uint32_t failed = 0;;) {
    Attempt last = attempt(call, credentials);
    if (last.status.ok()) return std::move(last.response);
    if (last.response.status == 401 || last.response.status == 403) {
      if (has_looked_again || !are_fresh(credentials, &credentials)) return last.status;
      has_looked_again = true;
      continue;
    }
    if (!is_retryable(last.status) || call.once) return last.status;
    // A lost answer, and a failing server, may have done it all the same.
    if (call.has_happened && call.has_happened()) {
      CurlResponse response;
      response.status = 200;
      return response;
    }
    ++failed;
    const DurationNs wait =
        std::max(retry_pause(retry_, failed, env_->random_u64()), last.retry_after_ns);
    if (failed >= retry_.attempts_max || env_->monotonic() - start + wait > retry_.total_time_ns) {
      return last.status.with_context(fmt::format("given up after {} attempts", failed));
    }
    if (!pause(wait)) return cancelled("the object store is closing");
    ++retries_;
    // Those of a role may have come to their end while we waited.
    FIRN_ASSIGN(credentials, credentials_->get());
  }
}

S3Client::Attempt S3Client::attempt(const S3Call& call, const Credentials& credentials) {
  RequestToSign to_sign;
  to_sign.method = call.method;
  to_sign.path = address_.path + "/" + uri_encode(call.key, true);
  to_sign.query = canonical_query(call.query);
  to_sign.headers = call.headers;
  to_sign.headers.emplace_back("host", address_.host);
  to_sign.payload_hash = sha256_hex(call.body);
  sign_s3_request(&to_sign, {region_, "s3", env_->now()}, credentials);

  CurlRequest request;
  request.method = call.method;
  request.url = address_.origin + to_sign.path + (to_sign.query.empty() ? "" : "?") + to_sign.query;
  request.headers = std::move(to_sign.headers);
  request.body = call.body;
  request.out = call.out;
  request.out_size = call.out_size;
  ++requests_;
  sent_bytes_ += call.body.size();
  auto response = curl_.send(request);
  if (!response.ok()) return {response.status(), {}, 0};
  received_bytes_ += response->received_bytes;
  return judge(call, std::move(*response));
}

S3Client::Attempt S3Client::judge(const S3Call& call, CurlResponse response) {
  Attempt result;
  if (response.status / 100 == 2) {
    if (call.accept) result.status = call.accept(response);
  } else {
    const auto error = parse_s3_error(response.body);  // HEAD has none
    const S3Error said = error.ok() ? *error : S3Error{};
    result.status = refusal(response.status, said);
    if (is_retryable_answer(response.status, said.code)) {
      result.status = unavailable(std::string(result.status.message()));
      result.retry_after_ns = retry_after(response);
    }
  }
  result.response = std::move(response);
  return result;
}

bool S3Client::are_fresh(const Credentials& used, Credentials* fresh) {
  credentials_->invalidate();
  auto again = credentials_->get();
  if (!again.ok() || (again->access_key_id == used.access_key_id &&
                      again->secret_access_key == used.secret_access_key &&
                      again->session_token == used.session_token)) {
    return false;
  }
  *fresh = std::move(*again);
  return true;
}

bool S3Client::pause(DurationNs duration) {
  const MutexLock lock(&mutex_);
  while (!cancelled_) {
    if (!wake_.wait_for(&mutex_, std::chrono::nanoseconds(duration))) return !cancelled_;
  }
  return false;
}

void S3Client::cancel() {
  curl_.cancel();
  const MutexLock lock(&mutex_);
  cancelled_ = true;
  wake_.notify_all();
}

ObjectStoreStats S3Client::stats() const {
  return {requests_, retries_, failures_, sent_bytes_, received_bytes_};
}

}  // namespace firn
