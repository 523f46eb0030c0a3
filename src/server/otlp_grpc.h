#pragma once

#include "server/grpc_server.h"
#include "server/services.h"

namespace firn {

// OTLP's services over gRPC (docs/otlp.md): the Export methods of logs and traces; others are
// UNIMPLEMENTED. `services` must outlive the handler.
GrpcHandler otlp_grpc_handler(Services* services);

}  // namespace firn
