"""A pgofs mounted for a test, profiles to put into it, and a small runner. Standard library only.

Each test program is called with the path of pgofs, of any build: what a sanitizer says in the daemon's log fails the test.
"""
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

COMPLAINTS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion .* failed")
SECONDS = 60  # longer than anything here may take, on a slow machine and under a sanitizer


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def need_fuse():
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as e:
        skip(f"/dev/fuse: {e.strerror}")
    if os.geteuid() and not shutil.which("fusermount3"):
        skip("neither root nor fusermount3")


# ---- Profiles ----

def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n)


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def profile(seed, functions=8, taken_s=0):
    """A small CPU profile that Go can use: main calls work<k>, with weights that depend on the seed."""
    texts = ["", "samples", "count", "cpu", "nanoseconds", "main.main", "main.go"]
    texts += [f"main.work{seed}_{k}" for k in range(functions)]
    out = message(1, number(1, 1) + number(2, 2)) + message(1, number(1, 3) + number(2, 4))
    for k in range(functions):
        weight = (seed * 31 + k * 7) % 100 + 1
        out += message(2, message(1, varint(k + 2) + varint(1)) + message(2, varint(weight) + varint(weight * 10**7)))
    out += message(3, number(1, 1) + number(2, 0x400000) + number(3, 0x500000) + number(5, 6))
    for k in range(functions + 1):
        line = number(1, k + 1) + number(2, 10 * k + 5)
        out += message(4, number(1, k + 1) + number(2, 1) + number(3, 0x400100 + 16 * k) + message(4, line))
    for k in range(functions + 1):
        name = 5 if k == 0 else 6 + k
        out += message(5, number(1, k + 1) + number(2, name) + number(3, name) + number(4, 6) + number(5, 10 * k + 1))
    out += b"".join(message(6, text.encode()) for text in texts)
    out += number(9, (taken_s or 1_700_000_000) * 10**9) + number(10, 10**10)
    out += message(11, number(1, 3) + number(2, 4)) + number(12, 10**7)
    return gzip.compress(out, 6, mtime=0)


# ---- A mount ----

class Mount:
    """pgofs in the foreground. `options` are -o words."""

    def __init__(self, pgofs, source, mountpoint, *options, wrapper=(), debug=True):
        self.pgofs, self.source, self.at = pgofs, pathlib.Path(source), pathlib.Path(mountpoint)
        self.options, self.wrapper, self.log = list(options) + ["debug"] * debug, list(wrapper), None
        self.process = None

    def start(self):
        self.log = tempfile.NamedTemporaryFile(prefix="pgofs-log-", suffix=".txt")
        read_fd, write_fd = os.pipe()
        words = ",".join(self.options + [f"ready-fd={write_fd}"])
        self.process = subprocess.Popen(
            [*self.wrapper, self.pgofs, "mount", "-f", "-o", words, str(self.source), str(self.at)],
            pass_fds=[write_fd], stderr=self.log, stdin=subprocess.DEVNULL)
        os.close(write_fd)
        with os.fdopen(read_fd, "rb") as ready:
            line = ready.read()
        if line != b"ready\n":
            self.process.wait(SECONDS)
            words = self.words()
            if "the kernel refused" in words:
                skip("mounting is not permitted here")
            raise AssertionError(f"not mounted, exit {self.process.returncode}: {words}")
        return self

    def words(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def stop(self):
        """Ends it by SIGTERM, and wants exit code 0, nothing mounted and no complaints."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(SECONDS)
        assert code == 0, f"exit code {code}: {self.words()[-2000:]}"
        assert not os.path.ismount(self.at), "still mounted"
        self.check_log()

    def check_log(self):
        found = COMPLAINTS.search(self.words())
        assert not found, self.words()[found.start() - 200:][:6000]

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        subprocess.run(["umount", "-l", str(self.at)], stderr=subprocess.DEVNULL, check=False)

    def statistics(self):
        """What SIGUSR1 makes it log, as numbers by name."""
        n = self.words().count("mount statistics")
        self.process.send_signal(10)
        wait_for(lambda: self.words().count("mount statistics") > n, "statistics in the log")
        line = [at for at in self.words().splitlines() if "mount statistics" in at][-1]
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}

    def numbers(self):
        """What -o stats shows, by name."""
        lines = (self.at / ".pgofs/stats").read_text().splitlines()
        return {name.removeprefix("pgofs_"): float(value) for name, value in map(str.split, lines)}

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        elif self.process:
            self.kill()
            print("---- the daemon's last words:\n" + "\n".join(self.words().splitlines()[-40:]))


def wait_for(true, what, seconds=SECONDS):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.01)


def raises(number, act):
    """`act` must fail with this errno."""
    try:
        act()
    except OSError as e:
        assert e.errno == number, f"wanted {os.strerror(number)}, got {e}"
    else:
        raise AssertionError(f"wanted {os.strerror(number)}, but it worked")


def run(*words, ok=True, **more):
    """Runs a program; its output as bytes. Where it has to fail, its stderr as text."""
    done = subprocess.run([str(w) for w in words], capture_output=True, timeout=SECONDS, check=False, **more)
    if ok:
        assert done.returncode == 0, f"{words}: exit {done.returncode}: {done.stderr.decode()}"
        return done.stdout
    assert done.returncode != 0, f"{words} should have failed"
    return done.stderr.decode(errors="replace")


# ---- Tests ----

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def main(*arguments):
    """Runs each @test with a fresh folder and the arguments."""
    failed = 0
    os.umask(0o022)
    only = os.environ.get("ONLY", "")
    for function in TESTS:
        name = function.__name__.replace("_", " ")
        if only not in function.__name__:
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix="pgofs-test-"))
        began = time.monotonic()
        try:
            function(folder, *arguments)
            print(f"ok   {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAIL {name}\n{traceback.format_exc()}", flush=True)
        finally:
            remove(folder)
    sys.exit(1 if failed else 0)


def remove(folder):
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        at = line.split()[4]
        if at.startswith(str(folder)):
            subprocess.run(["umount", "-l", at], check=False)
    shutil.rmtree(folder, ignore_errors=True)
