#!/usr/bin/env python3
"""The collector on a machine whose own files say something else: its name servers, the certificates it trusts."""
import sys
import unittest

import machine
from harness import Case
from hostile import Hostile
from nameserver import NameServer


class Machine(Case):
    def setUp(self):
        super().setUp()
        self.server = Hostile()
        self.addCleanup(self.server.close)

    def show(self, name, text):
        path = self.top / name.rsplit("/", 1)[1]
        path.write_text(text)
        machine.put(path, name)


class Names(Machine):
    def setUp(self):
        super().setUp()
        self.names = NameServer(port=53)
        self.addCleanup(self.names.close)
        self.show("/etc/nsswitch.conf", "hosts: files dns\n")

    def test_a_silent_name_server_holds_up_nothing(self):
        # The system's resolver waits for minutes.
        self.show("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
        self.names.silent = True
        args = ["--duration=1s", "--margin=1s", f"--into={self.into}", "--target=far=http://far.test", f"--target=near={self.server.url('good', 'near')}"]
        collector = self.collect("--interval=1s", *args)
        collector.until(lambda: self.names.questions, "a question")
        for _ in range(2):
            n, m = len(self.server.served["near"]), sum("target=far reason=unreachable" in line for line in collector.lines)
            collector.until(lambda: sum("target=far reason=unreachable" in line for line in collector.lines) > m, "far, given up")
            collector.until(lambda: len(self.server.served["near"]) >= n + 3, "near, meanwhile")
        self.assertEqual(collector.stop(), 0, collector.log)
        collector = self.collect("--once", *args)
        self.assertEqual(collector.wait(), 1, collector.log)
        self.assertIn("target=far reason=unreachable", collector.log)


if __name__ == "__main__":
    try:
        machine.leave()
    except OSError as e:
        print(f"no machine of one's own to be had: {e}")
        sys.exit(77)
    unittest.main()
