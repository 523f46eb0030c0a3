"""Feeds every check a bad sample, which it must report, and a good one, which it must pass."""

import subprocess
import tempfile
from pathlib import Path

import source_checks
import tool_checks
from tree import Tree

HEADER = "#pragma once\n"
LONG_FUNCTION = "int f() {\n%s  return 0;\n}\n" % ("  (void)0;\n" * 80)
LONG_CONSTRUCTOR = "S::S(int a) : a_{a}, b_{1} {\n%s}\n" % ("  (void)0;\n" * 80)
FORMATTED = "int f() { return 1; }\n"
RACY = """#include "base/mutex.h"
struct S {
  firn_test::Mutex m;
  int n __attribute__((guarded_by(m))) = 0;
  int get() { %sreturn n; }
};
int use(S* s) { return s->get(); }
"""
MUTEX = HEADER + """namespace firn_test {
struct __attribute__((capability("mutex"))) Mutex {
  void lock() __attribute__((acquire_capability())) {}
  void unlock() __attribute__((release_capability())) {}
};
struct __attribute__((scoped_lockable)) Lock {
  explicit Lock(Mutex* m) __attribute__((acquire_capability(m))) : m_(m) { m_->lock(); }
  ~Lock() __attribute__((release_capability())) { m_->unlock(); }
  Mutex* m_;
};
}
"""
# The project's own: what it leaves out would not be found here.
TIDY = (Path(__file__).parents[2] / ".clang-tidy").read_text()
SHELL = "#!/usr/bin/env bash\nset -euo pipefail\n"


def include_sample(path, *includes):
    return {path: HEADER + "".join("#include %s\n" % i for i in includes)}


# check -> list of (files, words a problem must contain; None: the sample is good)
SAMPLES = {
    "include-table": [
        (include_sample("src/wal/a.h", '"base/status.h"', '"env/env.h"', '"wal/b.h"', "<vector>"), None),
        (include_sample("src/base/a.h", '"wal/wal.h"'), 'base may not include "wal/wal.h"'),
        (include_sample("src/store/a.h", '"tier/tier.h"', '"tier/registry.h"'), None),
        (include_sample("src/store/a.h", '"tier/sqlite/blocks.h"'), "store may not include"),
        (include_sample("src/query/a.h", '"tier/registry.h"'), "query may not include"),
        (include_sample("src/query/a_test.cc", '"tier/registry.h"'), None),
        (include_sample("src/model/a_test.cc", '"wal/wal.h"'), "model may not include"),
        (include_sample("src/wal/a.h", "<duckdb.hpp>"), "is for engine only"),
        (include_sample("src/wal/a.h", '"duckdb.hpp"'), "is for engine only"),
        (include_sample("src/engine/a.h", '"duckdb.hpp"'), None),
        (include_sample("src/wal/a.h", '"segment.h"'), "does not start with a room"),
        (include_sample("src/attic/a.h", "<vector>"), "is in no room"),
        (include_sample("src/wal/a.h", "<firn/database.h>"), "belongs to library"),
        (include_sample("include/firn/event.h", '"model/schema.h"'), "a public header includes only"),
    ],
    "registered": [
        ({"src/wal/CMakeLists.txt": "firn_room(wal SOURCES a.cc)\n", "src/wal/a.cc": ""}, None),
        ({"src/wal/CMakeLists.txt": "# a_test.cc\n", "src/wal/a_test.cc": ""}, "no CMakeLists.txt names it"),
        ({"src/wal/CMakeLists.txt": "firn_room(wal SOURCES a.cc)\n"}, "does not exist"),
    ],
    "banned-calls": [
        ({"src/wal/a.cc": '// fsync(fd)\nvoid f(File* x) { x->fsync(); log("open(fsync(1))"); x->write(1); }\n'}, None),
        ({"src/env/a.cc": "int f(int d) { return ::fsync(d); }\n", "src/wal/a.cc": ""}, None),
        ({"src/wal/a_test.cc": "int f(int d) { return ::fsync(d); }\n", "src/wal/a.cc": ""}, None),
        ({"src/wal/a.cc": "int f(int d) { return fdatasync(d); }\n"}, "fdatasync()"),
        ({"src/wal/a.cc": "int f(int d) { return ::write(d, 0, 0); }\n"}, "::write()"),
        ({"src/wal/a.cc": "auto t = std::chrono::steady_clock::now();\n"}, "a clock's now()"),
        ({"src/wal/a.cc": "std::random_device d;\n"}, "std::random_device"),
        ({"src/wal/a.cc": 'std::ofstream f("x");\n'}, "std::ofstream"),
        ({"src/wal/a.cc": "#include <filesystem>\n"}, "<filesystem>"),
        ({"src/wal/a.cc": "auto p = std::filesystem::path();\n"}, "std::filesystem"),
        ({"src/wal/a.cc": 'auto p = std::getenv("A");\n'}, "getenv()"),
        ({"src/wal/a.cc": "void f() { std::this_thread::sleep_for(d); }\n"}, "sleep_for"),
        ({"src/wal/a.cc": "auto t = time(nullptr);\n"}, "time()"),
        ({"src/wal/a.h": "inline int r() { return std::rand(); }\n"}, "std::rand()"),
    ],
    "readme": [
        ({"src/wal/a.h": HEADER, "src/wal/README.md": "# wal\n"}, None),
        ({"src/wal/a.h": HEADER}, "src/wal/README.md: missing"),
        ({"src/tier/sqlite/a.h": HEADER, "src/tier/README.md": "# tier\n"}, "src/tier/sqlite/README.md: missing"),
        ({"src/wal/a.h": HEADER, "src/wal/README.md": "line\n" * 61}, "longer than 60"),
    ],
    "file-size": [
        ({"src/wal/a.cc": "\n" * 650}, None),
        ({"src/wal/a.cc": "\n" * 651}, "651 lines"),
        ({"src/wal/a.cc": "\n" * 700, "scripts/ratchet.txt": "file-size src/wal/a.cc 699\n"}, "700 lines"),
        ({"src/wal/a.cc": "\n", "scripts/ratchet.txt": "file-size src/wal/a.cc 699\n"}, "not needed any more"),
    ],
    "function-size": [
        ({"src/wal/a.cc": "namespace n {\nint g();\nint f() {\n  if (g()) {\n  }\n  return 1;\n}\n}  // n\n"}, None),
        ({"src/wal/a.cc": "namespace n {\nstruct S {\n" + "  int f() { return 1; }\n" * 100 + "};\n}\n"}, None),
        ({"src/wal/a.cc": LONG_FUNCTION}, "f: 83 lines"),
        ({"src/wal/a.cc": "namespace n {\nclass C {\n public:\n" + LONG_FUNCTION + "};\n}\n"}, "f: 83 lines"),
        ({"src/wal/a.cc": LONG_CONSTRUCTOR}, "S::S: 82 lines"),
        ({"src/wal/a_test.cc": "TEST(A, B) {\n" + "  (void)0;\n" * 80 + "}\n"}, "A.B: 82 lines"),
    ],
    "markers": [
        ({"src/wal/a.cc": "// todos are fine in lower case\n"}, None),
        ({"src/wal/a.cc": "// TO" + "DO: later\n"}, "leftover"),
        ({"docs/a.md": "FIX" + "ME\n"}, "leftover"),
    ],
    "format": [
        ({"src/wal/a.cc": FORMATTED, ".clang-format": "BasedOnStyle: Google\n"}, None),
        ({"src/wal/a.cc": "int  f( ){return 1;}\n", ".clang-format": "BasedOnStyle: Google\n"}, "not formatted"),
    ],
    "shell": [
        ({"scripts/a": SHELL + "echo hello\n"}, None),
        ({"scripts/a": SHELL + "if true; then\n"}, "syntax error"),
        ({"scripts/a": "#!/usr/bin/env bash\necho hello\n"}, "does not `set"),
    ],
    "header-self-compile": [
        ({"src/wal/a.h": HEADER + "#include <string>\nstd::string f();\n"}, None),
        ({"src/wal/a.h": HEADER + "std::string f();\n"}, "src/wal/a.h"),
        ({"src/wal/a.h": "int f();\n"}, "no #pragma once"),
        ({"src/wal/a.h": HEADER + "std::string f();\n", "src/wal/a.cc": '#include <string>\n#include "wal/a.h"\n'}, "a.h"),
    ],
    "thread-safety": [
        ({"src/base/mutex.h": MUTEX, "src/wal/a_test.cc": RACY % "firn_test::Lock l(&m); "}, None),
        ({"src/base/mutex.h": MUTEX, "src/wal/a_test.cc": RACY % ""}, "requires holding"),
        ({"src/wal/a_test.cc": '// base/mutex.h\nint f(long n) { return n; }\n'}, "error"),
    ],
    "clang-tidy": [
        ({"src/wal/a.cc": FORMATTED, ".clang-tidy": TIDY}, None),
        ({"src/wal/a.cc": "int f(int a) {\n  if (a) {\n    return 1;\n  } else {\n    return 1;\n  }\n}\n",
          ".clang-tidy": TIDY}, "bugprone-branch-clone"),
        ({"src/base/mutex.h": MUTEX, "src/wal/a.cc": RACY % "firn_test::Lock l(&m); ", ".clang-tidy": TIDY}, None),
        ({"src/base/mutex.h": MUTEX, "src/wal/a.cc": RACY % "", ".clang-tidy": TIDY}, "requires holding"),
    ],
    "banned-symbols": [
        ({"src/wal/a.cc": FORMATTED}, None),
        ({"src/env/a.cc": "#include <unistd.h>\nint f() { return fsync(1); }\n"}, None),
        ({"src/wal/a.cc": "#include <unistd.h>\nint f() { return fsync(1); }\n"}, "fsync"),
        ({"src/wal/a.cc": "#include <chrono>\nlong f() { return std::chrono::steady_clock::now().time_since_epoch().count(); }\n"},
         "steady_clock"),
        ({"src/wal/a.cc": "#include <fstream>\nbool f() { return std::ifstream(\"a\").good(); }\n"}, "basic_filebuf"),
        ({"src/wal/a.cc": "#include <random>\nunsigned f() { return std::random_device()(); }\n"}, "random_device"),
        ({"src/wal/a.cc": "#include <filesystem>\nbool f() { return std::filesystem::exists(\"a\"); }\n"}, "std::filesystem"),
    ],
}


def compile_objects(tree):
    for source in tree.code((".cc",)):
        room, name = source.rsplit("/", 1)
        target = tree.root / "build/dev" / room / ("CMakeFiles/firn_%s.dir" % room.rsplit("/", 1)[1]) / (name + ".o")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["g++", "-std=c++20", "-O1", "-c", source, "-o", str(target)], cwd=tree.root, check=True)


def judge(name, check, files, wanted):
    """None when the check judged the sample rightly, else what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        tree = Tree(folder)
        if name == "banned-symbols":
            compile_objects(tree)
        count, _, problems = check(tree)
    if wanted is None:
        return None if count > 0 and not problems else "a good sample failed or went unseen: %s" % problems
    return None if any(wanted in p for p in problems) else "'%s' was not reported; problems: %s" % (wanted, problems)


def run():
    checks = {**source_checks.CHECKS, **tool_checks.FAST, **tool_checks.SLOW}
    checks["banned-symbols"] = lambda tree: tool_checks.banned_symbols(tree, build=False)
    wrong = 0
    for name, check in checks.items():
        samples = SAMPLES.get(name, [])
        errors = [e for e in (judge(name, check, files, wanted) for files, wanted in samples) if e]
        if not any(wanted for _, wanted in samples) or not any(wanted is None for _, wanted in samples):
            errors.append("needs a bad and a good sample")
        for error in errors:
            print("FAIL %s: %s" % (name, error))
        if not errors:
            print("ok %s (%d samples)" % (name, len(samples)))
        wrong += len(errors)
    print("%d wrong judgements" % wrong)
    return 1 if wrong else 0
