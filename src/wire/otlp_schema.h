#pragma once

#include <string>
#include <vector>

namespace firn {

// One .proto file, described as protobuf's own tools would (google.protobuf.FileDescriptorProto).
struct ProtoFile {
  std::string name;  // "opentelemetry/proto/common/v1/common.proto"
  std::vector<std::string> dependencies;
  std::vector<std::string> symbols;  // full names of its messages, enumerations, services, methods
  std::string descriptor;            // serialised
};

// What is served over gRPC: OpenTelemetry's messages and services, and the health check. A file
// stands behind those that it depends on. Built at the first call; any thread.
const std::vector<ProtoFile>& otlp_schema();
// Full names of the services.
const std::vector<std::string>& otlp_schema_services();

}  // namespace firn
