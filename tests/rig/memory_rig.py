#!/usr/bin/env python3
"""Runs a real server in a cgroup of 256 MiB under full ingest and heavy queries.

Usage: memory_rig.py --binary PATH [--seconds N] [--seed N] [--keep DIR]

Promised: no OOM kill; what is refused has 429 or 503 and Retry-After; nothing acknowledged is lost.
The budgets of the server are set to fit the cgroup, as an operator would; everything else is default.
"""

import os
import random
import threading
import time

import machine
import rig
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


class Cgroup:
    """A memory cgroup of version 1 or 2, below the one this process is in."""

    def __init__(self, limit_bytes):
        self.path, self.is_v2 = find_parent()
        self.path = os.path.join(self.path, f"firn-rig-{os.getpid()}")
        try:
            os.mkdir(self.path)
        except OSError as failure:
            rig.skip(f"cannot make a cgroup: {failure}")
        name = "memory.max" if self.is_v2 else "memory.limit_in_bytes"
        try:
            with open(os.path.join(self.path, name), "w") as file:
                file.write(str(limit_bytes))
        except OSError as failure:
            self.remove()
            rig.skip(f"cannot limit the memory of a cgroup: {failure}")
        swap = os.path.join(self.path, "memory.swap.max" if self.is_v2 else "memory.memsw.limit_in_bytes")
        if os.path.exists(swap):
            with open(swap, "w") as file:
                file.write("0" if self.is_v2 else str(limit_bytes))

    def wrapper(self):
        """Puts a command into the cgroup before it starts."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', os.path.join(self.path, "cgroup.procs")]

    def read(self, name):
        try:
            with open(os.path.join(self.path, name)) as file:
                return file.read()
        except OSError:
            return ""

    def oom_kills(self):
        text = self.read("memory.events" if self.is_v2 else "memory.oom_control")
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))

    def remove(self):
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.05)  # its last process is being taken down


def find_parent():
    """(directory, is it version 2) of the memory cgroup that this process is in."""
    with open("/proc/self/cgroup") as file:
        own = [line.strip().split(":", 2) for line in file]
    with open("/proc/self/mounts") as file:
        mounts = [line.split() for line in file]
    for _, controllers, path in own:
        for _, directory, kind, flags, *_ in mounts:
            if kind == "cgroup" and "memory" in flags.split(",") and "memory" in controllers.split(","):
                inside = directory + path
                return (inside if os.path.isdir(inside) else directory), False
    for _, directory, kind, *_ in mounts:
        enabled = os.path.join(directory, "cgroup.subtree_control")
        if kind == "cgroup2" and os.path.exists(enabled) and "memory" in open(enabled).read().split():
            return directory, True
    rig.skip("no memory cgroup, of version 1 or 2, that could be divided")
    return None


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


def resident_bytes(process):
    try:
        with open(f"/proc/{process.pid}/status") as file:
            return max(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))
    except (OSError, ValueError):
        return 0


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
