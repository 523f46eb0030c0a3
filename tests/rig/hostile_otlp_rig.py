#!/usr/bin/env python3
"""Sends hostile OTLP requests to a real server: cut, flipped, deep, huge, bombs, of wrong types.

Usage: hostile_otlp_rig.py --binary PATH [--requests N] [--seed N] [--keep DIR]

All signals, as protobuf and as JSON, over HTTP and gRPC. Promised: each is answered by success or by an error that
names what is wrong, in the request's encoding, never by 500 or INTERNAL; the server does not end, takes no more
memory after the last tenth of the requests than after the first three (but for the rows it stored), never more than
its setting, and afterwards takes and returns ordinary requests.
"""

import gzip
import http.client
import json
import random
import re
import struct

import otlp_requests as otlp
import rig
from grpc_call import Connection, Reset, message_frame
from oracle import Oracle
from server import API, GONE, free_port

MIB = 1 << 20
MEMORY = 512 * MIB
SETTINGS = ["--memory", "512MiB"]
WARM_TENTHS = 3  # of the requests: by then every kind came, and caches and arenas are what they will be
GROWTH_BYTES = 32 * MIB  # what the allocator may keep more
ROW_BYTES = 4096  # of a stored row in memory, amply
HTTP_TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}
REFUSALS = (400, 413, 415)
GRPC_OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED = "0", "3", "8", "12"
GRPC_REFUSALS = (INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED)
BOMB = gzip.compress(bytes(256 * MIB), 9)


# --- What is wrong with a body -----------------------------------------------------------------------------------

def cut(body, _kind, dice):
    return body[:dice.randrange(len(body))]


def flip(body, _kind, dice):
    flipped = bytearray(body)
    for _ in range(1 + dice.randrange(8)):
        flipped[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
    return bytes(flipped)


def splice(body, _kind, dice):
    at = dice.randrange(len(body))
    return body[:at] + dice.randbytes(1 + dice.randrange(64)) + body[at + dice.randrange(16):]


def repeat(body, _kind, dice):
    return body * (2 + dice.randrange(4))


def noise(_body, _kind, dice):
    return dice.randbytes(dice.randrange(2000))


def deep(_body, kind, dice):
    """Arrays in arrays, or maps in maps, as the value of an attribute of the resource."""
    levels = dice.choice((50, 59, 60, 61, 64, 100, 1000))
    in_maps = dice.random() < 0.5
    if kind[1] == "json":
        levels *= dice.choice((1, 100))
        begin, end = (('{"kvlistValue":{"values":[{"key":"k","value":', "}]}}") if in_maps
                      else ('{"arrayValue":{"values":[', "]}}"))
        value = begin * levels + '{"boolValue":true}' + end * levels
        name = {"logs": "Logs", "traces": "Spans", "metrics": "Metrics"}[kind[0]]
        return ('{"resource' + name + '":[{"resource":{"attributes":[{"key":"k","value":' + value + "}]}}]}").encode()
    value = otlp.text_value("end")
    for _ in range(levels):
        value = otlp.field(6, otlp.field(1, otlp.attribute("k", value))) if in_maps else otlp.field(5, otlp.field(1, value))
    return otlp.field(1, otlp.field(1, otlp.field(1, otlp.attribute("k", value))))


def huge_length(body, kind, dice):
    """A number where a length stands, or anywhere, is far too great."""
    size = dice.choice((1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, (1 << 64) - 1))
    if kind[1] == "json":
        return re.sub(rb'"?\d+"?', str(size).encode() * dice.choice((1, 50)), body, count=1 + dice.randrange(5))
    at = dice.randrange(len(body))
    return body[:at] + dice.choice((b"", b"\x0a", b"\x12")) + otlp.varint(size) + body[at:]


def many_values(_body, kind, dice):
    """Far more attributes, or elements, than a record may have."""
    count = dice.choice((129, 5000, 200_000))
    if kind[1] == "json":
        values = ",".join(['{"intValue":1}'] * count)
        record = '{"body":{"arrayValue":{"values":[' + values + ']}}}'
        return ('{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + record + "]}]}]}").encode()
    return otlp.protobuf_of([otlp.field(5, otlp.field(5, otlp.field(1, b"") * count)),
                             otlp.field(6, otlp.attribute("k", b"")) * (count // 10)])


def wrong_wire_type(body, kind, dice):
    if kind[1] == "json":
        return wrong_json_type(body, dice)
    tags = [at for at in range(len(body)) if body[at] & 7 in (0, 1, 2, 5)]
    changed = bytearray(body)
    for _ in range(1 + dice.randrange(3)):
        at = dice.choice(tags)
        changed[at] = changed[at] & 0xF8 | dice.randrange(8)
    return bytes(changed)


def wrong_json_type(body, dice):
    odd = dice.choice(([], {}, "text", -1, 1e400, True, None, [[]], {"a": 1}, "\ud800", 10**30, 1.5, "9" * 100))

    def change(value):
        if dice.random() < 0.08:
            return odd
        if isinstance(value, dict):
            return {key: change(inner) for key, inner in value.items()}
        return [change(inner) for inner in value] if isinstance(value, list) else value
    return json.dumps(change(json.loads(body))).encode()


BODY_FAULTS = (cut, flip, splice, repeat, noise, deep, huge_length, many_values, wrong_wire_type)


def packed(body, dice):
    """The body as gzip, mostly with something wrong about it, too."""
    whole = gzip.compress(body, 1)
    way = dice.randrange(6)
    if way == 0:
        return whole
    if way == 1:
        return cut(whole, None, dice)
    if way == 2:
        return flip(whole, None, dice)
    if way == 3:
        return gzip.compress(whole)
    if way == 4:
        return whole + whole
    return BOMB if dice.random() < 0.15 else whole[:10] + dice.randbytes(100)


# --- Sending -----------------------------------------------------------------------------------------------------

class Faults:
    """What was not as promised; the rig goes on with the next request."""

    def __init__(self, oracle):
        self.oracle = oracle
        self.counts = {}

    def count(self, answer):
        self.counts[answer] = self.counts.get(answer, 0) + 1

    def judge(self, is_right, what):
        if not is_right:
            self.oracle.fault("rule", what)


def status_of(body, encoding):
    """Code and message of a google.rpc.Status; nothing when the body is none."""
    if encoding == "json":
        status = json.loads(body)
        return status.get("code"), status.get("message")
    if body[:1] != b"\x08":
        return None, None
    code, rest = body[1], body[2:]
    if rest[:1] != b"\x12":
        return code, None
    size, at, shift = 0, 1, 0
    while True:
        size |= (rest[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if rest[at - 1] < 128:
            break
    return code, rest[at:at + size].decode()


class HttpSender:
    def __init__(self, port, faults):
        self.port, self.faults = port, faults
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def send(self, signal, encoding, body, what, dice):
        headers = {"Content-Type": HTTP_TYPES[encoding]}
        answered_in = encoding
        way = dice.random()
        if way < 0.25:
            body, headers["Content-Encoding"] = packed(body, dice), "gzip"
        elif way < 0.28:
            headers["Content-Encoding"] = dice.choice(("br", "gzip, gzip", "identity", "zip"))
        elif way < 0.34:
            headers["Content-Type"] = dice.choice(("text/plain", "", "application/json; charset=latin-9", "application/x-protobuf;x",
                                                   HTTP_TYPES["json"], HTTP_TYPES["protobuf"], "multipart/form-data"))
            answered_in = "protobuf" if headers["Content-Type"].startswith(HTTP_TYPES["protobuf"]) else "json"
        try:
            self.connection.request("POST", f"/v1/{signal}", body, headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except GONE as error:
            self.connection.close()
            return self.faults.judge(False, f"HTTP, {signal}, {what}, {headers}: {error!r} instead of an answer")
        self.faults.count(f"http:{answer.status}")
        if answer.status == 200:
            return None
        described = f"HTTP, {signal}, {what}, {headers}: {answer.status} {text[:200]!r}"
        self.faults.judge(answer.status in REFUSALS, described)
        self.faults.judge(answer.headers.get("Content-Type") == HTTP_TYPES[answered_in], f"{described}, not {answered_in}")
        code, message = status_of(text, answered_in)
        self.faults.judge(code and message, f"{described}: no Status with code and message")
        return None


class GrpcSender:
    def __init__(self, port, faults):
        self.port, self.faults = port, faults
        self.connection = Connection(port)

    def framed(self, body, dice):
        """The body as one message, or what is no message; and whether HTTP/2 may give the call up for it."""
        way = dice.random()
        if way < 0.75:
            return message_frame(body), False
        if way < 0.85:
            return message_frame(packed(body, dice), flag=1), False
        if way < 0.88:
            return message_frame(body, length=len(body) + 1 + dice.randrange(1 << 20)), True
        if way < 0.91:
            return message_frame(body, length=dice.randrange(len(body) + 1)), True
        if way < 0.94:
            return message_frame(body) + message_frame(body), True
        if way < 0.97:
            return message_frame(body, flag=dice.randrange(2, 256)), True
        return dice.choice((b"", b"\x00", b"\x00\x00\x00", struct.pack(">BI", 0, (1 << 32) - 1))), True

    def send(self, signal, _encoding, body, what, dice):
        framed, is_broken = self.framed(body, dice)
        headers, path = [("content-type", "application/grpc"), ("grpc-encoding", "gzip")], otlp.METHODS[signal]
        if dice.random() < 0.03:
            path = dice.choice((path + "x", "/", "/a/b", path.replace("v1", "v2")))
        try:
            fields, _ = self.connection.call(path, framed, headers)
        except Reset as reset:
            self.faults.count("grpc:reset")
            return self.faults.judge(is_broken, f"gRPC, {signal}, {what}: reset with {reset}")
        except OSError as error:
            self.connection.close()
            self.connection = Connection(self.port)
            self.faults.count("grpc:closed")
            return self.faults.judge(is_broken, f"gRPC, {signal}, {what}: {error!r} instead of an answer")
        code = fields.get("grpc-status")
        self.faults.count(f"grpc:{code}")
        if code == GRPC_OK:
            return None
        described = f"gRPC, {signal}, {what}: {fields}"
        self.faults.judge(code in GRPC_REFUSALS, described)
        self.faults.judge(fields.get("grpc-message"), f"{described}: no message")
        return None


def send_one(senders, dice):
    sender = dice.choice(senders)
    signal = dice.choice(otlp.SIGNALS)
    encoding = "protobuf" if isinstance(sender, GrpcSender) else dice.choice(("protobuf", "json"))
    body = (otlp.json_request if encoding == "json" else otlp.protobuf_request)(signal, dice)
    fault = dice.choice(BODY_FAULTS)
    sender.send(signal, encoding, fault(body, (signal, encoding), dice), f"{encoding}, {fault.__name__}", dice)


# --- The server --------------------------------------------------------------------------------------------------

def memory_bytes(server, name):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as status:
        return int(re.search(rf"^{name}:\s+(\d+) kB", status.read(), re.MULTILINE).group(1)) * 1024


def stored_rows(client):
    rows = 0
    for chunk in client.call("GET", f"{API}/chunks")[1]["chunks"]:
        rows += chunk["rows"]
    return rows


def expect_ordinary(oracle, server, grpc_port):
    """An ordinary request of each signal and transport is taken, and read back."""
    dice, client = random.Random(1), server.client()
    before = stored_rows(client)
    expected = 0
    faults = Faults(oracle)
    grpc = Connection(grpc_port)
    for signal in otlp.SIGNALS:
        body = otlp.protobuf_of([otlp.RECORDS[signal](dice)])
        fields, _ = grpc.call(otlp.METHODS[signal], message_frame(body))
        faults.judge(fields.get("grpc-status") == GRPC_OK, f"ordinary {signal} over gRPC: {fields}")
        for encoding, text in (("protobuf", otlp.protobuf_of([otlp.RECORDS[signal](dice)])),
                               ("json", json.dumps(otlp.json_document(signal, dice)).encode())):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            connection.request("POST", f"/v1/{signal}", text, {"Content-Type": HTTP_TYPES[encoding]})
            answer = connection.getresponse()
            faults.judge(answer.status == 200, f"ordinary {signal} as {encoding}: {answer.status} {answer.read()!r}")
            connection.close()
        expected += 3
    grpc.close()
    faults.judge(stored_rows(client) >= before + expected, "ordinary requests were not stored")
    status, health = client.call("GET", "/health")
    faults.judge(status == 200, f"/health answers {status}: {health}")


def body(work):
    arguments = work.arguments
    oracle = Oracle(arguments.seed, rules=True)
    faults, dice, grpc_port = Faults(oracle), random.Random(arguments.seed), free_port()
    server = work.server(settings=SETTINGS, grpc_port=grpc_port).wait_ready()
    senders = [HttpSender(server.port, faults), GrpcSender(grpc_port, faults)]
    warm = warm_rows = 0
    for number in range(arguments.requests):
        send_one(senders, dice)
        if server.process.poll() is not None:
            oracle.fault("rule", f"the server ended by itself with {server.process.returncode}")
            return oracle.line(1), False
        if number == arguments.requests * WARM_TENTHS // 10:
            warm, warm_rows = memory_bytes(server, "VmRSS"), stored_rows(server.client())
    rows, resident, peak = stored_rows(server.client()), memory_bytes(server, "VmRSS"), memory_bytes(server, "VmHWM")
    allowed = warm + GROWTH_BYTES + (rows - warm_rows) * ROW_BYTES
    if not arguments.unmeasured:
        faults.judge(resident <= allowed, f"{resident} bytes of memory after {warm}, and {rows - warm_rows} rows more")
        faults.judge(peak <= MEMORY, f"{peak} bytes of memory at most, the setting is {MEMORY}")
    expect_ordinary(oracle, server, grpc_port)
    faults.judge(server.stop() == 0, "the server did not end with 0")
    seen = " ".join(f"{answer}={count}" for answer, count in sorted(faults.counts.items()))
    figures = (f" requests={arguments.requests} {seen} rows={rows} warm_rss={warm // MIB}MiB rss={resident // MIB}MiB "
               f"peak={peak // MIB}MiB of {MEMORY // MIB}MiB")
    return oracle.line(1, figures), oracle.faults["rule"] == 0


def main():
    options = rig.options(__doc__, cycles=1)
    options.add_argument("--requests", type=int, default=1000)
    options.add_argument("--unmeasured", action="store_true", help="do not judge memory: a sanitizer keeps it")
    rig.run(options.parse_args(), body)


if __name__ == "__main__":
    main()
