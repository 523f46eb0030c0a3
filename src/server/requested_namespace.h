#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "server/http_types.h"
#include "server/services.h"
#include "store/store.h"

namespace firn {

// The namespace of a request on routes that name none and need no token (docs/influx.md): that of
// the token when it has Firn's form, else of the header Firn-Namespace, else the configured one.
// Nothing when the token is wrong. kInvalidArgument when token and header differ, kNotFound.
Result<std::optional<NamespaceInfo>> requested_namespace(const Services& services, Store* store,
                                                         const HttpRequest& request,
                                                         const std::string& token);

}  // namespace firn
