"""Runs the checks; see scripts/check for the usage."""

import argparse
import sys
import time
from pathlib import Path

import self_test
import source_checks
import tool_checks
from tree import Tree


def checks_for(options):
    checks = {**source_checks.CHECKS, **tool_checks.FAST}
    checks["format"] = lambda tree: tool_checks.clang_format(tree, fix=options.fix)
    if not options.fast:
        checks.update(tool_checks.SLOW)
        for name, check in (("thread-safety", tool_checks.thread_safety), ("clang-tidy", tool_checks.clang_tidy)):
            checks[name] = lambda tree, check=check: check(tree, with_tests=options.all)
    return checks


def report(name, outcome, seconds):
    count, noun, problems = outcome
    took = ", %.0f s" % seconds if seconds >= 1 else ""
    if not problems:
        print("ok %s (%d %s%s)" % (name, count, noun, took), flush=True)
        return True
    print("FAIL %s (%d problems%s)" % (name, len(problems), took))
    for problem in problems:
        print("  " + problem)
    sys.stdout.flush()
    return False


def main():
    parser = argparse.ArgumentParser(prog="scripts/check")
    for flag in ("fast", "all", "fix", "self-test", "list"):
        parser.add_argument("--" + flag, action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.self_test:
        return self_test.run()

    checks = checks_for(options)
    if options.list:
        print("\n".join(checks))
        return 0
    unknown = [name for name in options.names if name not in checks]
    if unknown:
        print("no such check: %s; scripts/check --list names them" % ", ".join(unknown), file=sys.stderr)
        return 2

    tree = Tree(Path(__file__).parents[2])
    failed = []
    for name in options.names or checks:
        start = time.monotonic()
        outcome = checks[name](tree)
        if not report(name, outcome, time.monotonic() - start):
            failed.append(name)
    if failed:
        print("%d of %d checks failed: %s" % (len(failed), len(options.names or checks), ", ".join(failed)))
    else:
        print("all %d checks passed" % len(options.names or checks))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
