#!/usr/bin/env python3
"""Restarts a real server with a long log, in a cgroup of the memory it may use.

Usage: restart_rig.py --binary PATH [--log-mebibytes N] [--mebibytes N] [--within SECONDS] [--seed N] [--keep DIR]

A server with much memory takes so many bytes of events that nothing of them is flushed, and is
killed. The next one has a small budget, as an operator would set it for the cgroup it is in.
Promised: not ready before everything is read back, and 503 with progress until then; no OOM kill;
nothing acknowledged is lost. The line says how many seconds it took to be ready, by the clock and of
processors, and the peak of its resident size.
"""

import http.client
import json
import os
import random
import re
import threading
import time

import machine
import rig
from cgroup import Cgroup, resident_bytes
from oracle import FAULTS_SHOWN, report_line
from server import API, GONE, Client

MIB = 1 << 20
WRITERS, BATCH_EVENTS, FILLER = 2, 8000, 300
QUICK_LOOKS = 200  # events that are compared one by one


class Events:
    """Events by number, so that they need not be kept: number n is the same each time."""

    def __init__(self, seed):
        rng = random.Random(seed)
        self.text = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz 0123456789") for _ in range(MIB))

    def data(self, n):
        begin = n * 7919 % (MIB - FILLER)
        return f'{{"token":{n},"text":"{self.text[begin:begin + FILLER * (n % 97) // 97]}"}}'

    def body(self, first):
        lines = []
        for n in range(first, first + BATCH_EVENTS):
            own_id = f'"id":"{n + (1 << 64):032x}",' if first // BATCH_EVENTS % 2 else ""
            stream = f'"stream":"s-{n % 1009}",' if n % 3 == 0 else ""
            lines.append(f'{{{own_id}{stream}"type":"rig.t{n % 7}","source":"rig","duration":{n},"data":{self.data(n)}}}')
        return "\n".join(lines).encode()


class Filling:
    """Writers that append batch after batch until the log is long enough."""

    def __init__(self, port, events, log_bytes):
        self.port, self.events, self.log_bytes = port, events, log_bytes
        self.mutex = threading.Lock()
        self.next, self.positions, self.refused = 0, {}, 0

    def run(self):
        threads = [threading.Thread(target=self._write, daemon=True) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _write(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        while wal_bytes(connection) < self.log_bytes:
            with self.mutex:
                first, self.next = self.next, self.next + BATCH_EVENTS
            body = self.events.body(first)
            while True:
                connection.request("POST", f"{API}/events", body, {"Content-Type": "application/x-ndjson"})
                answer = connection.getresponse()
                text = json.loads(answer.read())
                if answer.status == 200:
                    break
                self.refused += 1
                time.sleep(0.2)
            with self.mutex:
                self.positions[first] = text["first_position"]


def metric(text, name):
    found = re.search(rf"^{name} (\d+)", text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def wal_bytes(connection):
    connection.request("GET", "/metrics")
    return metric(connection.getresponse().read().decode(), "firn_wal_bytes_total")


def cpu_seconds(process):
    """Of all its threads; on a busy machine it says more than the clock."""
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Restart:
    """What is seen from outside while the server reads its log back."""

    def __init__(self, server, fault):
        self.server, self.fault = server, fault
        self.progress, self.peak, self.seconds, self.cpu_seconds = [], 0, None, 0

    def watch(self, patience):
        began = time.monotonic()
        while time.monotonic() < began + patience and self.server.process.poll() is None:
            self.peak = max(self.peak, resident_bytes(self.server.process))
            try:
                status, answer = Client(self.server.port, 10).call("GET", "/readyz")
            except GONE:
                status, answer = 0, ""
            if status == 200:
                self.seconds = time.monotonic() - began
                self.cpu_seconds = cpu_seconds(self.server.process)
                return
            if status == 503:
                self._note(str(answer))
            time.sleep(0.02)
        self.fault("rule", f"not ready within {patience} s, exit code {self.server.process.poll()}")

    def _note(self, answer):
        found = re.search(r"read back (\S+ ?\w*) of", answer)
        if found and found.group(1) not in self.progress[-1:]:
            self.progress.append(found.group(1))
        if self.progress or len(answer) == 0:
            return
        if "starting" not in answer:
            self.fault("rule", f"/readyz is 503 and says {answer!r}")


def start_again(again, cgroup, patience, within, fault, compare):
    """Watches the start of a server in the cgroup and has what it kept compared. It is killed then."""
    restart = Restart(again, fault)
    restart.watch(patience)
    if restart.seconds is not None:
        compare(again.client())
        if restart.seconds > within:
            fault("rule", f"ready after {restart.seconds:.1f} s")
    if cgroup.oom_kills():
        fault("rule", f"{cgroup.oom_kills()} OOM kills")
    again.kill()
    return restart


def compare(client, events, filling, fault):
    """Counts, and some events one by one."""
    count = filling.next
    status, answer = client.call("POST", f"{API}/sql", {
        "query": "SELECT count(*), sum(duration)::BIGINT, min(position), max(position) FROM events"})
    wanted = [count, count * (count - 1) // 2, 1, count]
    if status != 200 or answer["rows"][0] != wanted:
        fault("lost", f"{answer} instead of {wanted}")
        return
    rng = random.Random(events.text[:16])
    for _ in range(QUICK_LOOKS):
        n = rng.randrange(count)
        position = filling.positions[n // BATCH_EVENTS * BATCH_EVENTS] + n % BATCH_EVENTS
        status, page = client.call("GET", f"{API}/events?after={position - 1}&limit=1")
        event = page["events"][0] if status == 200 and page["events"] else None
        if event is None or event["position"] != position or event["data"] != json.loads(events.data(n)):
            fault("lost", f"event {n} at {position}: {page}")


def body(work):
    arguments = work.arguments
    faults = dict.fromkeys(["lost", "rule"], 0)

    def fault(kind, what):
        faults[kind] += 1
        if faults[kind] <= FAULTS_SHOWN:
            print(f"FAULT {kind}: {what}", flush=True)
    events = Events(arguments.seed)
    log_mib = arguments.log_mebibytes
    first = work.server(settings=["--max-memory", f"{3 * log_mib + 256}MiB"]).wait_ready()
    filling = Filling(first.port, events, log_mib * MIB)
    filling.run()
    tiers = first.client().call("GET", "/health")[1]["tiers"]
    if any(tier["rows"] for tier in tiers[1:]):
        fault("rule", f"the log was not to be flushed before the restart: {tiers}")
    first.kill()

    cgroup = Cgroup(arguments.mebibytes * MIB)
    work.stack.callback(cgroup.remove)
    settings = ["--memory", f"{arguments.mebibytes}MiB"]
    again = work.server(settings=settings, wrapper=cgroup.wrapper())
    restart = start_again(again, cgroup, 120, arguments.within, fault, lambda client: compare(client, events, filling, fault))
    figures = (f" log={log_mib}MiB ready={restart.seconds or -1:.1f}s cpu={restart.cpu_seconds:.1f}s peak_rss={restart.peak // MIB}MiB of "
               f"{arguments.mebibytes}MiB progress={len(restart.progress)}")
    return report_line(arguments.seed, arguments.cycles, filling.next, faults, figures), not any(faults.values())


def main():
    options = rig.options(__doc__, cycles=1)
    options.add_argument("--log-mebibytes", type=int, default=1024, help="of events that are only in the log")
    options.add_argument("--mebibytes", type=int, default=256, help="limit of the cgroup, and the server's memory")
    options.add_argument("--within", type=float, default=120, help="seconds to be ready")
    arguments = options.parse_args()
    machine.need_root("to make a cgroup")
    rig.run(arguments, body)


if __name__ == "__main__":
    main()
