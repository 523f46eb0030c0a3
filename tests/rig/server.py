"""The real server as a process, and a plain HTTP client for it."""

import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import time

API = "/api/v1/namespaces/default"
GONE = (OSError, http.client.HTTPException, ValueError)  # what a call raises when the server dies
START_SECONDS = 120
IDLE_SECONDS = 20  # a server closes connections that are idle for 60
PATIENCE = ["--query-time", "300s"]  # reading everything back takes long on a busy machine


class NotReady(Exception):
    """The server ended, or did not open its store. `exit_code` is None when it still runs."""

    def __init__(self, what, exit_code):
        super().__init__(what)
        self.exit_code = exit_code


def end_with_rig():
    """For Popen's preexec_fn: the child is killed when the rig dies, even by SIGKILL."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """One keep-alive connection; raises one of GONE when the server goes away."""

    def __init__(self, port, timeout=120):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.headers = {}  # of the last answer
        self.used = time.monotonic()

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        if time.monotonic() - self.used > IDLE_SECONDS:
            self.connection.close()  # before the server does; the request opens it anew
        self.used = time.monotonic()
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        self.headers = answer.headers
        if answer.length is None and not answer.chunked:
            raise ValueError("the answer was cut in its headers")
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else text

    def close(self):
        self.connection.close()


class Server:
    """`wrapper` is put before the command (strace -D ..., a shell that enters a cgroup); `grpc_port`: OTLP is
    served there."""

    def __init__(self, binary, data_dir, log_path, settings=(), wrapper=(), environment=None, grpc_port=None):
        self.port = free_port()
        self.log = open(log_path, "ab")
        settings = [*settings] if "--query-time" in settings else [*PATIENCE, *settings]
        command = [*wrapper, binary, "serve", "--data-dir", data_dir, "--listen", f"127.0.0.1:{self.port}",
                   "--otlp-http", "off", "--otlp-grpc", f"127.0.0.1:{grpc_port}" if grpc_port else "off", *settings]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env={**os.environ, **(environment or {})}, preexec_fn=end_with_rig)

    def wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                code = self.process.returncode
                raise NotReady(f"the server exited with {code}; see {self.log.name}", code)
            try:
                if Client(self.port, 5).call("GET", "/readyz")[0] == 200:
                    return self
            except GONE:
                pass
            time.sleep(0.02)
        raise NotReady(f"the server was not ready within {START_SECONDS} s; see {self.log.name}", None)

    def client(self, timeout=120):
        return Client(self.port, timeout)

    def kill(self):
        """SIGKILL; does nothing when the process has ended already."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NotReady(f"the server did not stop within {START_SECONDS} s of SIGTERM", None) from None
        self.log.close()
        return code
