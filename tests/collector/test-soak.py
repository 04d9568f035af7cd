#!/usr/bin/env python3
"""A fleet for some time: 200 targets, a tenth of them slow, dead, wrong, endless or lying, into a mount that is killed and comes back.

Every good profile must arrive exactly once; memory and descriptors stay flat; the merged file is what Go's own tool makes of the same
files. $PGOFS_SOAK_SECONDS (30) is how long; the numbers are printed:

    PGOFS_SOAK_SECONDS=240 meson test -C BUILD soak -v -t 3
"""
import gzip
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

from harness import NAME, Case
from hostile import Hostile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "mount"))
from mounted import Mount, need_fuse  # noqa: E402

PGOFS = os.environ.get("PGOFS")
SECONDS = float(os.environ.get("PGOFS_SOAK_SECONDS", "30"))
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
INTERVAL = 8
N_TARGETS = 200
BAD = ["slower", "html", "endless", "short-length", "trickle", "half", "never", "busy", "reset", "garbage"]


class Fleet(Hostile):
    """Answers nobody any more once `quiet`; knows when it served what."""

    quiet = False

    def __init__(self):
        super().__init__()
        self.when = {}

    def do_good(self, connection, name):
        if self.quiet:
            return self.do_missing(connection, name)
        super().do_good(connection, name)
        self.when[self.served[name][-1]] = time.monotonic()

    def all_served(self):
        with self.lock:
            return [(name, body) for name, bodies in self.served.items() for body in bodies]


class Soak(Case):
    def setUp(self):
        super().setUp()
        self.fleet = Fleet()
        self.addCleanup(self.fleet.close)
        self.store, self.at, self.spool = self.top / "store", self.top / "mnt", self.top / "spool"
        self.store.mkdir()
        self.at.mkdir()
        self.mount = Mount(PGOFS, self.store, self.at, debug=False).start()
        self.addCleanup(lambda: self.mount.kill())
        groups = []
        for i in range(N_TARGETS):
            kind = BAD[i // 10 % len(BAD)] if i % 10 == 0 else "good"
            address = "127.0.0.1:1" if i == 55 else f"127.0.0.1:{self.fleet.port}"
            labels = {"__address__": address, "__profile_path__": f"/{kind}/t{i}", "app": f"app{i % 4}"}
            groups.append({"targets": [f"t{i}"], "labels": labels})
        (self.top / "sd.json").write_text(json.dumps(groups))

    def start(self):
        return self.collect(
            f"--interval={INTERVAL}s", "--duration=1s", "--margin=3s", f"--into={self.at}", "--require-mount", f"--spool={self.spool}",
            f"--file-sd={self.top}/sd.json", "--max-profile=1MiB", "--max-inflated=8MiB", "--memory=32MiB", "--log-level=warning",
        )

    def lose_the_mount(self, unmounted):
        """Killed, it leaves a dead mount; unmounted as well, a bare directory."""
        self.mount.process.kill()
        self.mount.process.wait()
        if unmounted:
            subprocess.run(["umount", "-l", self.at], check=True)
        time.sleep(2)
        self.assertEqual(list(self.store.rglob("*.tmp")), [])
        self.mount = Mount(PGOFS, self.store, self.at, debug=False).start()

    def test_a_fleet_with_everything_wrong(self):
        began = time.monotonic()
        collector = self.start()
        collector.until(lambda: len(self.stored(self.store)) > 20, "profiles")
        killed = began + SECONDS * 0.45
        self.lose_the_mount(unmounted=False)
        time.sleep(max(0, killed - time.monotonic()))
        collector.stop(signal.SIGKILL)
        at_kill = time.monotonic()
        collector = self.start()
        time.sleep(INTERVAL + 1)  # a round, to be warm
        early = collector.descriptors(), collector.resident()
        self.lose_the_mount(unmounted=True)
        cpu, n_before, since = collector.cpu_seconds(), len(self.fleet.all_served()), time.monotonic()
        time.sleep(max(2 * INTERVAL, began + SECONDS - time.monotonic()))
        n_profiles = len(self.fleet.all_served()) - n_before
        cpu, since = collector.cpu_seconds() - cpu, time.monotonic() - since
        late = collector.descriptors(), collector.resident()
        self.fleet.quiet = True
        time.sleep(2)
        collector.until(lambda: not self.stored(self.spool), "an empty spool", timeout=90)
        self.assertEqual(collector.stop(), 0, collector.log)
        print(
            f"{len(self.fleet.all_served())} good profiles; in {since:.0f} s {n_profiles} of them, {1000 * cpu / max(1, n_profiles):.2f} ms of CPU each; "
            f"descriptors {early[0]} then {late[0]}; resident {early[1] >> 10} KiB then {late[1] >> 10} KiB",
            file=sys.stderr,
        )
        self.check_what_arrived(at_kill)
        self.assertLess(late[0], early[0] + 40)  # what is in flight differs from moment to moment
        self.assertLess(late[1], early[1] + (16 << 20))
        good = [f"t{i}" for i in range(N_TARGETS) if i % 10]
        self.assertEqual({self.fleet.most_at_once[name] for name in good} - {0}, {1})
        self.check_the_merge()

    def check_what_arrived(self, at_kill):
        stored = [(NAME.search(path)[1], body) for path, body in self.stored(self.store).items()]
        served = self.fleet.all_served()
        self.assertEqual(len(stored), len(set(stored)), "something arrived twice")
        self.assertLessEqual(set(stored), set(served))
        lost = [(name, body) for name, body in set(served) - set(stored)]
        # What a killed collector had not finished reading, or not yet put into its spool, is nobody's.
        in_hand = [one for one in lost if at_kill - 6 < self.fleet.when[one[1]] < at_kill + 6]
        self.assertEqual([name for name, body in lost if (name, body) not in in_hand], [])
        self.assertGreater(len(stored), 0.8 * len(served))
        self.assertEqual([p for p in self.store.rglob("*") if p.is_file() and not p.name.endswith(".pprof") and ".pgofs" not in p.parts], [])

    def check_the_merge(self):
        if not GO:
            return
        for app in ("app0", "app1"):
            files = sorted(str(p) for p in (self.at / app).glob("20*/*/*/*.pprof"))
            merged = (self.at / app / "merged" / "last-1h.pprof").read_bytes()
            out = self.top / "judged"
            subprocess.run(
                [GO, "tool", "pprof", "-proto", "-symbolize=none", f"-output={out}", *files],
                check=True, capture_output=True, env={**os.environ, "GOTOOLCHAIN": "local", "PPROF_BINARY_PATH": str(self.top)},
            )
            self.assertTrue(gzip.decompress(merged) == gzip.decompress(out.read_bytes()), f"{app}: not what go tool pprof makes")
        self.mount.stop()


if __name__ == "__main__":
    if not PGOFS:
        print("there is no pgofs to mount")
        sys.exit(77)
    need_fuse()
    unittest.main()
