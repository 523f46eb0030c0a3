#pragma once

#include <string>
#include <string_view>

#include "views/metrics/metric_reads.h"
#include "wire/json_text.h"

// What guardia's answers and its stream share (docs/guardia.md).

namespace firn {

// The document's member as JSON; empty when it has none.
std::string_view member_of(std::string_view document, std::string_view wanted);
// Empty when the series does not have the label.
std::string label_of(const Series& series, std::string_view label);
void raw_or_null(std::string_view name, std::string_view json, JsonObjectWriter* object);
// The name that was given in a row's metadata, else the id.
void add_display_name(std::string_view metadata, const std::string& id, JsonObjectWriter* object);

}  // namespace firn
