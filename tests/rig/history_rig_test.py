#!/usr/bin/env python3
"""The judge of history_rig.py finds what it is there for, and nothing in a history that is right."""

import contextlib
import io
import unittest

import history_rig
from history_rig import History, Subscriber


def message(token, stream, position, place):
    return ["id", stream, "T", position, place, {"token": token}, None, "time"]


class Judge(unittest.TestCase):
    def setUp(self):
        self.history = History(1)
        self.log = []

    def ack(self, stream, position, place, expected=None):
        write = self.history.new_write(stream, expected)
        self.history.acked(write, {"position": position, "globalPosition": place})
        self.log.append(message(write.token, stream, position, place))
        return write

    def found(self):
        with contextlib.redirect_stdout(io.StringIO()):
            history_rig.judge_log(self.history, self.log)
            history_rig.judge_real_time(self.history)
        return {kind for kind, count in self.history.faults.items() if count}

    def quietly(self, call, *arguments):
        with contextlib.redirect_stdout(io.StringIO()):
            call(*arguments)

    def good(self):
        self.ack("a", 0, 1, -1)
        self.ack("b", 0, 2)
        self.ack("a", 1, 3, 0)

    def test_nothing_in_a_good_history(self):
        self.good()
        self.assertEqual(self.found(), set())

    def test_a_lost_message(self):
        self.good()
        self.log.pop()
        self.assertEqual(self.found(), {"lost"})

    def test_a_message_twice(self):
        self.good()
        self.log.append(message(0, "b", 1, 4))
        self.assertIn("dup", self.found())

    def test_a_ghost(self):
        self.good()
        self.log.append(message(99, "b", 1, 4))
        self.assertEqual(self.found(), {"ghost"})

    def test_a_refused_message_that_is_there(self):
        self.good()
        write = self.history.new_write("b", 3)
        write.refused = True
        self.log.append(message(write.token, "b", 1, 4))
        self.assertEqual(self.found(), {"ghost"})

    def test_a_gap(self):
        self.good()
        self.log[1] = message(1, "b", 1, 2)
        self.assertIn("order", self.found())

    def test_two_winners(self):
        self.good()
        with contextlib.redirect_stdout(io.StringIO()):
            self.ack("a", 1, 4, 0)
        self.assertIn("order", self.found())

    def test_an_acknowledgement_behind_a_later_request(self):
        first = self.history.new_write("a", None)
        self.history.acked(first, {"position": 0, "globalPosition": 2})
        second = self.history.new_write("b", None)
        self.history.acked(second, {"position": 0, "globalPosition": 1})
        self.log = [message(1, "b", 0, 1), message(0, "a", 0, 2)]
        self.assertEqual(self.found(), {"order"})

    def test_readings(self):
        self.good()
        window = [message(1, "b", 0, 2), message(0, "a", 1, 4)]
        self.quietly(history_rig.judge_window, self.history, window, 2, 3, 10)
        self.assertTrue(self.history.faults["order"])
        self.quietly(history_rig.judge_window, self.history, window[:1], 2, 3, 10)
        self.assertTrue(self.history.faults["lost"])
        self.quietly(history_rig.judge_stream, self.history, [], "a", 0, 1, 10)
        self.assertEqual(self.history.faults["lost"], 2)

    def test_subscribers(self):
        self.good()
        subscriber = Subscriber(None, "stream=a", lambda stream: stream == "a")
        for places, kind in (([1, 3], None), ([1], "lost"), ([1, 3, 3], "dup"), ([3, 1], "order")):
            self.history.faults = dict.fromkeys(self.history.faults, 0)
            subscriber.places = places
            self.quietly(history_rig.judge_subscriber, self.history, subscriber, self.log)
            self.assertEqual([name for name, count in self.history.faults.items() if count], [kind] if kind else [])


if __name__ == "__main__":
    unittest.main()
