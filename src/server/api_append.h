#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "server/api_face.h"
#include "store/append.h"

// What writes of the API have in common: `Firn-Ack`, packed bodies, answers, counters.

namespace firn {

// Whom a write is for, and how. The body of its request is unpacked.
struct AcceptedWrite {
  Target target;
  AckLevel ack = AckLevel::kFsync;
};

// Nothing when the request is refused; `respond` has the answer then.
std::optional<AcceptedWrite> accept_write(Services* services, const HttpRequestPtr& request,
                                          const Responder& respond);

// Counts a refusal and words it.
HttpResponse refuse_append(Services* services, const Status& status);
// Counts what an append of `bytes` became, and answers with it.
void answer_append(Services* services, const Responder& respond, uint64_t bytes,
                   const Result<AppendResult>& result);

}  // namespace firn
