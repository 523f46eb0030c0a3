#include "tests/crash/store_faults.h"

#include "tests/crash/crash_workload.h"

namespace firn {

std::vector<Fault> all_faults() {
  const Status broken = io_error("injected: Input/output error");
  const Status full = no_space("injected: No space left on device");
  return {{"EIO once", broken, false, false},
          {"ENOSPC once", full, false, false},
          {"EIO once, half written", broken, false, true},
          {"EIO for ever", broken, true, false},
          {"ENOSPC for ever, half written", full, true, true}};
}

void SiteCoverage::add(const std::vector<IoSite>& sites) {
  for (const IoSite& site : sites) failed_[{site.kind, site.pattern}] += site.failed;
}

size_t SiteCoverage::hit() const {
  size_t count = 0;
  for (const auto& [site, failed] : failed_) count += failed > 0 ? 1 : 0;
  return count;
}

std::string SiteCoverage::missed(const std::vector<IoSite>& sites) const {
  std::string lines;
  for (const IoSite& site : sites) {
    const auto found = failed_.find({site.kind, site.pattern});
    if (found == failed_.end() || found->second == 0) lines += site.to_string() + "\n";
  }
  return lines;
}

namespace {

void plan(FaultEnv* faults, const Fault& fault, uint64_t call) {
  faults->write_prefix(fault.writes_prefix);
  if (fault.for_ever) {
    faults->fail_from(call, fault.status);
  } else {
    faults->fail_once(call, fault.status);
  }
}

void heal(FaultEnv* faults) {
  faults->heal();
  faults->write_prefix(false);
}

std::string restart(SimStore* machine, uint64_t seed, uint64_t way) {
  if (way == 0) {
    machine->shut_down();
  } else {
    machine->power_cut(way == 1 ? CrashMode::kLoseAll : CrashMode::kRandom, seed);
  }
  if (const Status status = machine->try_boot(); !status.ok()) {
    return "does not open on a healed disk: " + status.to_string();
  }
  std::string problem = machine->check();
  if (!problem.empty()) return "after the restart: " + problem;
  problem = machine->verify();
  return problem.empty() ? "" : "verify after the restart: " + problem;
}

// The process that met the fault goes on reading what it had published.
std::string check_survivor(SimStore* machine) {
  if (machine->store() == nullptr) return "";
  // What it could not look at while calls failed, the mover looks at again.
  if (!machine->store()->health().stray_chunks.empty()) machine->env.run_for(3 * kSecondNs);
  const std::string problem = machine->check();
  return problem.empty() ? "" : "in the process that met the fault: " + problem;
}

}  // namespace

FaultRun fault_and_check(const FaultSetup& setup, const Fault& fault, uint64_t call,
                         SiteCoverage* sites) {
  SimStore machine(setup.seed);
  machine.options = setup.options;
  machine.faults.on_failed_sync([&](const std::string& path) {
    const bool is_log = path.find("/wal/") != std::string::npos;
    if (is_log || setup.forgets_failed_syncs) machine.env.forget_unsynced(path);
  });
  plan(&machine.faults, fault, call);
  run_long_workload(&machine);
  FaultRun run;
  run.came = machine.faults.faults_injected() > 0;
  sites->add(machine.faults.sites());
  for (const IoSite& site : machine.faults.sites()) {
    if (site.failed > 0) run.sites += site.to_string() + "; ";
  }
  heal(&machine.faults);
  run.problem = check_survivor(&machine);
  if (run.problem.empty()) run.problem = restart(&machine, setup.seed + call, call % 3);
  if (run.problem.empty()) run.problem = go_on_and_check(&machine, setup.seed);
  run.acked = machine.acked_events();
  return run;
}

std::vector<IoSite> sites_of_a_clean_run(const FaultSetup& setup) {
  SimStore machine(setup.seed);
  machine.options = setup.options;
  run_long_workload(&machine);
  return machine.faults.sites();
}

uint64_t count_fault_calls(const FaultSetup& setup) {
  uint64_t calls = 0;
  for (const IoSite& site : sites_of_a_clean_run(setup)) calls += site.calls;
  return calls;
}

CrashedMachine::CrashedMachine(const FaultSetup& setup, uint64_t call, CrashMode mode)
    : machine_(setup.seed) {
  machine_.options = setup.options;
  machine_.env.crash_at(call);
  run_long_workload(&machine_);
  machine_.power_cut(mode, setup.seed + call);
  disk_ = machine_.env.snapshot();
  const uint64_t calls = machine_.env.io_count(), all_calls = machine_.faults.io_count();
  if (!recover()) {
    problem_ = "the undisturbed boot failed";
    return;
  }
  recovery_calls_ = machine_.env.io_count() - calls;
  recovery_calls_with_reads_ = machine_.faults.io_count() - all_calls;
  problem_ = machine_.check();
  content_ = machine_.content();
}

bool CrashedMachine::recover() {
  if (!machine_.boot()) return false;
  machine_.settle();
  return !machine_.has_crashed();
}

std::string CrashedMachine::compare(const std::string& when) {
  if (!recover()) return when + ": the last boot failed";
  const std::string problem = machine_.check();
  if (!problem.empty()) return when + ": " + problem;
  if (const std::string content = machine_.content(); content != content_) {
    return when + ": other content than after an undisturbed boot:\n" + content + "instead of\n" +
           content_;
  }
  const std::string findings = machine_.verify();
  return findings.empty() ? "" : when + ": verify: " + findings;
}

std::string CrashedMachine::recover_with_cuts(const std::vector<uint64_t>& cuts, CrashMode mode) {
  machine_.shut_down();
  machine_.env.restore(disk_);
  std::string when = "cut at";
  for (const uint64_t cut : cuts) {
    machine_.env.crash_at(machine_.env.io_count() + cut);
    (void)recover();
    machine_.power_cut(mode, cut);
    when += " " + std::to_string(cut);
  }
  return compare(when);
}

std::string CrashedMachine::recover_with_fault(const Fault& fault, uint64_t call) {
  machine_.shut_down();
  machine_.env.restore(disk_);
  plan(&machine_.faults, fault, machine_.faults.io_count() + call);
  (void)recover();
  machine_.shut_down();
  heal(&machine_.faults);
  return compare(fault.name + " at call " + std::to_string(call));
}

}  // namespace firn
