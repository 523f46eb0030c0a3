#pragma once

#include "base/status.h"
#include "base/time.h"

namespace firn {

// Whether a server that answered so, or not at all, may take the same request later. What it has
// made of this one may be unknown, so only requests that may be repeated are sent again.
bool may_work_later(const Status& status);

// Keeps the calling thread waiting, now and then a little shorter.
void pause_for(DurationNs duration);

}  // namespace firn
