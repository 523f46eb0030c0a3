#!/usr/bin/env python3
"""Lets single writes and syncs of a real server fail, once, and checks that it never trusts the disk again.

Usage: bad_disk_rig.py --binary PATH [--faults calls|device] [--fs ext4,xfs] [--cycles N] [--seed N] [--keep DIR]

calls:  strace makes the K-th call of one kind fail, on one file or on any, and lets all others work.
device: a whole device refuses writes for a moment and then heals (nbdkit, see disk.py). The sync that
        failed can then be repeated with success, although its bytes are gone.

After a failed write or sync of the log: no append that waited for it or came later is acknowledged,
/health, /healthz and /metrics say so, reading goes on, the exit code is 4. After a failure elsewhere
appends go on. In both cases a start without the fault has everything that was acknowledged, once.
"""

import os
import random
import threading
import time

import machine
import rig
import trace
from disk import Disk, check_image, copy_image, make_image, need_disk_tools, wait_for
from load import DISK_FAILS, Load
from oracle import Oracle, Total
from server import API, GONE, NotReady
from verifier import run_firn_verify, verify

SETTINGS = ["--wal.segment-size", "1MiB", "--mover-interval", "100ms", "--disk-reserve", "8MiB"]
FENCED_EXIT = 4
SEGMENT, NEW_SEGMENT = "wal/00000000000000000001.wal", "wal/00000000000000000001.new"
# Call, error, file (None: any), the greatest K, what must follow: the log is fenced, or either that
# or a mover that fails. strace counts K for each thread.
FAULTS = [
    ("fdatasync", "EIO", SEGMENT, 40, "fenced"),
    ("pwritev", "EIO", SEGMENT, 40, "fenced"),
    ("pwritev2", "EIO", SEGMENT, 40, "fenced"),  # writes and syncs at once
    ("pwritev", "ENOSPC", SEGMENT, 40, "fenced"),
    ("fdatasync", "EIO", NEW_SEGMENT, 1, "fenced"),
    ("pwritev", "EIO", NEW_SEGMENT, 1, "fenced"),
    ("openat", "EIO", NEW_SEGMENT, 1, "fenced"),
    ("openat", "EMFILE", NEW_SEGMENT, 1, "fenced"),
    ("fallocate", "EIO", NEW_SEGMENT, 1, "fenced"),
    ("rename", "EIO", NEW_SEGMENT, 1, "fenced"),
    ("fsync", "EIO", "wal", 1, "fenced"),
    ("fdatasync", "EIO", None, 200, "either"),
    ("fsync", "EIO", None, 30, "either"),
    ("pwritev", "EIO", None, 200, "either"),
    ("fdatasync", "EIO", "manifest.db", 12, "either"),
    ("fdatasync", "EIO", "manifest.db-journal", 12, "either"),
    ("pwritev", "EIO", "manifest.db-journal", 40, "either"),
    ("pwritev", "ENOSPC", "manifest.db-journal", 40, "either"),
    ("fsync", "EIO", "warm", 10, "either"),
    ("ftruncate", "EIO", None, 5, "either"),
    ("unlink", "EIO", None, 5, "either"),
]


class Answers:
    """When each append was sent and what it got."""

    def __init__(self):
        self.mutex = threading.Lock()
        self.appends = []  # (sent at, answered at, status)

    def note(self, _client, status, _answer, sent_at):
        with self.mutex:
            self.appends.append((sent_at, time.time(), status))

    def check_fence(self, oracle, failed_at, writers):
        """Nothing sent after the failure is acknowledged; of a single writer, nothing that waited for it either.

        When it was not the log that failed (`failed_at` is None), an append that the log still took is durable; after
        the first refusal nothing is.
        """
        if failed_at is None:
            failed_at, writers = min([at for _, at, status in self.appends if status != 200], default=time.time()), 2
        for sent_at, answered_at, status in self.appends:
            if status == 200 and (sent_at > failed_at or writers == 1 and answered_at > failed_at):
                oracle.fault("rule", f"acknowledged {answered_at - failed_at:.4f} s after the log had failed")


def is_fenced(client):
    status, health = client.call("GET", "/health")
    return status == 503 and health["fenced"]


def check_fenced(oracle, server):
    """What docs/operating.md and docs/guarantees.md say of a fenced store."""
    client = server.client()
    status, health = client.call("GET", "/health")
    if status != 503 or health["status"] != "failing" or not health["fenced"] or not health["reason"]:
        oracle.fault("rule", f"/health of a fenced store: {status} {health}")
    if client.call("GET", "/healthz")[0] != 503:
        oracle.fault("rule", "/healthz of a fenced store is not 503")
    metrics = client.call("GET", "/metrics")[1].decode()
    for line in ("firn_fenced 1", "firn_accepts_writes 0"):
        if line not in metrics.splitlines():
            oracle.fault("rule", f"/metrics lacks '{line}'")
    batch = oracle.new_batch(random.Random(0), sizes=(1,))
    status, answer = client.call("POST", f"{API}/events", batch.events)
    oracle.answered(batch, status, answer)
    if status != 503:
        oracle.fault("rule", f"a fenced store answered an append with {status}: {answer}")
    status, page = client.call("GET", f"{API}/events?limit=10")
    if status != 200:
        oracle.fault("rule", f"a fenced store answered a reader with {status}: {page}")


def injected(output):
    return [call for call in trace.read(output) if "(INJECTED)" in call.note]


def wait_until_hit(server, output, seconds):
    """Returns soon after the fault, or when it does not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.process.poll() is None:
        if os.path.exists(output) and injected(output):
            time.sleep(0.5)
            return
        time.sleep(0.05)


def judge(oracle, server, failed_at, answers, writers, must_follow):
    """The server is running and the fault has come."""
    client = server.client()
    try:
        if must_follow == "fenced":
            wait_for(lambda: is_fenced(client), "the fence")
    except OSError as failure:
        oracle.fault("rule", failure)
    fenced = is_fenced(client)
    if fenced:
        if "manifest" in client.call("GET", "/health")[1]["reason"]:
            failed_at = None
        answers.check_fence(oracle, failed_at, writers)
        check_fenced(oracle, server)
    else:
        batch = oracle.new_batch(random.Random(1), sizes=(1,))
        status, answer = client.call("POST", f"{API}/events", batch.events)
        oracle.answered(batch, status, answer)
        if status != 200:
            oracle.fault("rule", f"not fenced, but an append got {status}: {answer}")
    return fenced


def run_with_fault(work, oracle, rng, fault, data_dir, output):
    """One life of the server under strace. Returns what came of it, in a word."""
    call, error, file, greatest, must_follow = fault
    when = rng.randint(1, greatest)
    on_path = ["-P", os.path.join(data_dir, file)] if file else []
    wrapper = machine.strace_wrapper("-ttt", "-yy", "-e", f"trace={call}", *on_path, "-e",
                                     f"inject={call}:error={error}:when={when}", output=output)
    # Each way of writing the log has calls of its own to fail.
    settings = [*SETTINGS, "--wal.sync", "direct" if call == "pwritev2" else "buffered"]
    server = work.server(data_dir, settings=settings, wrapper=wrapper, environment=machine.no_leak_check())
    answers, writers = Answers(), rng.choice([1, 4])
    try:
        server.wait_ready()
    except NotReady as failure:
        server.kill()
        if not injected(output):
            raise
        if failure.exit_code != 1:
            oracle.fault("rule", f"{call} failed at the start: exit code {failure.exit_code}")
        return "not started"
    with Load() as load:
        load.writers(writers, oracle, server.port, on_answer=answers.note, expected=DISK_FAILS)
        load.mover(oracle, server.port)
        wait_until_hit(server, output, work.arguments.seconds)
    hits = injected(output)
    if not hits:
        server.kill()
        return "not hit"
    fenced = judge(oracle, server, hits[0].time, answers, writers, must_follow)
    code = server.stop()
    if code != (FENCED_EXIT if fenced else 0):
        oracle.fault("rule", f"exit code {code}, {'fenced' if fenced else 'not fenced'}")
    return "fenced" if fenced else "went on"


def calls_cycle(work, oracle, rng, cycle):
    # In steps, so that a few cycles are not all about the same file.
    fault = FAULTS[(work.arguments.seed + cycle * 7) % len(FAULTS)]
    data_dir, output = work.path(f"data-{cycle}"), work.path("trace")
    if os.path.exists(output):
        os.remove(output)
    what = run_with_fault(work, oracle, rng, fault, data_dir, output)
    server = work.server(data_dir, settings=SETTINGS).wait_ready()
    verify(oracle, server.client())
    server.kill()
    run_firn_verify(oracle, work.arguments.binary, data_dir, SETTINGS)
    if any(oracle.faults.values()):
        print(f"cycle {cycle}: {fault} {what}", flush=True)
    return what


def device_cycle(work, oracle, rng, cycle):
    """The device refuses writes, then works again. What the page cache holds is not on it."""
    names = work.arguments.fs.split(",")
    file_system, place = names[cycle % len(names)], work.path(f"cycle-{cycle}")
    image, switch = work.path("disk.img"), work.path("device-fails")
    make_image(image, file_system)
    filters = (("--filter=error",), ("error=EIO", "error-pwrite-rate=100%", "error-zero-rate=100%",
                                     "error-trim-rate=100%", f"error-file={switch}"))
    disk = Disk(work, image, place, file_system, filters)
    answers = Answers()
    server = work.server(os.path.join(disk.directory, "data"), settings=SETTINGS).wait_ready()
    with Load() as load:
        load.writers(4, oracle, server.port, on_answer=answers.note, expected=DISK_FAILS)
        time.sleep(rng.uniform(0.3, 1.0))
        open(switch, "w").close()
        client = server.client()
        try:
            wait_for(lambda: is_fenced(client), "the fence")
        except (OSError, *GONE) as failure:
            oracle.fault("rule", failure)
        fenced_at = time.time()
        os.remove(switch)
        time.sleep(0.5)  # the writers go on asking while the device works again
    answers.check_fence(oracle, fenced_at, writers=4)
    check_fenced(oracle, server)
    code = server.stop()
    if code != FENCED_EXIT:
        oracle.fault("rule", f"exit code {code}, fenced")
    disk.let_go()
    copy_image(image, image + ".copy")
    check_image(work, oracle, image + ".copy", file_system, place, SETTINGS)
    disk.forget()
    return "fenced"


def body(work):
    arguments = work.arguments
    rng, total, outcomes = random.Random(arguments.seed), Total(arguments.seed), {}
    run_cycle = calls_cycle if arguments.faults == "calls" else device_cycle
    for cycle in range(arguments.cycles):
        oracle = Oracle(rng.random(), rules=True)
        what = run_cycle(work, oracle, rng, cycle)
        outcomes[what] = outcomes.get(what, 0) + 1
        total.add(oracle)
    counts = ", ".join(f"{what} {count}" for what, count in sorted(outcomes.items()))
    if not outcomes.get("fenced"):
        print(f"FAULT rule: no cycle ended fenced ({counts})")
    return total.line(arguments.cycles, f" ({counts})"), not total.failed() and outcomes.get("fenced", 0) > 0


def main():
    options = rig.options(__doc__, cycles=len(FAULTS))
    options.add_argument("--faults", choices=["calls", "device"], default="calls")
    options.add_argument("--fs", default="ext4,xfs", help="with --faults device: file systems, taken in turn")
    options.add_argument("--seconds", type=float, default=15, help="longest wait for a fault of --faults calls")
    arguments = options.parse_args()
    if arguments.faults == "device":
        machine.own_namespace(need_real_root=True)
        need_disk_tools(arguments.fs.split(","))
    rig.run(arguments, body)


if __name__ == "__main__":
    main()
