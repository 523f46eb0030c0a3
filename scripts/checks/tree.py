"""The project's files as the checks see them: lists, texts, rooms, the include graph, a cache."""

import functools
import hashlib
import os
import re
from pathlib import Path

IGNORED_DIRS = {"build", ".git", ".cache", "__pycache__", "node_modules", "firn-data"}
CODE_DIRS = ("include", "src", "tests", "bench", "fuzz")
SUBROOM_PARENTS = {"tier", "views"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.M)

# Comments, string literals (raw ones first) and character literals of C++.
LEXEMES = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|R"(?P<d>[^\s()\\]{0,16})\(.*?\)(?P=d)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+'",
    re.S,
)


def blank(text):
    """The text with comments and literals replaced by spaces; every line keeps its number."""

    def spaces(match):
        found = match.group(0)
        kept = re.sub(r"[^\n]", " ", found)
        # An empty literal stays behind, so that f("x") still has an argument.
        return kept if found[0] == "/" else '""' + kept[2:]

    return LEXEMES.sub(spaces, text)


class Tree:
    def __init__(self, root):
        self.root = Path(root).resolve()

    def path(self, name):
        return self.root / name

    @functools.cached_property
    def files(self):
        """Every file of the project, as sorted paths relative to its root."""
        found = []
        for here, dirs, names in os.walk(self.root):
            dirs[:] = [d for d in dirs if d not in IGNORED_DIRS]
            base = Path(here).relative_to(self.root)
            found += [str(base / name) for name in names if (Path(here) / name).is_file()]
        return sorted(found)

    def code(self, suffixes=(".h", ".cc")):
        return [f for f in self.files if f.startswith(tuple(d + "/" for d in CODE_DIRS)) and f.endswith(suffixes)]

    @functools.cache
    def text(self, name):
        return self.path(name).read_text(encoding="utf-8", errors="replace")

    @functools.cache
    def blanked(self, name):
        return blank(self.text(name))

    def room_dirs(self):
        """The folders below src/ that are rooms, with the subrooms of tier and views."""
        rooms = set()
        for name in self.files:
            parts = name.split("/")
            if parts[0] == "src" and len(parts) > 2:
                rooms.add("src/" + parts[1])
                if parts[1] in SUBROOM_PARENTS and len(parts) > 3:
                    rooms.add("src/%s/%s" % (parts[1], parts[2]))
        return sorted(rooms)

    @functools.cache
    def includes(self, name):
        """(line, kind, target) of every #include; kind is '<' or '"'."""
        text = self.text(name)
        return [(text.count("\n", 0, m.start()) + 1, m.group(1), m.group(2)) for m in INCLUDE.finditer(text)]

    def resolve(self, name, target):
        """The project file that #include target means in file name, or None."""
        for base in ("src", "include", str(Path(name).parent), "."):
            candidate = os.path.normpath(os.path.join(base, target))
            if (self.root / candidate).is_file():
                return candidate
        return None

    @functools.cache
    def closure(self, name):
        """The file and all project files it includes, directly or not."""
        seen, waiting = set(), [name]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            for _, _, target in self.includes(current):
                found = self.resolve(current, target)
                if found:
                    waiting.append(found)
        return sorted(seen)

    def uses_coroutines(self, name):
        pattern = re.compile(r"\bco_(await|return|yield)\b|asio/awaitable|<coroutine>")
        return any(pattern.search(self.blanked(f)) or pattern.search(self.text(f)) for f in self.closure(name))

    def digest(self, name, *salt):
        """Changes when the file, anything it includes, or the salt does."""
        sha = hashlib.sha256("\0".join(salt).encode())
        for part in self.closure(name):
            sha.update(part.encode() + b"\0" + self.path(part).read_bytes())
        return sha.hexdigest()

    def cached(self, check, digest):
        return (self.root / "build/check-cache" / check / digest).exists()

    def remember(self, check, digest):
        folder = self.root / "build/check-cache" / check
        folder.mkdir(parents=True, exist_ok=True)
        (folder / digest).touch()


def is_test(name):
    return (name.startswith(("tests/", "bench/", "fuzz/")) or name.endswith("_test.cc")
            or name.rsplit("/", 1)[-1].startswith("test_"))
