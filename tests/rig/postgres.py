"""A PostgreSQL server of the rig's own, which can be killed, stopped, and made to leave commits unanswered."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from rig import skip
from server import NotReady, end_with_rig

BOOT_SECONDS = 120
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{root}'
shared_buffers = 64MB
max_connections = 60
"""


def find_programs():
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    versions = {int(path.split("/")[4]): os.path.dirname(path) for path in found if path.split("/")[4].isdigit()}
    good = [version for version in versions if version >= 14]
    if not good:
        skip("no PostgreSQL server is installed (scripts/setup installs it on Debian)")
    return versions[max(good)]


def children_of(parent):
    children = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        if int(fields[1]) == parent:
            children.append(int(path.split("/")[2]))
    return children


class Postgres:
    """In a directory of its own, reached through a socket in it. Ends with the rig."""

    def __init__(self, work):
        self.programs = find_programs()
        self.process = None
        # A socket's path must be short, and its owner is the user postgres.
        self.root = tempfile.mkdtemp(prefix="firn-pg-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        work.stack.callback(shutil.rmtree, self.root, ignore_errors=True)
        work.stack.callback(self.kill)
        self.log = open(work.path("postgres.log"), "ab")
        self.user = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                skip("no user postgres, and PostgreSQL does not run as root")
            os.chown(self.root, user.pw_uid, user.pw_gid)
            self.user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        data = os.path.join(self.root, "data")
        subprocess.run([self.program("initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C",
                        "--no-sync", "--no-instructions", "--data-checksums"], check=True, cwd="/", stdout=self.log,
                       stderr=self.log, **self.user)
        with open(os.path.join(data, "postgresql.conf"), "a") as file:
            file.write(SETTINGS.format(root=self.root))
        self.boot()

    def program(self, name):
        return os.path.join(self.programs, name)

    def dsn(self):
        return f"host={self.root} user=postgres dbname=postgres"

    def boot(self):
        """Starts it and waits until it answers."""
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                # Processes of a killed server may hold its memory for a moment longer.
                self.process = subprocess.Popen([self.program("postgres"), "-D", os.path.join(self.root, "data")],
                                                cwd="/", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                                preexec_fn=end_with_rig, **self.user)
            if self.sql("SELECT 1", must=False) == "1":
                return
            time.sleep(0.05)
        raise NotReady(f"PostgreSQL did not start within {BOOT_SECONDS} s; see {self.log.name}", None)

    def sql(self, text, must=True):
        """What psql prints for it; "" when it fails and may."""
        done = subprocess.run([self.program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.dsn(), "-c", text],
                              capture_output=True, text=True, cwd="/")
        if done.returncode != 0 and must:
            raise NotReady(f"psql: {text}: {done.stderr}", None)
        return done.stdout.strip()

    def kill(self):
        """SIGKILL to every process of it."""
        if self.process is None or self.process.poll() is not None:
            return
        self._signal(signal.SIGKILL)
        self.process.wait()

    def shut_down(self):
        """A fast shutdown: sessions are ended."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def pause(self):
        """Everything stands still; sockets stay open and connections are taken."""
        self._signal(signal.SIGSTOP)

    def resume(self):
        self._signal(signal.SIGCONT)

    def stop_answering_commits(self):
        """Until the next start a commit is on disk but waits, unanswered, for a standby that is not there."""
        self.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        self.sql("SELECT pg_reload_conf()")
        self.sql("ALTER SYSTEM RESET synchronous_standby_names")

    def waiting_commits(self):
        return int(self.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'"))

    def _signal(self, number):
        # The parent first, so that it starts no others meanwhile.
        children = children_of(self.process.pid)
        self.process.send_signal(number)
        for child in {*children, *children_of(self.process.pid)}:
            try:
                os.kill(child, number)
            except ProcessLookupError:
                pass
