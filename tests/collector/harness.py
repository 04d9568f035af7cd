"""What the collector's tests share: a collector under test, and the tree it fills."""
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
import unittest

COLLECTOR = os.environ["PGOFS_COLLECTOR"]
NAME = re.compile(r"\d{4}/\d\d/\d\d/\d{6}\.\d{3}Z-([A-Za-z0-9._+=,@-]+)\.pprof")


class Collector:
    """A running collector; its log is gathered line by line."""

    def __init__(self, *args, env=None, **popen):
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.process = subprocess.Popen(
            [COLLECTOR, *map(str, args)], stderr=subprocess.PIPE, text=True, env={**clean, **(env or {})}, **popen
        )
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    @property
    def log(self):
        return "\n".join(self.lines)

    def wait(self, timeout=60):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"still running after {timeout} s:\n{self.log}") from None
        self.reader.join(5)
        self.process.stderr.close()
        return code

    def stop(self, signum=signal.SIGTERM, timeout=60):
        self.process.send_signal(signum)
        return self.wait(timeout)

    def until(self, condition, what, timeout=60):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"{what} did not come; exit code {self.process.poll()}:\n{self.log}")
            time.sleep(0.02)

    def until_log(self, words, timeout=60):
        self.until(lambda: any(words in line for line in list(self.lines)), f'"{words}"', timeout)

    def port(self):
        """Where it listens, given --listen=0."""
        self.until_log("listening")
        return next(line for line in self.lines if "listening" in line).split("port=")[1]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self):
        return int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Case(unittest.TestCase):
    """A test with a directory of its own, and no collector left running after it."""

    maxDiff = None

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="pgofs-collector-")
        self.addCleanup(scratch.cleanup)
        self.top = pathlib.Path(scratch.name)
        self.into = self.top / "app"

    def collect(self, *args, **popen):
        collector = Collector(*args, **popen)
        self.addCleanup(lambda: collector.process.poll() is None and collector.process.kill())
        return collector

    def stored(self, into=None):
        """The bytes of every file, by path. What a collector removes meanwhile, directories included, may be missing."""
        into = into or self.into
        found = {}
        for top, _, names in os.walk(into):
            for path in (pathlib.Path(top, name) for name in names if not name.startswith(".")):
                try:
                    found[path.relative_to(into).as_posix()] = path.read_bytes()
                except FileNotFoundError:
                    pass
        return dict(sorted(found.items()))

    def assert_tidy(self, into=None):
        into = into or self.into
        left = [p.as_posix() for p in into.rglob(".*") if p.is_file()]
        self.assertEqual(left, [], "temporary files were left")

    def assert_same_profiles(self, served, into=None):
        """Everything that was served is stored exactly once, and nothing else is."""
        want = sorted((name, body) for name, bodies in served.items() for body in bodies)
        have = []
        for path, body in self.stored(into).items():
            self.assertRegex(path, NAME)
            have.append((NAME.search(path)[1], body))
        self.assertEqual(len(have), len(want))
        self.assertTrue(sorted(have) == want, "what is stored is not what was served")
