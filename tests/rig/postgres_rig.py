#!/usr/bin/env python3
"""Takes the PostgreSQL server below a real server away, again and again, while clients write.

Usage: postgres_rig.py --binary PATH [--layout rows|blocks] [--outage SECONDS] [--cycles N] [--seed N] [--keep DIR]

It is killed, stopped (so that it takes connections and says nothing), restarted, and killed when a
commit of Firn is on its disk but not answered. In about every second outage Firn itself is killed too and
starts without it. Promised: appends go on until the memory budget is spent, and only then are
refused, with 503 and Retry-After; /health is "degraded" and names the tier; when the server is back
everything reaches it by itself; nothing acknowledged is lost or there twice.
"""

import json
import threading
import time

import rig
from load import Load
from oracle import Oracle
from postgres import Postgres
from server import API, GONE
from verifier import run_firn_verify, verify

WRITERS = 3
SIZES, FILLER = (20, 100, 200), 3000
MEMORY_MIB = 64
AT_ONCE_BYTES = WRITERS * max(SIZES) * (FILLER + 500)  # requests that were let in at the same moment
WITHIN_SECONDS = 180  # generous: what matters is that it happens by itself
PAUSE_SECONDS = 60  # a retry may wait for a server that hangs, 30 s at most, and others for the retry
# A hung server is only known when it has been silent for 30 s. A second more or less decides nothing.
KNOWN_AFTER = {"killed": 30, "hung": 100}
KINDS = ("killed", "restarted", "killed at commit", "hung")


class Watch:
    """What the writers were told, and when."""

    def __init__(self, oracle, rest_seconds):
        self.oracle = oracle
        self.rest_seconds = rest_seconds
        self.mutex = threading.Lock()
        self.acks = self.refusals = 0
        self.spent = 0  # refusals because there is no more memory; a retry may need what cannot be read
        self.last_ack = time.monotonic()
        self.longest_pause = 0

    def note(self, client, status, answer, _sent_at):
        with self.mutex:
            if status == 200:
                self.acks += 1
                self.longest_pause = max(self.longest_pause, time.monotonic() - self.last_ack)
                self.last_ack = time.monotonic()
                return
            self.refusals += 1
            is_spent = "memory budget" in answer["error"]["message"]
            self.spent += is_spent
            if is_spent:
                self.last_ack = time.monotonic()  # what follows is no pause of its own making
        if status != 503 or not client.headers.get("Retry-After"):
            self.oracle.fault("rule", f"refused with {status}, Retry-After {client.headers.get('Retry-After')}: {answer}")
        time.sleep(self.rest_seconds if is_spent else 0)  # what is refused is noted, too, so a long outage must not refuse millions


def until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


class PatientClient:
    """Comes again when it is told to, as a client should."""

    def __init__(self, client):
        self.client = client

    def call(self, *request):
        answers = []

        def is_served():
            answers.append(self.client.call(*request))
            return answers[-1][0] != 503
        until(is_served, WITHIN_SECONDS)
        return answers[-1]


class Cycle:
    def __init__(self, work, oracle, postgres, settings, kind):
        self.work, self.oracle, self.postgres, self.kind = work, oracle, postgres, kind
        self.settings = settings
        self.outage = work.arguments.outage
        self.watch = Watch(oracle, max(1, self.outage / 60))

    def run(self, with_restart):
        server = self.work.server(settings=self.settings).wait_ready()
        with Load() as load:
            self.write(load, server)
            time.sleep(self.oracle.random.uniform(0.5, 2))
            self.begin()
            if with_restart and self.kind != "restarted":
                server = self.restart(server)
                self.write(load, server)
            self.last(server)
            self.end()
            self.catch_up(server)
        verify(self.oracle, PatientClient(server.client()))
        server.kill()

    def write(self, load, server):
        load.writers(WRITERS, self.oracle, server.port, sizes=SIZES, filler=FILLER, on_answer=self.watch.note)

    def begin(self):
        if self.kind == "killed":
            self.postgres.kill()
        elif self.kind == "restarted":
            self.postgres.shut_down()
        elif self.kind == "hung":
            self.postgres.pause()
        else:
            self.postgres.stop_answering_commits()
            if not until(lambda: self.postgres.waiting_commits() > 0, WITHIN_SECONDS):
                self.oracle.fault("rule", "no commit to be killed in: nothing is flushed")
            self.postgres.kill()

    def end(self):
        if self.kind == "hung":
            self.postgres.resume()
        else:
            self.postgres.boot()

    def restart(self, server):
        """Firn dies as well, and starts over what it has: its log."""
        time.sleep(self.oracle.random.uniform(0.2, 1))
        server.kill()
        return self.work.server(settings=self.settings).wait_ready()

    def last(self, server):
        """The outage itself: appends go on, then the budget is spent, and Firn says so."""
        if self.kind == "restarted":
            return
        begun, acks, spent = time.monotonic(), self.watch.acks, self.watch.spent
        if not until(lambda: self.watch.spent > spent, WITHIN_SECONDS):
            self.oracle.fault("rule", f"{self.kind}: the budget of {MEMORY_MIB} MiB is never spent")
        if self.watch.acks == acks:
            self.oracle.fault("rule", f"{self.kind}: no append was acknowledged")
        if self.watch.longest_pause > PAUSE_SECONDS:
            self.oracle.fault("rule", f"{self.kind}: no acknowledgement for {self.watch.longest_pause:.0f} s")
        health = server.client().call("GET", "/health")[1]
        if health["memory"]["bytes"] > (MEMORY_MIB << 20) + AT_ONCE_BYTES:
            self.oracle.fault("rule", f"{self.kind}: over its memory budget: {health['memory']}")
        client = server.client()

        def says_so():
            answer = client.call("GET", "/health")[1]
            return answer["status"] == "degraded" and "warm" in answer["reason"]
        left = self.outage - (time.monotonic() - begun)
        if self.outage > KNOWN_AFTER.get(self.kind, self.outage) and not until(says_so, left):
            self.oracle.fault("rule", f"{self.kind}: /health says nothing of it")
        time.sleep(max(0, self.outage - (time.monotonic() - begun)))

    def catch_up(self, server):
        acks = self.watch.acks
        if not until(lambda: self.watch.acks > acks, WITHIN_SECONDS):
            self.oracle.fault("rule", f"{self.kind}: no append succeeds although the server is back")
        client = server.client()

        def healthy():
            try:
                return client.call("GET", "/health")[1]["status"] == "ok"
            except GONE:
                return False
        if not until(healthy, WITHIN_SECONDS):
            self.oracle.fault("rule", f"{self.kind}: the server is back, but {client.call('GET', '/health')[1]}")


def check_all_there(oracle, server, postgres):
    """In the end every event has left memory for the tables."""
    def flushed():
        status, _ = server.client().call("POST", f"{API}/chunks:flush", {})
        count = int(postgres.sql("SELECT coalesce(sum(row_count), 0) FROM firn.chunks"))
        return status == 200 and count == server.client().call("GET", f"{API}/events:count")[1]["count"]
    if not until(flushed, WITHIN_SECONDS):
        oracle.fault("lost", "the tables in PostgreSQL do not get what the store has")


def body(work):
    arguments = work.arguments
    oracle = Oracle(arguments.seed, rules=True)
    postgres = Postgres(work)
    tiers = [{"name": "hot", "backend": "memory", "keep": "300ms"},
             {"name": "warm", "backend": "postgres", "keep": "forever", "dsn": postgres.dsn(), "layout": arguments.layout}]
    settings = ["--max-memory", f"{MEMORY_MIB}MiB", "--mover-interval", "100ms", "--tiers", json.dumps(tiers)]
    refusals, pause = 0, 0
    for number in range(arguments.cycles):
        cycle = Cycle(work, oracle, postgres, settings, KINDS[number % len(KINDS)])
        cycle.run(with_restart=(number + number // len(KINDS)) % 2 == 0)
        refusals += cycle.watch.refusals
        pause = max(pause, cycle.watch.longest_pause)
        print(f"cycle {number + 1}, {cycle.kind}: {oracle.acked_events()} events acked", flush=True)
    server = work.server(settings=settings).wait_ready()
    check_all_there(oracle, server, postgres)
    verify(oracle, PatientClient(server.client()), everything=True)
    server.kill()
    run_firn_verify(oracle, arguments.binary, work.path("data"), settings)
    return oracle.line(arguments.cycles, f" (refused {refusals}, longest pause {pause:.1f} s)"), not oracle.failed()


def main():
    options = rig.options(__doc__, cycles=4)
    options.add_argument("--layout", choices=("rows", "blocks"), default="rows")
    options.add_argument("--outage", type=float, default=2)
    rig.run(options.parse_args(), body)


if __name__ == "__main__":
    main()
