"""Reads everything back through the public API and compares it with the oracle."""

import subprocess

from server import API

BY_ID_SAMPLE = 20


class ReadFailed(Exception):
    pass


def read_after(client, position):
    events, cursor = [], None
    while True:
        path = f"{API}/events?limit=10000&order=position&after={position}"
        if cursor is not None:
            path += f"&cursor={cursor}"
        status, page = client.call("GET", path)
        if status != 200:
            raise ReadFailed(f"reading back failed with {status}: {page}")
        events += page["events"]
        cursor = page.get("next")
        if cursor is None:
            return events


def verify(oracle, client, everything=False):
    """Reads what is new (or everything) and judges every batch. No client may be writing."""
    if everything:
        oracle.forget_readings()
    try:
        read_new_events(oracle, client)
    except ReadFailed as failure:
        oracle.fault("lost", failure)
        return
    known = set()
    for batch in oracle.batches:
        known.update(batch.tokens())
        judge_batch(oracle, batch)
    for token in oracle.by_token:
        if token not in known:
            oracle.fault("ghost", f"token {token} was never sent")
    check_other_readings(oracle, client, list(oracle.by_token.values()))


def read_new_events(oracle, client):
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


def judge_batch(oracle, batch):
    tokens = batch.tokens()
    present = [token for token in tokens if token in oracle.by_token]
    if batch.state == "acked" and len(present) != len(tokens):
        oracle.fault("lost", f"acked {batch.first}-{batch.last}: {len(present)} of {len(tokens)}")
    elif batch.state == "refused" and present:
        oracle.fault("ghost", f"{len(present)} events of a batch whose refusal said that nothing was stored")
    elif present and len(present) != len(tokens):
        oracle.fault("torn", f"{len(present)} of {len(tokens)} events of an unanswered batch")
    if batch.state == "acked" and present:
        at = [oracle.by_token[token]["position"] for token in present]
        if min(at) != batch.first or max(at) != batch.last or at != sorted(at):
            oracle.fault("order", f"acked at {batch.first}-{batch.last}, stored at {min(at)}-{max(at)}")
    for sent in batch.events:
        kept = oracle.by_token.get(sent["data"]["token"])
        if kept is not None and any(kept[field] != sent[field] for field in ("id", "data", "type")):
            oracle.fault("torn", f"event {sent['id']} came back changed")


def check_other_readings(oracle, client, stored):
    status, answer = client.call(
        "POST", f"{API}/sql",
        {"query": "SELECT count(*), max(position), sum(position) FROM events"})  # needs no memory to speak of
    total = len(stored)
    want = [total, total or None, sum(e["position"] for e in stored) or None]
    got = [None if value is None else int(value) for value in answer["rows"][0]] if status == 200 else answer
    if got != want:
        oracle.fault("lost", f"SQL says {got}, the pages say {want}")
    for event in oracle.random.sample(stored, min(BY_ID_SAMPLE, total)):
        status, answer = client.call("GET", f"{API}/events/{event['id']}")
        if status != 200 or answer["position"] != event["position"]:
            oracle.fault("lost", f"by id {event['id']}: {status}")


def run_firn_verify(oracle, binary, data_dir, settings=()):
    """`firn verify` on a directory that no server uses."""
    sound = subprocess.run([binary, "verify", "--data-dir", data_dir, *settings], capture_output=True, text=True)
    if sound.returncode != 0:
        oracle.fault("lost", f"firn verify: {sound.stdout}{sound.stderr}")
