#!/usr/bin/env python3
"""Moves chunks through all tiers and back while counts and checksums over fixed ranges are compared.

Usage: tier_move_rig.py --binary PATH [--tiers NAME] [--checks N] [--seed N] [--keep DIR]

Chunks are flushed, compressed, moved down, brought up, exported, at random, by command and by age; late
rows go on arriving in their intervals; the server is killed and started again at random. Meanwhile
readers repeat counts and checksums over ranges whose rows do not change any more: through the API and
SQL, against what was sent and what the first reading gave. Each difference counts as `seam`. In the end
everything is read back and verified, and nothing but the chunks may be left in the tiers.

`--tiers`: memory-sqlite-parquet; memory-postgres-s3 (beside an S3 server that rgw.py has started);
postgres, which is memory and PostgreSQL alone.
"""

import json
import os
import random
import threading
import time

import rig
from load import Load
from oracle import BASE_TIME_NS, DAY_NS, Oracle
from postgres import Postgres
from server import API, GONE
from verifier import run_firn_verify, verify

DAYS = 4
FIRST_DAY_NS = BASE_TIME_NS // DAY_NS * DAY_NS
FIXED_EVENTS = 3000
READERS = 2
RANGES = 24
# The same in every tier: all columns of a row, as text.
CHECKSUM = ("SELECT count(*), sum(position), sum(hash(concat_ws('|', position, time, id, kind, type, source, stream, "
            "stream_position, data)) % 1000000007) FROM events WHERE position <= ? AND time >= make_timestamp_ns(?) "
            "AND time < make_timestamp_ns(?)")


def first_half(rng, token):
    """Fixed rows have times before noon, late ones after it."""
    return FIRST_DAY_NS + rng.randrange(DAYS) * DAY_NS + rng.randrange(DAY_NS // 2 // 1000) * 1000 + token % 1000


def second_half(rng, token):
    return first_half(rng, token) + DAY_NS // 2


class Range:
    def __init__(self, rng, events, through):
        edges = sorted(FIRST_DAY_NS + rng.randrange(DAYS * DAY_NS) for _ in range(2))
        if rng.random() < 0.3:
            day = rng.randrange(DAYS)
            edges = [FIRST_DAY_NS + day * DAY_NS, FIRST_DAY_NS + day * DAY_NS + DAY_NS // 2]
        self.begin, self.end = edges
        self.through = through
        self.count = sum(self.begin <= event["time"] < self.end for event in events)
        self.within_fixed_half = self.begin // DAY_NS == (self.end - 1) // DAY_NS and (
            self.begin % DAY_NS < DAY_NS // 2 and 0 < self.end % DAY_NS <= DAY_NS // 2)
        self.first_reading = None


class World:
    """The server as it is now, and the counts of what was compared."""

    def __init__(self, work, oracle, settings):
        self.work, self.oracle, self.settings = work, oracle, settings
        self.mutex = threading.Lock()
        self.checks = self.seams = self.unserved = 0
        self.done = {}
        self.server = None
        self.start()

    def start(self):
        self.server = self.work.server(settings=self.settings).wait_ready()

    def compared(self, same, what):
        with self.mutex:
            self.checks += 1
            self.seams += not same
        if not same:
            self.oracle.fault("rule", what)

    def commanded(self, action, chunks):
        with self.mutex:
            self.done[action] = self.done.get(action, 0) + chunks


def until_stopped(world, stop, step):
    """Repeats step(client) on whatever server is there."""
    client, server = None, None
    while not stop.is_set():
        if client is None or server is not world.server:
            server, client = world.server, world.server.client()
        try:
            step(client)
        except GONE:
            client = None
            time.sleep(0.05)


def sql_of(client, one):
    return client.call("POST", f"{API}/sql", {"query": CHECKSUM, "params": [one.through, one.begin, one.end]})


def read(world, ranges, seed, stop):
    rng = random.Random(seed)

    def step(client):
        one = rng.choice(ranges)
        if one.within_fixed_half and rng.random() < 0.5:
            status, answer = client.call("GET", f"{API}/events:count?from={one.begin}&to={one.end}")
            got, want = answer.get("count"), one.count
        else:
            status, answer = sql_of(client, one)
            got, want = answer.get("rows", [None])[0], one.first_reading
        if status == 503:
            world.unserved += 1  # a backend that is busy, or memory that is spent: no answer is no wrong answer
            time.sleep(0.05)
            return
        world.compared(status == 200 and got == want, f"{one.begin}-{one.end}: {status} {got}, not {want}: {answer}")
    until_stopped(world, stop, step)


def command(world, seed, stop, exports):
    """Whether a command succeeds is not asked here: the server dies in the middle of many."""
    rng = random.Random(seed)
    actions = ["flush", "flush", "compress", "move", "move", "rehydrate", "rehydrate"] + (["export"] if exports else [])

    def step(client):
        stop.wait(rng.uniform(0.01, 0.1))
        action = rng.choice(actions)
        body = {}
        if rng.random() < 0.5:
            status, answer = client.call("GET", f"{API}/chunks")
            names = [chunk["name"] for chunk in answer.get("chunks", [])] if status == 200 else []
            body["names"] = rng.sample(names, min(len(names), 3)) or ["none"]
        if action == "rehydrate" and rng.random() < 0.5:
            body["for"] = rng.choice(["300ms", "2s"])
        if action == "export":
            body["to"] = "lake"
        status, answer = client.call("POST", f"{API}/chunks:{action}", body)
        if status == 500:
            world.oracle.fault("rule", f"{action} {body}: {answer}")
        world.commanded(action, sum("error" not in chunk for chunk in answer.get("chunks", [])))
    until_stopped(world, stop, step)


def append_late(world, oracle, seed, stop):
    rng = random.Random(seed)

    def step(client):
        stop.wait(rng.uniform(0.05, 0.3))
        batch = oracle.new_batch(rng, sizes=(1, 5, 20))
        try:
            status, answer = client.call("POST", f"{API}/events", batch.events)
        except GONE:
            oracle.unanswered(batch)
            raise
        oracle.answered(batch, status, answer)
    until_stopped(world, stop, step)


def tiers_of(name, work):
    hot = {"name": "hot", "backend": "memory", "keep": "1s"}
    postgres = {"name": "warm", "backend": "postgres", "keep": "36500d"}
    if name == "memory-sqlite-parquet":
        return [hot, {"name": "warm", "backend": "sqlite", "keep": "36500d", "directory": "warm", "layout": "rows"},
                {"name": "cold", "backend": "parquet", "keep": "forever", "directory": "cold"}]
    postgres["dsn"] = Postgres(work).dsn()
    if name == "postgres":
        return [hot, {**postgres, "keep": "forever"}]
    endpoint = os.environ.get("FIRN_TEST_S3_ENDPOINT")
    if endpoint is None:
        rig.skip("no S3 server; run it with rgw.py")
    url = f"s3://{os.environ['FIRN_TEST_S3_BUCKET']}/tier-move-{os.getpid()}"
    return [hot, postgres, {"name": "cold", "backend": "parquet", "keep": "forever", "url": url, "endpoint": endpoint}]


def load_fixed(world, oracle):
    """The rows of the ranges, in several generations and places from the start."""
    client = world.server.client()
    while oracle.acked_events() < FIXED_EVENTS:
        batch = oracle.new_batch(oracle.random, sizes=(100, 200))
        oracle.answered(batch, *client.call("POST", f"{API}/events", batch.events))
    through = oracle.acked_through()
    events = [event for batch in oracle.batches for event in batch.events]
    ranges = [Range(oracle.random, events, through) for _ in range(RANGES)]
    for one in ranges:
        status, answer = sql_of(client, one)
        one.first_reading = answer["rows"][0] if status == 200 else None
        if one.first_reading is None or int(one.first_reading[0]) != one.count:
            oracle.fault("rule", f"the first reading of {one.begin}-{one.end}: {answer}, sent {one.count}")
    oracle.time_of = second_half
    return ranges


def check_nothing_is_left(oracle, client):
    """Interrupted work leaves nothing that is not a chunk's, nor a small file for each late row."""
    client.call("POST", f"{API}/chunks:flush", {})
    client.call("POST", f"{API}/chunks:compress", {})
    status, answer = client.call("GET", "/health")
    if status != 200 or answer["status"] != "ok":
        oracle.fault("rule", f"in the end /health says {answer}")
    chunks = client.call("GET", f"{API}/chunks")[1]["chunks"]
    stored = sum(tier["chunks"] for tier in client.call("GET", "/api/v1/tiers")[1]["tiers"])
    if stored != len(chunks):
        oracle.fault("rule", f"{stored} chunks in the tiers, {len(chunks)} listed: {chunks}")


def body(work):
    arguments = work.arguments
    oracle = Oracle(arguments.seed, rules=True, time_of=first_half)
    lake = [{"name": "lake", "directory": work.path("lake")}]
    settings = ["--mover-interval", "100ms", "--tiers", json.dumps(tiers_of(arguments.tiers, work)),
                "--exports", json.dumps(lake), "--wal.segment-size", "1MiB"]
    world = World(work, oracle, settings)
    ranges = load_fixed(world, oracle)
    kills = 0
    with Load() as load:
        for _ in range(READERS):
            load.add(read, world, ranges, oracle.random.random())
        load.add(command, world, oracle.random.random(), exports=True)
        load.add(append_late, world, oracle, oracle.random.random())
        while world.checks < arguments.checks and load.failure is None:
            time.sleep(oracle.random.uniform(0.5, 4))
            world.server.kill()
            kills += 1
            world.start()
    client = world.server.client()
    verify(oracle, client)
    check_nothing_is_left(oracle, client)
    verify(oracle, client, everything=True)
    world.server.kill()
    run_firn_verify(oracle, arguments.binary, work.path("data"), settings)
    print(f"chunks: {world.done}", flush=True)
    extra = f" tiers={arguments.tiers} checks={world.checks} seam={world.seams} unserved={world.unserved}"
    return oracle.line(kills, extra), not oracle.failed() and world.seams == 0


def main():
    options = rig.options(__doc__, cycles=0)
    options.add_argument("--tiers", choices=("memory-sqlite-parquet", "memory-postgres-s3", "postgres"),
                         default="memory-sqlite-parquet")
    options.add_argument("--checks", type=int, default=300, help="comparisons, at least")
    rig.run(options.parse_args(), body)


if __name__ == "__main__":
    main()
