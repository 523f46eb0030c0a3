#include "server/requested_namespace.h"

#include <utility>

#include "server/eventodb_token.h"

namespace firn {

Result<std::optional<NamespaceInfo>> requested_namespace(const Services& services, Store* store,
                                                         const HttpRequest& request,
                                                         const std::string& token) {
  const std::string& header = request.firn_namespace;
  const Result<std::string> named = namespace_of_token(token);
  if (!named.ok()) {
    FIRN_ASSIGN(NamespaceInfo info,
                store->find_namespace(header.empty() ? services.otlp_namespace : header));
    return std::optional(std::move(info));
  }
  if (!header.empty() && header != *named) {
    return invalid_argument("the token is for namespace '" + *named +
                            "', the header Firn-Namespace says '" + header + "'");
  }
  Result<NamespaceInfo> info = store->find_namespace(*named);
  if (!info.ok() || !token_matches(token, info->profile->token_sha256)) {
    return std::optional<NamespaceInfo>();
  }
  return std::optional(std::move(*info));
}

}  // namespace firn
