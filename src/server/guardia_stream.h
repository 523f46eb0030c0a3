#pragma once

#include <memory>

#include "server/http_types.h"
#include "server/services.h"
#include "store/store.h"

namespace firn {

// Servers' rows and checks of services as they are written, as messages of guardia's stream
// (docs/guardia.md, "The stream"): of the namespace every one behind position `after` of samples,
// in order and once each. It goes on with another namespace when the client shows a token of one.
// The store may go while the stream exists; the stream then ends.
std::unique_ptr<MessageStream> make_guardia_stream(Services* services, const OpenStorePtr& open,
                                                   NamespaceId name_space, Position after);

}  // namespace firn
