"""What the benches share: processor time of a mount and its readers, fleets of profiles in a store, tables in Markdown.

Processor time is user and system time of every process that takes part: the tool, and the daemon behind the mount. It says more than
wall time on a machine that does other things too; the kernel's own threads are in neither.
"""
import contextlib
import datetime
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "mount"))
from mounted import Mount, profile  # noqa: E402,F401

TICK = os.sysconf("SC_CLK_TCK")


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def process_cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_mib(pid):
    return int(re.search(r"VmHWM:\s*(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


class Cost:
    """CPU and wall seconds of what is done inside `with`, of children that ended there and of a daemon."""

    def __init__(self, daemon=None):
        self.daemon, self.cpu, self.wall = daemon, 0, 0

    def now(self):
        return children_cpu() + (process_cpu(self.daemon) if self.daemon else 0)

    def __enter__(self):
        self.cpu, self.wall = self.now(), time.monotonic()
        return self

    def __exit__(self, *_):
        self.cpu, self.wall = self.now() - self.cpu, time.monotonic() - self.wall


def quiet(*words, **more):
    subprocess.run([str(w) for w in words], check=True, stdout=subprocess.DEVNULL, **more)


def cost(words, daemon=None, times=1):
    with Cost(daemon) as c:
        for _ in range(times):
            quiet(*words)
    c.cpu /= times
    c.wall /= times
    return c


class Runs:
    """Costs by name, gathered round by round; ratios are taken within a round, then their median."""

    def __init__(self):
        self.by_name = {}

    def add(self, name, value):
        self.by_name.setdefault(name, []).append(value)

    def cpu(self, name):
        return statistics.median(c.cpu for c in self.by_name[name])

    def wall(self, name):
        return statistics.median(c.wall for c in self.by_name[name])

    def ratio(self, name, to):
        pairs = zip(self.by_name[name], self.by_name[to])
        return statistics.median(one.cpu / other.cpu for one, other in pairs if other.cpu) if self.cpu(to) else float("nan")


def table(head, rows):
    print("\n| %s |\n|%s" % (" | ".join(head), "---|" * len(head)))
    for row in rows:
        print("| %s |" % " | ".join(str(cell) for cell in row))
    sys.stdout.flush()


def verdicts(rows):
    """Targets held against what was measured: (what, measured, at most)."""
    table(["target", "at most", "measured", ""],
          [[what, "%.3g" % most, "%.3g" % is_, "met" if is_ <= most else "**missed**"] for what, is_, most in rows])


@contextlib.contextmanager
def scratch(name):
    with tempfile.TemporaryDirectory(prefix="bench-%s-" % name, dir=os.environ.get("TMPDIR")) as folder:
        yield pathlib.Path(folder)


def place(files, source, app, now=None):
    """Puts files into a store as profiles of the last 23 hours, evenly."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    for i, file in enumerate(files):
        taken = now - datetime.timedelta(hours=23) * (len(files) - i) / len(files)
        day = source / app / taken.strftime("%Y/%m/%d")
        day.mkdir(parents=True, exist_ok=True)
        os.link(file, day / (taken.strftime("%H%M%S.") + "%03dZ-web-%06d.pprof" % (taken.microsecond // 1000, i)))


def fleet(tools, folder, n, kind="plain"):
    quiet(tools / "make-fleet", "--kind", kind, "--profiles", n, folder)
    return sorted(folder.iterdir())


def fill_day(day, n, links_to):
    """n profiles in a day: hard links, since what is measured are names. A file bears some 60,000."""
    day.mkdir(parents=True)
    at = os.open(day, os.O_RDONLY)
    for i in range(n):
        second = i * 86400 // n
        name = f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}Z-web-{i:06}.pprof"
        os.link(links_to(), name, dst_dir_fd=at)
    os.close(at)


def linked(folder):
    """Gives a file to link to, a new one as often as links of one run out."""
    used = {"n": 0, "file": 0}

    def give():
        path = folder / ("link-%d" % used["file"])
        if used["n"] == 0:
            path.write_bytes(profile(used["file"]))
        used["n"] += 1
        if used["n"] == 60000:
            used["n"], used["file"] = 0, used["file"] + 1
        return path
    return give


def unmount(at):
    for tool in ("fusermount3", "fusermount"):
        if shutil.which(tool) and subprocess.run([tool, "-u", str(at)], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return
    subprocess.run(["umount", str(at)], check=True)
