#!/usr/bin/env python3
"""Writers, readers and subscribers of EventoDB's protocol, under SIGKILL; their history is judged from outside.

Usage: history_rig.py --binary PATH [--operations N] [--seconds N] [--seed N] [--keep DIR]

64 writers append to streams of their own and to streams they race for with expected versions. They stall, drop
connections behind a request, and repeat requests whose answer they lost. 8 readers read windows of all streams and of
single ones, 8 subscribers follow. Meanwhile the server is killed and started, stopped for a moment, and moves chunks.
Everything that was answered is noted, and judged at once or at the end:

  lost   an acknowledged message is not where it was acknowledged, or a subscriber skipped one
  dup    a message is there twice, or was seen twice
  torn   not used: requests have one message
  ghost  a message nobody sent, or one whose refusal was answered
  order  gaps in positions, two winners for a version, a write that is not read afterwards, an acknowledgement
         that lies behind a later request, a reading that changed

Prints one line, with the kills as cycles, and exits with 1 when one of the five is not zero. Pokes are not counted
as operations.
"""

import asyncio
import json
import random
import signal
import time
import uuid

import rig
from oracle import report_line

WRITERS, READERS, SUBSCRIBERS = 64, 8, 8
RACE_STREAMS = 16
TOKEN = "ns_ZGVmYXVsdA_" + "c" * 64  # of namespace default
GONE = (OSError, asyncio.IncompleteReadError, ValueError)
SHOWN = 5


class Write:
    """One message, from the moment it is first sent."""

    __slots__ = ("token", "stream", "expected", "begin", "end", "position", "place", "refused")

    def __init__(self, token, stream, expected, begin):
        self.token, self.stream, self.expected, self.begin = token, stream, expected, begin
        self.end = self.position = self.place = None  # of the answer; `place` is the global position
        self.refused = False  # and never tried without an answer before


class History:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.faults = dict.fromkeys(["lost", "dup", "torn", "ghost", "order"], 0)
        self.operations = self.pokes = 0
        self.writes = []
        self.clock = 0
        self.acked_place = 0  # the greatest acknowledged
        self.seen = {}  # global position: token, as readers saw it
        self.winners = {}  # (stream, position): token
        self.versions = {}  # stream: greatest acknowledged position

    def fault(self, kind, what):
        self.faults[kind] += 1
        if self.faults[kind] <= SHOWN:
            print(f"FAULT {kind}: {what}", flush=True)

    def tick(self):
        self.clock += 1
        return self.clock

    def new_write(self, stream, expected):
        write = Write(len(self.writes), stream, expected, self.tick())
        self.writes.append(write)
        return write

    def acked(self, write, answer):
        write.end = self.tick()
        write.position, write.place = answer["position"], answer["globalPosition"]
        if write.expected is not None and write.position != write.expected + 1:
            self.fault("order", f"{write.stream} expected {write.expected}, got {write.position}")
        winner = self.winners.setdefault((write.stream, write.position), write.token)
        if winner != write.token:
            self.fault("order", f"{write.stream} has two winners of {write.position}: {winner}, {write.token}")
        self.acked_place = max(self.acked_place, write.place)
        self.versions[write.stream] = max(self.versions.get(write.stream, -1), write.position)
        self.see(write.place, write.token)

    def see(self, place, token):
        if self.seen.setdefault(place, token) != token:
            self.fault("order", f"position {place} was {self.seen[place]}, is {token}")


class Connection:
    """One keep-alive connection; raises one of GONE when it breaks."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @staticmethod
    async def open(world):
        while True:
            if world.port is not None:
                try:
                    return Connection(*await asyncio.open_connection("127.0.0.1", world.port, limit=1 << 24))
                except OSError:
                    pass
            await asyncio.sleep(0.05)

    def send(self, method, path, body=b""):
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
                          f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def head(self):
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.lower().split(": ", 1) for line in text.split("\r\n")[1:] if ": " in line)
        return int(text.split(" ", 2)[1]), fields

    async def answer(self):
        status, fields = await self.head()
        return status, json.loads(await self.reader.readexactly(int(fields["content-length"])))

    async def rpc(self, *call):
        self.send("POST", "/rpc", json.dumps(call).encode())
        return await asyncio.wait_for(self.answer(), 60)

    def close(self):
        self.writer.transport.abort()


class World:
    """What all clients share. `port` is None while no server runs."""

    def __init__(self, arguments):
        self.history = History(arguments.seed)
        self.port = None
        self.operations = arguments.operations
        self.deadline = time.monotonic() + arguments.seconds
        self.writing = True

    def is_over(self):
        return self.history.operations >= self.operations or time.monotonic() > self.deadline


async def send_write(world, rng, connection, write, message_id):
    """One try. True when it was answered; the connection is closed when it was not."""
    options = {"id": message_id}
    if write.expected is not None:
        options["expectedVersion"] = write.expected
    call = ["stream.write", write.stream, {"type": "T", "data": {"token": write.token}}, options]
    connection.send("POST", "/rpc", json.dumps(call).encode())
    fate = rng.random()
    if fate < 0.01:  # a connection is lost behind the request
        await asyncio.sleep(rng.uniform(0, 0.005))
        connection.close()
        return False
    if fate < 0.02:  # a stall before the answer is read
        await asyncio.sleep(rng.uniform(0, 0.5))
    status, answer = await asyncio.wait_for(connection.answer(), 60)
    if status == 200:
        world.history.acked(write, answer)
        return True
    code = answer["error"]["code"]
    if status in (500, 503):  # refused, or not known; the same either way
        await asyncio.sleep(0.05)
        return False
    if code != "STREAM_VERSION_CONFLICT" or write.expected is None:
        world.history.fault("order", f"unexpected answer {status}: {answer}")
    elif answer["error"]["details"]["actual"] == write.expected:
        world.history.fault("order", f"a conflict with the version that was expected: {answer}")
    return None


async def write_messages(world, number):
    rng = random.Random(world.history.random.random())
    history, connection = world.history, await Connection.open(world)
    while world.writing:
        race = rng.random() < 0.4
        stream = f"race-{rng.randrange(RACE_STREAMS)}" if race else f"own-{number}"
        expected = history.versions.get(stream, -1) if race else None
        write, message_id = history.new_write(stream, expected), str(uuid.UUID(int=rng.getrandbits(128)))
        tries = 0
        while world.writing:
            answered, tries = False, tries + 1
            try:
                answered = await send_write(world, rng, connection, write, message_id)
            except (*GONE, asyncio.TimeoutError):
                connection.close()
            if answered is None and tries == 1:
                write.refused = True
            if answered is not False or rng.random() < 0.3:  # some are given up: stored or not
                break
            connection.close()
            connection = await Connection.open(world)
        history.operations += 1
        if answered and rng.random() < 0.1:
            await read_own_write(world, connection, write)
        if connection.writer.transport.is_closing():
            connection = await Connection.open(world)
        if rng.random() < 0.002:
            await asyncio.sleep(rng.uniform(0, 1))
    connection.close()


async def read_own_write(world, connection, write):
    try:
        status, version = await connection.rpc("stream.version", write.stream)
    except (*GONE, asyncio.TimeoutError):
        connection.close()
        return
    world.history.operations += 1
    if status == 200 and (version is None or version < write.position):
        world.history.fault("order", f"{write.stream} has version {version} behind a write at {write.position}")


def judge_window(history, page, first, acked, limit):
    """A reading of all streams from `first` on, sent when `acked` was acknowledged."""
    for number, message in enumerate(page):
        place = message[4]
        if place != first + number:
            history.fault("order", f"position {place} is number {first + number} of a reading")
            return
        history.see(place, message[5]["token"])
    if len(page) < limit and first + len(page) <= acked:
        history.fault("lost", f"a reading from {first} ends at {first + len(page) - 1}, acknowledged is {acked}")


def judge_stream(history, page, stream, first, version, limit):
    for number, message in enumerate(page):
        if message[2] != first + number:
            history.fault("order", f"{stream}: {message[2]} is number {first + number}")
            return
        history.see(message[3], message[4]["token"])
    if len(page) < limit and first + len(page) <= version:
        history.fault("lost", f"{stream} ends at {first + len(page) - 1}, acknowledged is {version}")


async def read_messages(world):
    rng = random.Random(world.history.random.random())
    history, connection = world.history, await Connection.open(world)
    while world.writing:
        limit, acked = rng.choice([1, 20, 300]), history.acked_place
        stream = rng.choice(list(history.versions) or ["none"])
        version = history.versions.get(stream, -1)
        try:
            if rng.random() < 0.5:
                first = max(1, acked - rng.randrange(500)) if rng.random() < 0.8 else rng.randrange(acked + 1) + 1
                status, page = await connection.rpc("category.get", "", {"position": first, "batchSize": limit})
                if status == 200:
                    judge_window(history, page, first, acked, limit)
            else:
                first = max(0, version - rng.randrange(50))
                status, page = await connection.rpc("stream.get", stream, {"position": first, "batchSize": limit})
                if status == 200:
                    judge_stream(history, page, stream, first, version, limit)
            if status not in (200, 500, 503):
                history.fault("order", f"unexpected answer {status}: {page}")
            history.operations += 1
        except (*GONE, asyncio.TimeoutError):
            connection.close()
            connection = await Connection.open(world)
        await asyncio.sleep(rng.uniform(0, 0.02))
    connection.close()


class Subscriber:
    """Follows until it is cancelled, and keeps the global positions that it was told."""

    def __init__(self, world, query, belongs):
        self.world, self.query, self.belongs = world, query, belongs
        self.places = []

    async def follow(self):
        rng = random.Random(self.world.history.random.random())
        while True:
            connection = await Connection.open(self.world)
            try:
                await self.listen(connection, rng)
            except GONE:
                pass
            finally:
                connection.close()

    async def listen(self, connection, rng):
        last = f"Last-Event-ID: {self.places[-1]}\r\n" if self.places else ""
        connection.writer.write(f"GET /subscribe?{self.query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                                f"{TOKEN}\r\n{last}\r\n".encode())
        status, _ = await connection.head()
        if status != 200:
            await asyncio.sleep(0.1)
            return
        while True:
            line = await connection.reader.readuntil(b"\n")
            if not line.startswith(b"data: "):
                continue
            self.places.append(json.loads(line[6:])["globalPosition"])
            self.world.history.pokes += 1
            if rng.random() < 0.0005:  # a stall, or a connection that is lost
                await asyncio.sleep(rng.uniform(0, 1))
                return


def subscribers(world):
    kinds = [("all=true&position=0", lambda stream: True)] * 2
    kinds += [("category=own", lambda stream: stream.startswith("own-"))] * 2
    kinds += [("category=race", lambda stream: stream.startswith("race-"))] * 2
    kinds += [("stream=own-1", lambda stream: stream == "own-1"), ("stream=race-1", lambda stream: stream == "race-1")]
    return [Subscriber(world, *kind) for kind in kinds]


async def move_chunks(world):
    rng = random.Random(world.history.random.random())
    while world.writing:
        connection = await Connection.open(world)
        try:
            connection.send("POST", f"/api/v1/namespaces/default/chunks:{rng.choice(['flush', 'flush', 'move'])}", b"{}")
            await asyncio.wait_for(connection.answer(), 120)
        except (*GONE, asyncio.TimeoutError):
            pass
        connection.close()
        await asyncio.sleep(rng.uniform(0.2, 2))


async def start(work, world):
    server = work.server(settings=["--eventodb.token", TOKEN])
    await asyncio.get_running_loop().run_in_executor(None, server.wait_ready)
    world.port = server.port
    return server


async def break_things(work, world):
    """Kills and starts the server, and lets it stand still, until the run is over. The number of kills."""
    rng, kills = random.Random(world.history.random.random()), 0
    server = await start(work, world)
    began = time.monotonic()
    while not world.is_over():
        await asyncio.sleep(rng.uniform(1, 4))
        print(f"{time.monotonic() - began:.0f} s: {world.history.operations} operations, {kills} kills", flush=True)
        if rng.random() < 0.4:
            server.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(rng.uniform(0.05, 0.8))
            server.process.send_signal(signal.SIGCONT)
            continue
        world.port = None
        server.kill()
        kills += 1
        server = await start(work, world)
    return server, kills


async def read_all(world):
    messages, first = [], 1
    connection = await Connection.open(world)
    while True:
        status, page = await connection.rpc("category.get", "", {"position": first, "batchSize": 10000})
        if status != 200:
            world.history.fault("lost", f"reading back failed with {status}: {page}")
            return messages
        if not page:
            return messages
        messages += page
        first = page[-1][4] + 1


def judge_log(history, messages):
    at, streams = {}, {}
    for number, (_, stream, _, position, place, data, *_rest) in enumerate(messages):
        token = data["token"]
        if place != number + 1:
            history.fault("order", f"position {place} is number {number + 1} of the log")
        if position != streams.get(stream, 0):
            history.fault("order", f"{stream}: {position}, expected {streams.get(stream, 0)}")
        streams[stream] = position + 1
        if token in at:
            history.fault("dup", f"token {token} at {at[token][0]} and {place}")
        at[token] = (place, stream, position)
        if token >= len(history.writes) or history.writes[token].refused:
            history.fault("ghost", f"token {token} at {place} was never sent, or refused")
        history.see(place, token)
    for place in history.seen:
        if place > len(messages):
            history.fault("lost", f"position {place} was seen, the log ends at {len(messages)}")
    for write in history.writes:
        if write.place is not None and at.get(write.token) != (write.place, write.stream, write.position):
            history.fault("lost", f"token {write.token}, acknowledged at {write.place}, is at {at.get(write.token)}")


def judge_real_time(history):
    """What was acknowledged before a request was sent lies before it."""
    moments = []
    for write in history.writes:
        if write.place is not None:
            moments += [(write.begin, 0, write), (write.end, 1, write)]
    moments.sort(key=lambda moment: moment[:2])
    greatest = 0
    before = {}
    for _, is_end, write in moments:
        if not is_end:
            before[write.token] = greatest
            continue
        greatest = max(greatest, write.place)
        if before[write.token] >= write.place:
            history.fault("order", f"token {write.token} at {write.place} was sent behind {before[write.token]}")


def judge_subscriber(history, subscriber, messages):
    told, expected = subscriber.places, [m[4] for m in messages if subscriber.belongs(m[1])]
    if told == expected:
        return
    missing, foreign = sorted(set(expected) - set(told)), set(told) - set(expected)
    if len(set(told)) < len(told):
        history.fault("dup", f"{subscriber.query}: {len(told) - len(set(told))} pokes came twice")
    elif missing:
        history.fault("lost", f"{subscriber.query}: {len(missing)} pokes are missing, the first is {missing[0]}")
    elif foreign:
        history.fault("ghost", f"{subscriber.query}: {len(foreign)} pokes of messages that are not there")
    else:
        history.fault("order", f"{subscriber.query}: pokes came in another order")


async def wait_for_subscribers(follow, messages):
    deadline = time.monotonic() + 60
    for subscriber in follow:
        wanted = sum(1 for message in messages if subscriber.belongs(message[1]))
        while len(subscriber.places) < wanted and time.monotonic() < deadline:
            await asyncio.sleep(0.05)


async def run(work):
    world = World(work.arguments)
    history = world.history
    breaking = asyncio.create_task(break_things(work, world))
    follow = subscribers(world)
    following = [asyncio.create_task(subscriber.follow()) for subscriber in follow]
    while world.port is None and not breaking.done():
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)  # those that follow all hear only of what comes
    clients = [asyncio.create_task(write_messages(world, number)) for number in range(WRITERS)]
    clients += [asyncio.create_task(read_messages(world)) for _ in range(READERS)]
    clients.append(asyncio.create_task(move_chunks(world)))
    server, kills = await breaking
    world.writing = False
    await asyncio.gather(*clients)
    messages = await read_all(world)
    await wait_for_subscribers(follow, messages)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    world.port = None
    server.kill()
    judge_log(history, messages)
    judge_real_time(history)
    for subscriber in follow:
        judge_subscriber(history, subscriber, messages)
    acked = sum(1 for write in history.writes if write.place is not None)
    line = report_line(work.arguments.seed, kills, acked, history.faults,
                       f" operations={history.operations} pokes={history.pokes} messages={len(messages)}")
    return line, acked > 0 and not any(history.faults.values())


def body(work):
    return asyncio.run(run(work))


if __name__ == "__main__":
    options = rig.options(__doc__, cycles=0)
    options.add_argument("--operations", type=int, default=20_000)
    options.add_argument("--seconds", type=float, default=3600, help="end after so long at the latest")
    rig.run(options.parse_args(), body)
