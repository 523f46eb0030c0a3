// Files of lines in every import format: each line that is not blank becomes exactly one event,
// and its documents are JSON.

#include <algorithm>
#include <string>

#include "base/status.h"
#include "wire/import_lines.h"
#include "wire/json_reader.h"

namespace firn {
namespace {

void check_import(std::string_view text, ImportFormat format) {
  uint64_t made = 0;
  ImportOptions options;
  options.now = 1'767'225'600 * kSecondNs;
  options.make_id = [&made] { return make_uuid7(1, 2, ++made); };
  options.limits.event_bytes = 6 * kKiB;  // so that lines too long for one event come up, too
  LineImporter importer(format, options);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    importer.add_line(text.substr(at, end - at));
    at = end + 1;
  }
  const ImportCounts& counts = importer.counts();
  FIRN_CHECK(counts.parsed + counts.unparsed == counts.lines);
  const DecodedEvents taken = importer.take_batch();
  FIRN_CHECK((taken.batch == nullptr ? 0 : taken.batch->rows()) == counts.lines);
  for (uint32_t i = 0; i < counts.lines; ++i) {
    const EventRow row = event_row(*taken.batch, i);
    FIRN_CHECK(!row.type.empty() && !row.id.is_zero());
    for (const std::string_view json : {row.data, row.metadata, row.context}) {
      FIRN_CHECK(json.empty() || check_json(json, options.limits.json_depth).ok());
    }
  }
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const firn::ImportFormat format :
       {firn::ImportFormat::kNdjson, firn::ImportFormat::kLines, firn::ImportFormat::kApache,
        firn::ImportFormat::kSyslog}) {
    firn::check_import(text, format);
  }
  return 0;
}
