#pragma once

#include "server/router.h"
#include "server/services.h"

namespace firn {

// OTLP over HTTP: POST /v1/logs, in protobuf or JSON (docs/otlp.md). Metrics and traces are
// answered 404 in the form OTLP clients read. `services` must outlive the handlers.
Face otlp_face(Services* services);

}  // namespace firn
