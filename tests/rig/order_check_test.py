#!/usr/bin/env python3
"""Tests order_check.py with small traces: a right one passes, and each seeded violation is found."""

import unittest

import trace
from order_check import OrderCheck

SEGMENT = "/d/wal/1.wal"


def answer():
    body = r'{\"first_position\":7,\"count\":1}'
    return ('sendmsg(9<TCP:[127.0.0.1:1->127.0.0.1:2]>, {msg_iov=[{iov_base="HTTP/1.1 200 OK\\r\\n\\r\\n' + body +
            '"}]}, MSG_NOSIGNAL) = 99')


def write(path, text="x", offset=4096):
    return f'pwritev(5<{path}>, [{{iov_base="{text}", iov_len=1}}], 1, {offset}) = 64'


def record(token):
    return write(SEGMENT, rf"{{\"token\": {token}, \"filler\"")


def sync(path):
    return f"fdatasync(5<{path}>) = 0"


def sync_directory(path):
    return f"fsync(6<{path}>) = 0"


def make(path):
    return f'openat(AT_FDCWD</>, "{path}", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 5<{path}>'


def rename(source, target):
    return f'rename("{source}", "{target}") = 0'


NEW_SEGMENT = [make("/d/wal/1.new"), write("/d/wal/1.new", offset=0), sync("/d/wal/1.new"),
               rename("/d/wal/1.new", SEGMENT), sync_directory("/d/wal")]
CHUNK = [make("/d/cold/c.parquet.tmp"), write("/d/cold/c.parquet.tmp"), sync("/d/cold/c.parquet.tmp"),
         rename("/d/cold/c.parquet.tmp", "/d/cold/c.parquet"), sync_directory("/d/cold")]
COMMIT = [write("/d/manifest.db", offset=0), sync("/d/manifest.db")]
TRIM = rename(SEGMENT, "/d/wal/1.spare")


def rules(calls):
    """The names of the rules that a trace breaks."""
    lines = [f"1 {number}.5 {call}" for number, call in enumerate(calls)]
    check = OrderCheck("/d", {7: [42]}).run(trace.parse(lines))
    return [violation.split(":")[0] for violation in check.violations]


class OrderCheckTest(unittest.TestCase):

    def test_write_sync_answer_passes(self):
        self.assertEqual(rules([*NEW_SEGMENT, record(42), sync(SEGMENT), answer()]), [])

    def test_answer_without_sync(self):
        self.assertEqual(rules([*NEW_SEGMENT, record(42), answer(), sync(SEGMENT)]), ["ack"])

    def test_answer_without_write(self):
        self.assertEqual(rules([*NEW_SEGMENT, record(41), sync(SEGMENT), answer()]), ["ack"])

    def test_answer_to_a_retry_after_the_segment_was_given_up_passes(self):
        given_up = [*NEW_SEGMENT, record(42), sync(SEGMENT), answer(), *CHUNK, *COMMIT, TRIM]
        self.assertEqual(rules([*given_up, answer()]), [])
        self.assertEqual(rules([*given_up, rename("/d/wal/1.spare", "/d/wal/2.wal"), answer()]), [])

    def test_write_that_syncs_itself_passes(self):
        synced = record(42).replace("pwritev(", "pwritev2(").replace("4096)", "4096, RWF_DSYNC)")
        self.assertEqual(rules([*NEW_SEGMENT, synced, answer()]), [])
        self.assertEqual(rules([*NEW_SEGMENT, synced.replace("RWF_DSYNC", "0"), answer()]), ["ack"])

    def test_sync_that_failed(self):
        failed = f"fdatasync(5<{SEGMENT}>) = -1 EIO (Input/output error) (INJECTED)"
        self.assertEqual(rules([*NEW_SEGMENT, record(42), failed, answer()]), ["ack"])

    def test_sync_of_another_file(self):
        self.assertEqual(rules([*NEW_SEGMENT, record(42), sync("/d/wal/2.wal"), answer()]), ["ack"])

    def test_sync_that_began_before_the_write(self):
        lines = [f"1 0.5 {line}" for line in NEW_SEGMENT]
        lines += [f"2 1.5 fdatasync(5<{SEGMENT}> <unfinished ...>", f"1 1.6 {record(42)}",
                  "2 1.7 <... fdatasync resumed>) = 0", f"3 1.8 {answer()}"]
        check = OrderCheck("/d", {7: [42]}).run(trace.parse(lines))
        self.assertEqual(len(check.violations), 1)

    def test_sync_that_ended_after_the_answer(self):
        lines = [f"1 0.5 {line}" for line in [*NEW_SEGMENT, record(42)]]
        lines += [f"2 1.5 fdatasync(5<{SEGMENT}> <unfinished ...>", f"3 1.6 {answer()}",
                  "2 1.7 <... fdatasync resumed>) = 0"]
        check = OrderCheck("/d", {7: [42]}).run(trace.parse(lines))
        self.assertEqual(len(check.violations), 1)

    def test_segment_whose_directory_was_not_synced(self):
        self.assertEqual(rules([*NEW_SEGMENT[:-1], record(42), sync(SEGMENT), answer()]), ["ack"])

    def test_directory_whose_parent_was_not_synced(self):
        made = ['mkdir("/d/wal", 0700) = 0', *NEW_SEGMENT, record(42), sync(SEGMENT)]
        self.assertEqual(rules([*made, answer()]), ["ack"])
        self.assertEqual(rules([*made, sync_directory("/d"), answer()]), [])

    def test_rename_before_sync(self):
        self.assertEqual(rules([NEW_SEGMENT[0], NEW_SEGMENT[1], NEW_SEGMENT[3]]), ["rename"])

    def test_commit_of_a_durable_chunk_passes(self):
        self.assertEqual(rules([*CHUNK, *COMMIT]), [])

    def test_commit_before_the_chunks_directory_was_synced(self):
        self.assertEqual(rules([*CHUNK[:-1], *COMMIT]), ["commit"])

    def test_commit_before_the_chunk_was_synced(self):
        unsynced = [make("/d/cold/c"), write("/d/cold/c"), sync_directory("/d/cold")]
        self.assertEqual(rules([*unsynced, *COMMIT]), ["commit"])

    def test_trim_before_the_manifest_was_synced(self):
        self.assertEqual(rules([*NEW_SEGMENT, *CHUNK, *COMMIT, TRIM]), [])
        self.assertEqual(rules([*NEW_SEGMENT, *CHUNK, COMMIT[0], TRIM]), ["trim"])
        self.assertEqual(rules([*NEW_SEGMENT, *CHUNK, COMMIT[0], f'unlink("{SEGMENT}") = 0']), ["trim"])

    def test_trim_before_a_chunk_was_synced(self):
        self.assertEqual(rules([*NEW_SEGMENT, write("/d/cold/c"), TRIM]), ["trim"])

    def test_log_of_a_database_begun_anew_before_the_database_was_synced(self):
        copied = [make("/d/warm/a.db"), write("/d/warm/a.db")]
        anew = write("/d/warm/a.db-wal", offset=0)
        self.assertEqual(rules([*copied, anew]), ["restart"])
        self.assertEqual(rules([*copied, sync("/d/warm/a.db"), anew]), [])

    def test_the_rest_of_sqlites_last_frame_needs_no_sync(self):
        log = [make("/d/warm/a.db-wal"), sync_directory("/d/warm"), write("/d/warm/a.db-wal", offset=32),
               sync("/d/warm/a.db-wal")]
        self.assertEqual(rules([*log, write("/d/warm/a.db-wal", offset=8192), *COMMIT]), [])
        self.assertEqual(rules([*log, write("/d/warm/a.db-wal", offset=8248), *COMMIT]), ["commit"])


if __name__ == "__main__":
    unittest.main()
