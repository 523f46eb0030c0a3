#!/usr/bin/env python3
"""Kills a real server with SIGKILL while clients write, and checks from outside what it kept.

Usage: kill_rig.py --binary PATH [--cycles N] [--seed N] [--keep DIR]

The oracle is this process: it notes every batch before it is sent and every answer, and never asks
the server what was written. After each kill the server is started again and everything is read
back: by pages of the events API, by SQL over all tiers, and by id. Prints one line

  seed=... cycles=... acked=... lost=0 dup=0 torn=0 ghost=0 order=0

and exits with 1 (keeping the data directory) when any of the last five is not zero.
"""

import time

import rig
from load import Load
from oracle import Oracle
from verifier import run_firn_verify, verify

WRITERS = 4


def run_cycle(work, oracle, cycle):
    server = work.server().wait_ready()
    verify(oracle, server.client(), everything=cycle % 25 == 24)
    with Load() as load:
        load.writers(WRITERS, oracle, server.port).mover(oracle, server.port).counter(oracle, server.port)
        time.sleep(oracle.random.uniform(0.05, 0.6))
        server.kill()
    if cycle % 20 == 19:
        print(f"cycle {cycle + 1}: {oracle.acked_events()} events acked", flush=True)


def body(work):
    arguments = work.arguments
    oracle = Oracle(arguments.seed)
    for cycle in range(arguments.cycles):
        run_cycle(work, oracle, cycle)
    server = work.server().wait_ready()
    verify(oracle, server.client(), everything=True)
    server.kill()
    run_firn_verify(oracle, arguments.binary, work.path("data"))
    return oracle.line(arguments.cycles), not oracle.failed()


if __name__ == "__main__":
    rig.run(rig.options(__doc__, cycles=20).parse_args(), body)
