#!/usr/bin/env python3
"""Writes the metrics of many servers to a real server, and compares its answers with a model of them.

Usage: metrics_rig.py --binary PATH [--cycles N] [--servers N] [--hours N] [--csv DIR] [--seed N] [--keep DIR]

Each cycle writes some hours of a value a minute for each server, 2 % of them late, repeated or with another value
than before, in whatever order; then it does something to the server: flushes, compresses, moves, rolls up, kills it
(SIGKILL). All windows, widths, aggregates and percentiles must be those of a model that keeps every value, with and
without rollups. Then rules take the raw samples of some servers, late values come for all of them, and again nothing may be
wrong. At the end raw samples are dropped, and what rollups are left must still say the same. With --csv, each file below DIR with lines "YYYY-MM-DD HH:MM:SS,value" is a series of its own.
"""

import calendar
import glob
import os
import random
import time
import urllib.parse

import rig
from metrics_model import FUNCTIONS, WIDTHS, Model, is_state_of
from server import API

START = 1_700_006_400  # a midnight
STEP = 60
DAY = 86400
BATCH = 10_000
LATE_SHARE = 0.02
DROP_SECONDS = 1800  # files of years are hundreds of intervals
MEMORY = ["--memory", "512MiB"]


class Fault(Exception):
    pass


class Sender:
    """Writes to the server and to the model, and counts what was acknowledged."""

    def __init__(self, model):
        self.model, self.client, self.acked = model, None, 0

    def write(self, samples):
        for begin in range(0, len(samples), BATCH):
            part = samples[begin:begin + BATCH]
            body = {"samples": [{"server_id": name, "metric_type": "load", "timestamp": second * 1000, "value": value}
                                for name, second, value in part]}
            status, answer = self.client.call("POST", f"{API}/metrics:batch", body)
            if status not in (200, 201):
                raise Fault(f"a batch was answered with {status}: {answer}")
            for name, second, value in part:
                self.model.write(name, second, value)
            self.acked += len(part)


def traffic(dice, servers, first_hour, hours):
    """Random walks with one decimal, in a shuffled order, and late ones."""
    samples = []
    for number in range(servers):
        value = dice.uniform(0, 100)
        for step in range(hours * 3600 // STEP):
            value = max(0.0, value + dice.uniform(-1, 1))
            samples.append((f"10.0.0.{number}:3000", START + first_hour * 3600 + step * STEP, round(value, 1)))
    late = [(name, max(START, second - dice.randrange(first_hour * 3600 + 1) // STEP * STEP), round(dice.uniform(-5, 200), 2))
            for name, second, _ in dice.sample(samples, int(len(samples) * LATE_SHARE))]
    dice.shuffle(samples)
    return samples + late


def call(client, method, path, body=None):
    status, answer = client.call(method, path, body)
    if status != 200:
        raise Fault(f"{method} {path} was answered with {status}: {answer}")
    return answer


def second_of(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def compare(client, model, width, begin, end, raw_is_gone=False):
    """Returns how many windows agree."""
    query = urllib.parse.urlencode({"window_s": width, "group_by": "server_id", "from": begin, "to": end})
    answer = call(client, "GET", f"{API}/metrics/windows?{query}")
    if raw_is_gone and any(part.get("incomplete") for part in answer["parts"]):
        raise Fault(f"windows of {width} s are incomplete: {answer['parts']}")
    told = {group["group"]["server_id"]: {second_of(window["start"]): window for window in group["windows"]}
            for group in answer["groups"]}
    expected = model.windows(width, begin, end)
    if told.keys() != expected.keys():
        raise Fault(f"windows of {width} s: series {sorted(told.keys() ^ expected.keys())[:3]} differ")
    count = 0
    for name, windows in expected.items():
        if told[name].keys() != windows.keys():
            raise Fault(f"windows of {width} s of {name}: {sorted(told[name].keys() ^ windows.keys())[:3]} differ")
        for start, values in windows.items():
            wrong = is_state_of(told[name][start], values)
            if wrong is not None:
                raise Fault(f"window of {width} s of {name} at {start}: {wrong}; {answer['parts']}")
            count += 1
    return count


def work_on(work, server, action):
    """Does something to the server; returns the server, which may be another one."""
    client = server.client()
    if action == "kill":
        server.kill()
        return work.server(settings=MEMORY).wait_ready()
    if action == "roll up":
        call(client, "POST", f"{API}/metrics/retention")
    else:
        call(client, "POST", f"{API}/chunks:{action}", {})
    return server


def csv_series(directory):
    for path in sorted(glob.glob(os.path.join(directory, "**", "*.csv"), recursive=True)):
        with open(path) as file:
            lines = [line.strip().split(",") for line in file if line[:1].isdigit()]
        yield os.path.basename(path), [(calendar.timegm(time.strptime(text[:19], "%Y-%m-%d %H:%M:%S")), float(value))
                                       for text, value in lines]


def check_files(directory, sender):
    """Each file as a series; returns windows that agree."""
    count = 0
    for name, values in csv_series(directory):
        sender.write([(name, second, value) for second, value in values])
    for width in WIDTHS[1:]:
        for name in list(sender.model.series):
            if name.endswith(".csv"):
                one = Model()
                one.series[name] = sender.model.series[name]
                seconds = one.series[name]
                count += compare_one(sender.client, one, name, width, min(seconds), max(seconds) + 1)
    return count


def compare_one(client, model, name, width, begin, end):
    query = urllib.parse.urlencode({"window_s": width, "server_id": name, "from": begin, "to": end})
    answer = call(client, "GET", f"{API}/metrics/windows?{query}")
    told = {second_of(window["start"]): window for group in answer["groups"] for window in group["windows"]}
    expected = model.windows(width, begin, end)[name]
    if told.keys() != expected.keys():
        raise Fault(f"windows of {width} s of {name} differ")
    for start, values in expected.items():
        wrong = is_state_of(told[start], values)
        if wrong is not None:
            raise Fault(f"window of {width} s of {name} at {start}: {wrong}")
    return len(expected)


def keep(client, raw_s, rules=()):
    """Says how long samples are kept, and drops what is older at a time that is long after all of them."""
    return call(client, "POST", f"{API}/metrics/retention",
                {"raw_s": raw_s, "rollups": [{"window_s": 300}, {"window_s": 3600}, {"window_s": DAY}],
                 "rules": list(rules), "now": START + 400 * DAY})


def take_some(sender, dice):
    """Takes the raw samples of every fifth server; late values come for all, for these at new times. Returns the others."""
    names = sorted(sender.model.series)
    taken = names[::5]
    kept = [name for name in names if name not in taken]
    rules = [{"match": {"server_id": name}, "raw_s": DAY} for name in taken]
    if not keep(sender.client, None, rules)["chunks_pruned"]:
        raise Fault("no chunk lost any series")
    late = [(name, second, round(dice.uniform(-5, 200), 2)) for name in kept
            for second in dice.sample(sorted(sender.model.series[name]), 5)]
    late += [(name, dice.choice(sorted(sender.model.series[name])) + STEP // 2, round(dice.uniform(-5, 200), 2))
             for name in taken]
    sender.write(late)
    return kept


def compare_taken(client, model, kept, end):
    windows = 0
    for width in (300, 3600, DAY):
        windows += compare(client, model, width, START, end // DAY * DAY, raw_is_gone=True)
    for name in kept[:10]:
        windows += compare_one(client, model, name, STEP, START, end)
    return windows


def drop_raw(client):
    answer = keep(client, DAY)
    if not any("samples" in chunk for chunk in answer["chunks_dropped"]):
        raise Fault(f"no samples were dropped: {answer}")


def run_cycles(work, sender, dice):
    arguments, windows = work.arguments, 0
    server = work.server(settings=MEMORY).wait_ready()
    actions = ["flush", "compress", "move", "roll up", "kill"]
    for cycle in range(arguments.cycles):
        sender.client = server.client()
        sender.write(traffic(dice, arguments.servers, cycle * arguments.hours, arguments.hours))
        for action in [actions[cycle % len(actions)], dice.choice(actions)]:
            server = work_on(work, server, action)
        end = START + (cycle + 1) * arguments.hours * 3600
        width = WIDTHS[cycle % len(WIDTHS)]
        windows += compare(server.client(), sender.model, width, START, end)
        windows += compare(server.client(), sender.model, 3600, START + dice.randrange(7200), end - dice.randrange(7200))
    end = START + arguments.cycles * arguments.hours * 3600
    for width in WIDTHS:
        windows += compare(server.client(), sender.model, width, START, end)
    sender.client = server.client()
    if arguments.csv:
        windows += check_files(arguments.csv, sender)
        sender.model.series = {name: values for name, values in sender.model.series.items() if not name.endswith(".csv")}
    sender.client = server.client(timeout=DROP_SECONDS)
    kept = take_some(sender, dice)
    windows += compare_taken(sender.client, sender.model, kept, end)
    server = work_on(work, server, "roll up")
    windows += compare_taken(sender.client, sender.model, kept, end)
    server = work_on(work, server, "kill")
    windows += compare_taken(server.client(), sender.model, kept, end)
    drop_raw(server.client(timeout=DROP_SECONDS))
    for restarted in (False, True):
        if restarted:
            server = work_on(work, server, "kill")
        for width in (300, 3600, DAY):
            windows += compare(server.client(), sender.model, width, START, end // DAY * DAY, raw_is_gone=True)
    server.kill()
    return windows


def body(work):
    sender = Sender(Model())
    dice = random.Random(work.arguments.seed)
    try:
        windows = run_cycles(work, sender, dice)
    except Fault as fault:
        return f"seed={work.arguments.seed} acked={sender.acked}: {fault}", False
    return (f"seed={work.arguments.seed} cycles={work.arguments.cycles} acked={sender.acked} windows={windows} "
            f"functions={len(FUNCTIONS)} wrong=0"), True


if __name__ == "__main__":
    parser = rig.options(__doc__, cycles=10)
    parser.add_argument("--servers", type=int, default=100)
    parser.add_argument("--hours", type=int, default=6, help="that a cycle writes")
    parser.add_argument("--csv", help="a directory with files of series")
    rig.run(parser.parse_args(), body)
