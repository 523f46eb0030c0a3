#include "tier/object/instance_role.h"

#include <simdjson.h>

#include <algorithm>

#include "base/mutex.h"
#include "tier/object/curl_client.h"
#include "tier/object/sigv4.h"

namespace firn {

namespace {

constexpr DurationNs kRefreshBeforeNs = 5 * kMinuteNs;
constexpr const char* kRolePath = "/latest/meta-data/iam/security-credentials/";

CurlOptions metadata_options() {
  CurlOptions options;
  options.connect_time_ns = 2 * kSecondNs;
  options.total_time_ns = 5 * kSecondNs;
  options.allow_link_local = true;
  return options;
}

// A text that may go into a header or a path.
bool is_one_word(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

class InstanceRoleProvider final : public CredentialsProvider {
 public:
  InstanceRoleProvider(Env* env, std::string endpoint)
      : env_(env), endpoint_(std::move(endpoint)), curl_(metadata_options()) {}

  Result<Credentials> get() override EXCLUDES(mutex_) {
    const MutexLock lock(&mutex_);
    const TimeNs now = env_->now();
    if (is_valid_ && now < current_.expires - kRefreshBeforeNs) return current_;
    auto fresh = fetch();
    if (fresh.ok()) {
      current_ = std::move(*fresh);
      is_valid_ = true;
    } else if (!is_valid_ || now >= current_.expires) {
      return fresh.status().with_context("credentials of the instance's role from " + endpoint_);
    }
    return current_;
  }

  void invalidate() override EXCLUDES(mutex_) {
    const MutexLock lock(&mutex_);
    is_valid_ = false;
  }

 private:
  Result<std::string> ask(const std::string& method, const std::string& path, NameValues headers) {
    CurlRequest request;
    request.method = method;
    request.url = endpoint_ + path;
    request.headers = std::move(headers);
    FIRN_ASSIGN(CurlResponse response, curl_.send(request));
    if (response.status != 200) {
      return unavailable(method + " " + path + ": " + std::to_string(response.status));
    }
    return std::move(response.body);
  }

  Result<Credentials> fetch() REQUIRES(mutex_) {
    FIRN_ASSIGN(const std::string token, ask("PUT", "/latest/api/token",
                                             {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}}));
    if (!is_one_word(token)) return corruption("the token is none");
    const NameValues headers = {{"x-aws-ec2-metadata-token", token}};
    FIRN_ASSIGN(const std::string roles, ask("GET", kRolePath, headers));
    const std::string role = roles.substr(0, roles.find_first_of("\r\n"));
    if (!is_one_word(role)) return invalid_argument("the machine has no role");
    FIRN_ASSIGN(const std::string answer, ask("GET", kRolePath + uri_encode(role, false), headers));
    return parse_instance_role(answer);
  }

  Env* const env_;
  const std::string endpoint_;
  CurlClient curl_;
  Mutex mutex_;
  Credentials current_ GUARDED_BY(mutex_);
  bool is_valid_ GUARDED_BY(mutex_) = false;
};

}  // namespace

Result<Credentials> parse_instance_role(ByteView json) {
  const simdjson::padded_string padded(json.data(), json.size());
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS) {
    return corruption("the answer is no JSON");
  }
  const auto read = [&](const char* name, std::string* out) {
    std::string_view text;
    if (document[name].get_string().get(text) != simdjson::SUCCESS || !is_one_word(text)) {
      return corruption(std::string("the answer has no ") + name);
    }
    *out = text;
    return Status();
  };
  Credentials credentials;
  std::string expiration;
  FIRN_TRY(read("AccessKeyId", &credentials.access_key_id));
  FIRN_TRY(read("SecretAccessKey", &credentials.secret_access_key));
  FIRN_TRY(read("Token", &credentials.session_token));
  FIRN_TRY(read("Expiration", &expiration));
  const auto expires = parse_time(expiration);
  if (!expires) return corruption("the answer has no Expiration that is a time");
  credentials.expires = *expires;
  return credentials;
}

std::unique_ptr<CredentialsProvider> make_instance_role_provider(Env* env, std::string endpoint) {
  return std::make_unique<InstanceRoleProvider>(env, std::move(endpoint));
}

}  // namespace firn
