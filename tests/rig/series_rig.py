#!/usr/bin/env python3
"""Writes samples of very many series to a server in a small cgroup, kills it and starts it again.

Usage: series_rig.py --binary PATH [--series N] [--rounds N] [--mebibytes N] [--within SECONDS] [--seed N] [--keep DIR]

Every round writes one sample of each series by line protocol, so all definitions are new in the first
and known in the others. Promised: no OOM kill and no lost sample, before and after the restart; a start
that does not read the series. The line says how many samples a second were acknowledged in each round,
the peak of the resident size, and how long the start took.
"""

import http.client
import random
import threading
import time

import machine
import rig
from cgroup import Cgroup, resident_bytes
from oracle import FAULTS_SHOWN, report_line
from restart_rig import start_again
from server import API

MIB = 1 << 20
WRITERS, LINES = 2, 10_000
HOSTS = 1000  # a server runs many things
QUICK_LOOKS = 5  # series that are asked for by their labels, for which all definitions are read
NOT_NOW = (429, 503)


def labels(n):
    """Of series n: six, as an exporter writes them; about 120 bytes."""
    return (f"host=node-{n % HOSTS:04d},pod=checkout-7c{n // HOSTS:06x}-{n * 7919 % 65536:04x},namespace=shop-{n % 17},"
            f"container=app-{n % 5},path=/api/v1/orders/{n % 13},method={'GET' if n % 2 else 'POST'}")


def value(n, turn):
    return n * 31 % 100_003 + turn


class Writing:
    """One round: every series gets one sample."""

    def __init__(self, port, series, turn, time_ms):
        self.port, self.series, self.turn, self.time_ms = port, series, turn, time_ms
        self.mutex = threading.Lock()
        self.next, self.acked, self.refused, self.failure = 0, 0, 0, None

    def run(self):
        threads = [threading.Thread(target=self._write) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _write(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        while self.failure is None:
            with self.mutex:
                first, self.next = self.next, self.next + LINES
            if first >= self.series:
                return
            last = min(first + LINES, self.series)
            body = "\n".join(f"requests,{labels(n)} total={value(n, self.turn)} {self.time_ms}" for n in range(first, last)).encode()
            self._send(connection, body, last - first)

    def _send(self, connection, body, lines):
        while self.failure is None:
            connection.request("POST", "/write?precision=ms", body)
            answer = connection.getresponse()
            text = answer.read()
            with self.mutex:
                if answer.status == 204:
                    self.acked += lines
                    return
                self.refused += 1
                if answer.status not in NOT_NOW:
                    self.failure = f"{answer.status}: {text[:300]}"
            time.sleep(0.2)


class Peak:
    """The greatest resident size of a server, looked at from a thread of its own."""

    def __init__(self, process):
        self.process, self.bytes, self.stopping = process, 0, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        while not self.stopping.wait(0.1):
            self.bytes = max(self.bytes, resident_bytes(self.process))

    def stop(self):
        self.stopping.set()
        self.thread.join()
        return self.bytes


def samples_stored(client):
    tiers = client.call("GET", f"{API}/metrics/stats")[1]["tiers"]
    return sum(tier["rows"] for tier in tiers if tier["dataset"] == "samples")


def compare(client, arguments, acked, fault):
    """The count of samples, and the latest one of some series."""
    stored = samples_stored(client)
    if stored != acked:
        fault("lost" if stored < acked else "dup", f"{stored} samples instead of {acked}")
    dice = random.Random(arguments.seed)
    for _ in range(QUICK_LOOKS):
        n = dice.randrange(arguments.series)
        filters = "&".join(f"label.{pair}" for pair in labels(n).split(","))
        status, answer = client.call("GET", f"{API}/metrics/latest?name=requests_total&{filters}")
        points = answer.get("points", []) if status == 200 else []
        if [point["value"] for point in points] != [value(n, arguments.rounds - 1)]:
            fault("lost", f"series {n}: {status} {str(answer)[:300]}")


def body(work):
    arguments = work.arguments
    faults = dict.fromkeys(["lost", "dup", "rule"], 0)

    def fault(kind, what):
        faults[kind] += 1
        if faults[kind] <= FAULTS_SHOWN:
            print(f"FAULT {kind}: {what}", flush=True)

    cgroup = Cgroup(arguments.mebibytes * MIB)
    work.stack.callback(cgroup.remove)
    settings = ["--memory", f"{arguments.mebibytes}MiB"]
    first = work.server(settings=settings, wrapper=cgroup.wrapper()).wait_ready()
    peak = Peak(first.process)
    begin_ms = int(time.time() // 86_400) * 86_400_000
    rates, acked, refused = [], 0, 0
    for turn in range(arguments.rounds):
        writing = Writing(first.port, arguments.series, turn, begin_ms + turn * 10_000)
        began = time.monotonic()
        writing.run()
        rates.append(writing.acked / (time.monotonic() - began) / 1000)
        acked, refused = acked + writing.acked, refused + writing.refused
        if writing.failure is not None:
            fault("rule", writing.failure)
    compare(first.client(), arguments, acked, fault)
    written_peak = peak.stop()
    first.kill()

    again = work.server(settings=settings, wrapper=cgroup.wrapper())
    restart = start_again(again, cgroup, 300, arguments.within, fault, lambda client: compare(client, arguments, acked, fault))
    figures = (f" series={arguments.series} refused={refused} rounds={'/'.join(f'{rate:.0f}' for rate in rates)}k/s "
               f"peak_rss={written_peak // MIB}MiB of {arguments.mebibytes}MiB ready={restart.seconds or -1:.1f}s "
               f"peak_rss_at_start={restart.peak // MIB}MiB")
    return report_line(arguments.seed, arguments.cycles, acked, faults, figures), not any(faults.values())


def main():
    options = rig.options(__doc__, cycles=1)
    options.add_argument("--series", type=int, default=5_000_000)
    options.add_argument("--rounds", type=int, default=2, help="samples of each series")
    options.add_argument("--mebibytes", type=int, default=2048, help="limit of the cgroup, and the server's memory")
    options.add_argument("--within", type=float, default=10, help="seconds to be ready")
    arguments = options.parse_args()
    machine.need_root("to make a cgroup")
    rig.run(arguments, body)


if __name__ == "__main__":
    main()
