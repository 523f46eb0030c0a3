#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/time.h"
#include "wire/json_reader.h"
#include "wire/sample_rows.h"

namespace firn {

// A member of an object in a batch, as the JSON text it has there.
struct BatchMember {
  std::string_view name;
  std::string_view json{};  // empty: the object has none, or null
  bool is_text() const { return json.starts_with('"'); }
  bool is_object() const { return json.starts_with('{'); }
  bool is_number() const {
    return !json.empty() && (json[0] == '-' || (json[0] >= '0' && json[0] <= '9'));
  }
};

// Reads bodies of the form {"<list>":[{...},...]}: small flat objects with members that are known.
// Inside wire only. One thread.
class JsonBatch {
 public:
  // `body` must outlive the object. `list` is the name of the only member of the body, `item` what
  // messages call one of its objects.
  JsonBatch(ByteView body, std::string_view list, std::string_view item, const Limits& limits)
      : body_(body), list_(list), item_(item), reader_(body, limits.json_depth, &pool_) {}

  // Reads the whole body. Fills the `json` of `members` from each object, then calls `take`; ends
  // with the first failure, which is told with the object's number. kInvalidArgument also for a
  // member that is unknown or given twice, and for a list without objects.
  Status read(std::span<BatchMember> members, const std::function<Status()>& take);

  // The text of a member, unescaped; valid until the next object. REQUIRES: is_text().
  std::string_view text(const BatchMember& member);
  // The time a member is: a whole number of milliseconds, or a text with a date. kInvalidArgument.
  Result<TimeNs> time(const BatchMember& member);
  // kInvalidArgument: "<name>" `what`, with the offset of the member, or of what was read last.
  Status refuse(const BatchMember& member, std::string_view what) const;

 private:
  Status read_object(std::span<BatchMember> members);

  const ByteView body_;
  const std::string_view list_, item_;
  StringPool pool_;
  JsonReader reader_;
};

// What a body became, which must be one append; `items` is what messages call its rows. kTooLarge.
Result<DecodedSamples> finish_one(SampleRows* rows, std::string_view items, const Limits& limits);

}  // namespace firn
