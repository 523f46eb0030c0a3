"""Unary gRPC calls over plain sockets: HTTP/2 and its headers as far as a caller needs them, so that a rig can
also send what no library would."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 32
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4
FRAME_BYTES = 16384
# The entries of HPACK's static table that have a name and are answered with.
STATIC_NAMES = {8: ":status", 9: ":status", 10: ":status", 11: ":status", 12: ":status", 13: ":status", 14: ":status",
                31: "content-type", 33: "date", 54: "server"}
STATIC_VALUES = {8: "200", 9: "204", 10: "206", 11: "304", 12: "400", 13: "404", 14: "500"}


class Reset(Exception):
    """The server gave up the call (RST_STREAM), with HTTP/2's error code."""


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def encode_header(name, value):
    """A literal without indexing; both shorter than 127 bytes."""
    name, value = name.encode(), value.encode()
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def message_frame(message, flag=0, length=None):
    return struct.pack(">BI", flag, len(message) if length is None else length) + message


class Hpack:
    """Reads header blocks of a server that was told to keep no table of its own. Values that are packed by
    Huffman's code (gRPC packs binary ones) are left out."""

    def __init__(self, block):
        self.block, self.at = block, 0

    def integer(self, bits):
        mask = (1 << bits) - 1
        value = self.block[self.at] & mask
        self.at += 1
        if value < mask:
            return value
        shift = 0
        while True:
            byte = self.block[self.at]
            self.at += 1
            value += (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def text(self):
        is_packed = self.block[self.at] & 128
        size = self.integer(7)
        text = self.block[self.at:self.at + size]
        self.at += size
        return None if is_packed else text.decode("latin-1")

    def fields(self):
        fields = {}
        while self.at < len(self.block):
            byte = self.block[self.at]
            if byte & 128:
                index = self.integer(7)
                fields[STATIC_NAMES.get(index, f"static-{index}")] = STATIC_VALUES.get(index, "")
            elif byte & 224 == 32:
                self.integer(5)
            else:
                index = self.integer(6 if byte & 64 else 4)
                name = STATIC_NAMES.get(index, f"static-{index}") if index else self.text()
                fields[name] = self.text()
        return fields


class Connection:
    """One at a time: call(), then the next. OSError when the server closes it."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.received = b""
        self.stream = -1
        self.window = self.first_window = 65535  # of the connection; of a stream that begins
        self.stream_window = 0
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", HEADER_TABLE_SIZE, 0)))

    def close(self):
        self.socket.close()

    def call(self, path, body, headers=()):
        """The fields of headers and trailers together, and the answer's body with its frames. `body` is sent as
        it is. Raises Reset when the server gives the call up."""
        self.stream += 2
        fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "127.0.0.1"),
                  ("te", "trailers"), *(headers or [("content-type", "application/grpc")])]
        block = b"".join(encode_header(name, value) for name, value in fields)
        self.socket.sendall(frame(HEADERS, END_HEADERS, self.stream, block))
        self.fields, self.answer, self.ended, self.stream_window = {}, b"", False, self.first_window
        self.send_body(body)
        while not self.ended:
            self.read_frame()
        return self.fields, self.answer

    def send_body(self, body):
        sent = 0
        while not self.ended:
            size = min(len(body) - sent, FRAME_BYTES, self.window, self.stream_window)
            if size <= 0 and sent < len(body):
                self.read_frame()
                continue
            last = sent + size == len(body)
            self.socket.sendall(frame(DATA, END_STREAM if last else 0, self.stream, body[sent:sent + size]))
            self.window -= size
            self.stream_window -= size
            sent += size
            if last:
                return

    def receive(self, size):
        while len(self.received) < size:
            more = self.socket.recv(65536)
            if not more:
                raise OSError("the server closed the connection")
            self.received += more
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def read_frame(self):
        head = self.receive(9)
        size = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = self.receive(size)
        if kind == SETTINGS and not flags & ACK:
            self.read_settings(payload)
            self.socket.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.socket.sendall(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            more = int.from_bytes(payload, "big")
            if stream == 0:
                self.window += more
            elif stream == self.stream:
                self.stream_window += more
        elif kind == GOAWAY:
            raise OSError(f"the server says goodbye: {payload[8:]!r}")
        elif stream == self.stream:
            self.read_answer(kind, flags, payload)

    def read_settings(self, payload):
        for at in range(0, len(payload), 6):
            name, value = struct.unpack(">HI", payload[at:at + 6])
            if name == INITIAL_WINDOW_SIZE:
                self.stream_window += value - self.first_window
                self.first_window = value

    def read_answer(self, kind, flags, payload):
        if kind == RST_STREAM:
            code = int.from_bytes(payload, "big")
            self.ended = True
            if code == 0 and "grpc-status" in self.fields:  # a whole answer; the rest of the body is not wanted
                return
            raise Reset(code)
        if kind == HEADERS:
            assert flags & END_HEADERS, "header blocks in several frames are not read"
            self.fields.update(Hpack(payload).fields())
        elif kind == DATA:
            self.answer += payload
            credit = struct.pack(">I", len(payload))
            if payload:
                self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, credit) + frame(WINDOW_UPDATE, 0, self.stream, credit))
        if flags & END_STREAM and kind in (HEADERS, DATA):
            self.ended = True
