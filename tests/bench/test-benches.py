#!/usr/bin/env python3
"""Do the benches run, and say what they are asked? On little, for what they say would be no measurement. test-benches.py BUILD_DIR"""
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "mount"))
from mounted import need_fuse  # noqa: E402

BUILD = sys.argv.pop()
HERE = pathlib.Path(__file__).resolve().parent


class Benches(unittest.TestCase):
    def rows(self, name, *words):
        """The first cells of its tables' rows, and that no number is missing."""
        done = subprocess.run([HERE / name, BUILD, *words], capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("nan", done.stdout)
        return re.findall(r"^\| (.+?) \|", done.stdout, re.M)

    def test_merging(self):
        rows = self.rows("bench-merge", "--sizes=4", "--kinds=labels", "--rounds=1", "--growth=2,3", "--without-go")
        for row in "inflate only", "pgofs merge to .pprof", "pgofs merge to .pgo":
            self.assertEqual(rows.count(row), 2, rows)

    def test_listing(self):
        rows = self.rows("bench-list", "--entries=300", "--rounds=1", "--days=3", "--a-day=20", "--keep-caches")
        self.assertEqual(rows.count("the mount, first"), 2, rows)
        self.assertIn("find -name x: every name", rows)

    def test_reading(self):
        rows = self.rows("bench-read", "--profiles=5", "--rounds=1", "--times=2")
        self.assertIn(".pprof, one profile more", rows)
        self.assertIn("cp of merged/last-24h.pprof", rows)


if __name__ == "__main__":
    need_fuse()
    unittest.main()
