"""What a rig needs from the machine: programs, rights, a place where its mounts end with it."""

import os
import re
import shutil
import subprocess
import sys
import time

from rig import skip
from server import NotReady

_INSIDE = "FIRN_RIG_NAMESPACE"  # set in the process that has its own mounts


def need_programs(*names):
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where mkfs and losetup are, also for those who are not root
    for name in names:
        if shutil.which(name) is None:
            skip(f"the program {name} is missing (scripts/test --all installs it on Debian)")


def need_root(why):
    if os.geteuid() != 0:
        skip(f"needs root {why}")


def need_device(path):
    if not os.path.exists(path):
        skip(f"this machine has no {path}")


def own_namespace(need_real_root):
    """Starts the rig again with mounts and process ids of its own.

    When the rig ends, however that happens, the kernel ends its processes and undoes its mounts.
    Without root a user namespace gives the right to mount a tmpfs.
    """
    if os.environ.get(_INSIDE):
        return
    if need_real_root:
        need_root("to mount file systems")
    need_programs("unshare")
    command = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    probe = subprocess.run([*command, "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        skip(f"no namespace of its own: {probe.stderr.strip()}")
    os.environ[_INSIDE] = "1"
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def strace_wrapper(*options, output):
    """A prefix that traces the server while the server stays our child: signals and exit codes are its own.

    LeakSanitizer cannot run under a tracer, so it is off in builds that have it.
    """
    need_programs("strace")
    probe = subprocess.run(["strace", "-o", "/dev/null", "-f", "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        skip(f"strace may not trace here: {probe.stderr.strip()}")
    return ["strace", "-D", "-f", "-o", output, *options]


def no_leak_check():
    given = os.environ.get("ASAN_OPTIONS", "")
    return {"ASAN_OPTIONS": f"{given}:detect_leaks=0" if given else "detect_leaks=0"}



def wait_for_tracer(server, output, seconds=60):
    """strace -D outlives the server for a moment: one of its last lines says how the server ended."""
    ended = re.compile(rb"^%d .*\+\+\+ (exited|killed)" % server.process.pid, re.M)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with open(output, "rb") as file:
            file.seek(max(0, os.path.getsize(output) - 65536))
            if ended.search(file.read()):
                return
        time.sleep(0.05)
    raise NotReady(f"strace did not finish {output} within {seconds} s", None)
