"""What was sent and what was answered, noted outside the server. The server is never asked for it."""

import random
import threading
import uuid

DAY_NS = 86_400_000_000_000
BASE_TIME_NS = 1_700_000_000_000_000_000
FAULTS_SHOWN = 5


class Batch:
    """One append.

    state: None (no answer yet), "acked", "unknown" (stored whole or not at all) or "refused" (the
    answer said that nothing was stored).
    """

    def __init__(self, events):
        self.events = events
        self.state = None
        self.sending = 0  # connections on which it is under way
        self.first = self.last = None

    def tokens(self):
        return [event["data"]["token"] for event in self.events]


def four_days(rng, token):
    return BASE_TIME_NS + rng.randrange(4) * DAY_NS + token * 1000


class Oracle:
    """Thread-safe. With `rules`, the line has a field more: broken promises other than about events.

    `time_of(rng, token)` gives the times of events, in nanoseconds.
    """

    def __init__(self, seed, rules=False, time_of=four_days):
        self.time_of = time_of
        self.seed = seed
        self.random = random.Random(seed)
        self.mutex = threading.Lock()
        self.batches = []
        kinds = ["lost", "dup", "torn", "ghost", "order"] + (["rule"] if rules else [])
        self.faults = dict.fromkeys(kinds, 0)
        self.next_token = 0
        # What was read back so far: positions are final, so only new ones are read each time.
        self.by_token = {}
        self.streams = {}
        self.verified = 0

    def fault(self, kind, what):
        with self.mutex:
            self._fault(kind, what)

    def _fault(self, kind, what):
        self.faults[kind] += 1
        if self.faults[kind] <= FAULTS_SHOWN:
            print(f"FAULT {kind}: {what}", flush=True)

    def new_batch(self, rng, sizes=(1, 1, 2, 5, 20, 100), filler=200):
        """A batch of new events, noted before it is sent."""
        with self.mutex:
            batch = Batch([self._new_event(rng, filler) for _ in range(rng.choice(sizes))])
            batch.sending = 1
            self.batches.append(batch)
            return batch

    def _new_event(self, rng, filler):
        token = self.next_token
        self.next_token += 1
        event = {
            "id": str(uuid.UUID(int=rng.getrandbits(128))),
            "type": f"rig.t{token % 7}",
            "source": "rig",
            "time": self.time_of(rng, token),
            "data": {"token": token, "filler": "x" * rng.randrange(filler)},
        }
        if token % 3 == 0:
            event["stream"] = f"s-{rng.randrange(10)}"
        return event

    def old_batch(self, rng, among=200):
        """A batch to send again that is under way on no other connection, or None."""
        with self.mutex:
            free = [batch for batch in self.batches[-among:] if batch.sending == 0]
            if not free:
                return None
            batch = rng.choice(free)
            batch.sending += 1
            return batch

    def sending(self, batch):
        with self.mutex:
            batch.sending += 1

    def answered(self, batch, status, answer):
        """Notes an answer of the server: 200, or an error of the documented form."""
        with self.mutex:
            batch.sending -= 1
            if status == 200:
                self._acked(batch, answer)
            elif status == 500 or answer["error"]["code"] == "outcome_unknown":
                batch.state = "acked" if batch.state == "acked" else "unknown"
            else:
                batch.state = batch.state or "refused"

    def unanswered(self, batch):
        """Notes that a connection broke before the answer."""
        with self.mutex:
            batch.sending -= 1
            batch.state = "acked" if batch.state == "acked" else "unknown"

    def _acked(self, batch, answer):
        count = len(batch.events)
        if answer["count"] != count:
            self._fault("torn", f"sent {count}, answered {answer}")
        at = answer["first_position"], answer["last_position"]
        if batch.state == "acked":
            if at != (batch.first, batch.last):
                self._fault("dup", f"retry of {batch.first}-{batch.last} answered {answer}")
            if answer["duplicates"] != count:
                self._fault("dup", f"retry of an acknowledged batch stored again: {answer}")
        elif answer["duplicates"] not in (0, count):
            self._fault("torn", f"a batch that nobody else sent was there in part: {answer}")
        batch.state = "acked"
        batch.first, batch.last = at

    def acked_through(self):
        with self.mutex:
            return max((batch.last for batch in self.batches if batch.state == "acked"), default=0)

    def acked_events(self):
        with self.mutex:
            return sum(len(batch.events) for batch in self.batches if batch.state == "acked")

    def forget_readings(self):
        """The next verification reads everything again."""
        self.by_token, self.streams, self.verified = {}, {}, 0

    def failed(self):
        return any(self.faults.values()) or self.acked_events() == 0

    def line(self, cycles, extra=""):
        return report_line(self.seed, cycles, self.acked_events(), self.faults, extra)


def report_line(seed, cycles, acked, faults, extra=""):
    counts = " ".join(f"{kind}={count}" for kind, count in faults.items())
    return f"seed={seed} cycles={cycles} acked={acked} {counts}{extra}"


class Total:
    """The sum over several oracles, each with a data directory of its own."""

    def __init__(self, seed):
        self.seed = seed
        self.faults = {}
        self.acked = 0

    def add(self, oracle):
        self.acked += oracle.acked_events()
        for kind, count in oracle.faults.items():
            self.faults[kind] = self.faults.get(kind, 0) + count

    def failed(self):
        return any(self.faults.values()) or self.acked == 0

    def line(self, cycles, extra=""):
        return report_line(self.seed, cycles, self.acked, self.faults, extra)
