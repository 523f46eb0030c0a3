"""Reads what `strace -f -ttt -yy -o FILE` wrote: system calls with the moments they began and ended."""

import re

# What the order of writes, syncs, names and answers can be told from.
CALLS = ("pwrite64,pwritev,pwritev2,write,writev,fdatasync,fsync,ftruncate,openat,open,creat,mkdir,mkdirat,"
         "rename,renameat,renameat2,unlink,unlinkat,sendto,sendmsg")

_LINE = re.compile(r"^(\d+) +(\d+\.\d+) (.*)$", re.S)
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$", re.S)
_CALL = re.compile(r"^(\w+)\((.*)$", re.S)
_RESULT = re.compile(r"^(.*)\) += (-?\d+|\?)(.*)$", re.S)
_DESCRIPTOR = re.compile(r"^(?:\d+|AT_FDCWD)<([^>]*)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
UNFINISHED = " <unfinished ...>"


class Call:
    """begin and end count lines, so that a < b says that a happened before b. end is None: never returned."""

    def __init__(self, thread, time, name, begin):
        self.thread, self.time, self.name, self.begin = thread, time, name, begin
        self.end = self.result = None
        self.text = ""  # the arguments, as strace prints them
        self.note = ""  # what stands behind the result: an error, "(INJECTED)"

    def path(self):
        """What the descriptor that comes first stands for."""
        found = _DESCRIPTOR.match(self.text)
        return found.group(1) if found else ""

    def texts(self):
        return _TEXT.findall(self.text)

    def succeeded(self):
        return self.result is not None and self.result >= 0

    def _finish(self, rest, line):
        found = _RESULT.match(rest)
        if found is None:
            return False
        self.text += found.group(1)
        self.result = None if found.group(2) == "?" else int(found.group(2))
        self.note = found.group(3).strip()
        self.end = line
        return True


def parse(lines):
    """The calls in the order in which they began."""
    calls, under_way = [], {}
    for number, line in enumerate(lines):
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            continue
        thread, time, rest = int(found.group(1)), float(found.group(2)), found.group(3)
        resumed = _RESUMED.match(rest)
        if resumed is not None:
            call = under_way.pop(thread, None)
            if call is not None and call.name == resumed.group(1):
                call._finish(resumed.group(2), number)
            continue
        started = _CALL.match(rest)
        if started is None:
            continue  # a signal, the end of a thread
        call = Call(thread, time, started.group(1), number)
        calls.append(call)
        if rest.endswith(UNFINISHED):
            call.text = started.group(2).removesuffix(UNFINISHED)
            under_way[thread] = call
        elif not call._finish(started.group(2), number):
            calls.pop()
    return calls


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return parse(file)
