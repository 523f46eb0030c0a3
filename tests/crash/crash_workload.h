#pragma once

#include <cstdint>
#include <string>

#include "tests/crash/sim_store.h"

namespace firn {

// Every kind of work the store does, once or twice, up to a crash if one is planned.
void run_scripted_workload(SimStore* machine);
// The same, then a restart, so that there is a recovery with something to recover and a log of more
// than one segment, and a trim of it.
void run_long_workload(SimStore* machine);
// Chunks that are compressed, joined, moved, brought up, exported and moved again, in a second tier
// of rows.
void run_lifecycle_workload(SimStore* machine);
// The same kinds in an order and number that the seed decides.
void run_random_workload(SimStore* machine, uint64_t seed, int operations);

using Workload = void (*)(SimStore* machine);

// Runs the workload with a power cut at I/O call `call`, boots again and compares with the oracle;
// then works on, moves everything to the last tier, cuts the power again, and compares once more.
// Empty when all is well.
std::string crash_and_check(uint64_t seed, uint64_t call, CrashMode mode,
                            Workload workload = run_scripted_workload);

// A random workload on a new machine, cut short at a random call, four times in a row, each time
// with a random choice of what the disk kept. Empty when all is well.
std::string cut_random_workloads(uint64_t seed, const StoreOptions& options = sim_store_options());

// Sends again what got no answer, works on, moves everything to the last tier, cuts the power, and
// compares with the oracle before and after. Empty when all is well.
std::string go_on_and_check(SimStore* machine, uint64_t seed);

// I/O calls of the whole workload.
uint64_t count_io_calls(uint64_t seed, Workload workload = run_scripted_workload);

}  // namespace firn
