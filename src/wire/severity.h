#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace firn {

// OpenTelemetry's severity number (1-24) of a name: "warn", "WARNING", "Error2", "fatal",
// "SEVERITY_NUMBER_INFO", "notice"... in any case. Nothing when the name is not known.
std::optional<uint8_t> severity_from_name(std::string_view name);

// The severity number of a syslog severity (RFC 5424: 0 emergency ... 7 debug).
// REQUIRES: level <= 7.
uint8_t severity_from_syslog(unsigned level);

}  // namespace firn
