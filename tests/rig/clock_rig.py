#!/usr/bin/env python3
"""Sets the wall clock of a real server, while it runs and while it is stopped, and checks what it kept.

Usage: clock_rig.py --binary PATH [--cycles N] [--seed N] [--keep DIR]

Some jumps are longer than the retention. Promised: order is that of positions, nothing is dropped
early, /health says that the clock is suspect until it is confirmed, also after a restart. Times of
events far in the future are times like any other.
"""

import glob
import os
import time

import machine
import rig
from load import Load
from oracle import Oracle
from verifier import run_firn_verify, verify

DAY = 86400
JUMPS = [-DAY, 3650 * DAY, 2 * 3600, -3650 * DAY, 40 * DAY]
# Everything moves and is dropped by age within the jumps above.
TIERS = ("[{name: hot, backend: memory, keep: 1s}, {name: warm, backend: sqlite, keep: 1d, directory: warm}, "
         "{name: cold, backend: parquet, keep: 20d, url: 'file:./cold'}]")
SETTINGS = ["--mover-interval", "50ms", "--tiers", TIERS]
WRITERS = 4
PATIENCE_SECONDS = 30
YEAR_2100_NS = 4_102_444_800_000_000_000


def time_of(rng, token):
    if token % 50 == 0:
        return YEAR_2100_NS
    return time.time_ns() - rng.randrange(4) * DAY * 1_000_000_000  # this process has the true clock


class Clock:
    """The wall clock of the servers that are started with its environment."""

    def __init__(self, path):
        machine.need_programs("faketime")
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not found:
            rig.skip("the library of faketime is missing")
        self.path = path
        self.environment = {"LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": path, "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.offset = 0
        self.shift(0)

    def shift(self, seconds):
        self.offset += seconds
        with open(self.path + ".new", "w") as file:
            file.write(f"{self.offset:+d}\n")
        os.replace(self.path + ".new", self.path)


def expect_suspect(oracle, server, expected, when):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        health = server.client().call("GET", "/health")[1]
        if health["clock_suspect"] == expected:
            return
        if time.monotonic() > deadline:
            oracle.fault("rule", f"{when}: clock_suspect is {not expected}: {health['reason']}")
            return
        time.sleep(0.02)


def load(oracle, server, clock=None, jump=0):
    with Load() as clients:
        clients.writers(WRITERS, oracle, server.port).counter(oracle, server.port)
        time.sleep(0.4)
        if clock is not None:
            clock.shift(jump)
        time.sleep(0.6)


def run_cycle(work, oracle, clock, cycle):
    jump = JUMPS[cycle % len(JUMPS)]
    while_stopped = cycle // len(JUMPS) % 2 == 1
    # A step of hours while it is stopped cannot be told from hours of being stopped.
    expected = not (while_stopped and 0 <= jump < DAY)
    server = work.server(settings=SETTINGS, environment=clock.environment).wait_ready()
    expect_suspect(oracle, server, False, "at first")
    if while_stopped:
        load(oracle, server)
        server.kill()
        clock.shift(jump)
    else:
        load(oracle, server, clock, jump)
        expect_suspect(oracle, server, True, f"after a jump of {jump} s")
        server.kill()
    server = work.server(settings=SETTINGS, environment=clock.environment).wait_ready()
    expect_suspect(oracle, server, expected, f"after a restart, jump of {jump} s")
    load(oracle, server)
    verify(oracle, server.client(), everything=True)
    clock.shift(-jump)  # the operator puts it right, then says so
    time.sleep(0.2)
    server.client().call("POST", "/api/v1/clock:confirm")
    expect_suspect(oracle, server, False, "after the confirmation")
    load(oracle, server)
    server.kill()


def body(work):
    arguments = work.arguments
    oracle = Oracle(arguments.seed, rules=True, time_of=time_of)
    clock = Clock(work.path("clock"))
    for cycle in range(arguments.cycles):
        run_cycle(work, oracle, clock, cycle)
    server = work.server(settings=SETTINGS, environment=clock.environment).wait_ready()
    verify(oracle, server.client(), everything=True)
    server.kill()
    run_firn_verify(oracle, arguments.binary, work.path("data"), SETTINGS)
    return oracle.line(arguments.cycles), not oracle.failed()


if __name__ == "__main__":
    rig.run(rig.options(__doc__, cycles=10).parse_args(), body)
