#pragma once

#include <functional>
#include <memory>
#include <string>

#include "env/env.h"

namespace firn {

// A Worker that is a thread of its own. Signals are blocked in it, so that they are delivered to
// the threads that expect them.
std::unique_ptr<Worker> start_posix_worker(std::string name, std::function<void()> step);

// CLOCK_MONOTONIC.
TimeNs posix_monotonic();

}  // namespace firn
