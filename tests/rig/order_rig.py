#!/usr/bin/env python3
"""Traces the system calls of a real server under load and checks their order.

Usage: order_rig.py --binary PATH [--cycles N] [--seed N] [--keep DIR] [--unsafe-no-sync LIBRARY]

One cycle is a new data directory, a few seconds of load under strace, and a replay of the trace by
order_check.py: no answer before the sync that covers it, no name used before its directory was
synced, no log given up before what it held is durable elsewhere. Then the checker itself is tried:
syncs are taken out of the very same trace, and it must complain each time.

With --unsafe-no-sync the server is run with LIBRARY (no_sync_preload.c) preloaded, and the checker
must find violations in every cycle.
"""

import os
import time

import machine
import rig
import trace
from load import Load
from oracle import Oracle, Total
from order_check import SYNCS, OrderCheck, takes_records
from verifier import verify

WRITERS = 3
TEXT_BYTES = "262144"  # of each text that strace shows: all of a group
SIZES, FILLER = (1, 1, 2, 5), 1400
SETTINGS = ["--wal.segment-size", "1MiB", "--mover-interval", "100ms", "--disk-reserve", "1MiB"]


def record(work, oracle, seconds, data_dir, output):
    """A trace of one life of the server."""
    wrapper = machine.strace_wrapper("-ttt", "-yy", "-v", "--seccomp-bpf", "-s", TEXT_BYTES, "-e",
                                     f"trace={trace.CALLS}", output=output)
    environment = machine.no_leak_check()
    if work.arguments.unsafe_no_sync:
        wrapper += ["-E", "LD_PRELOAD=" + os.path.abspath(work.arguments.unsafe_no_sync)]
    server = work.server(data_dir, settings=SETTINGS, wrapper=wrapper, environment=environment).wait_ready()
    with Load() as load:
        load.writers(WRITERS, oracle, server.port, sizes=SIZES, filler=FILLER)
        load.mover(oracle, server.port)
        time.sleep(seconds)
    verify(oracle, server.client(), everything=True)
    server.stop()
    machine.wait_for_tracer(server, output)
    return trace.read(output)


def tokens_by_position(oracle):
    return {batch.first: batch.tokens() for batch in oracle.batches if batch.state == "acked"}


def syncs_segment(call):
    return takes_records(call.path()) and (call.name in SYNCS or "RWF_DSYNC" in call.text)


def try_the_checker(oracle, calls, data_dir):
    """Seeded violations: each of them must be found."""
    wal = os.path.join(os.path.realpath(data_dir), "wal")
    seeded = {
        "no sync of the log": lambda call: syncs_segment(call),
        "no sync of the log's directory": lambda call: call.name in SYNCS and call.path() == wal,
        "no sync of chunks": lambda call: call.name in SYNCS and "/wal/" not in call.path() and
        "manifest" not in call.path(),
    }
    for name, left_out in seeded.items():
        fewer = [call for call in calls if not left_out(call)]
        if len(fewer) == len(calls):
            oracle.fault("rule", f"the trace holds no call for '{name}'")
        elif not OrderCheck(data_dir, tokens_by_position(oracle)).run(fewer).violations:
            oracle.fault("rule", f"the checker missed '{name}'")
    check_one_missing_sync(oracle, calls, data_dir)


def check_one_missing_sync(oracle, calls, data_dir):
    """Without the sync (or the few) between one write and its answer."""
    begin, end = oracle.random.choice(OrderCheck(data_dir, tokens_by_position(oracle)).run(calls).windows)
    fewer = [call for call in calls
             if not (syncs_segment(call) and begin <= call.begin < end)]
    if not OrderCheck(data_dir, tokens_by_position(oracle)).run(fewer).violations:
        oracle.fault("rule", f"the checker missed one sync (lines {begin + 1} to {end + 1})")


def run_cycle(work, oracle, seconds, cycle, checks):
    data_dir, output = work.path(f"data-{cycle}"), work.path(f"trace-{cycle}")
    calls = record(work, oracle, seconds, data_dir, output)
    check = OrderCheck(data_dir, tokens_by_position(oracle)).run(calls)
    checks.append(check)
    if not work.arguments.unsafe_no_sync:
        if check.acks == 0 or check.commits == 0:
            oracle.fault("rule", f"the trace shows {check.acks} acknowledgements and {check.commits} commits")
        for violation in check.violations:
            oracle.fault("order", violation)
        try_the_checker(oracle, calls, data_dir)
    elif not check.violations:
        oracle.fault("rule", "no violation was found although nothing was synced")
    if not oracle.failed() and not work.arguments.keep:
        os.remove(output)


def body(work):
    arguments = work.arguments
    total, checks = Total(arguments.seed), []
    for cycle in range(arguments.cycles):
        oracle = Oracle(arguments.seed + cycle, rules=True)
        run_cycle(work, oracle, arguments.seconds, cycle, checks)
        total.add(oracle)
    counts = " ".join(f"{name}={sum(getattr(check, name) for check in checks)}"
                      for name in ("acks", "syncs", "names", "commits", "trims"))
    return total.line(arguments.cycles, f" checked: {counts}"), not total.failed()


def main():
    options = rig.options(__doc__, cycles=2)
    options.add_argument("--seconds", type=float, default=4, help="of load in a cycle")
    options.add_argument("--unsafe-no-sync", metavar="LIBRARY", help="preload this; violations must be found")
    rig.run(options.parse_args(), body)


if __name__ == "__main__":
    main()
