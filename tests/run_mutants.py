#!/usr/bin/env python3
"""usage: tests/run_mutants.py [NUMBER...]

Tests the tests: builds each seeded defect of tests/mutants.txt (or those with the given numbers) in build/mutants and
runs the quick tests until one fails. Prints a table; exits 1 when more than one defect in twenty survives.
"""
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build", "mutants")
SURVIVORS_MAX_SHARE = 1 / 20
TEST_SECONDS_MAX = 120  # a test that hangs has noticed, too


def read_list():
    mutants = []
    with open(os.path.join(ROOT, "tests", "mutants.txt"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("#") or not line.strip():
                continue
            number, defect, first = (part.strip() for part in line.split("|", 2))
            mutants.append((int(number), defect, first))
    return mutants


def build(number):
    commands = [
        ["cmake", "--preset", "dev", "-B", BUILD, f"-DFIRN_MUTANT={number}", "-DFIRN_BENCHES=OFF", "--log-level=ERROR"],
        ["cmake", "--build", BUILD, "-j", str(os.cpu_count() or 1)],
    ]
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"defect {number} does not build:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


def first_failure(selection):
    """The name of a test that failed, or None. No test at all is an error of the list."""
    command = ["ctest", "--test-dir", BUILD, "-LE", "slow", "-j", "2", "--stop-on-failure", "--no-tests=error",
               "--timeout", str(TEST_SECONDS_MAX), *selection]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    failed = re.findall(r"Test\s+#\d+: (\S+) \.*\s*(?:\*\*\*|Subprocess)", done.stdout)
    if not failed:
        failed = re.findall(r"^\s*\d+ - (\S+) \(", done.stdout, re.MULTILINE)
    if not failed:
        sys.exit(f"ctest failed without a failed test:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return failed[0]


def main():
    mutants = read_list()
    wanted = {int(text) for text in sys.argv[1:]}
    if wanted:
        mutants = [mutant for mutant in mutants if mutant[0] in wanted]
    rows = []
    for number, defect, first in mutants:
        begin = time.monotonic()
        build(number)
        killer = first_failure(["-R", first]) or first_failure(["-E", first])
        rows.append((number, defect, killer))
        print(f"{number:>3}  {killer or 'SURVIVED':<70} {time.monotonic() - begin:5.0f} s  {defect}", flush=True)
    killed = sum(1 for row in rows if row[2] is not None)
    print(f"{killed} of {len(rows)} seeded defects were noticed")
    return 0 if len(rows) - killed <= len(rows) * SURVIVORS_MAX_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
