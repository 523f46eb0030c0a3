// CSV: a record that is accepted, written and read again is the same one.

#include <string>
#include <string_view>

#include "base/status.h"
#include "wire/csv.h"

namespace firn {
namespace {

constexpr size_t kRecordBytesMax = 1000;

// Calls `on_line` with each line of the text, without its line feed.
template <typename OnLine>
void for_each_line(std::string_view text, const OnLine& on_line) {
  while (true) {
    const size_t end = text.find('\n');
    on_line(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

void check_again(const CsvRecord& record) {
  std::string text;
  append_csv_record(record, &text);
  CsvReader reader(10 * kRecordBytesMax);
  bool whole = false;
  for_each_line(text, [&](std::string_view line) {
    FIRN_CHECK(!whole);
    const Result<bool> added = reader.add_line(line);
    FIRN_CHECK(added.ok());
    whole = *added;
  });
  FIRN_CHECK(whole && reader.finish().ok());
  FIRN_CHECK(reader.record() == record);
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn;
  CsvReader reader(kRecordBytesMax);
  bool failed = false;
  for_each_line({reinterpret_cast<const char*>(data), size}, [&](std::string_view line) {
    if (failed) return;
    const Result<bool> whole = reader.add_line(line);
    failed = !whole.ok();
    if (!failed && *whole) check_again(reader.record());
  });
  return 0;
}
