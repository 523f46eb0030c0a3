#pragma once

#include <string>
#include <string_view>

namespace firn {

// Answers one request of gRPC's server reflection (v1 and v1alpha are the same) about what is in
// otlp_schema.h: a serialised ServerReflectionResponse, with an error for what is unknown or
// malformed. Any thread.
std::string answer_reflection(std::string_view request);

}  // namespace firn
