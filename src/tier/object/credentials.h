#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "env/env.h"

namespace firn {

// What requests are signed with. Never printed: there is no to_string(), and messages name the
// source instead.
struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;   // empty for credentials that last
  TimeNs expires = INT64_MAX;  // wall time
};

enum class CredentialsSource : uint8_t { kAuto, kEnvironment, kFile, kInstanceRole };

struct CredentialsOptions {
  CredentialsSource source = CredentialsSource::kAuto;
  // kFile and kAuto: the section of the file; AWS_PROFILE or "default" when empty.
  std::string profile = {};
  // kInstanceRole: where the metadata service is. Comes from the configuration, like every host.
  std::string instance_role_endpoint = "http://169.254.169.254";
};

// Where credentials come from (docs/object-storage.md). Thread rule: any thread.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  // Those to sign with now. kInvalidArgument saying what is missing and where it was looked for;
  // kUnavailable when the metadata service does not answer.
  virtual Result<Credentials> get() = 0;
  // A server said that the ones returned last are not valid (any more): the next get() looks again.
  virtual void invalidate() = 0;
};

// The profile of a shared credentials file. kInvalidArgument when it is not there or incomplete;
// the message repeats nothing of the file but the profile's name.
Result<Credentials> parse_credentials_file(std::string_view text, const std::string& profile);

// Nothing is read yet. `env` must outlive the provider.
std::unique_ptr<CredentialsProvider> make_credentials_provider(Env* env,
                                                               const CredentialsOptions& options);

}  // namespace firn
