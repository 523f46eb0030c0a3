#!/usr/bin/env python3
"""Runs a real server in a cgroup of 256 MiB under full ingest and heavy queries.

Usage: memory_rig.py --binary PATH [--seconds N] [--seed N] [--keep DIR]

Promised: no OOM kill; what is refused has 429 or 503 and Retry-After; nothing acknowledged is lost.
The budgets of the server are set to fit the cgroup, as an operator would; everything else is default.
"""

import random
import threading
import time

import machine
import rig
from cgroup import Cgroup, resident_bytes
from load import Load
from oracle import Oracle
from server import API, GONE, Client, NotReady
from verifier import run_firn_verify, verify

MIB = 1 << 20
SETTINGS = ["--max-memory", "64MiB", "--request-memory", "32MiB", "--query-memory", "48MiB", "--wal.segment-size",
            "16MiB", "--query-time", "10s"]
WRITERS, QUERIES = 4, 4
SIZES, FILLER = (1, 100, 500, 1000), 1500
QUERY_TEXTS = [
    "SELECT type, count(*), max(length(data)) FROM events GROUP BY type",
    "SELECT * FROM events ORDER BY data DESC LIMIT 1000",
    "SELECT a.id FROM events a JOIN events b ON a.data = b.data LIMIT 10",
    "SELECT id, count(*) AS n FROM events GROUP BY id ORDER BY n DESC LIMIT 10",
    "SELECT string_agg(data, '') FROM events",
]


class Answers:
    """Counts answers, and what is wrong with refusals."""

    def __init__(self, oracle):
        self.oracle = oracle
        self.mutex = threading.Lock()
        self.counts = {}

    def note(self, client, status, answer, _sent_at=None):
        with self.mutex:
            self.counts[status] = self.counts.get(status, 0) + 1
        if status in (429, 503) and not client.headers.get("Retry-After"):
            self.oracle.fault("rule", f"a refusal without Retry-After: {answer}")
        if status >= 500 and status not in (503, 504):
            self.oracle.fault("rule", f"answered {status}: {answer}")


def query(port, seed, answers, stop):
    """SQL and big pages, as fast as they are answered."""
    rng = random.Random(seed)
    client = Client(port)
    try:
        while not stop.is_set():
            if rng.random() < 0.3:
                status, answer = client.call("GET", f"{API}/events?limit=10000&order=-time&contains=xx")
            else:
                status, answer = client.call("POST", f"{API}/sql", {"query": rng.choice(QUERY_TEXTS)})
            answers.note(client, status, answer)
    except GONE:
        pass


def load_server(oracle, server, answers, seconds):
    """The greatest resident size seen."""
    peak = 0
    with Load() as load:
        load.writers(WRITERS, oracle, server.port, sizes=SIZES, filler=FILLER, retries=0.02, on_answer=answers.note)
        for _ in range(QUERIES):
            load.add(query, server.port, oracle.random.random(), answers)
        end = time.monotonic() + seconds
        while time.monotonic() < end and server.process.poll() is None:
            peak = max(peak, resident_bytes(server.process))
            time.sleep(0.05)
        load.stop_event.set()
    return peak


def body(work):
    arguments = work.arguments
    oracle = Oracle(arguments.seed, rules=True)
    cgroup = Cgroup(arguments.mebibytes * MIB)
    work.stack.callback(cgroup.remove)
    answers, peaks = Answers(oracle), []
    for _ in range(arguments.cycles):
        server = work.server(settings=SETTINGS, wrapper=cgroup.wrapper())
        try:
            server.wait_ready()
            peaks.append(load_server(oracle, server, answers, arguments.seconds))
        except NotReady as failure:
            oracle.fault("rule", f"a start in {arguments.mebibytes} MiB: {failure}")
        if server.process.poll() is not None:
            oracle.fault("rule", f"the server ended by itself with {server.process.returncode}, "
                                 f"OOM kills of the cgroup: {cgroup.oom_kills()}")
        server.kill()
    if cgroup.oom_kills():
        oracle.fault("rule", f"{cgroup.oom_kills()} OOM kills")
    free = work.server(settings=SETTINGS).wait_ready()  # without the limit: is everything there?
    verify(oracle, free.client(), everything=True)
    free.kill()
    run_firn_verify(oracle, arguments.binary, work.path("data"), SETTINGS)
    seen = " ".join(f"{status}:{count}" for status, count in sorted(answers.counts.items()))
    figures = f" peak_rss={max(peaks, default=0) // MIB}MiB of {arguments.mebibytes}MiB answers={seen}"
    return oracle.line(arguments.cycles, figures), not oracle.failed()


def main():
    options = rig.options(__doc__, cycles=1)
    options.add_argument("--seconds", type=float, default=30, help="of load in a cycle")
    options.add_argument("--mebibytes", type=int, default=256, help="limit of the cgroup")
    arguments = options.parse_args()
    machine.need_root("to make a cgroup")
    rig.run(arguments, body)


if __name__ == "__main__":
    main()
