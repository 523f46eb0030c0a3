#!/usr/bin/env python3
"""Metrics beside Debian's victoria-metrics and influxdb, in one run, each over its own fastest door.

Usage: metrics_peers.py --binary PATH [--seconds N] [--rounds N] [--only WORD...]

Firn and InfluxDB answer a write when it is synced, VictoriaMetrics before. Programs are measured in turn, round by
round. A peer that is not installed is left out, which is said. Words for --only: rate, bytes, guardia, day.

rate  samples/s written. Firn and VictoriaMetrics by remote write (firn bench remote-write: 10,000 samples a request, each
      of another series with eight labels), Firn and InfluxDB by line protocol, as many lines with as many tags.
bytes a day of 100 series at 10 s, of several kinds: bytes a sample on disk.
guardia  such a day of what guardia's agents tell of 20 servers, as JSON with metadata, in Firn alone: bytes a sample.
day   such a day of random walks with one decimal: averages of five minutes over it, of one series and of all, uncached.
"""

import argparse
import http.client
import json
import os
import random
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "rig"))
from server import end_with_rig, free_port  # noqa: E402

SERIES, STEP_S, DAY_S = 100, 10, 86400
LINES, BODIES = 10_000, 12
START = int(time.time()) // DAY_S * DAY_S - 2 * DAY_S
API = "/api/v1/namespaces/default"


class Program:
    """A server of its own directory, ended with the run."""

    def __init__(self, root, name, arguments, ready):
        self.directory = os.path.join(root, name)
        os.makedirs(self.directory)
        self.port = free_port()
        log = open(os.path.join(self.directory, "log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(arguments(self), stdout=log, stderr=subprocess.STDOUT, preexec_fn=end_with_rig)
        self.local = threading.local()
        for _ in range(200):
            try:
                if self.call("GET", ready)[0] < 300:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"{name} did not start, see {self.directory}/log")

    def call(self, method, path, body=None, kind="application/json"):
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            self.local.connection.request(method, path, body, {"Content-Type": kind} if body else {})
            answer = self.local.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as failure:
            self.local.connection.close()
            raise OSError(str(failure)) from failure

    def must(self, *arguments):
        status, text = self.call(*arguments)
        if status >= 300:
            raise SystemExit(f"{arguments[0]} {arguments[1]}: {status} {text[:300]}")
        return text

    def file_bytes(self, pattern):
        found = 0
        for path, _, names in os.walk(self.directory):
            for name in names:
                full = os.path.join(path, name)
                found += os.path.getsize(full) if re.search(pattern, full) else 0
        return found

    def end(self):
        self.process.kill()
        self.process.wait()


class Firn(Program):
    name = "Firn"

    def __init__(self, root, binary):
        self.binary = binary
        super().__init__(root, "firn", lambda self: [
            binary, "serve", "--data-dir", self.directory + "/data", "--listen", f"127.0.0.1:{self.port}", "--otlp-http", "off",
            "--otlp-grpc", "off", "--memory", "4GiB"], "/readyz")

    def write_lines(self, body):
        self.must("POST", "/write?precision=s", body, "text/plain")

    def remote_write(self, connections, seconds):
        return remote_write_rate(self.binary, self.port, connections, seconds)

    def settle(self):
        self.must("POST", f"{API}/chunks:flush", b"{}")
        self.must("POST", f"{API}/chunks:compress", b"{}")
        chunks = json.loads(self.must("GET", f"{API}/chunks"))["chunks"]
        found = sum(chunk["bytes"] for chunk in chunks if re.search("-(samples|series)-", chunk["name"]))
        self.must("POST", f"{API}/metrics/retention", b"")
        self.must("POST", f"{API}/chunks:flush", b"{}")
        return found

    def windows(self, series):
        match = f"label.server={series}" if series else "group_by=server"
        return self.must("GET", f"{API}/metrics/windows?name=cpu&{match}&window_s=300&functions=avg&{self.range()}")

    @staticmethod
    def range():
        text = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t)) for t in (START, START + DAY_S)]
        return f"from={text[0]}&to={text[1]}"


class VictoriaMetrics(Program):
    name = "VictoriaMetrics"

    def __init__(self, root, binary):
        self.binary = binary
        super().__init__(root, "victoria-metrics", lambda self: [
            shutil.which("victoria-metrics"), "-storageDataPath=" + self.directory + "/data", f"-httpListenAddr=127.0.0.1:{self.port}",
            "-retentionPeriod=100y"], "/health")

    def write_lines(self, body):
        self.must("POST", "/write?precision=s", body, "text/plain")

    def remote_write(self, connections, seconds):
        return remote_write_rate(self.binary, self.port, connections, seconds)

    def settle(self):
        self.must("GET", "/internal/force_flush")
        self.must("GET", "/internal/force_merge")
        return settled(lambda: self.file_bytes("/data/data/(small|big)/"))

    def windows(self, series):
        query = f'avg_over_time(cpu_value{{server="{series}"}}[5m])' if series else "avg_over_time(cpu_value[5m])"
        return self.must("GET", "/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": query, "start": START + 300, "end": START + DAY_S, "step": 300, "nocache": 1}))


class InfluxDb(Program):
    name = "InfluxDB"

    def __init__(self, root, _binary):
        super().__init__(root, "influxdb", lambda self: [shutil.which("influxd"), "-config", self.config()], "/ping")
        self.must("POST", "/query?" + urllib.parse.urlencode({"q": "CREATE DATABASE bench"}))

    def config(self):
        path = self.directory + "/config"
        with open(path, "w", encoding="utf-8") as config:
            config.write(f"""reporting-enabled = false
bind-address = "127.0.0.1:{free_port()}"
[meta]
dir = "{self.directory}/meta"
[data]
dir = "{self.directory}/data"
wal-dir = "{self.directory}/wal"
cache-snapshot-write-cold-duration = "2s"
compact-full-write-cold-duration = "2s"
[http]
bind-address = "127.0.0.1:{self.port}"
log-enabled = false
[monitor]
store-enabled = false
""")
        return path

    def write_lines(self, body):
        self.must("POST", "/write?db=bench&precision=s", body, "text/plain")

    def settle(self):
        time.sleep(5)
        return settled(lambda: self.file_bytes(r"/data/bench/.*\.tsm$"))

    def windows(self, series):
        where = f" AND server='{series}'" if series else ""
        by = "" if series else ", server"
        query = f"SELECT mean(value) FROM cpu WHERE time >= {START}s AND time < {START + DAY_S}s{where} GROUP BY time(5m){by}"
        return self.must("GET", "/query?" + urllib.parse.urlencode({"db": "bench", "q": query}))


def settled(measure):
    """What is measured once it stays the same for some seconds."""
    before, since = measure(), time.monotonic()
    while time.monotonic() - since < 4:
        time.sleep(0.5)
        now = measure()
        if now != before:
            before, since = now, time.monotonic()
    return before


def remote_write_rate(binary, port, connections, seconds):
    out = subprocess.run([binary, "bench", "remote-write", "--to", f"127.0.0.1:{port}", "--connections", str(connections),
                          "--seconds", str(seconds)], capture_output=True, text=True, check=True).stdout
    return float(re.search(r"^\S.*?\s{2,}(\d+)\s", out.splitlines()[-1]).group(1))


def line_bodies(connection, count):
    """Requests of lines, each of another series; the times differ from body to body."""
    lines = []
    for i in range(LINES):
        n = connection * LINES + i
        lines.append(f"http_requests,instance=10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:9100,job=node-exporter,path=/api/v1/orders/{n % 97},"
                     f"method=POST,status={200 + n % 5},zone=eu-central-1a,pod=shop-backend-{n:08x},version=2026.11.{n % 30} value=")
    for body in range(count):
        yield "\n".join(f"{line}{(n * 7 + body) % 1000 / 10} {START + body * STEP_S}" for n, line in enumerate(lines)).encode()


def line_rate(program, bodies, seconds):
    """Samples/s of one thread a connection; the first body of each is sent before the time begins."""
    for own in bodies:
        program.write_lines(own[0])
    sent, end = [0] * len(bodies), time.monotonic() + seconds

    def work(number):
        while time.monotonic() < end:
            program.write_lines(bodies[number][1 + sent[number] % (BODIES - 1)])
            sent[number] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(bodies))]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(sent) * LINES / (time.monotonic() - begin)


def show(title, results):
    print(f"\n{title}")
    for name, values in results.items():
        shown = ", ".join(f"{value:.3g}" for value in values)
        print(f"  {name:38} median {statistics.median(values):.3g} of {shown}", flush=True)


def measure_rates(options, open_all):
    for connections in (1, 8):
        bodies = [list(line_bodies(n, BODIES)) for n in range(connections)]
        programs = open_all()
        results = {}
        for _ in range(options.rounds):
            for program in programs:
                if hasattr(program, "remote_write"):
                    results.setdefault(program.name + ", remote write", []).append(
                        program.remote_write(connections, options.seconds) / 1e6)
                if program.name != "VictoriaMetrics":
                    results.setdefault(program.name + ", line protocol", []).append(
                        line_rate(program, bodies, options.seconds) / 1e6)
        show(f"written, M samples/s, {connections} connections", results)
        for program in programs:
            program.end()


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


class Walk:
    """Series that go up or down by up to so many units, told in these units."""

    def __init__(self, most, tell):
        self.rng, self.most, self.tell, self.values = random.Random(1), most, tell, [500] * SERIES

    def next(self, n):
        self.values[n] += self.rng.randrange(-self.most, self.most + 1)
        return self.tell(self.values[n])


class Counters:
    """Series that grow by the requests of ten seconds."""

    def __init__(self):
        self.rng, self.values = random.Random(1), [0] * SERIES

    def next(self, n):
        self.values[n] += self.rng.randrange(100)
        return float(self.values[n])


class ProcessorAverages:
    """What a monitoring agent tells: the mean of the use of 16 processors, computed with 32 bits."""

    def __init__(self):
        self.rng = random.Random(1)
        self.used = [[self.rng.random() * 60 for _ in range(16)] for _ in range(SERIES)]

    def next(self, n):
        self.used[n] = [min(100, max(0, use + self.rng.gauss(0, 3))) for use in self.used[n]]
        return float32(sum(map(float32, self.used[n])) / 16)


KINDS = {
    "random walk, steps up to 2.0": lambda: Walk(20, lambda value: value / 10),
    "random walk, steps up to 0.1": lambda: Walk(1, lambda value: value / 10),
    "counter, 0 to 99 more": Counters,
    "memory used, percent of 4,193,812 pages": lambda: Walk(1000, lambda value: (value + 2_000_000) / 4_193_812 * 100),
    "mean of 16 processors, 32 bits": ProcessorAverages,
}


def send_day(program, kind):
    values = KINDS[kind]()
    for begin in range(0, DAY_S // STEP_S, 100):
        lines = []
        for step in range(begin, min(begin + 100, DAY_S // STEP_S)):
            for n in range(SERIES):
                lines.append(f"cpu,server=srv-{n:03} value={values.next(n)!r} {START + step * STEP_S}")
        program.write_lines("\n".join(lines).encode())


def measure_bytes(_options, open_all):
    samples = SERIES * DAY_S // STEP_S
    print(f"\nbytes a sample, a day of {SERIES} series at {STEP_S} s, {samples} samples")
    for kind in KINDS:
        programs = open_all()
        found = []
        for program in programs:
            send_day(program, kind)
            found.append(f"{program.name} {program.settle() / samples:.3f}")
            program.end()
        print(f"  {kind:40} {', '.join(found)}", flush=True)


def guardia_day(noisy_sensors):
    """The samples of each step: mean of 16 processors, mean of 8 sensors, percent of memory with what it is of."""
    rng, servers = random.Random(1), range(20)
    used = ProcessorAverages()
    sensors = [[40 + rng.random() * 20 for _ in range(8)] for _ in servers]
    total = [rng.choice([16, 32, 64]) * 1024**3 - rng.randrange(10**6) * 1024 for _ in servers]
    memory = [total[n] * 2 // 5 // 4096 * 4096 for n in servers]
    for step in range(DAY_S // STEP_S):
        samples = []
        for n in servers:
            for i, degrees in enumerate(sensors[n]):
                if rng.random() < 0.3:
                    sensors[n][i] += rng.choice([-1, -0.5, 0.5, 1]) if 30 < degrees < 90 else (50 - degrees) / 4
            told = [degrees + rng.gauss(0, 0.5) if noisy_sensors else round(degrees * 2) / 2 for degrees in sensors[n]]
            memory[n] = min(total[n], max(0, memory[n] + int(rng.gauss(0, 3000)) * 4096))
            common = {"server_id": f"10.0.0.{n}:51243", "timestamp": (START + step * STEP_S) * 1000}
            samples += [{**common, "metric_type": "cpu_usage_avg", "value": used.next(n)},
                        {**common, "metric_type": "temperature_avg", "value": float32(sum(map(float32, told)) / 8)},
                        {**common, "metric_type": "memory_used_pct", "value": memory[n] / total[n] * 100,
                         "metadata": {"total": total[n], "used": memory[n]}}]
        yield samples


def measure_guardia(root, binary):
    print("\nguardia's traffic with metadata, bytes a sample")
    for name, noisy_sensors in (("half degrees", False), ("noise", True)):
        program, pending, count = Firn(os.path.join(root, name), binary), [], 0
        for samples in guardia_day(noisy_sensors):
            pending += samples
            if len(pending) >= 6000:
                program.must("POST", f"{API}/metrics:batch", json.dumps({"samples": pending}).encode())
                count, pending = count + len(pending), []
        program.must("POST", f"{API}/metrics:batch", json.dumps({"samples": pending}).encode())
        count += len(pending)
        print(f"  sensors that tell {name:20} {program.settle() / count:.3f} of {count} samples", flush=True)
        program.end()


def measure_day(options, open_all):
    programs = open_all()
    for program in programs:
        send_day(program, next(iter(KINDS)))
        program.settle()
    for what, series in (("one series", "srv-042"), (f"{SERIES} series", "")):
        results, sizes = {}, {}
        for _ in range(25):
            for program in programs:
                begin = time.monotonic()
                sizes[program.name] = len(program.windows(series))
                results.setdefault(program.name, []).append((time.monotonic() - begin) * 1e3)
        print(f"\naverages of 5 minutes over the day, {what}, ms: best, median, bytes of the answer")
        for name, values in results.items():
            print(f"  {name:38} {min(values):6.2f} {statistics.median(values):6.2f} {sizes[name]:9}", flush=True)
    for program in programs:
        program.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=["rate", "bytes", "guardia", "day"],
                        default=["rate", "bytes", "guardia", "day"])
    options = parser.parse_args()
    kinds = [Firn]
    for kind, command in ((VictoriaMetrics, "victoria-metrics"), (InfluxDb, "influxd")):
        if shutil.which(command):
            kinds.append(kind)
        else:
            print(f"LEFT OUT: {command} is not installed", flush=True)
    root = tempfile.mkdtemp(prefix="firn-metrics-peers-")
    runs = iter(range(100))
    try:
        def open_all():
            directory = os.path.join(root, str(next(runs)))
            return [kind(directory, options.binary) for kind in kinds]
        if "rate" in options.only:
            measure_rates(options, open_all)
        if "bytes" in options.only:
            measure_bytes(options, open_all)
        if "guardia" in options.only:
            measure_guardia(root, options.binary)
        if "day" in options.only:
            measure_day(options, open_all)
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
