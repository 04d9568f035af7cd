#!/usr/bin/env python3
"""The collector against good and hostile servers, into a plain directory."""
import datetime
import errno
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import unittest

from harness import COLLECTOR, NAME, Case
from hostile import Hostile

# What a target does -> the reason that is logged, and a word of the explanation.
BAD = {
    "missing": ("http", "404: 404 page not found"),
    "busy": ("busy", "cpu profiling already in use"),
    "broken": ("http", "answers 500"),
    "html": ("unusable", "HTML"),
    "redirect": ("http", "302, a redirect"),
    "half": ("broken", ""),
    "half-unsaid": ("unusable", ""),
    "short-length": ("unusable", ""),
    "huge-length": ("too_large", "more than 1.0 MiB"),
    "cut-chunk": ("broken", ""),
    "garbage": ("unusable", ""),
    "not-http": ("unreachable", ""),
    "bomb": ("too_large", ""),
    "reset": ("broken", ""),
    "closed": ("broken", ""),
    "never": ("timeout", "not done after 2s"),
    "trickle": ("timeout", "not done after 2s"),
    "endless": ("too_large", "more than 1.0 MiB"),
    "endless-head": ("too_large", "headers without end"),
    "endless-continue": ("too_large", "headers without end"),
}


class Collect(Case):
    def setUp(self):
        super().setUp()
        self.server = Hostile()
        self.addCleanup(self.server.close)

    def targets(self, *kinds):
        return [f"--target={kind}={self.server.url(kind, kind)}" for kind in kinds]

    def run_once(self, *args):
        collector = self.collect("--once", "--duration=1s", "--margin=1s", f"--into={self.into}", *args)
        return collector.wait(), collector

    def test_files_profiles_under_the_time_they_were_taken(self):
        before = datetime.datetime.now(datetime.timezone.utc)
        code, collector = self.run_once(*self.targets("good", "slow", "chunked"))
        self.assertEqual(code, 0, collector.log)
        self.assert_same_profiles(self.server.served)
        self.assert_tidy()
        for path in self.stored():
            taken = datetime.datetime.strptime(path[:21], "%Y/%m/%d/%H%M%S.%f").replace(tzinfo=datetime.timezone.utc)
            self.assertLess(abs((taken - before).total_seconds()), 1)

    def test_asks_for_the_duration_and_keeps_a_query(self):
        url = self.server.url("good", "a")
        code, collector = self.run_once(f"--target=a={url}?debug=0&seconds=77&x=y#z", f"--target=b={self.server.url('good', 'b')}")
        self.assertEqual(code, 0, collector.log)
        self.assertEqual(self.server.requests["a"][0][1], "/good/a?debug=0&x=y&seconds=1")
        self.assertEqual(self.server.requests["b"][0][1], "/good/b?seconds=1")

    def test_shows_how_far_it_is_on_a_terminal_and_nowhere_else(self):
        words = [*self.targets("good", "never"), "--once", "--duration=1s", "--margin=1s", f"--into={self.into}"]
        ours, its = os.openpty()
        process = subprocess.Popen([COLLECTOR, *words], stderr=its)
        os.close(its)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError as e:  # what a terminal says when the last writer has gone
            self.assertEqual(e.errno, errno.EIO)
        os.close(ours)
        self.assertEqual(process.wait(60), 1, shown)
        self.assertRegex(shown, rb"\r\x1b\[Kprofiled [12] of 2 targets\r\x1b\[K", "a line that something took the place of")
        self.assertNotRegex(shown, rb"of 2 targets[^\r]")
        _, collector = self.run_once(*self.targets("never"))
        self.assertNotRegex(collector.log, r"profiled|\r|\x1b")

    def test_knows_where_net_http_pprof_is(self):
        _, collector = self.run_once(f"--target=a=http://127.0.0.1:{self.server.port}")
        self.assertEqual([path for _, path, _ in self.server.requests["pprof"]], ["/debug/pprof/profile?seconds=1"], collector.log)

    def test_reports_each_failure_in_one_line_and_serves_the_others(self):
        started = time.monotonic()
        code, collector = self.run_once(
            *self.targets("good", "slow", "chunked", *BAD), "--target=down=http://127.0.0.1:1", "--max-profile=1MiB", "--max-inflated=8MiB"
        )
        self.assertLess(time.monotonic() - started, 50)
        self.assertEqual(code, 1)
        self.assert_same_profiles(self.server.served)
        self.assert_tidy()
        for kind, (reason, word) in {**BAD, "down": ("unreachable", "onnect")}.items():
            lines = [line for line in collector.lines if f"target={kind} " in line]
            self.assertEqual(len(lines), 1, f"{kind}: {collector.log}")
            self.assertIn(f"reason={reason} ", lines[0])
            self.assertIn(word, lines[0])
        self.assertEqual(len(self.server.requests["redirect"]), 1, "a redirect was followed")

    def test_an_idle_target_is_no_failure_and_not_stored(self):
        code, collector = self.run_once(*self.targets("idle"))
        self.assertEqual(code, 0, collector.log)
        self.assertIn("target idle", collector.log)
        self.assertEqual(self.stored(), {})

    def test_profiles_again_and_again_never_twice_at_once(self):
        collector = self.collect("--interval=1s", "--duration=1s", "--margin=3s", f"--into={self.into}", *self.targets("good", "slow", "slower", "missing", "reset"))
        collector.until(lambda: len(self.server.served["good"]) >= 2, "two rounds")
        descriptors = collector.descriptors()
        collector.until(lambda: len(self.server.served["good"]) >= 6 and len(self.server.served["slower"]) >= 1, "six rounds")
        self.assertLessEqual(collector.descriptors(), descriptors + 3)
        self.assertEqual(collector.stop(), 0)
        self.assert_tidy()
        self.assertEqual(set(self.server.most_at_once.values()), {1})
        # Once a second; a busy machine may be late with one and in time with the next.
        times = [when for when, _, _ in self.server.requests["good"]]
        self.assertLessEqual(len(times), times[-1] - times[0] + 2)
        # What was in flight at the end may have been served and dropped; all else is there.
        stored = self.stored()
        for name in ("good", "slow"):
            self.assertLessEqual(len(self.server.served[name]) - len([p for p in stored if NAME.search(p)[1] == name]), 1)
        self.assertLessEqual(set(stored.values()), {b for bodies in self.server.served.values() for b in bodies})

    def test_never_more_than_concurrency_at_once(self):
        code, collector = self.run_once("--concurrency=2", *[f"--target=t{i}={self.server.url('slow', f't{i}')}" for i in range(6)])
        self.assertEqual(code, 0, collector.log)
        self.assertEqual(self.server.most_in_all, 2)
        self.assertEqual(len(self.stored()), 6)

    def test_memory_is_bounded_by_a_budget(self):
        code, collector = self.run_once(*[f"--target=t{i}={self.server.url('endless', f't{i}')}" for i in range(8)], "--max-profile=8MiB", "--memory=9MiB")
        self.assertEqual(code, 1)
        self.assertRegex(collector.log, "reason=local .*too many bytes from all targets at once")

    def test_sigterm_drops_what_is_in_flight_and_keeps_what_was_collected(self):
        for signum in (signal.SIGTERM, signal.SIGINT):
            collector = self.collect("--interval=2s", "--duration=1s", "--margin=60s", f"--into={self.into}", *self.targets("good", "never", "trickle"))
            collector.until_log("profile stored")
            collector.until(lambda: self.server.served["good"] and self.server.at_once["never"] and self.server.at_once["trickle"], "requests")
            started = time.monotonic()
            self.assertEqual(collector.stop(signum), 0, collector.log)
            self.assertLess(time.monotonic() - started, 30)  # the margin is twice that
            self.assert_tidy()
            self.assertLessEqual(set(self.stored().values()), set(self.server.served["good"]))

    def test_profiles_wait_for_a_directory_that_is_away(self):
        away = self.top / "not-yet" / "app"
        collector = self.collect("--interval=1s", "--duration=1s", f"--into={away}", *self.targets("good"))
        collector.until_log("profile waits")
        collector.until(lambda: len(self.server.served["good"]) >= 2, "a second profile")
        away.parent.mkdir()
        collector.until(lambda: len(self.stored(away)) >= 2, "delivery")
        self.assertEqual(collector.stop(), 0, collector.log)
        order = [line.split("path=")[1].split()[0] for line in collector.lines if "profile stored" in line]
        self.assertEqual(order, sorted(order))
        self.assertLessEqual(set(self.server.served["good"][:2]), set(self.stored(away).values()))

    def test_says_what_was_lost(self):
        code, collector = self.run_once(*self.targets("good"), "--into=/proc/no-directory-can-be-made")
        self.assertEqual(code, 1)
        self.assertRegex(collector.log, "profile waits .* No such file or directory")
        self.assertIn("profiles lost profiles=1", collector.log)

    def test_once_looks_first_where_profiles_go(self):
        for args, words in ([f"--into={self.top}/not/there"], "No such file or directory"), (["--require-mount"], "no pgofs is mounted there"):
            code, collector = self.run_once(*self.targets("good"), *args)
            self.assertEqual(code, 1)
            self.assertIn(words, collector.log)
            self.assertEqual(self.collect("--check-config", f"--into={self.into}", *self.targets("good"), *args).wait(), 2)
        self.assertEqual(self.server.requests["good"], [])

    def test_delivers_only_into_a_mount_where_told_so(self):
        collector = self.collect("--interval=1s", "--duration=1s", "--require-mount", f"--into={self.into}", *self.targets("good"))
        collector.until_log("profile waits")
        self.assertIn("no pgofs is mounted there", collector.log)
        collector.stop()
        self.assertFalse(self.into.exists())

    def test_two_collectors_of_one_name_keep_all_profiles(self):
        # Of one app and name, so that both are due at the same instants.
        other = Hostile()
        self.addCleanup(other.close)
        collectors = [
            self.collect("--interval=1s", "--duration=1s", f"--into={self.into}", f"--target=web-0={server.url('good', 'web-0')}")
            for server in (self.server, other)
        ]
        for collector, server in zip(collectors, (self.server, other)):
            collector.until(lambda: len(server.served["web-0"]) >= 8, "eight profiles")
        for collector in collectors:
            self.assertEqual(collector.stop(), 0, collector.log)
            self.assertNotIn("given up", collector.log)
        stored = set(self.stored().values())
        for server in (self.server, other):
            self.assertLessEqual(set(server.served["web-0"][:-1]), stored)  # the last may have been in flight
        self.assert_tidy()

    def test_tells_the_service_manager(self):
        path = str(self.top / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(10)
            env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}
            collector = self.collect("--interval=1h", f"--into={self.into}", *self.targets("good"), env=env)
            self.assertEqual(manager.recv(100), b"READY=1")
            self.assertEqual([manager.recv(100) for _ in range(3)], [b"WATCHDOG=1"] * 3)
            self.assertEqual(collector.stop(), 0)
            said = [b"WATCHDOG=1"]
            while said[-1] == b"WATCHDOG=1":
                said.append(manager.recv(100))
            self.assertEqual(said[-1], b"STOPPING=1")


class Usage(Case):
    def test_wrong_usage_is_2_and_says_why(self):
        good = ["--into=/x", "--target=a=http://h:1"]
        for args, words in [
            ([], "no directory to file profiles in"),
            (["--into=/x"], "nothing to profile"),
            ([*good, "extra"], '"extra" is no option'),
            ([*good, "--bogus"], "unknown option --bogus"),
            ([*good, "--target=http://h:1"], "is not NAME=URL"),
            ([*good, "--target=a/b=http://h:1"], "a name is made of"),
            ([*good, "--target==http://h:1"], "a name has 1 to 200 bytes"),
            ([*good, "--target=a=http://h:2"], "two targets have one name"),
            ([*good, "--target=b=ftp://h:1"], "only http and https"),
            ([*good, "--target=b=h:1"], "not a URL like"),
            ([*good, "--target=b=http://u:p@h:1"], "no password belongs in a URL"),
            ([*good, "--target=b=http://" + "h" * 3000], "a URL has at most"),
            ([*good, "--duration=100ms"], "whole seconds"),
            ([*good, "--duration=1500ms"], "whole seconds"),
            ([*good, "--interval=10s"], "shorter than the duration"),
            ([*good, "--interval=5"], "is not a time"),
            ([*good, "--concurrency=0"], "at least 1"),
            ([*good, "--memory=1MiB"], "less than one profile"),
            ([*good, "--log-format=xml"], "is not text, logfmt or json"),
            ([*good, "--log-level=loud"], "is not error, warning"),
            ([*good, "--username=u"], "go together"),
            ([*good, "--listen=nowhere:x"], 'listen "nowhere:x": not [ADDRESS:]PORT'),
            ([*good, "--listen=[::1]"], 'listen "[::1]": not [ADDRESS:]PORT'),
            ([*good, "--listen=65536"], "not [ADDRESS:]PORT"),
            ([*good, "--dns-server=garbage"], "is not ADDRESS[:PORT]"),
            ([*good, "--dns-server=127.0.0.1:65536"], "is not ADDRESS[:PORT]"),
            ([*good, "--dns-server="], "is not ADDRESS[:PORT]"),
            ([*good, "--dns=shop:65536"], "is not NAME:PORT"),
            ([*good, "--key-file=/dev/null"], "needs cert-file"),
            ([*good, "--ca-file=/nonexistent"], "read /nonexistent: No such file"),
            ([*good, "--bearer-token-file=/dev/null"], "it is empty"),
        ]:
            with self.subTest(args=args):
                collector = self.collect(*args)
                self.assertEqual(collector.wait(), 2)
                self.assertIn(words, collector.log)
                self.assertEqual(len(collector.lines), 1)

    def test_a_password_is_never_shown(self):
        sd = self.top / "sd.json"
        for target, labels in [("u:s3cret@h:1", {"__profile_path__": "x"}), ("u:s3cret@h:1", {}), ("a", {"__address__": "u:s3cret@h:1"})]:
            sd.write_text(json.dumps([{"targets": [target], "labels": labels}]))
            self.refused("--check-config", "--target=a=http://h:1", f"--file-sd={sd}")
        for target in ("http://u:s3cret@h:1", "http://u:s3cret@h:1?a=b", "a=http://u:s3cret@h:1", "a=u:s3cret@h:1"):
            self.refused(f"--target={target}")
        self.refused("--target=a=http://h:1", "http://u:s3cret@h:1")

    def refused(self, *args):
        with self.subTest(args=args):
            collector = self.collect("--into=/x", *args)
            self.assertEqual(collector.wait(), 2)
            self.assertNotIn("s3cret", collector.log)

    def test_helps(self):
        for option in ("--help", "-h", "--version", "-V"):
            self.assertEqual(self.collect(option, stdout=-3).wait(), 0)
            with open("/dev/full", "wb") as full:
                collector = self.collect(option, stdout=full)
                self.assertEqual(collector.wait(), 1)
                self.assertIn("write to stdout: No space left on device", collector.log)


if __name__ == "__main__":
    unittest.main()
