"""Replays a trace of the server and checks the order of writes, syncs, names and answers.

Rules, each with the promise behind it:

  ack      an append is acknowledged only after a sync that began when its bytes had been written has
           returned (or the write itself was one with RWF_DSYNC), in a file whose name was durable;
  rename   a file gets its final name only when all written to it has been synced;
  commit   the manifest is synced only when every chunk file written before is durable, name included;
  trim     a segment of the log is given up only under the same condition, the manifest included;
  restart  SQLite's log is begun anew only when the database it was copied to has been synced.

A directory that is missing from the trace because it was there before counts as durable.
"""

import os
import re

SYNCS = ("fdatasync", "fsync")
WRITES = ("pwrite64", "pwritev", "pwritev2", "write", "writev")
SENDS = ("sendto", "sendmsg", "write", "writev")
MAKES = ("openat", "open", "creat", "mkdir", "mkdirat")
RENAMES = ("rename", "renameat", "renameat2")
REMOVES = ("unlink", "unlinkat")

_ACK = re.compile(r'HTTP/1\.1 200 .*?\\"first_position\\":(\d+)', re.S)
_TOKEN = re.compile(r'\\"token\\": ?(\d+),')


# SQLite fills the block in which a transaction ends with a copy of its last frame and syncs at the
# end of that block. What is left of the copy is written behind that, and needs no sync.
SQLITE_BLOCK = 4096
SQLITE_FRAME = 24 + 4096


class Write:
    def __init__(self, call):
        self.begin, self.end = call.begin, call.end
        self.offset = offset_of(call)
        self.bytes = call.result
        self.durable = "RWF_DSYNC" in call.text.split(", ")[-1]


def offset_of(call):
    """Where a write goes, or -1: to the end of the file."""
    if not call.name.startswith("p"):
        return -1
    return int(call.text.split(", ")[-2 if call.name == "pwritev2" else -1])


class File:
    """A file or a directory."""

    def __init__(self, path):
        self.path = path
        self.name_durable = False
        self.was_written = False
        self.writes = []  # those that have ended and are not durable

    def lacks_sync(self):
        if not self.writes or not self.path.endswith("-wal"):
            return bool(self.writes)
        begin = self.writes[0].offset
        is_copy = begin > 0 and begin % SQLITE_BLOCK == 0 and sum(w.bytes for w in self.writes) <= SQLITE_FRAME
        return not is_copy


def is_segment(path):
    return path.endswith(".wal") and os.path.basename(os.path.dirname(path)) == "wal"


def takes_records(path):
    """A new segment gets its name when its first records are synced."""
    return is_segment(path.removesuffix(".new") + ".wal") if path.endswith(".new") else is_segment(path)


def is_manifest(path):
    return os.path.basename(path) == "manifest.db"


class OrderCheck:
    """`tokens`: first position of an acknowledged append -> tokens of its events."""

    def __init__(self, root, tokens):
        self.root = os.path.realpath(root)
        self.tokens = tokens
        self.files = {}
        self.directories = {}  # path -> names in it that are not durable: set of File
        self.written_in = {}  # token -> (File, Write)
        self.open_syncs = {}  # call -> what it will make durable
        self.violations = []
        self.windows = []  # (begin of a write, begin of the answer that waited for it to be synced)
        self.acks = self.syncs = self.names = self.commits = self.trims = 0

    def run(self, calls):
        moments = [(call.begin, 0, call) for call in calls]
        moments += [(call.end, 1, call) for call in calls if call.end is not None]
        moments.sort(key=lambda moment: moment[:2])
        for _, is_end, call in moments:
            (self.at_end if is_end else self.at_begin)(call)
        return self

    def violate(self, rule, call, what):
        self.violations.append(f"{rule}: {what} (line {call.begin + 1}, {call.name})")

    def is_ours(self, path):
        return path.startswith(self.root + "/") and not path.startswith(os.path.join(self.root, "tmp"))

    def is_findable(self, file):
        """Whether its name and those of the directories above it are durable."""
        path = file.path
        while self.is_ours(path):
            if path in self.files and not self.files[path].name_durable:
                return False
            path = os.path.dirname(path)
        return True

    # --- What happens when a call begins: nothing may be missing then ---

    def at_begin(self, call):
        path = call.path()
        if call.name in SENDS and path.startswith("TCP:"):
            self.check_ack(call)
        elif call.name in SYNCS and self.is_ours(path + "/"):
            self.begin_sync(call, path)
        elif call.name in RENAMES:
            self.check_rename(call)
        elif call.name in REMOVES and is_segment(self.named(call, 0)):
            self.check_trim(call, self.named(call, 0))
        elif call.name in WRITES and path.endswith("-wal") and self.is_ours(path):
            self.check_restart(call, path)

    def check_ack(self, call):
        found = _ACK.search(call.text)
        if found is None or int(found.group(1)) not in self.tokens:
            return
        self.acks += 1
        for token in self.tokens[int(found.group(1))]:
            if token not in self.written_in:
                self.violate("ack", call, f"token {token} was never written to the log")
                return
            file, write = self.written_in[token]
            if not write.durable:
                self.violate("ack", call, f"token {token} in {file.path} was not synced")
                return
            if not self.is_findable(file):
                self.violate("ack", call, f"token {token}: the directory of {file.path} was not synced")
                return
            self.windows.append((write.begin, call.begin))

    def begin_sync(self, call, path):
        if is_manifest(path):
            self.commits += 1
            self.check_chunks("commit", call)
        if path in self.directories:
            self.open_syncs[call] = list(self.directories[path])
        else:
            self.open_syncs[call] = list(self.files[path].writes) if path in self.files else []

    def check_rename(self, call):
        source = self.named(call, 0)
        if not self.is_ours(source):
            return
        if is_segment(source):
            self.check_trim(call, source)
        elif source in self.files and self.files[source].lacks_sync():
            self.violate("rename", call, f"{source} was renamed before it was synced")

    def check_trim(self, call, path):
        self.trims += 1
        self.check_chunks("trim", call)
        for file in self.files.values():
            if is_manifest(file.path) and file.lacks_sync():
                self.violate("trim", call, f"{path} was given up before the manifest was synced")

    def check_chunks(self, rule, call):
        """Everything a manifest may name. A database in WAL mode is as durable as its log: see `restart`."""
        for file in self.files.values():
            in_log = os.path.dirname(file.path) == os.path.join(self.root, "wal")
            if in_log or os.path.basename(file.path).startswith("manifest"):
                continue
            if file.path + "-wal" in self.files:
                if not self.is_findable(file):
                    self.violate(rule, call, f"the directory of {file.path} was not synced")
            elif file.lacks_sync():
                self.violate(rule, call, f"{file.path} was not synced")
            elif file.was_written and not self.is_findable(file):
                self.violate(rule, call, f"the directory of {file.path} was not synced")

    def check_restart(self, call, path):
        database = self.files.get(path.removesuffix("-wal"))
        if call.end is not None and offset_of(call) == 0 and database is not None and database.writes:
            self.violate("restart", call, f"{path} was begun anew before {database.path} was synced")

    # --- What is so once a call has returned ---

    def at_end(self, call):
        if not call.succeeded():
            self.open_syncs.pop(call, None)
            return
        if call in self.open_syncs:
            self.end_sync(call)
        elif call.name in MAKES:
            self.end_make(call)
        elif call.name in RENAMES:
            self.end_rename(call)
        elif call.name in REMOVES:
            self.forget(self.named(call, 0))
        elif call.name in WRITES and self.is_ours(call.path()):
            self.end_write(call)

    def end_sync(self, call):
        self.syncs += 1
        for what in self.open_syncs.pop(call):
            if isinstance(what, File):
                what.name_durable = True
                self.directories[os.path.dirname(what.path)].discard(what)
            else:
                what.durable = True
        file = self.files.get(call.path())
        if file is not None:
            file.writes = [write for write in file.writes if not write.durable]

    def end_make(self, call):
        path = self.named(call, 0)
        creates = call.name in ("creat", "mkdir", "mkdirat") or "O_CREAT" in call.text
        if creates and self.is_ours(path) and path not in self.files and path not in self.directories:
            self.add_name(File(path))
            if call.name.startswith("mkdir"):
                self.directories.setdefault(path, set())

    def add_name(self, file):
        self.names += 1
        file.name_durable = False
        if file.path not in self.directories:
            self.files[file.path] = file
        self.directories.setdefault(os.path.dirname(file.path), set()).add(file)

    def forget(self, path):
        file = self.files.pop(path, None)
        if file is not None:
            self.directories.get(os.path.dirname(path), set()).discard(file)
        return file

    def end_rename(self, call):
        source, target = self.named(call, 0), self.named(call, 1)
        if not self.is_ours(target):
            return
        file = self.forget(source) or File(source)
        self.forget(target)
        if is_segment(source):  # given up: its records are owned by chunks from here on, see `trim`
            file = File(target)
        file.path = target
        self.add_name(file)

    def end_write(self, call):
        path = call.path()
        file = self.files.get(path)
        if file is None:  # it was there before the trace began
            file = self.files[path] = File(path)
            file.name_durable = True
        file.was_written = True
        write = Write(call)
        if not write.durable:
            file.writes.append(write)
        if takes_records(path):
            for token in _TOKEN.findall(call.text):
                self.written_in.setdefault(int(token), (file, write))

    def named(self, call, index):
        """The path that an argument names, made absolute: the n-th text of the call."""
        texts = call.texts()
        if index >= len(texts):
            return ""
        return os.path.realpath(os.path.dirname(os.path.join(self.root, texts[index]))) + "/" + os.path.basename(
            texts[index])
