"""Clients that load a server until it dies or they are told to stop."""

import random
import threading
import time

from server import API, GONE, Client

REFUSED = (429, 503)
DISK_FAILS = (*REFUSED, 500)  # looking for an id may have to read a file that cannot be read any more


def write(oracle, port, seed, stop, sizes=(1, 1, 2, 5, 20, 100), filler=200, retries=0.1, on_answer=None,
          expected=REFUSED):
    """Appends batches, and at times one again. `on_answer(client, status, answer, sent_at)` sees each answer.

    `expected`: the answers that a healthy client may get here, besides 200.
    """
    rng = random.Random(seed)
    client, batch = Client(port), None
    try:
        while not stop.is_set():
            batch = oracle.old_batch(rng) if rng.random() < retries else None
            batch = batch or oracle.new_batch(rng, sizes, filler)
            sent_at = time.time()
            status, answer = client.call("POST", f"{API}/events", batch.events)
            if status != 200 and status not in expected:
                oracle.fault("order", f"unexpected answer {status}: {answer}")
                oracle.unanswered(batch)
                return
            oracle.answered(batch, status, answer)
            batch = None
            if on_answer is not None:
                on_answer(client, status, answer, sent_at)
            if status != 200:
                time.sleep(0.05)
    except GONE:
        if batch is not None:
            oracle.unanswered(batch)
    finally:
        client.close()


def move(port, seed, stop, quickest=0.02, slowest=0.15):
    """Flushes and moves chunks. Whether that succeeds is not asked here; what is read back shows it."""
    rng = random.Random(seed)
    client = Client(port)
    try:
        while not stop.wait(rng.uniform(quickest, slowest)):
            client.call("POST", f"{API}/chunks:{rng.choice(['flush', 'flush', 'move'])}", {})
    except GONE:
        pass
    finally:
        client.close()


def count(oracle, port, stop):
    """Nothing is ever dropped here, so a count never shrinks and never misses what was acked."""
    seen = 0
    client = Client(port)
    try:
        while not stop.wait(0.01):
            acked = oracle.acked_through()
            status, answer = client.call("GET", f"{API}/events:count")
            if status != 200:
                continue
            if answer["count"] < seen or answer["count"] < acked:
                oracle.fault("lost", f"count {answer['count']} after {seen}, acked up to {acked}")
            seen = answer["count"]
    except GONE:
        pass
    finally:
        client.close()


class Load:
    """Threads of the functions above; `with` stops and joins them at the end."""

    def __init__(self):
        self.stop_event = threading.Event()
        self.threads = []
        self.failure = None

    def add(self, function, *arguments, **options):
        thread = threading.Thread(target=self._run, args=(function, arguments, options), daemon=True)
        self.threads.append(thread)
        thread.start()

    def _run(self, function, arguments, options):
        try:
            function(*arguments, **options, stop=self.stop_event)
        except BaseException as failure:  # a client that fell over must not look like one with nothing to say
            self.failure = self.failure or failure

    def writers(self, how_many, oracle, port, **options):
        for _ in range(how_many):
            self.add(write, oracle, port, oracle.random.random(), **options)
        return self

    def mover(self, oracle, port, **options):
        self.add(move, port, oracle.random.random(), **options)
        return self

    def counter(self, oracle, port):
        self.add(count, oracle, port)
        return self

    def wait(self):
        """Until the functions end by themselves."""
        for thread in self.threads:
            thread.join()
        if self.failure is not None:
            raise self.failure

    def stop(self):
        self.stop_event.set()
        self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
