"""Checks that run compilers and other tools. Results are remembered by content in build/check-cache."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rules
from tree import is_test

WORKERS = os.cpu_count() or 1
COMMON_FLAGS = ["-std=c++20", "-Isrc", "-Iinclude", "-I.", '-DFIRN_VERSION="0"', "-Wall", "-Wextra",
                "-Wconversion", "-Wshadow", "-Werror"]
CLANG_FLAGS = COMMON_FLAGS + ["-Wthread-safety", "-Wno-sign-conversion"]


def run(tree, command):
    done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, done.stdout + done.stderr


def find_tool(*names):
    for name in names:
        if shutil.which(name):
            return name
    return None


def duckdb_flags(tree):
    root = os.environ.get("DUCKDB_ROOT") or str(tree.root / "build/deps/duckdb-1.4.4")
    return ["-isystem", root + "/include"]


def first_lines(output, wanted=r"(error|warning):", count=6):
    lines = [line for line in output.splitlines() if re.search(wanted, line)] or output.splitlines()
    return lines[:count] or ["failed without a message"]


def each_file(tree, check, files, salt, command):
    """Runs command(file) for every file not yet known to be good. Returns (problems, how many ran)."""

    def examine(name):
        digest = tree.digest(name, check, *salt)
        if tree.cached(check, digest):
            return [], 0
        code, output = run(tree, command(name))
        if code == 0:
            tree.remember(check, digest)
            return [], 1
        return ["%s: %s" % (name, line.strip()) for line in first_lines(output)], 1

    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(examine, files))
    return [p for problems, _ in results for p in problems], sum(ran for _, ran in results)


def missing(tool):
    return 0, "files", ["%s is not installed; scripts/setup installs it" % tool]


def version(tree, tool):
    return run(tree, [tool, "--version"])[1]


# --- format -----------------------------------------------------------------------------------------


def clang_format(tree, fix=False):
    tool = find_tool("clang-format-14")
    if not tool:
        return missing("clang-format-14")
    files = tree.code()
    batches = [files[i::WORKERS] for i in range(WORKERS) if files[i::WORKERS]]
    mode = ["-i"] if fix else ["--dry-run", "-Werror"]
    problems = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for code, output in pool.map(lambda batch: run(tree, [tool, "--style=file", *mode, *batch]), batches):
            if code != 0:
                wrong = sorted({line.split(": ")[0] for line in output.splitlines() if "error:" in line})
                by_file = {}
                for where in wrong:
                    by_file.setdefault(where.split(":")[0], where)
                problems += ["%s: not formatted; scripts/check --fix format" % by_file[f] for f in sorted(by_file)]
                if not wrong:
                    problems += first_lines(output)
    return len(files), "files", problems


def shell(tree):
    scripts = [f for f in tree.files if f.startswith(("scripts/", ".ci/"))]
    scripts = [f for f in scripts if re.match(r"#!.*\bbash\b", tree.text(f)[:40])]
    problems = []
    for name in scripts:
        code, output = run(tree, ["bash", "-n", name])
        problems += first_lines(output, ".") if code else []
        if "set -euo pipefail" not in tree.text(name):
            problems.append("%s: does not `set -euo pipefail`" % name)
    if shutil.which("shellcheck") and scripts:
        code, output = run(tree, ["shellcheck", "-f", "gcc", *scripts])
        problems += first_lines(output, ".", 20) if code else []
    return len(scripts), "scripts", problems


# --- header-self-compile ----------------------------------------------------------------------------


def proven_by_source(tree, header):
    """A header that its own .cc includes first is compiled alone by every build."""
    stem = header.removesuffix(".h")
    for source in (stem + ".cc", stem + "_test.cc"):
        if source in tree.files:
            includes = tree.includes(source)
            if includes and tree.resolve(source, includes[0][2]) == header:
                return True
    return False


def header_self_compile(tree):
    headers = tree.code((".h",))
    alone = [h for h in headers if not proven_by_source(tree, h)]
    compiler = find_tool("g++-12", "g++")
    if not compiler:
        return missing("g++")
    flags = [*COMMON_FLAGS, *duckdb_flags(tree), "-fsyntax-only", "-x", "c++"]
    problems, ran = each_file(tree, "header-self-compile", alone, [version(tree, compiler), *flags],
                              lambda h: [compiler, *flags, "-include", h, "/dev/null"])
    without = ["%s: no #pragma once" % h for h in headers if not re.search(r"^#pragma once", tree.text(h), re.M)]
    return len(headers), "headers, %d alone, %d compiled now" % (len(alone), ran), problems + without


# --- thread-safety and clang-tidy -------------------------------------------------------------------


def clang_sources(tree, with_tests):
    """Sources that clang 14 can read, and how many it cannot (coroutines)."""
    sources = [f for f in tree.code((".cc",)) if with_tests or not is_test(f)]
    readable = [
        f for f in sources if not tree.uses_coroutines(f) and f not in rules.CLANG_REJECTS
    ]
    return readable, len(sources) - len(readable)


def thread_safety(tree, with_tests=False):
    """What clang-tidy, which analyses it for the files that it reads, does not read: tests with a mutex."""
    compiler = find_tool("clang++-14")
    if not compiler:
        return missing("clang-14")
    sources, left_out = clang_sources(tree, with_tests=True)
    files = [f for f in sources if is_test(f) and (with_tests or "base/mutex.h" in tree.text(f))]
    flags = [*CLANG_FLAGS, *duckdb_flags(tree), "-fsyntax-only"]
    problems, ran = each_file(tree, "thread-safety", files, [version(tree, compiler), *flags],
                              lambda f: [compiler, *flags, f])
    noun = "tests, %d compiled now; the rest is clang-tidy's; LEFT OUT: %d with coroutines" % (ran, left_out)
    return len(files), noun, problems


def clang_tidy(tree, with_tests=False):
    tool = find_tool("clang-tidy-14")
    if not tool:
        return missing("clang-tidy-14")
    files, left_out = clang_sources(tree, with_tests)
    config = tree.text(".clang-tidy") if ".clang-tidy" in tree.files else ""
    flags = [*CLANG_FLAGS, "-Wno-error", *duckdb_flags(tree)]
    problems, ran = each_file(tree, "clang-tidy", files, [version(tree, tool), config, *flags],
                              lambda f: [tool, "--quiet", f, "--", *flags])
    noun = "files, %d examined now; LEFT OUT: %d with coroutines" % (ran, left_out)
    return len(files), noun, problems


# --- banned-symbols ---------------------------------------------------------------------------------


def object_files(tree):
    """(source, object) of every room source that build/dev holds an object of."""
    pattern = re.compile(r"(src/.+)/CMakeFiles/firn[^/]*\.dir/(.+\.cc)\.o$")
    for path in sorted((tree.root / "build/dev").glob("src/**/CMakeFiles/**/*.cc.o")):
        found = pattern.search(path.relative_to(tree.root).as_posix())
        if found:
            source = "%s/%s" % (found.group(1), found.group(2))
            if source in tree.files and not is_test(source):
                yield source, path


def banned_in(symbol):
    if symbol in rules.BANNED_SYMBOLS:
        return symbol
    return next((start for start in rules.BANNED_CXX_SYMBOLS if symbol.startswith(start)), None)


def is_allowed(source, banned):
    for start, symbols, _ in rules.ALLOWED_SYMBOLS:
        # A C++ name may hold no spaces here, so splitting the list at them is safe.
        if source.startswith(start) and (symbols == "*" or banned in symbols.split()):
            return True
    return False


def build_rooms(tree):
    """Brings the objects of build/dev up to date; returns problems."""
    for command in (["cmake", "--preset", "dev", "--log-level=ERROR"],
                    ["cmake", "--build", "--preset", "dev", "--target", "firn_rooms", "-j", str(WORKERS)]):
        code, output = run(tree, command)
        if code != 0:
            return ["the rooms do not build: %s" % line for line in first_lines(output, r"error|Error|FAILED")]
    return []


def banned_symbols(tree, build=True):
    problems = build_rooms(tree) if build else []
    if problems:
        return 0, "objects", problems
    count = 0
    for source, path in object_files(tree):
        count += 1
        _, output = run(tree, ["nm", "--undefined-only", "--demangle", "--format=just-symbols", str(path)])
        reported = {banned_in(line.split("@")[0].strip()) for line in output.splitlines()} - {None}
        problems += ["%s: its object refers to %s, which is for env only" % (source, s)
                     for s in sorted(reported) if not is_allowed(source, s)]
    sources = [f for f in tree.code((".cc",)) if f.startswith("src/") and not is_test(f)]
    if not problems and count < len(sources):
        problems.append("only %d objects for %d sources were found in build/dev" % (count, len(sources)))
    return count, "objects", problems


FAST = {"format": clang_format, "shell": shell}
SLOW = {
    "header-self-compile": header_self_compile,
    "thread-safety": thread_safety,
    "banned-symbols": banned_symbols,
    "clang-tidy": clang_tidy,
}
