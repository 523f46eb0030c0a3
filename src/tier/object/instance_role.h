#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "env/env.h"
#include "tier/object/credentials.h"

namespace firn {

// Credentials of the role of this machine, from its metadata service at `endpoint` (IMDSv2). They
// are fetched on first use and again 5 minutes before they expire; when that fails, those at hand
// serve until they do. `env` must outlive the provider.
std::unique_ptr<CredentialsProvider> make_instance_role_provider(Env* env, std::string endpoint);

// The service's answer. kCorruption when it is not one.
Result<Credentials> parse_instance_role(ByteView json);

}  // namespace firn
