"""Checks that only read files. Each returns (how many things it looked at, noun, problems)."""

import re

import rules
from tree import is_test

# --- include-table ----------------------------------------------------------------------------------


def room_of(name):
    parts = name.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def may_include(room, target, testing):
    """Whether room may include target ("<room>/<path>")."""
    other = target.split("/")[0]
    if other == room:
        return True
    allowed = rules.ROOMS[room]
    if other in allowed or target in allowed:
        return True
    order = list(rules.ROOMS)
    return testing and order.index(other) < order.index(room)


def check_public_header(name, line, target):
    if not target.startswith("firn/"):
        return ["%s:%d: a public header includes only <firn/...> and outside headers, not \"%s\"" % (name, line, target)]
    return []


def check_room_include(room, name, line, kind, target):
    testing = name.endswith("_test.cc")
    if kind == "<" and target.startswith("firn/"):
        header = target[len("firn/"):].removesuffix(".h")
        owner = rules.PUBLIC_HEADERS.get(header)
        if owner is None:
            return ["%s:%d: <%s> is in no row of PUBLIC_HEADERS" % (name, line, target)]
        if owner != room and owner not in rules.ROOMS[room] and not may_include(room, owner + "/", testing):
            return ["%s:%d: %s may not include <%s>, which belongs to %s" % (name, line, room, target, owner)]
        return []
    for start, rooms in rules.EXTERNAL:
        if target.startswith(start):
            inside = any(name.startswith("src/%s/" % place) for place in rooms)
            return [] if inside else ["%s:%d: <%s> is for %s only" % (name, line, target, ", ".join(rooms))]
    if kind == "<":
        return []
    if "/" not in target or target.split("/")[0] not in rules.ROOMS:
        return ['%s:%d: "%s" does not start with a room; write #include "<room>/<file>"' % (name, line, target)]
    if not may_include(room, target, testing):
        return ['%s:%d: %s may not include "%s"' % (name, line, room, target)]
    return []


def include_table(tree):
    problems, files = [], [f for f in tree.code() if f.startswith(("src/", "include/"))]
    for name in files:
        room = room_of(name)
        if name.startswith("src/") and room not in rules.ROOMS:
            problems.append("%s: is in no room of the table" % name)
            continue
        for line, kind, target in tree.includes(name):
            if room is None:
                if kind == '"' or target.startswith("firn/"):
                    problems += check_public_header(name, line, target)
            else:
                problems += check_room_include(room, name, line, kind, target)
    return len(files), "files", problems


# --- registered -------------------------------------------------------------------------------------


def listed_sources(tree):
    """Every .cc named in a CMake file, as a path from the root, with the file that names it."""
    listed = {}
    for cmake in tree.files:
        if not (cmake.endswith("CMakeLists.txt") or cmake.endswith(".cmake")):
            continue
        folder = cmake.rsplit("/", 1)[0] + "/" if "/" in cmake else ""
        text = re.sub(r"#[^\n]*", "", tree.text(cmake))
        for token in re.findall(r"[^\s()\";]+\.cc\b", text):
            path = re.sub(r"^\$\{(CMAKE_CURRENT|PROJECT)_SOURCE_DIR\}/", lambda m: folder if m[1] != "PROJECT" else "", token)
            path = path if token.startswith("${") else folder + token
            listed.setdefault(path, cmake)
    return listed


def registered(tree):
    sources = tree.code((".cc",))
    listed = listed_sources(tree)
    problems = ["%s: no CMakeLists.txt names it, so nothing builds it" % f for f in sources if f not in listed]
    problems += ["%s: names %s, which does not exist" % (listed[f], f) for f in sorted(set(listed) - set(sources))]
    return len(sources), "sources", problems


# --- banned-calls -----------------------------------------------------------------------------------


def banned_patterns():
    plain = "|".join(rules.BANNED_CALLS)
    rooted = "|".join(rules.BANNED_GLOBAL_CALLS)
    return [
        (re.compile(r"(?<![\w.>])(?<!\w::)(?:::)?(%s)\s*\(" % plain), "{1}()"),
        (re.compile(r"(?<![\w>])::\s*(%s)\s*\(" % rooted), "::{1}()"),
    ] + [(re.compile(pattern), what) for pattern, what in rules.BANNED_PATTERNS]


def banned_calls(tree):
    patterns, problems = banned_patterns(), []
    files = [f for f in tree.code() if f.startswith(("src/", "include/")) and not is_test(f) and room_of(f) != "env"]
    for name in files:
        for number, line in enumerate(tree.blanked(name).split("\n"), 1):
            for pattern, what in patterns:
                found = pattern.search(line)
                if found:
                    problems.append("%s:%d: %s is for env only" % (name, number, what.replace("{1}", found.group(1))))
    return len(files), "files", problems


# --- readme, sizes, markers -------------------------------------------------------------------------


def readme(tree):
    problems, rooms = [], tree.room_dirs() + [d for d in ("tests", "bench", "fuzz") if tree.path(d).is_dir()]
    for room in rooms:
        name = room + "/README.md"
        if name not in tree.files:
            problems.append("%s: missing" % name)
        elif len(tree.text(name).splitlines()) > rules.MAX_README_LINES:
            problems.append("%s: longer than %d lines" % (name, rules.MAX_README_LINES))
        elif not tree.text(name).strip():
            problems.append("%s: empty" % name)
    return len(rooms), "rooms", problems


def functions(text):
    """(name, first line, lines) of every function in blanked C++: found by braces and by what precedes
    them, which is enough for formatted code."""
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.M)
    found, stack, head_start, i = [], [], None, 0

    def line_of(offset):
        return text.count("\n", 0, offset) + 1

    while i < len(text):
        c = text[i]
        inside = any(kind == "function" for kind, _, _ in stack)
        if head_start is None and not c.isspace() and c not in "{};":
            head_start = i
        if c == "{":
            head = text[head_start:i] if head_start is not None else ""
            if inside:
                kind = "block"
            elif re.search(r"\bnamespace\b|^extern\b", head) and "(" not in head:
                kind = "scope"
            elif re.search(r"\b(class|struct|union|enum)\b", head) and not re.search(r"\)[\w\s&]*$", head):
                kind = "scope"
            else:
                kind = "function" if "(" in head else "value"
            stack.append((kind, head_start if head_start is not None else i, head))
            if kind == "scope":
                head_start = None
        elif c == "}" and stack:
            kind, start, head = stack.pop()
            following = text[i + 1 :].lstrip()[:1]
            initializer = kind in ("function", "value") and following in (",", "{")
            if kind == "function" and not initializer:
                name = re.match(r"[^(]*?([\w:~]+(?:\s*operator\s*\S+)?)\s*\(", head)
                label = re.sub(r"\s", "", name.group(1)) if name else "?"
                arguments = re.search(r"\(\s*(\w+)\s*,\s*(\w+)\s*\)", head)
                if label.startswith(("TEST", "TYPED_TEST")) and arguments:
                    label = "%s.%s" % arguments.groups()
                found.append((label, line_of(start), line_of(i) - line_of(start) + 1))
            if not inside or kind == "function":
                head_start = start if initializer else None
        elif c == ";" and not inside and not (stack and stack[-1][0] == "value"):
            head_start = None
        elif c == ":" and not inside and re.fullmatch(r"(public|private|protected)\s*", text[head_start or i : i]):
            head_start = None
        i += 1
    return found


def ratchet(tree, check):
    """The exceptions of scripts/ratchet.txt for one check: key -> the most lines it may have."""
    allowed = {}
    if "scripts/ratchet.txt" in tree.files:
        for line in tree.text("scripts/ratchet.txt").splitlines():
            words = line.split("#")[0].split()
            if len(words) == 3 and words[0] == check:
                allowed[words[1]] = int(words[2])
    return allowed


def over_limit(tree, check, measured, limit):
    """Problems for (key, where, lines) above limit; an exception may shrink, never grow or idle."""
    allowed, problems, used = ratchet(tree, check), [], set()
    for key, where, lines in measured:
        bound = max(limit, allowed.get(key, 0))
        if lines > limit:
            used.add(key)
        if lines > bound:
            problems.append("%s: %d lines, the limit is %d" % (where, lines, bound))
    problems += ["scripts/ratchet.txt: '%s %s' is not needed any more" % (check, k) for k in sorted(set(allowed) - used)]
    return problems


def file_size(tree):
    measured = [(f, f, len(tree.text(f).splitlines())) for f in tree.code()]
    return len(measured), "files", over_limit(tree, "file-size", measured, rules.MAX_FILE_LINES)


def function_size(tree):
    measured = []
    for name in tree.code():
        for label, line, lines in functions(tree.blanked(name)):
            measured.append(("%s:%s" % (name, label), "%s:%d: %s" % (name, line, label), lines))
    return len(measured), "functions", over_limit(tree, "function-size", measured, rules.MAX_FUNCTION_LINES)


MARKERS = re.compile(r"\b(%s)\b" % "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")))
TEXT_SUFFIXES = (".h", ".cc", ".py", ".md", ".txt", ".cmake", ".json", ".js", ".ts", ".html", ".css", ".yml", ".yaml", ".sql")


def markers(tree):
    problems = []
    files = [f for f in tree.files if (f.endswith(TEXT_SUFFIXES) or "." not in f.rsplit("/", 1)[-1]) and "corpus/" not in f]
    for name in files:
        for number, line in enumerate(tree.text(name).split("\n"), 1):
            found = MARKERS.search(line)
            if found:
                problems.append("%s:%d: leftover %s: do it, or describe it where users look" % (name, number, found.group(1)))
    return len(files), "files", problems


CHECKS = {
    "include-table": include_table,
    "registered": registered,
    "banned-calls": banned_calls,
    "readme": readme,
    "file-size": file_size,
    "function-size": function_size,
    "markers": markers,
}
