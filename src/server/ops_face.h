#pragma once

#include "server/router.h"
#include "server/services.h"

namespace firn {

// /health, /healthz, /livez, /readyz, /metrics (docs/operating.md). `services` must outlive the
// handlers.
Face ops_face(Services* services);

}  // namespace firn
