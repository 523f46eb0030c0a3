#pragma once

#include "server/router.h"
#include "server/services.h"

namespace firn {

// guardia's REST API about servers and services (docs/guardia.md). `services` must outlive the
// handlers.
Face guardia_face(Services* services);

}  // namespace firn
