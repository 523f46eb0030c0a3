"""A memory cgroup, and what a process in it takes."""

import os
import time

import rig


class Cgroup:
    """A memory cgroup of version 1 or 2, below the one this process is in."""

    def __init__(self, limit_bytes):
        self.path, self.is_v2 = find_parent()
        self.path = os.path.join(self.path, f"firn-rig-{os.getpid()}")
        try:
            os.mkdir(self.path)
        except OSError as failure:
            rig.skip(f"cannot make a cgroup: {failure}")
        name = "memory.max" if self.is_v2 else "memory.limit_in_bytes"
        try:
            with open(os.path.join(self.path, name), "w") as file:
                file.write(str(limit_bytes))
        except OSError as failure:
            self.remove()
            rig.skip(f"cannot limit the memory of a cgroup: {failure}")
        swap = os.path.join(self.path, "memory.swap.max" if self.is_v2 else "memory.memsw.limit_in_bytes")
        if os.path.exists(swap):
            with open(swap, "w") as file:
                file.write("0" if self.is_v2 else str(limit_bytes))

    def wrapper(self):
        """Puts a command into the cgroup before it starts."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', os.path.join(self.path, "cgroup.procs")]

    def read(self, name):
        try:
            with open(os.path.join(self.path, name)) as file:
                return file.read()
        except OSError:
            return ""

    def oom_kills(self):
        text = self.read("memory.events" if self.is_v2 else "memory.oom_control")
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))

    def remove(self):
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.05)  # its last process is being taken down


def find_parent():
    """(directory, is it version 2) of the memory cgroup that this process is in."""
    with open("/proc/self/cgroup") as file:
        own = [line.strip().split(":", 2) for line in file]
    with open("/proc/self/mounts") as file:
        mounts = [line.split() for line in file]
    for _, controllers, path in own:
        for _, directory, kind, flags, *_ in mounts:
            if kind == "cgroup" and "memory" in flags.split(",") and "memory" in controllers.split(","):
                inside = directory + path
                return (inside if os.path.isdir(inside) else directory), False
    for _, directory, kind, *_ in mounts:
        enabled = os.path.join(directory, "cgroup.subtree_control")
        if kind == "cgroup2" and os.path.exists(enabled) and "memory" in open(enabled).read().split():
            return directory, True
    rig.skip("no memory cgroup, of version 1 or 2, that could be divided")
    return None


def resident_bytes(process):
    try:
        with open(f"/proc/{process.pid}/status") as file:
            return max(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))
    except (OSError, ValueError):
        return 0
