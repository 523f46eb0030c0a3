#!/usr/bin/env python3
"""Sends logs over OTLP without a pause while they flow from memory through SQLite to Parquet.

Usage: sustained_rig.py --binary PATH [--events N] [--mebibytes N] [--seed N] [--keep DIR]

Chunks are a minute wide and move on when they end, so that all three work at the same time; the server and
its cgroup have little memory. Promised: what is acknowledged arrives in the last
tier, once, and no OOM kill. The line says how many events a second were acknowledged, and came to SQLite
and to Parquet from the first to the last one; what came to SQLite for each quarter, too, which are alike
when it can go on for ever; and the peak of the resident size.
"""

import http.client
import json
import random
import threading
import time

import machine
import rig
from cgroup import Cgroup, resident_bytes
from oracle import report_line
from otlp_requests import attribute, field, number, text_value

MIB = 1 << 20
SECONDS_MAX = 1800
SENDERS, RECORDS, BODIES = 8, 1000, 40
ATTRIBUTES = 8


def log_record(dice):
    """About 200 bytes of text, without a time: the server's counts."""
    texts = [field(6, attribute(f"http.key.{i}", text_value(f"value-{dice.randrange(10 ** (i % 5))}"))) for i in range(ATTRIBUTES)]
    line = f"GET /orders/{dice.randrange(100_000)} took {dice.randrange(5000)} ms for customer {dice.randrange(10_000)}"
    return (number(2, dice.choice((9, 9, 9, 13, 17))) + field(3, "INFO") + field(5, text_value(line)) + b"".join(texts) +
            field(9, dice.randbytes(16)) + field(10, dice.randbytes(8)))


def logs_request(dice):
    resource = field(1, field(1, attribute("service.name", text_value(f"service-{dice.randrange(12)}"))))
    return field(1, resource + field(2, b"".join(field(2, log_record(dice)) for _ in range(RECORDS))))


TIERS = [{"name": "hot", "backend": "memory", "keep": "1s"},
         {"name": "warm", "backend": "sqlite", "keep": "1s", "directory": "warm"},
         {"name": "cold", "backend": "parquet", "keep": "forever", "directory": "cold"}]


class Sending:
    """Sends until so many events are acknowledged."""

    def __init__(self, port, bodies, events):
        self.port, self.bodies, self.events = port, bodies, events
        self.mutex = threading.Lock()
        self.acked = self.refused = 0
        self.failure = None

    def run(self):
        threads = [threading.Thread(target=self._send, args=(i,), daemon=True) for i in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self, turn):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        while self.acked < self.events and self.failure is None:
            turn += 1
            connection.request("POST", "/v1/logs", self.bodies[turn % len(self.bodies)], {"Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            text = answer.read()
            with self.mutex:
                if answer.status == 200 and not text:
                    self.acked += RECORDS
                elif answer.status in (429, 503):
                    self.refused += 1
                else:
                    self.failure = f"{answer.status}: {text}"
            if answer.status != 200:
                time.sleep(0.1)


class Progress:
    """Rows of the tiers over time."""

    def __init__(self, server):
        self.server, self.client = server, server.client()
        self.begin = time.monotonic()
        self.samples = []  # (seconds, rows that came to SQLite, rows that came to Parquet)
        self.peak = 0

    def look(self):
        """Whether all rows are in the last tier."""
        tiers = self.client.call("GET", "/health")[1]["tiers"]
        hot, warm, cold = (tier["rows"] for tier in tiers)
        self.samples.append((time.monotonic() - self.begin, warm + cold, cold))
        self.peak = max(self.peak, resident_bytes(self.server.process))
        return hot + warm == 0

    def reached(self, column, rows):
        return next(sample for sample in self.samples if sample[column] >= max(rows, 1))

    def rate(self, column, begin=0.0, end=1.0):
        """In thousands a second, between two parts of all rows."""
        total = self.samples[-1][column]
        first, last = self.reached(column, total * begin), self.reached(column, total * end)
        return (last[column] - first[column]) / max(last[0] - first[0], 0.1) / 1000


def body(work):
    arguments = work.arguments
    dice = random.Random(arguments.seed)
    cgroup = Cgroup(arguments.mebibytes * MIB)
    work.stack.callback(cgroup.remove)
    settings = ["--memory", f"{arguments.mebibytes}MiB", "--mover-interval", "200ms",
                "--chunk-interval", "1m", "--tiers", json.dumps(TIERS)]
    server = work.server(settings=settings, wrapper=cgroup.wrapper()).wait_ready()
    sending = Sending(server.port, [logs_request(dice) for _ in range(BODIES)], arguments.events)
    progress = Progress(server)
    thread = threading.Thread(target=sending.run)
    thread.start()
    sent_seconds, is_done = None, False
    while not is_done and time.monotonic() < progress.begin + SECONDS_MAX:
        time.sleep(0.25)
        is_done = progress.look() and sent_seconds is not None
        if sent_seconds is None and not thread.is_alive():
            sent_seconds = time.monotonic() - progress.begin
    stored = progress.samples[-1][2]
    faults = {"lost": max(0, sending.acked - stored), "dup": max(0, stored - sending.acked),
              "rule": cgroup.oom_kills() + (sending.failure is not None)}
    if sending.failure is not None:
        print(f"FAULT rule: {sending.failure}", flush=True)
    server.kill()
    quarters = "/".join(f"{progress.rate(1, i / 4, (i + 1) / 4):.0f}" for i in range(4))
    figures = (f" refused={sending.refused} acked={sending.acked / (sent_seconds or SECONDS_MAX) / 1000:.0f}k/s "
               f"sqlite={progress.rate(1):.0f}k/s parquet={progress.rate(2):.0f}k/s quarters={quarters} "
               f"peak_rss={progress.peak // MIB}MiB of {arguments.mebibytes}MiB")
    return report_line(arguments.seed, 1, sending.acked, faults, figures), not any(faults.values())


def main():
    options = rig.options(__doc__, cycles=0)
    options.add_argument("--events", type=int, default=20_000_000)
    options.add_argument("--mebibytes", type=int, default=2048, help="limit of the cgroup, and the server's memory")
    arguments = options.parse_args()
    machine.need_root("to make a cgroup")
    rig.run(arguments, body)


if __name__ == "__main__":
    main()
