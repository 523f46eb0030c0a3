#!/usr/bin/env python3
"""Runs a program beside a real S3 server: the gateway of Ceph, as a single node in memory.

Usage: rgw.py [--keep DIR] -- PROGRAM [ARGUMENT...]

Starts a monitor, a store in memory and the gateway on free ports of 127.0.0.1, with everything they
write in a temporary directory; makes a user and a bucket; runs the program, which finds them in
FIRN_TEST_S3_ENDPOINT, FIRN_TEST_S3_BUCKET, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; and ends
with its exit code. Without Ceph's programs, or when the gateway does not start, it ends with 77.
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "curl", "monmaptool", "radosgw", "radosgw-admin")
SKIPPED = 77
START_SECONDS = 120
BUCKET = "firn-test"

CONFIG = """[global]
fsid = {fsid}
mon_host = {monitor}
mon_initial_members = a
mon_data = {root}/mon
osd_data = {root}/osd
rgw_data = {root}/rgw
run_dir = {root}/run
admin_socket = {root}/run/$name.sock
log_file = {root}/$name.log
pid_file =
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_port_min = {first}
ms_bind_port_max = {last}
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_data_avail_warn = 1
mon_data_avail_crit = 0
rgw_frontends = beast endpoint=127.0.0.1:{gateway}
rgw_enable_usage_log = false
rgw_gc_max_objs = 1
rgw_lc_max_worker = 1
rgw_num_rados_handles = 1
rgw_thread_pool_size = 64
[client.admin]
keyring = {root}/admin.keyring
[osd]
keyring = {root}/osd/keyring
"""


class NotStarted(Exception):
    pass


def free_ports(count):
    """Ports that were free a moment ago; asked for together, so they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Gateway:
    def __init__(self, root):
        self.root = root
        self.processes = []
        self.access, self.secret = "FIRN" + secrets.token_hex(8).upper(), secrets.token_hex(20)
        first, second, self.port = free_ports(3)
        self.monitor = f"[v2:127.0.0.1:{first},v1:127.0.0.1:{second}]"
        self.fsid = str(uuid.uuid4())
        low = 20000 + secrets.randbelow(100) * 100
        for name in ("mon", "osd", "rgw", "run"):
            os.makedirs(self.path(name))
        with open(self.path("ceph.conf"), "w") as file:
            file.write(CONFIG.format(root=root, fsid=self.fsid, monitor=self.monitor, gateway=self.port,
                                     first=low, last=low + 99))

    def path(self, name):
        return os.path.join(self.root, name)

    def run(self, *command, seconds=60, data=None):
        try:
            done = subprocess.run(command, input=data, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise NotStarted(f"{command[0]} did not end within {seconds} s") from None
        if done.returncode != 0:
            raise NotStarted(f"{' '.join(command[:3])}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def ceph(self, program, *arguments, **how):
        return self.run(program, "-c", self.path("ceph.conf"), *arguments, **how)

    def daemon(self, program, *arguments):
        with open(self.path(f"{program}.out"), "w") as out:
            self.processes.append(subprocess.Popen([program, "-c", self.path("ceph.conf"), "-f", *arguments],
                                                   stdout=out, stderr=out, start_new_session=True))

    def start(self):
        mon_keys, admin_keys = self.path("mon.keyring"), self.path("admin.keyring")
        self.run("ceph-authtool", "--create-keyring", mon_keys, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self.run("ceph-authtool", "--create-keyring", admin_keys, "--gen-key", "-n", "client.admin",
                 "--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
        self.run("ceph-authtool", mon_keys, "--import-keyring", admin_keys)
        monmap = self.path("monmap")
        self.run("monmaptool", "--create", "--addv", "a", self.monitor, "--fsid", self.fsid, monmap)
        self.ceph("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", mon_keys)
        self.daemon("ceph-mon", "-i", "a")
        self.start_store()
        rgw_keys = self.path("rgw.keyring")
        self.ceph("ceph", "auth", "get-or-create", "client.rgw.a", "mon", "allow rw", "osd", "allow rwx", "-o", rgw_keys)
        self.daemon("radosgw", "-n", "client.rgw.a", "-k", rgw_keys)
        self.wait_for_gateway()
        self.ceph("radosgw-admin", "user", "create", "--uid", "firn", "--display-name", "firn",
                  "--access-key", self.access, "--secret-key", self.secret)
        # An independent signer makes the bucket.
        self.run("curl", "--silent", "--show-error", "--fail", "--request", "PUT", "--aws-sigv4", "aws:amz:us-east-1:s3",
                 "--config", "-", "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", f"{self.endpoint()}/{BUCKET}",
                 data=f'user = "{self.access}:{self.secret}"\n')

    def start_store(self):
        identity = str(uuid.uuid4())
        key = self.run("ceph-authtool", "--gen-print-key").strip()
        number = self.ceph("ceph", "osd", "new", identity, "-i", "-", data=json.dumps({"cephx_secret": key})).strip()
        keyring = os.path.join(self.path("osd"), "keyring")
        self.run("ceph-authtool", "--create-keyring", keyring, "--name", f"osd.{number}", "--add-key", key)
        self.ceph("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", identity)
        self.daemon("ceph-osd", "-i", number)

    def wait_for_gateway(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self.processes):
                raise NotStarted("a part of it ended at once")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.1)
        raise NotStarted(f"the gateway does not listen after {START_SECONDS} s")

    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def environment(self):
        return {**os.environ, "FIRN_TEST_S3_ENDPOINT": self.endpoint(), "FIRN_TEST_S3_BUCKET": BUCKET,
                "AWS_ACCESS_KEY_ID": self.access, "AWS_SECRET_ACCESS_KEY": self.secret}

    def stop(self):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--keep", help="use this directory and keep it")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        print(f"SKIPPED rgw.py: missing {' '.join(missing)} (scripts/setup --for rigs installs them on Debian)")
        sys.exit(SKIPPED)
    signal.signal(signal.SIGTERM, interrupt)
    root = os.path.abspath(arguments.keep or tempfile.mkdtemp(prefix="firn-rgw-"))
    gateway, code = None, 1
    try:
        gateway = Gateway(root)
        begun = time.monotonic()
        gateway.start()
        print(f"the gateway is up after {time.monotonic() - begun:.0f} s", flush=True)
        code = subprocess.run(arguments.command, env=gateway.environment()).returncode
    except NotStarted as error:
        print(f"SKIPPED rgw.py: {error}", flush=True)
        code = SKIPPED
    except KeyboardInterrupt:
        code = 130
    finally:
        if gateway is not None:
            gateway.stop()
        if not arguments.keep:
            shutil.rmtree(root, ignore_errors=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
