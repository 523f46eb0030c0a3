"""usage: tests/influx/collectd_test.py <firn>

collectd against the real server. It speaks line protocol over UDP only (plugin write_influxdb_udp), so this
program takes its datagrams and posts each to /write; every value that was in one must be read back. Exit 77
(skipped) without collectd; scripts/setup installs it.
"""

import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).parent.parent / "rig"))
from server import API, Client, Server, end_with_rig  # noqa: E402

WANTED_VALUES = 500
PATIENCE_SECONDS = 60
CONFIGURATION = """
BaseDir "{directory}"
PIDFile "{directory}/collectd.pid"
TypesDB "/usr/share/collectd/types.db"
Hostname "rack 7, \\"left\\""
FQDNLookup false
Interval 0.2
LoadPlugin cpu
LoadPlugin load
LoadPlugin memory
LoadPlugin contextswitch
LoadPlugin write_influxdb_udp
<Plugin cpu>
  ReportByCpu true
</Plugin>
<Plugin write_influxdb_udp>
  Server "127.0.0.1" "{port}"
</Plugin>
"""


class Collectd:
    def __init__(self, directory, port):
        self.config = os.path.join(directory, "collectd.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(directory=directory, port=port))
        self.process = subprocess.Popen(["collectd", "-f", "-C", self.config], stdin=subprocess.DEVNULL,
                                        preexec_fn=end_with_rig)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def post(port, lines):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/write?db=collectd&precision=ms", lines)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 204:
        raise SystemExit(f"FAILED: {answer.status} {text} for {lines}")


def split_unescaped(text, separator):
    parts = [""]
    before = ""
    for letter in text:
        if letter == separator and before != "\\":
            parts.append("")
        else:
            parts[-1] += letter
        before = letter
    return parts


def unescape(text):
    for letter in ",= ":
        text = text.replace("\\" + letter, letter)
    return text


def read_line(line):
    """The values of a line: {(name, labels, milliseconds): value}, by a reading of its own."""
    key, fields, stamp = split_unescaped(line, " ")
    measurement, *tags = split_unescaped(key, ",")
    labels = tuple(sorted(tuple(unescape(part) for part in split_unescaped(tag, "=")) for tag in tags))
    values = {}
    for field in split_unescaped(fields, ","):
        name, value = split_unescaped(field, "=")
        series = measurement if name == "value" else f"{measurement}_{unescape(name)}"
        values[(unescape(series), labels, int(stamp))] = float(value.rstrip("iu"))
    return values


def relay(receiver, port, sent):
    """Posts the next datagram; returns whether there was one."""
    try:
        datagram = receiver.recv(65536)
    except TimeoutError:
        return False
    post(port, datagram)
    for line in datagram.decode().splitlines():
        sent.update(read_line(line))
    return True


def read_back(port):
    found = {}
    client = Client(port)
    cursor = ""
    while cursor is not None:
        status, page = client.call("GET", f"{API}/metrics/range?limit=10000{cursor}")
        if status != 200:
            raise SystemExit(f"FAILED: {status} {page}")
        series = {one["series"]: (one["name"], tuple(sorted(one["labels"].items()))) for one in page["series"]}
        for point in page["points"]:
            found[(*series[point["series"]], milliseconds(point["time"]))] = float(point["value"])
        cursor = None if page["next"] is None else f"&cursor={page['next']}"
    return found


def milliseconds(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))) - time.timezone
    return seconds * 1000 + int((fraction + "000")[:3])


def run(binary, directory):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(0.5)
    server = Server(binary, os.path.join(directory, "data"), os.path.join(directory, "firn.log")).wait_ready()
    collectd = Collectd(directory, receiver.getsockname()[1])
    sent = {}
    datagrams = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(sent) < WANTED_VALUES and time.monotonic() < deadline:
        datagrams += relay(receiver, server.port, sent)
    collectd.stop()
    while relay(receiver, server.port, sent):
        datagrams += 1
    found = read_back(server.port)
    server.process.terminate()
    server.process.wait(30)
    lost = [key for key in sent if found.get(key) != sent[key]]
    ghost = [key for key in found if key not in sent]
    print(f"datagrams={datagrams} sent={len(sent)} found={len(found)} "
          f"lost={len(lost)} ghost={len(ghost)}")
    for key in (lost + ghost)[:5]:
        print(key, sent.get(key), found.get(key))
    return len(sent) >= WANTED_VALUES and not lost and not ghost


def main():
    if shutil.which("collectd") is None:
        print("SKIPPED: collectd is not installed; run scripts/setup", file=sys.stderr)
        return 77
    with tempfile.TemporaryDirectory(prefix="firn_collectd_") as directory:
        return 0 if run(sys.argv[1], directory) else 1


if __name__ == "__main__":
    sys.exit(main())
