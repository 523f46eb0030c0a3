#include "tests/crash/crash_workload.h"

namespace firn {

namespace {

// A fault that comes once makes an opening fail; then somebody starts the program again.
bool boot_patiently(SimStore* machine) {
  return machine->boot() || (!machine->has_crashed() && machine->boot());
}

}  // namespace

void run_scripted_workload(SimStore* machine) {
  if (!boot_patiently(machine)) return;
  machine->append(3, 0, true);
  machine->append_together({1, 5, 2}, 0);
  machine->command(ChunkAction::kFlush);
  machine->append_rivals(1);
  machine->append(4, 1, true);
  machine->retry(0);
  machine->command(ChunkAction::kFlush);
  machine->command(ChunkAction::kMove);
  machine->append(6, 0, false);  // late rows start the next generation
  machine->command(ChunkAction::kFlush);
  machine->append_together({2, 2}, 1);
  machine->append_rivals(1);
  machine->command(ChunkAction::kMove);
  machine->append(2, 2, true);
  machine->settle();
}

void run_long_workload(SimStore* machine) {
  run_scripted_workload(machine);
  if (machine->has_crashed() || machine->store() == nullptr) return;
  machine->shut_down();
  if (!boot_patiently(machine)) return;
  machine->append(3, 1, true);
  machine->retry(1);
  machine->command(ChunkAction::kFlush);
  machine->append(1, 2, true);
  machine->command(ChunkAction::kMove);
  machine->settle();
}

void run_lifecycle_workload(SimStore* machine) {
  machine->options.tiers[1].layout = "rows";
  if (!boot_patiently(machine)) return;
  machine->append(4, 0, true);
  machine->command(ChunkAction::kFlush);
  machine->command(ChunkAction::kCompress);
  machine->append(3, 0, true);
  machine->append_rivals(1);
  machine->command(ChunkAction::kFlush);
  machine->command(ChunkAction::kCompress);  // joins what was late
  machine->retry(0);
  machine->command(ChunkAction::kMove);
  machine->append(2, 0, false);
  machine->command(ChunkAction::kFlush);
  machine->command(ChunkAction::kMove);
  machine->settle();  // the mover joins by itself
  machine->command(ChunkAction::kRehydrate);
  machine->retry(0);
  machine->append_rivals(1);
  machine->command(ChunkAction::kCompress);
  machine->command(ChunkAction::kExport);
  machine->command(ChunkAction::kMove);
  machine->append(1, 2, true);
  machine->settle();
}

namespace {

uint64_t next_random(uint64_t* state) {  // splitmix64
  uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace

void run_random_workload(SimStore* machine, uint64_t seed, int operations) {
  uint64_t state = seed;
  if (!machine->boot()) return;
  for (int i = 0; i < operations && !machine->has_crashed(); ++i) {
    const uint64_t dice = next_random(&state);
    const int day = static_cast<int>(dice >> 8) & 3;
    const uint32_t events = 1 + static_cast<uint32_t>((dice >> 16) % 9);
    switch (dice % 13) {
      case 0:
        machine->command(ChunkAction::kFlush);
        break;
      case 1:
        machine->command(ChunkAction::kMove);
        break;
      case 2:
        machine->append_together({events, 1, 3}, day);
        break;
      case 3:
        if (!machine->sent.empty()) machine->retry((dice >> 32) % machine->sent.size());
        break;
      case 4:
        machine->settle();
        break;
      case 5:
        machine->shut_down();
        if (!machine->boot()) return;
        break;
      case 6:
        machine->command(ChunkAction::kCompress);
        break;
      case 7:
        machine->command(ChunkAction::kRehydrate);
        break;
      case 8:
        machine->command(ChunkAction::kExport);
        break;
      default:
        machine->append(events, day, (dice >> 24) % 2 == 0);
        break;
    }
  }
}

namespace {

std::string boot_and_check(SimStore* machine, const char* when) {
  if (!machine->boot()) return std::string(when) + ": the store did not open";
  const std::string problem = machine->check();
  return problem.empty() ? "" : std::string(when) + ": " + problem;
}

}  // namespace

std::string crash_and_check(uint64_t seed, uint64_t call, CrashMode mode, Workload workload) {
  SimStore machine(seed);
  machine.env.crash_at(call);
  workload(&machine);
  machine.power_cut(mode, seed + call);
  std::string problem = boot_and_check(&machine, "after the power cut");
  if (!problem.empty()) return problem;
  return go_on_and_check(&machine, seed);
}

std::string go_on_and_check(SimStore* machine, uint64_t seed) {
  // What got no answer is sent again, as a client would; then it must be there, once.
  for (size_t i = 0; i < machine->sent.size(); ++i) machine->retry(i);
  machine->append(3, 0, true);
  machine->command(ChunkAction::kFlush);
  machine->command(ChunkAction::kMove);
  machine->append(2, 1, false);
  const std::string problem = machine->check();
  if (!problem.empty()) return "after going on: " + problem;
  machine->power_cut(CrashMode::kLoseAll, seed);
  return boot_and_check(machine, "after the second power cut");
}

uint64_t count_io_calls(uint64_t seed, Workload workload) {
  SimStore machine(seed);
  workload(&machine);
  return machine.env.io_count();
}

std::string cut_random_workloads(uint64_t seed, const StoreOptions& options) {
  SimStore machine(seed);
  machine.options = options;
  for (uint64_t boots = 0; boots < 4; ++boots) {
    machine.env.crash_at(machine.env.io_count() + 50 + (seed * 7919 + 101 * boots) % 600);
    run_random_workload(&machine, seed + 1000 * boots, 25);
    machine.power_cut(CrashMode::kRandom, seed);
    if (!machine.boot()) return "boot " + std::to_string(boots) + " failed";
    const std::string problem = machine.check();
    if (!problem.empty()) return "boot " + std::to_string(boots) + ": " + problem;
    machine.shut_down();
  }
  return "";
}

}  // namespace firn
