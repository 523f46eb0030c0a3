#!/usr/bin/env python3
"""Backs a real server up while clients write and chunks move, at times kills it on the way, and restores.

Usage: backup_rig.py --binary PATH [--cycles N] [--seed N] [--keep DIR]

Each cycle makes one backup under load. In every third the server is killed while it is at work, so
that its outcome is open. Then the backup is restored with `firn restore` into a new directory, and a
server there is read: it must hold an exact prefix of the positions, with everything that was
acknowledged before the last backup with an answer began, and go on behind it. Prints

  seed=... cycles=... acked=... lost=0 dup=0 torn=0 ghost=0 order=0 restores=...

and exits with 1 (keeping the directories) when any of the five is not zero. Where rgw.py has started
an S3 server, the backups are there, else in a directory.
"""

import os
import shutil
import subprocess
import threading
import time

import rig
from load import Load
from oracle import Oracle, Total
from server import API, GONE
from verifier import read_after, run_firn_verify

WRITERS = 3
CYCLES_OF_A_STORE = 10  # then a new one begins, so that reading everything back stays quick


class Store:
    """A data directory, where its backups go, and what is known of them."""

    def __init__(self, work, number):
        self.work = work
        self.oracle = Oracle(work.arguments.seed + number)
        self.data = work.path(f"data{number}")
        self.exports = ["--exports", f"[{{name: vault, {self.vault(number)}}}]"]
        self.backed_up = None  # acknowledged through here when the last completed backup began

    def vault(self, number):
        endpoint = os.environ.get("FIRN_TEST_S3_ENDPOINT")
        if endpoint is None:
            return f"directory: {self.work.path(f'vault{number}')}"
        prefix = f"vault-{os.getpid()}-{number}"
        return f"url: 's3://{os.environ['FIRN_TEST_S3_BUCKET']}/{prefix}', endpoint: '{endpoint}'"


def back_up(store, client):
    """One backup; a server that is killed meanwhile answers nothing."""
    acked = store.oracle.acked_through()
    try:
        status, answer = client.call("POST", "/api/v1/backup", {"to": "vault"})
    except GONE:
        return
    if status != 200:
        store.oracle.fault("lost", f"the backup failed: {answer}")
    else:
        store.backed_up = acked


def judge_prefix(oracle, events, at_least):
    """Whether the events are all rows up to some position, as they were acknowledged."""
    last = len(events)
    if last < at_least:
        oracle.fault("lost", f"restored up to {last}, acknowledged before the backup: {at_least}")
    by_token, streams = {}, {}
    for number, event in enumerate(events, 1):
        if event["position"] != number:
            oracle.fault("order", f"position {event['position']} is number {number}")
        if by_token.setdefault(event["data"]["token"], event) is not event:
            oracle.fault("dup", f"token {event['data']['token']} twice")
        if "stream" in event:
            if event["stream_position"] != streams.get(event["stream"], 0):
                oracle.fault("order", f"stream {event['stream']}: {event['stream_position']}")
            streams[event["stream"]] = event["stream_position"] + 1
    for batch in oracle.batches:
        present = [by_token.pop(token) for token in batch.tokens() if token in by_token]
        if present and len(present) != len(batch.events):
            oracle.fault("torn", f"{len(present)} of {len(batch.events)} events of a batch")
        if batch.state == "acked" and bool(present) != (batch.last <= last):
            oracle.fault("lost", f"acked {batch.first}-{batch.last}, restored up to {last}: {len(present)} events")
        for sent, kept in zip(batch.events, present):
            if any(kept[field] != sent[field] for field in ("id", "data", "type")):
                oracle.fault("torn", f"event {sent['id']} came back changed")
    if by_token:
        oracle.fault("ghost", f"{len(by_token)} events were never sent")
    return streams


def goes_on(oracle, client, last, streams):
    """The next event gets the next position, of its stream too."""
    stream = next(iter(streams), "first")
    status, answer = client.call("POST", f"{API}/events", [{"type": "next", "stream": stream}])
    if status != 200 or answer["first_position"] != last + 1:
        oracle.fault("order", f"after {last} comes {answer}")
        return
    status, event = client.call("GET", f"{API}/events?after={last}")
    if status != 200 or event["events"][0]["stream_position"] != streams.get(stream, 0):
        oracle.fault("order", f"stream {stream} goes on with {event}")


def restore(store):
    arguments, oracle, place = store.work.arguments, store.oracle, store.work.path("restored")
    shutil.rmtree(place, ignore_errors=True)
    done = subprocess.run([arguments.binary, "restore", "--from", "vault", "--data-dir", place, *store.exports],
                          capture_output=True, text=True)
    if done.returncode != 0:
        oracle.fault("lost", f"firn restore: {done.stdout}{done.stderr}")
        return
    server = store.work.server(data_dir=place).wait_ready()
    events = read_after(server.client(), 0)
    goes_on(oracle, server.client(), len(events), judge_prefix(oracle, events, store.backed_up))
    server.stop()
    run_firn_verify(oracle, arguments.binary, place)


def run_cycle(store, kills):
    oracle = store.oracle
    server = store.work.server(data_dir=store.data, settings=store.exports).wait_ready()
    with Load() as load:
        load.writers(WRITERS, oracle, server.port).mover(oracle, server.port)
        time.sleep(oracle.random.uniform(0.05, 0.4))
        backup = threading.Thread(target=back_up, args=(store, server.client()), daemon=True)
        backup.start()
        if kills:
            time.sleep(oracle.random.uniform(0, 0.6))
            server.kill()
        backup.join()
        server.kill()
    if store.backed_up is None:
        return 0
    restore(store)
    return 1


def body(work):
    arguments = work.arguments
    total, restores, done = Total(arguments.seed), 0, 0
    while done < arguments.cycles and not any(total.faults.values()):
        store = Store(work, done)
        for cycle in range(min(CYCLES_OF_A_STORE, arguments.cycles - done)):
            restores += run_cycle(store, kills=cycle % 3 == 2)
            done += 1
        total.add(store.oracle)
    return total.line(done, f" restores={restores}"), not total.failed()


if __name__ == "__main__":
    rig.run(rig.options(__doc__, cycles=10).parse_args(), body)
