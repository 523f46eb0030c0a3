"""What all rigs share: options, the working directory, cleaning up, the line and the exit code."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time

from server import NotReady, Server

SKIPPED = 77  # what ctest takes for "skipped"


def skip(why):
    """Ends the rig, loudly, because this machine cannot run it."""
    print(f"SKIPPED {os.path.basename(sys.argv[0])}: {why}", flush=True)
    sys.exit(SKIPPED)


def options(doc, cycles):
    parser = argparse.ArgumentParser(description=doc.split("\n\n")[0])
    parser.add_argument("--binary", required=True, help="the firn program")
    parser.add_argument("--cycles", type=int, default=cycles)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", help="use this directory and keep it")
    return parser


class Work:
    """The working directory, and a stack of what has to be undone, last first, however the rig ends."""

    def __init__(self, arguments, stack):
        self.arguments = arguments
        self.stack = stack
        self.root = os.path.abspath(arguments.keep or tempfile.mkdtemp(prefix="firn-rig-"))
        os.makedirs(self.root, exist_ok=True)
        self.log_path = self.path("server.log")

    def path(self, *names):
        return os.path.join(self.root, *names)

    def server(self, data_dir=None, **how):
        """Starts a server; it is killed at the end at the latest."""
        server = Server(self.arguments.binary, data_dir or self.path("data"), self.log_path, **how)
        self.stack.callback(server.kill)
        return server


def _interrupt(*_):
    raise KeyboardInterrupt


def run(arguments, body):
    """Runs `body(work)`, which returns (line, passed), and ends the program with 0, 1, 77 or 130."""
    signal.signal(signal.SIGTERM, _interrupt)
    arguments.binary = os.path.abspath(arguments.binary)
    work, keep, code = None, True, 1
    try:
        with contextlib.ExitStack() as stack:
            work = Work(arguments, stack)
            line, passed = body(work)
            print(line, flush=True)
            keep, code = not passed, 0 if passed else 1
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        keep, code = False, 130
    except NotReady as failure:
        print(f"seed={arguments.seed}: {failure}", flush=True)
    except SystemExit as end:
        keep, code = False, end.code
    finally:  # mounts and processes are gone by now, so that the directory is only a directory
        if keep and work is not None:
            print(f"kept: {work.root}", flush=True)
        elif work is not None and not arguments.keep:
            shutil.rmtree(work.root, ignore_errors=True)
    sys.exit(code)
