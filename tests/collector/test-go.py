#!/usr/bin/env python3
"""Real Go programs: those the collector asks, and those that write their profiles themselves.

Where a mount can be had ($PGOFS, /dev/fuse), they write into one; else into a plain directory.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

from harness import Case

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "mount"))
from mounted import Mount  # noqa: E402

ENV = {**os.environ, "GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": ""}
PGOFS = os.environ.get("PGOFS")
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def go(*args, **more):
    return subprocess.run([GO, *map(str, args)], env=ENV, check=True, capture_output=True, text=True, timeout=300, **more).stdout


class Real(Case):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="pgofs-go-")
        cls.addClassCleanup(scratch.cleanup)
        cls.bin = pathlib.Path(scratch.name)
        go("build", "-o", cls.bin / "sample", "./sample", cwd=HERE.parent / "go")
        go("build", "-o", cls.bin / "self-profile", HERE / "self-profile.go")

    def start(self, *args):
        process = subprocess.Popen([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def sample(self, *args):
        return self.start(self.bin / "sample", *args).stdout.readline().strip()

    def place(self):
        """An app's directory, in a mount if possible."""
        if not PGOFS or not os.access("/dev/fuse", os.R_OK | os.W_OK):
            self.into.mkdir()
            return self.into
        stored, at = self.top / "stored", self.top / "mnt"
        stored.mkdir()
        at.mkdir()
        mount = Mount(PGOFS, stored, at, debug=False).start()
        self.addCleanup(mount.kill)
        (at / "app").mkdir()
        return at / "app"

    def assert_go_uses(self, path):
        """The compiler's own reader finds calls in it."""
        edges = self.top / "edges"
        go("tool", "preprofile", "-i", path, "-o", edges)
        self.assertGreater(len(edges.read_text().splitlines()), 1, f"{path}: no calls")

    def test_collects_from_services(self):
        urls = {f"web-{i}": self.sample("-load", "2") for i in (1, 2)}
        place = self.place()
        collector = self.collect("--once", "--duration=2s", f"--into={place}", *[f"--target={name}={url}" for name, url in urls.items()])
        self.assertEqual(collector.wait(), 0, collector.log)
        stored = self.stored(place) if place == self.into else self.stored(self.top / "stored" / "app")
        self.assertEqual(len(stored), 2)
        for path in stored:
            self.assert_go_uses(place / path)
        if place != self.into:
            self.assert_go_uses(place / "merged" / "last-1h.pprof")

    def test_an_idle_service_is_no_failure(self):
        url = self.sample()
        for _ in range(3):  # a service at rest may still be caught at work, and then has one sample or two
            collector = self.collect("--once", "--duration=1s", f"--into={self.into}", f"--target=web={url}")
            code = collector.wait()
            if "target idle" in collector.log:
                break
        self.assertIn("target idle", collector.log)
        self.assertEqual(code, 0)

    def test_a_service_that_is_being_profiled_is_busy(self):
        url = self.sample("-load", "1")
        other = threading.Thread(target=lambda: urllib.request.urlopen(f"{url}/debug/pprof/profile?seconds=4").read())
        other.start()
        time.sleep(0.5)
        collector = self.collect("--once", "--duration=1s", f"--into={self.into}", f"--target=web={url}")
        self.assertEqual(collector.wait(), 1)
        self.assertIn("reason=busy", collector.log)
        self.assertIn("cpu profiling already in use", collector.log)
        other.join()

    def test_a_program_profiles_itself(self):
        place = self.place()
        self.start(self.bin / "self-profile", place, "web-1", "1500ms", "1s")
        end = time.monotonic() + 20
        while len(found := sorted(place.glob("20*/*/*/*-web-1.pprof"))) < 2:
            self.assertLess(time.monotonic(), end, "no profiles")
            time.sleep(0.1)
        self.assert_go_uses(found[0])

    def test_the_snippet_is_short(self):
        text = (HERE / "self-profile.go").read_text()
        snippet = text[text.index("\nfunc profile(") :].split("\n}\n")[0]
        self.assertLessEqual(len(snippet.strip().splitlines()) + 1, 20)

    def test_go_test_writes_its_profile_straight_there(self):
        place, module = self.place(), self.top / "module"
        module.mkdir()
        (module / "go.mod").write_text("module example.org/x\n\ngo 1.21\n")
        (module / "x_test.go").write_text(
            "package x\n\nimport (\n\t\"fmt\"\n\t\"sort\"\n\t\"testing\"\n)\n\n"
            "func BenchmarkX(b *testing.B) {\n\tfor i := 0; i < b.N; i++ {\n\t\tw := make([]string, 1000)\n"
            "\t\tfor j := range w {\n\t\t\tw[j] = fmt.Sprint(j * i % 997)\n\t\t}\n\t\tsort.Strings(w)\n\t}\n}\n"
        )
        day = place / time.strftime("%Y/%m/%d", time.gmtime())
        day.mkdir(parents=True)
        path = day / time.strftime("%H%M%SZ-bench.pprof", time.gmtime())
        go("test", "-run=^$", "-bench=.", "-benchtime=1s", f"-cpuprofile={path}", cwd=module)
        self.assert_go_uses(path)

    def test_curl_writes_it_there(self):
        if not shutil.which("curl"):
            self.skipTest("no curl")
        url, place = self.sample("-load", "1"), self.place()
        day = place / time.strftime("%Y/%m/%d", time.gmtime())
        path = day / time.strftime("%H%M%SZ-curl.pprof", time.gmtime())
        subprocess.run(["curl", "-sSf", "--noproxy", "*", "--create-dirs", "-o", path, f"{url}/debug/pprof/profile?seconds=1"], check=True)
        self.assert_go_uses(path)


if __name__ == "__main__":
    if not GO:
        print("there is no Go here")
        sys.exit(77)
    version = go("env", "GOVERSION").strip().split(".")
    if int(version[1].split("rc")[0]) < 23:
        print(f"{'.'.join(version)} has no preprofile, by which this judges: 1.23 or later is needed")
        sys.exit(77)
    unittest.main()
