#!/usr/bin/env python3
"""Makes every sync of a real server take 200 ms, and prints how long acknowledgements take.

Usage: slow_disk_rig.py --binary PATH [--delay-ms N] [--seconds N] [--batch N] [--seed N] [--keep DIR]

With a slow disk, groups must grow instead of queues: an append should wait for at most two syncs.
The figures are printed and decide nothing; that nothing is lost, and that more events than syncs
were acknowledged (they were grouped), does.
"""

import threading
import time

import machine
import rig
from load import Load
from oracle import Oracle
from server import API
from verifier import verify

WRITERS = 24
SIZES, FILLER = (1, 5, 50, 200), 100


class Times:
    def __init__(self):
        self.mutex = threading.Lock()
        self.seconds = []

    def note(self, _client, status, _answer, sent_at):
        if status == 200:
            with self.mutex:
                self.seconds.append(time.time() - sent_at)

    def at(self, share):
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0


def body(work):
    arguments = work.arguments
    oracle, times, output = Oracle(arguments.seed, rules=True), Times(), work.path("trace")
    # The two ways in which the log syncs.
    wrapper = machine.strace_wrapper("--seccomp-bpf", "-e", "trace=fdatasync,pwritev2", "-e",
                                     f"inject=fdatasync,pwritev2:delay_exit={arguments.delay_ms * 1000}", output=output)
    server = work.server(wrapper=wrapper, environment=machine.no_leak_check()).wait_ready()
    # The first append of a process also waits for the log's new segment.
    client, first = server.client(), oracle.new_batch(oracle.random)
    oracle.answered(first, *client.call("POST", f"{API}/events", first.events))
    begin = client.call("GET", "/health")[1]["wal"]
    with Load() as load:
        sizes = (arguments.batch,) if arguments.batch > 0 else SIZES
        load.writers(WRITERS, oracle, server.port, sizes=sizes, filler=FILLER, retries=0, on_answer=times.note)
        time.sleep(arguments.seconds)
    end = server.client().call("GET", "/health")[1]["wal"]
    syncs, rate = end["syncs"] - begin["syncs"], oracle.acked_events() / arguments.seconds
    if end["max_sync_seconds"] * 1000 < arguments.delay_ms:
        oracle.fault("rule", f"the slowest sync took {end['max_sync_seconds']} s: they were not slowed down")
    if len(times.seconds) <= syncs:
        oracle.fault("rule", f"{len(times.seconds)} appends took {syncs} syncs: nothing was grouped")
    server.kill()
    again = work.server().wait_ready()
    verify(oracle, again.client())
    again.kill()
    figures = (f" sync={arguments.delay_ms}ms ack_p50={times.at(0.5):.0f}ms ack_p99={times.at(0.99):.0f}ms "
               f"two_syncs={2 * arguments.delay_ms}ms rate={rate:.0f}/s appends_per_sync="
               f"{len(times.seconds) / max(syncs, 1):.1f}")
    return oracle.line(1, figures), not oracle.failed()


def main():
    options = rig.options(__doc__, cycles=1)
    options.add_argument("--delay-ms", type=int, default=200)
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--batch", type=int, default=0, help="events of each append; default: 1 to 200")
    rig.run(options.parse_args(), body)


if __name__ == "__main__":
    main()
