// Answers of an object store: refused or read, never more than they hold. What was read of a list
// comes from the input.

#include <string>

#include "base/status.h"
#include "tier/object/s3_xml.h"

namespace firn {
namespace {

void check(ByteView bytes) {
  const auto list = parse_s3_list(bytes);
  if (list.ok()) {
    uint64_t total = 0;
    for (const ObjectInfo& object : list->objects) {
      FIRN_CHECK(!object.key.empty());
      total += object.key.size() + object.version.size();
    }
    FIRN_CHECK(total <= bytes.size());
  }
  const auto uploads = parse_s3_uploads(bytes);
  if (uploads.ok()) {
    for (const S3Uploads::Upload& upload : uploads->uploads) FIRN_CHECK(!upload.id.empty());
  }
  const auto error = parse_s3_error(bytes);
  FIRN_CHECK(!error.ok() || !error->code.empty());
  // At most one of them is the document.
  FIRN_CHECK(int{list.ok()} + int{uploads.ok()} + int{error.ok()} +
                 int{parse_s3_upload_id(bytes).ok()} + int{parse_s3_completion(bytes).ok()} <=
             1);
  // Any entity tag comes back from what is sent to complete an upload, as far as XML has it.
  const std::string completion = format_s3_completion({{1, std::string(bytes)}});
  FIRN_CHECK(completion.size() >= bytes.size());
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  firn::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
