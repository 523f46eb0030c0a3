"""A disk that can lose its power or start to fail: nbdkit -> nbdfuse -> loop device -> ext4 or XFS.

Only in a process with its own mounts (machine.own_namespace); root, FUSE and loop devices are needed.
"""

import os
import shutil
import signal
import subprocess
import time

from machine import need_device, need_programs
from rig import skip
from server import NotReady, end_with_rig
from verifier import run_firn_verify, verify

MIB = 1 << 20
IMAGE_BYTES = 320 * MIB  # XFS refuses less than 300 MiB
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
MOUNT_OPTIONS = {"ext4": "loop", "xfs": "loop,nouuid"}  # a copy of an XFS image has the original's uuid


def need_disk_tools(file_systems):
    need_programs("nbdkit", "nbdfuse", "losetup", "mount", "umount", *(MAKE[name][0] for name in file_systems))
    need_device("/dev/fuse")
    need_device("/dev/loop-control")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


def make_image(path, file_system):
    with open(path, "wb") as image:
        image.truncate(IMAGE_BYTES)
    run(*MAKE[file_system], path)


def copy_image(source, target):
    run("cp", "--sparse=always", source, target)


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise OSError(f"{what} did not happen within {seconds} s")
        time.sleep(0.01)


class Mounted:
    """A plain mount of an image; the loop device goes with it."""

    def __init__(self, work, source, directory, file_system):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        run("mount", "-t", file_system, "-o", MOUNT_OPTIONS[file_system], source, directory)
        self.mounted = True
        work.stack.callback(self.let_go)

    def unmount(self):
        """In order, as an administrator would: waits until all is written."""
        wait_for(self._try_unmount, f"unmounting {self.directory}")

    def _try_unmount(self):
        done = subprocess.run(["umount", self.directory], capture_output=True)
        self.mounted = done.returncode != 0
        return not self.mounted

    def let_go(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.directory], capture_output=True)
            self.mounted = False


class Disk:
    """A mounted file system on a device of its own. `directory` is where it is mounted.

    Each needs a fresh `place`: a stale mount would spoil the next one.
    """

    def __init__(self, work, image, place, file_system, filters=()):
        self.image = image
        self.socket = os.path.join(place, "nbd.sock")
        self.device_directory = os.path.join(place, "device")
        self.directory = os.path.join(place, "disk")
        os.makedirs(self.device_directory)
        work.stack.callback(self.let_go)
        self.mount = self.nbdfuse = None
        flags, arguments = filters or ((), ())
        self.nbdkit = subprocess.Popen(["nbdkit", "-f", *flags, "-U", self.socket, "file", image, *arguments],
                                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_rig)
        wait_for(lambda: os.path.exists(self.socket), "the start of nbdkit")
        device = os.path.join(self.device_directory, "nbd")
        self.nbdfuse = subprocess.Popen(["nbdfuse", device, f"nbd+unix:///?socket={self.socket}"],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=end_with_rig)
        wait_for(lambda: os.path.exists(device) or self.nbdfuse.poll() is not None, "the start of nbdfuse")
        if self.nbdfuse.poll() is not None:
            skip(f"FUSE does not work here: {self.nbdfuse.stderr.read().decode().strip()}")
        self.mount = Mounted(work, device, self.directory, file_system)

    def cut_power(self):
        """From now on nothing reaches the image, and every sync fails."""
        self.nbdkit.send_signal(signal.SIGKILL)
        self.nbdkit.wait()

    def let_go(self):
        if self.mount is not None:
            self.mount.let_go()
        for process in (self.nbdkit, self.nbdfuse):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        if self.nbdfuse is not None and self.nbdfuse.stderr is not None:
            self.nbdfuse.stderr.close()
        subprocess.run(["umount", "-l", self.device_directory], capture_output=True)

    def forget(self):
        """After let_go(): the place is a plain directory again."""
        self.let_go()
        shutil.rmtree(os.path.dirname(self.socket), ignore_errors=True)


def check_image(work, oracle, image, file_system, place, settings):
    """Mounts what a disk kept, starts the server on it without any fault, and compares it with the oracle."""
    mount = Mounted(work, image, os.path.join(place, "copy"), file_system)
    data_dir = os.path.join(mount.directory, "data")
    server = work.server(data_dir, settings=settings)
    try:
        server.wait_ready()
        verify(oracle, server.client())
    except NotReady as failure:
        oracle.fault("lost", failure)
    finally:
        server.kill()
    run_firn_verify(oracle, work.arguments.binary, data_dir, settings)
    mount.unmount()
