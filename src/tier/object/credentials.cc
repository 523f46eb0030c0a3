#include "tier/object/credentials.h"

#include <algorithm>
#include <optional>

#include "base/mutex.h"
#include "base/size.h"
#include "tier/object/instance_role.h"

namespace firn {

namespace {

constexpr uint64_t kFileBytesMax = 1 * kMiB;
constexpr const char* kKeyVariable = "AWS_ACCESS_KEY_ID";
constexpr const char* kSecretVariable = "AWS_SECRET_ACCESS_KEY";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// They go into headers, so whatever is in a file or variable must be printable.
Status check_characters(const Credentials& credentials, const std::string& source) {
  for (const std::string* text :
       {&credentials.access_key_id, &credentials.secret_access_key, &credentials.session_token}) {
    const bool fits =
        std::all_of(text->begin(), text->end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!fits) return invalid_argument("credentials from " + source + " hold other than one word");
  }
  return {};
}

class EnvironmentProvider final : public CredentialsProvider {
 public:
  explicit EnvironmentProvider(Env* env) : env_(env) {}

  Result<Credentials> get() override {
    Credentials credentials;
    credentials.access_key_id = env_->environment_variable(kKeyVariable).value_or("");
    credentials.secret_access_key = env_->environment_variable(kSecretVariable).value_or("");
    credentials.session_token = env_->environment_variable("AWS_SESSION_TOKEN").value_or("");
    if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
      return invalid_argument(std::string("no credentials: the environment variables ") +
                              kKeyVariable + " and " + kSecretVariable + " must both be set");
    }
    FIRN_TRY(check_characters(credentials, "the environment"));
    return credentials;
  }
  void invalidate() override {}

 private:
  Env* const env_;
};

class FileProvider final : public CredentialsProvider {
 public:
  FileProvider(Env* env, std::string profile) : env_(env), profile_(std::move(profile)) {}

  Result<Credentials> get() override EXCLUDES(mutex_) {
    const MutexLock lock(&mutex_);
    if (!current_) {
      FIRN_ASSIGN(current_, load());
    }
    return *current_;
  }
  void invalidate() override EXCLUDES(mutex_) {
    const MutexLock lock(&mutex_);
    current_.reset();
  }

 private:
  Result<std::string> path() const {
    if (auto named = env_->environment_variable("AWS_SHARED_CREDENTIALS_FILE")) return *named;
    if (auto home = env_->environment_variable("HOME")) {
      return join_path(*home, ".aws/credentials");
    }
    return invalid_argument(
        "no credentials: neither AWS_SHARED_CREDENTIALS_FILE nor HOME says where the file is");
  }

  Result<Credentials> load() const {
    FIRN_ASSIGN(const std::string file, path());
    auto text = read_file(env_, file, kFileBytesMax);
    if (!text.ok()) {
      return invalid_argument("no credentials: " + std::string(text.status().message()) + "; set " +
                              kKeyVariable + " and " + kSecretVariable + ", or write the file");
    }
    std::string profile = profile_;
    if (profile.empty()) profile = env_->environment_variable("AWS_PROFILE").value_or("default");
    auto credentials = parse_credentials_file(*text, profile);
    if (!credentials.ok()) return credentials.status().with_context(file);
    return credentials;
  }

  Env* const env_;
  const std::string profile_;
  Mutex mutex_;
  std::optional<Credentials> current_ GUARDED_BY(mutex_);
};

// The environment when its variables are set, else the file.
class AutoProvider final : public CredentialsProvider {
 public:
  AutoProvider(Env* env, const std::string& profile)
      : env_(env), environment_(env), file_(env, profile) {}

  Result<Credentials> get() override { return chosen()->get(); }
  void invalidate() override { chosen()->invalidate(); }

 private:
  CredentialsProvider* chosen() {
    const bool is_set = env_->environment_variable(kKeyVariable).has_value() ||
                        env_->environment_variable(kSecretVariable).has_value();
    return is_set ? static_cast<CredentialsProvider*>(&environment_) : &file_;
  }

  Env* const env_;
  EnvironmentProvider environment_;
  FileProvider file_;
};

}  // namespace

Result<Credentials> parse_credentials_file(std::string_view text, const std::string& profile) {
  Credentials credentials;
  bool is_inside = false, was_found = false;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trimmed(text.substr(begin, end - begin));
    begin = end + 1;
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      is_inside = line.back() == ']' && trimmed(line.substr(1, line.size() - 2)) == profile;
      was_found = was_found || is_inside;
      continue;
    }
    const size_t equals = line.find('=');
    if (!is_inside || equals == std::string_view::npos) continue;
    const std::string_view name = trimmed(line.substr(0, equals));
    const std::string value(trimmed(line.substr(equals + 1)));
    if (name == "aws_access_key_id") credentials.access_key_id = value;
    if (name == "aws_secret_access_key") credentials.secret_access_key = value;
    if (name == "aws_session_token") credentials.session_token = value;
  }
  if (!was_found) return invalid_argument("there is no profile [" + profile + "]");
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
    return invalid_argument("profile [" + profile +
                            "] needs aws_access_key_id and aws_secret_access_key");
  }
  FIRN_TRY(check_characters(credentials, "profile [" + profile + "]"));
  return credentials;
}

std::unique_ptr<CredentialsProvider> make_credentials_provider(Env* env,
                                                               const CredentialsOptions& options) {
  switch (options.source) {
    case CredentialsSource::kEnvironment:
      return std::make_unique<EnvironmentProvider>(env);
    case CredentialsSource::kFile:
      return std::make_unique<FileProvider>(env, options.profile);
    case CredentialsSource::kInstanceRole:
      return make_instance_role_provider(env, options.instance_role_endpoint);
    case CredentialsSource::kAuto:
      break;
  }
  return std::make_unique<AutoProvider>(env, options.profile);
}

}  // namespace firn
