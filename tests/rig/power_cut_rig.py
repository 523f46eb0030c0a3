#!/usr/bin/env python3
"""Cuts the power of the disk under a real server while clients write, and checks what the disk kept.

Usage: power_cut_rig.py --binary PATH [--fs ext4,xfs] [--cycles N] [--seed N] [--keep DIR]
                        [--unsafe-no-sync LIBRARY]

The data directory is on a file system whose device is a process (nbdkit, through FUSE and a loop
device). A cut is SIGKILL for that process: what had reached it is on the disk, what was only in the
page cache is gone. Then a copy of the image is mounted, the server is started on it and everything
is compared with the oracle, which lived outside. The copy is the disk of the next cycle.

With --unsafe-no-sync the server is run with LIBRARY (no_sync_preload.c) preloaded, on a new disk in
every cycle, and the rig must notice the loss in at least 95 % of the cycles: it proves the rig.
"""

import os
import random
import time

import machine
import rig
from disk import Disk, check_image, copy_image, make_image, need_disk_tools
from load import DISK_FAILS, Load
from oracle import Oracle, Total

WRITERS = 4
CYCLES_OF_A_DISK = 10  # then a new one, so that reading back stays quick
DETECTED_AT_LEAST = 0.95
# Small segments, so that a cycle makes, fills and gives up several of them.
SETTINGS = ["--disk-reserve", "8MiB", "--wal.segment-size", "1MiB", "--mover-interval", "100ms"]


def load_until_cut(work, oracle, disk, rng, environment):
    server = work.server(os.path.join(disk.directory, "data"), settings=SETTINGS, environment=environment).wait_ready()
    with Load() as load:
        load.writers(WRITERS, oracle, server.port, expected=DISK_FAILS)
        load.mover(oracle, server.port).counter(oracle, server.port)
        time.sleep(rng.uniform(0.2, 1.5))
        disk.cut_power()
        time.sleep(rng.uniform(0, 0.05))  # the server may notice: then it must not acknowledge any more
        server.kill()


def run_cycle(work, oracle, rng, image, file_system, cycle, environment=None):
    place = work.path(f"cycle-{cycle}")
    disk = Disk(work, image, place, file_system)
    load_until_cut(work, oracle, disk, rng, environment)
    disk.let_go()
    copy_image(image, image + ".cut")
    check_image(work, oracle, image + ".cut", file_system, place, SETTINGS)
    disk.forget()
    os.replace(image + ".cut", image)


def disk_by_disk(work, rng):
    """The rig proper: one oracle for the life of a disk."""
    arguments = work.arguments
    total = Total(arguments.seed)
    names = arguments.fs.split(",")
    disks = {}
    for cycle in range(arguments.cycles):
        name = names[cycle % len(names)]
        image, oracle, age = disks.get(name) or (work.path(f"{name}.img"), Oracle(rng.random()), 0)
        if age == 0:
            make_image(image, name)
        run_cycle(work, oracle, rng, image, name, cycle)
        disks[name] = (image, oracle, age + 1)
        if any(oracle.faults.values()):
            total.add(oracle)
            return total.line(arguments.cycles), False  # the disk is kept as it is
        if age + 1 == CYCLES_OF_A_DISK:
            total.add(disks.pop(name)[1])
        if cycle % 10 == 9:
            print(f"cycle {cycle + 1} done", flush=True)
    for _, oracle, _ in disks.values():
        total.add(oracle)
    return total.line(arguments.cycles), not total.failed()


def without_syncs(work, rng):
    """The rig's own test: the loss must be noticed."""
    arguments = work.arguments
    total, detected = Total(arguments.seed), 0
    names = arguments.fs.split(",")
    for cycle in range(arguments.cycles):
        image, oracle = work.path("disk.img"), Oracle(rng.random())
        make_image(image, names[cycle % len(names)])
        preload = {"LD_PRELOAD": os.path.abspath(arguments.unsafe_no_sync)}
        run_cycle(work, oracle, rng, image, names[cycle % len(names)], cycle, preload)
        detected += oracle.faults["lost"] > 0
        total.add(oracle)
    passed = total.acked > 0 and detected >= DETECTED_AT_LEAST * arguments.cycles
    return total.line(arguments.cycles, f" detected={detected}/{arguments.cycles}"), passed


def body(work):
    rng = random.Random(work.arguments.seed)
    return without_syncs(work, rng) if work.arguments.unsafe_no_sync else disk_by_disk(work, rng)


def main():
    options = rig.options(__doc__, cycles=10)
    options.add_argument("--fs", default="ext4,xfs", help="file systems, taken in turn")
    options.add_argument("--unsafe-no-sync", metavar="LIBRARY", help="preload this; the rig must then notice loss")
    arguments = options.parse_args()
    machine.own_namespace(need_real_root=True)
    need_disk_tools(arguments.fs.split(","))
    rig.run(arguments, body)


if __name__ == "__main__":
    main()
