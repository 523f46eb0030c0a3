#pragma once

#include "server/router.h"
#include "server/services.h"

namespace firn {

// Writing as to InfluxDB 1.x and 2.x (docs/influx.md). `services` must outlive the handlers.
Face influx_face(Services* services);

}  // namespace firn
