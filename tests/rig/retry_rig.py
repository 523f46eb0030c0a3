#!/usr/bin/env python3
"""Loses the answers of appends on the way, and checks that sending them again stores nothing twice.

Usage: retry_rig.py --binary PATH [--requests N] [--cycles N] [--seed N] [--keep DIR]

A proxy passes requests on and cuts the connection: in the middle of the request, right behind it, in
the middle of the answer, or just before it. The client repeats every batch with the same ids until
it is acknowledged. Then all of them are sent once more after the chunks were flushed, after a
SIGKILL and restart, and after they were moved to the cold tier: each answer must name the positions
of the first one and count every event as a duplicate. Where rgw.py has started an S3 server, the cold
tier is there.
"""

import os
import random
import socket
import threading

import rig
from load import Load
from oracle import Oracle, Total
from server import API, GONE, Client, NotReady
from verifier import run_firn_verify, verify

WRITERS = 4
REPEATERS = 48  # what waits together is looked up together
CUTS = ("none", "request", "behind the request", "answer", "before the answer")
TRIES = 200  # one in five gets through


def cold_place(data_dir):
    endpoint = os.environ.get("FIRN_TEST_S3_ENDPOINT")
    if endpoint is None:
        return "directory: cold"
    bucket, prefix = os.environ["FIRN_TEST_S3_BUCKET"], os.path.basename(data_dir)
    return f"url: 's3://{bucket}/{prefix}-{os.getpid()}', endpoint: '{endpoint}'"


def settings(data_dir):
    """Nothing moves by itself."""
    return ["--tiers", "[{name: hot, backend: memory, keep: 1d}, {name: warm, backend: sqlite, keep: 36500d, "
            "directory: warm}, {name: cold, backend: parquet, keep: forever, " + cold_place(data_dir) + "}]"]

HEAD_END = b"\r\n\r\n"


def read_message(source):
    """One HTTP message with a Content-Length, or what came of it before the end of the connection."""
    data = b""
    while True:
        head, found, body = data.partition(HEAD_END)
        if found:
            fields = [line.partition(b":") for line in head.lower().split(b"\r\n")]
            lengths = [value for name, _, value in fields if name == b"content-length"]
            if len(body) >= (int(lengths[0]) if lengths else 0):
                return data
        piece = source.recv(1 << 16)
        if not piece:
            return data
        data += piece


class Proxy:
    """Every connection to it carries one request. `target` is the server's port and may change."""

    def __init__(self, seed):
        self.target = None
        self.random = random.Random(seed)
        self.cuts = dict.fromkeys(CUTS, 0)
        self.mutex = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with self.mutex:
            cut = self.random.choice(CUTS)
            share = self.random.random()
            self.cuts[cut] += 1
        try:
            with client, socket.create_connection(("127.0.0.1", self.target), timeout=20) as server:
                self._pass_on(client, server, cut, share)
        except OSError:
            pass  # the client sees a broken connection, which is what this is for

    @staticmethod
    def _pass_on(client, server, cut, share):
        request = read_message(client)
        if cut == "request":
            server.sendall(request[:int(len(request) * share)])
            return
        server.sendall(request)
        if cut == "behind the request":
            return
        answer = read_message(server)
        if cut == "before the answer":
            return
        client.sendall(answer if cut == "none" else answer[:int(len(answer) * share)])

    def close(self):
        self.listener.close()


def send_until_acked(oracle, batch, port):
    """The batch is marked as being sent. An answer cut short is no answer."""
    for _ in range(TRIES):
        client = Client(port)
        try:
            status, answer = client.call("POST", f"{API}/events", batch.events)
        except GONE:
            oracle.unanswered(batch)
        else:
            oracle.answered(batch, status, answer)
            if status == 200:
                return
        finally:
            client.close()
        oracle.sending(batch)
    oracle.unanswered(batch)
    oracle.fault("order", f"no answer got through in {TRIES} tries")


def append(oracle, port, seed, requests, stop):
    rng = random.Random(seed)
    for _ in range(requests):
        if stop.is_set():
            return
        send_until_acked(oracle, oracle.new_batch(rng, sizes=(1, 1, 2, 5, 20)), port)


def repeat(oracle, port):
    """Sends everything again, straight to the server; the oracle compares the answers."""
    with Load() as load:
        for part in range(REPEATERS):
            load.add(repeat_each, oracle, port, oracle.batches[part::REPEATERS])
        load.wait()


def repeat_each(oracle, port, batches, stop):
    client = Client(port)
    for batch in batches:
        if stop.is_set():
            return
        oracle.sending(batch)
        status, answer = client.call("POST", f"{API}/events", batch.events)
        oracle.answered(batch, status, answer)
        if status != 200:
            oracle.fault("dup", f"a retry was answered with {status}: {answer}")
    client.close()


def bring_to(tier, client, action):
    status, answer = client.call("POST", f"{API}/chunks:{action}", {})
    if status != 200:
        raise NotReady(f"chunks:{action} failed with {status}: {answer}", None)
    tiers = {chunk["tier"] for chunk in client.call("GET", f"{API}/chunks")[1]["chunks"]}
    if tiers != {tier}:
        raise NotReady(f"after chunks:{action} there are chunks in {tiers}", None)


def run_cycle(work, oracle, proxy, data_dir):
    requests = work.arguments.requests
    server = work.server(data_dir, settings=settings(data_dir)).wait_ready()
    proxy.target = server.port
    with Load() as load:
        for _ in range(WRITERS):
            load.add(append, oracle, proxy.port, oracle.random.random(), requests // WRITERS)
        load.wait()
    repeat(oracle, server.port)
    bring_to("warm", server.client(), "flush")
    repeat(oracle, server.port)
    server.kill()
    server = work.server(data_dir, settings=settings(data_dir)).wait_ready()
    repeat(oracle, server.port)
    bring_to("cold", server.client(), "move")
    repeat(oracle, server.port)
    verify(oracle, server.client())
    server.kill()
    server = work.server(data_dir, settings=settings(data_dir)).wait_ready()
    repeat(oracle, server.port)
    verify(oracle, server.client(), everything=True)
    server.kill()
    run_firn_verify(oracle, work.arguments.binary, data_dir, settings(data_dir))


def body(work):
    arguments = work.arguments
    total, cut = Total(arguments.seed), 0
    for cycle in range(arguments.cycles):
        oracle, proxy = Oracle(arguments.seed + cycle), Proxy(arguments.seed + cycle)
        work.stack.callback(proxy.close)
        run_cycle(work, oracle, proxy, work.path(f"data-{cycle}"))
        proxy.close()
        total.add(oracle)
        cut += sum(count for kind, count in proxy.cuts.items() if kind != "none")
        if min(proxy.cuts.values()) == 0:
            print(f"FAULT: a kind of cut never happened: {proxy.cuts}")
            return total.line(arguments.cycles), False
    return total.line(arguments.cycles, f" cut={cut}"), not total.failed()


def main():
    options = rig.options(__doc__, cycles=1)
    options.add_argument("--requests", type=int, default=400, help="batches in a cycle")
    rig.run(options.parse_args(), body)


if __name__ == "__main__":
    main()
