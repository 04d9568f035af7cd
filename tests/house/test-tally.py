#!/usr/bin/env python3
"""Does the tally count, and fail when it must? test-tally.py TALLY"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TALLY = sys.argv.pop()


def tally(results, *args, ci=False):
    with tempfile.TemporaryDirectory() as top:
        log = pathlib.Path(top, "plain", "meson-logs", "testlog.json")
        log.parent.mkdir(parents=True)
        log.write_text("".join(json.dumps({"name": f"t{i}", "result": r}) + "\n" for i, r in enumerate(results)))
        done = subprocess.run(
            [sys.executable, TALLY, *args, log],
            env={**os.environ, "CI": "true" if ci else ""},
            capture_output=True,
            text=True,
        )
    return done.returncode, done.stdout.splitlines()


class Tally(unittest.TestCase):
    def test_all_is_well(self):
        self.assertEqual(tally(["OK", "OK"]), (0, ["2 passed, 0 failed, 0 skipped"]))

    def test_every_kind_of_failure_fails_and_is_named(self):
        for result in ["FAIL", "TIMEOUT", "ERROR", "INTERRUPT", "UNEXPECTEDPASS"]:
            code, lines = tally(["OK", result])
            self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))
            self.assertIn("plain: t1", lines[0])

    def test_a_skip_fails_on_ci_only(self):
        self.assertEqual(tally(["OK", "SKIP"])[0], 0)
        self.assertEqual(tally(["OK", "SKIP"], ci=True)[0], 1)

    def test_nothing_run_is_no_success(self):
        self.assertEqual(tally([])[0], 1)

    def test_a_broken_build_and_a_missing_log_fail(self):
        self.assertEqual(tally(["OK"], "--broken=asan")[1][-1], "1 passed, 1 failed, 0 skipped")
        self.assertEqual(tally(["OK"], "/nowhere/testlog.json")[0], 1)


if __name__ == "__main__":
    unittest.main()
