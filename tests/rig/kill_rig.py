#!/usr/bin/env python3
"""Kills a real server with SIGKILL while clients write, and checks from outside what it kept.

Usage: kill_rig.py --binary PATH [--cycles N] [--seed N] [--keep DIR]

The oracle is this process: it notes every batch before it is sent and every answer, and never asks
the server what was written. After each kill the server is started again and everything is read
back: by pages of the events API, by SQL over all tiers, and by id. Prints one line

  seed=... cycles=... acked=... lost=0 dup=0 torn=0 ghost=0 order=0

and exits with 1 (keeping the data directory) when any of the last five is not zero.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

WRITERS = 4
DAY_NS = 86_400_000_000_000
BASE_TIME_NS = 1_700_000_000_000_000_000
API = "/api/v1/namespaces/default"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """One keep-alive connection; raises OSError or HTTPException when the server goes away."""

    def __init__(self, port, timeout=20):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else text


class Server:
    def __init__(self, binary, data_dir, log_path):
        self.port = free_port()
        self.log = open(log_path, "ab")
        self.process = subprocess.Popen(
            [binary, "serve", "--data-dir", data_dir, "--listen", f"127.0.0.1:{self.port}",
             "--otlp-http", f"127.0.0.1:{free_port()}"],
            stdout=self.log, stderr=self.log)

    def wait_ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"the server exited with {self.process.returncode}; see {self.log.name}")
            try:
                if Client(self.port, 5).call("GET", "/readyz")[0] == 200:
                    return
            except (OSError, http.client.HTTPException, ValueError):
                pass
            time.sleep(0.02)
        raise SystemExit("the server did not become ready within 60 s")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()


class Batch:
    """What was sent, and what came back: None (no answer yet), "acked" or "unknown"."""

    def __init__(self, events):
        self.events = events
        self.state = None
        self.first = self.last = None


class Oracle:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.mutex = threading.Lock()
        self.batches = []
        self.faults = {"lost": 0, "dup": 0, "torn": 0, "ghost": 0, "order": 0}
        self.next_token = 0
        # What was read back so far: positions are final, so only new ones are read each time.
        self.by_token = {}
        self.streams = {}
        self.verified = 0

    def fault(self, kind, what):
        with self.mutex:
            self.faults[kind] += 1
            if self.faults[kind] <= 5:
                print(f"FAULT {kind}: {what}", flush=True)

    def new_batch(self, rng):
        with self.mutex:
            events = []
            for _ in range(rng.choice([1, 1, 2, 5, 20, 100])):
                token = self.next_token
                self.next_token += 1
                event = {
                    "id": str(uuid.UUID(int=rng.getrandbits(128))),
                    "type": f"rig.t{token % 7}",
                    "source": "kill-rig",
                    "time": BASE_TIME_NS + rng.randrange(4) * DAY_NS + token * 1000,
                    "data": {"token": token, "filler": "x" * rng.randrange(200)},
                }
                if token % 3 == 0:
                    event["stream"] = f"s-{rng.randrange(10)}"
                events.append(event)
            batch = Batch(events)
            self.batches.append(batch)  # noted before it is sent
            return batch

    def answered(self, batch, answer):
        with self.mutex:
            if answer["count"] != len(batch.events):
                self.faults["torn"] += 1
                print(f"FAULT torn: sent {len(batch.events)}, answered {answer}", flush=True)
            if batch.state == "acked" and (batch.first, batch.last) != (
                    answer["first_position"], answer["last_position"]):
                self.faults["dup"] += 1
                print(f"FAULT dup: retry of {batch.first}-{batch.last} answered {answer}", flush=True)
            batch.state = "acked"
            batch.first, batch.last = answer["first_position"], answer["last_position"]


def write_until_dead(oracle, port, seed, stop):
    rng = random.Random(seed)
    try:
        client = Client(port)
        while not stop.is_set():
            with oracle.mutex:
                recent = oracle.batches[-200:]
            retry = rng.random() < 0.1 and recent
            batch = rng.choice(recent) if retry else oracle.new_batch(rng)
            if retry and batch.state is None:
                continue  # still in flight on another connection
            was = batch.state
            status, answer = client.call("POST", f"{API}/events", batch.events)
            if status == 200:
                if was == "acked" and answer["duplicates"] != len(batch.events):
                    oracle.fault("dup", f"retry of an acknowledged batch stored again: {answer}")
                oracle.answered(batch, answer)
            elif status == 503:
                with oracle.mutex:
                    batch.state = batch.state or "unknown"
                time.sleep(0.05)
            else:
                raise SystemExit(f"unexpected answer {status}: {answer}")
    except (OSError, http.client.HTTPException, ValueError):
        pass  # the server is gone; the batch without an answer may or may not be there


def move_until_dead(port, seed, stop):
    rng = random.Random(seed)
    try:
        client = Client(port)
        while not stop.is_set():
            time.sleep(rng.uniform(0.02, 0.15))
            action = rng.choice(["flush", "flush", "move"])
            client.call("POST", f"{API}/chunks:{action}", {})
    except (OSError, http.client.HTTPException, ValueError):
        pass


def count_until_dead(oracle, port, stop):
    """Nothing is ever dropped here, so a count never shrinks and never misses what was acked."""
    seen = 0
    try:
        client = Client(port)
        while not stop.is_set():
            with oracle.mutex:
                acked = max((b.last for b in oracle.batches if b.state == "acked"), default=0)
            status, answer = client.call("GET", f"{API}/events:count")
            if status != 200:
                continue
            if answer["count"] < seen or answer["count"] < acked:
                oracle.fault("lost", f"count {answer['count']} after {seen}, acked up to {acked}")
            seen = answer["count"]
            time.sleep(0.01)
    except (OSError, http.client.HTTPException, ValueError):
        pass


def read_after(client, position):
    events, cursor = [], None
    while True:
        path = f"{API}/events?limit=10000&order=position&after={position}"
        if cursor is not None:
            path += f"&cursor={cursor}"
        status, page = client.call("GET", path)
        if status != 200:
            raise SystemExit(f"reading back failed with {status}: {page}")
        events += page["events"]
        cursor = page.get("next")
        if cursor is None:
            return events


def verify(oracle, port, everything):
    client = Client(port, 120)
    if everything:
        oracle.by_token, oracle.streams, oracle.verified = {}, {}, 0
    for event in read_after(client, oracle.verified):
        oracle.verified += 1
        if event["position"] != oracle.verified:
            oracle.fault("order", f"position {event['position']} is number {oracle.verified}")
        token = event["data"]["token"]
        if token in oracle.by_token:
            oracle.fault("dup", f"token {token} twice, again at {event['position']}")
        oracle.by_token[token] = event
        if "stream" in event:
            expected = oracle.streams.get(event["stream"], 0)
            if event["stream_position"] != expected:
                oracle.fault("order", f"stream {event['stream']}: {event['stream_position']}, expected {expected}")
            oracle.streams[event["stream"]] = expected + 1
    by_token = oracle.by_token
    known = set()
    for batch in oracle.batches:
        tokens = [event["data"]["token"] for event in batch.events]
        known.update(tokens)
        present = [token for token in tokens if token in by_token]
        if batch.state == "acked" and len(present) != len(tokens):
            oracle.fault("lost", f"acked {batch.first}-{batch.last}: {len(present)} of {len(tokens)}")
        elif present and len(present) != len(tokens):
            oracle.fault("torn", f"{len(present)} of {len(tokens)} events of an unanswered batch")
        if batch.state == "acked" and present:
            at = [by_token[token]["position"] for token in present]
            if min(at) != batch.first or max(at) != batch.last or at != sorted(at):
                oracle.fault("order", f"acked at {batch.first}-{batch.last}, stored at {min(at)}-{max(at)}")
        for sent in batch.events:
            kept = by_token.get(sent["data"]["token"])
            if kept is not None and (kept["id"] != sent["id"] or kept["data"] != sent["data"]
                                     or kept["type"] != sent["type"]):
                oracle.fault("torn", f"event {sent['id']} came back changed")
        if batch.state is None:
            batch.state = "unknown"
    for token in by_token:
        if token not in known:
            oracle.fault("ghost", f"token {token} was never sent")
    check_other_readings(oracle, client, list(by_token.values()))


def check_other_readings(oracle, client, stored):
    status, answer = client.call(
        "POST", f"{API}/sql",
        {"query": "SELECT count(*), count(DISTINCT id), max(position), sum(position) FROM events"})
    total = len(stored)
    want = [total, total, total or None, sum(e["position"] for e in stored) or None]
    got = [None if value is None else int(value) for value in answer["rows"][0]] if status == 200 else answer
    if got != want:
        oracle.fault("lost", f"SQL says {got}, the pages say {want}")
    for event in oracle.random.sample(stored, min(20, total)):
        status, answer = client.call("GET", f"{API}/events/{event['id']}")
        if status != 200 or answer["position"] != event["position"]:
            oracle.fault("lost", f"by id {event['id']}: {status}")


def run_cycle(oracle, arguments, data_dir, log_path, cycle):
    server = Server(arguments.binary, data_dir, log_path)
    server.wait_ready()
    verify(oracle, server.port, everything=cycle % 25 == 24)
    stop = threading.Event()
    threads = [threading.Thread(target=write_until_dead, args=(oracle, server.port, oracle.random.random(), stop))
               for _ in range(WRITERS)]
    threads.append(threading.Thread(target=move_until_dead, args=(server.port, oracle.random.random(), stop)))
    threads.append(threading.Thread(target=count_until_dead, args=(oracle, server.port, stop)))
    for thread in threads:
        thread.start()
    time.sleep(oracle.random.uniform(0.05, 0.6))
    server.kill()
    stop.set()
    for thread in threads:
        thread.join()
    if cycle % 20 == 19:
        print(f"cycle {cycle + 1}: {sum(b.state == 'acked' for b in oracle.batches)} batches acked", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", help="use this directory and keep it")
    arguments = parser.parse_args()
    root = arguments.keep or tempfile.mkdtemp(prefix="firn-kill-")
    data_dir, log_path = os.path.join(root, "data"), os.path.join(root, "server.log")
    oracle = Oracle(arguments.seed)
    for cycle in range(arguments.cycles):
        run_cycle(oracle, arguments, data_dir, log_path, cycle)
    server = Server(arguments.binary, data_dir, log_path)
    server.wait_ready()
    verify(oracle, server.port, everything=True)
    server.kill()
    sound = subprocess.run([arguments.binary, "verify", "--data-dir", data_dir], capture_output=True, text=True)
    if sound.returncode != 0:
        oracle.fault("lost", f"firn verify: {sound.stdout}{sound.stderr}")
    acked = sum(len(b.events) for b in oracle.batches if b.state == "acked")
    faults = " ".join(f"{kind}={count}" for kind, count in oracle.faults.items())
    print(f"seed={arguments.seed} cycles={arguments.cycles} acked={acked} {faults}")
    failed = any(oracle.faults.values()) or acked == 0
    if failed:
        print(f"kept: {root}")
    elif not arguments.keep:
        shutil.rmtree(root)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
