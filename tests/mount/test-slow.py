#!/usr/bin/env python3
"""Does a mount keep its promises while storage takes its time? test-slow.py PGOFS

Storage is an S3 server of the tests' own, which holds what it is asked for until a test lets it go."""
import errno
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "s3"))

from driver import FOREVER, Server, environment
from server import Object
from mounted import SECONDS, Mount, main, need_fuse, profile, raises, test, wait_for

DAY = "app/2026/11/22"
P1 = profile(1)


def mounted(s, folder, *options):
    os.environ.clear()
    os.environ.update(environment(AWS_ENDPOINT_URL_S3=s.url))
    at = folder / "mnt"
    at.mkdir(exist_ok=True)
    mount = Mount(PGOFS, folder, at, "stats", *options)
    mount.source = "s3://bucket"
    return mount


class Doing(threading.Thread):
    """Something that waits for storage; end() gives what it returned or raises what it raised."""

    def __init__(self, act):
        super().__init__(daemon=True)
        self.act, self.result, self.error = act, None, None
        self.start()

    def run(self):
        try:
            self.result = self.act()
        except OSError as e:
            self.error = e

    def end(self):
        self.join(SECONDS)
        assert not self.is_alive(), "it still waits"
        if self.error:
            raise self.error
        return self.result


def held_close(s, m, name):
    """A profile whose close() waits for storage."""
    day = m.at / DAY
    day.mkdir(parents=True, exist_ok=True)
    fd = os.open(day / name, os.O_WRONLY | os.O_CREAT)
    os.write(fd, P1)
    s.fault("PutObject", "held")
    n = s.counts["PutObject"]
    closing = Doing(lambda: os.close(fd))
    wait_for(lambda: s.counts["PutObject"] > n, "the profile to be on its way")
    return closing


def meanwhile(m, request, act):
    """Begins what must wait; returns once the mount has been asked for it."""
    name = f"requests_{request}_total"
    n = m.numbers()[name]
    doing = Doing(act)
    wait_for(lambda: m.numbers()[name] > n, f"a {request}")
    return doing


@test
def a_profile_removed_while_it_is_being_stored_is_gone(folder):
    with Server() as s, mounted(s, folder) as m:
        path = m.at / DAY / "1.pprof"
        closing = held_close(s, m, path.name)
        removing = meanwhile(m, "unlink", path.unlink)
        s.let_go.set()
        closing.end()
        removing.end()
        assert os.listdir(m.at / DAY) == [] and not s.objects["bucket"], s.objects
        raises(errno.ENOENT, path.stat)


@test
def a_profile_moved_while_it_is_being_stored_is_where_it_was_moved_to(folder):
    with Server() as s, mounted(s, folder) as m:
        path = m.at / DAY / "1.pprof"
        closing = held_close(s, m, path.name)
        moving = meanwhile(m, "rename", lambda: path.rename(m.at / DAY / "2.pprof"))
        s.let_go.set()
        closing.end()
        moving.end()
        assert os.listdir(m.at / DAY) == ["2.pprof"] and list(s.objects["bucket"]) == [DAY + "/2.pprof"]
        assert (m.at / DAY / "2.pprof").read_bytes() == P1


def store_many(s, app, n):
    """So many profiles, a minute apart."""
    for k in range(n):
        s.objects["bucket"][f"{app}/2026/11/22/{k // 60:02}{k % 60:02}00Z.pprof"] = Object(P1, f"e{k}", time.time())


def processes_with(word):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if os.fsencode(word) in f.read().split(b"\0"):
                    yield int(pid)
        except OSError:
            pass


@test
def a_mount_whose_start_was_interrupted_goes_again(folder):
    """What was interrupted waited for a child, which waits for storage."""
    at = folder / "mnt"
    at.mkdir()
    with Server() as s:
        s.fault("ListObjectsV2", "held", FOREVER)
        starting = subprocess.Popen([PGOFS, "mount", "s3://bucket", at], env=environment(AWS_ENDPOINT_URL_S3=s.url))
        wait_for(lambda: s.counts["ListObjectsV2"], "storage to be asked")
        starting.send_signal(signal.SIGINT)
        assert starting.wait(SECONDS) == -signal.SIGINT and list(processes_with(at))
        s.let_go.set()
        wait_for(lambda: not list(processes_with(at)), "it to go")
        assert not os.path.ismount(at)


@test
def who_waits_for_a_merge_does_not_hold_its_directory(folder):
    with Server() as s, mounted(s, folder) as m:
        store_many(s, "app", 1)
        s.fault("GetObject", "held", FOREVER)
        merging = Doing((m.at / "app/merged/2026-11-22.pprof").stat)
        wait_for(lambda: s.counts["GetObject"], "a merge to begin")
        raises(errno.ENOENT, (m.at / "app/merged/2026-11-21.pprof").stat)
        assert os.listdir(m.at / "app/merged")
        assert merging.is_alive(), "it did not wait"
        s.let_go.set()
        assert merging.end().st_size


@test
def thirty_that_wait_for_merges_hold_nobody_up(folder):
    apps = [f"app{k}" for k in range(30)]
    with Server() as s, mounted(s, folder) as m:
        for app in apps:
            store_many(s, app, 1)
        s.fault("GetObject", "held", FOREVER)
        reading = [Doing((m.at / app / "merged/2026-11-22.pprof").stat) for app in apps]
        wait_for(lambda: s.counts["GetObject"] and s.counts["ListObjectsV2"] > len(apps), "merges to begin")
        os.statvfs(m.at)
        assert os.listdir(m.at / "app0") == ["2026", "merged"]
        assert all(r.is_alive() for r in reading), "they did not wait"
        s.let_go.set()
        for r in reading:
            assert r.end().st_size


def is_pending(pid, number):
    line = next(l for l in open(f"/proc/{pid}/status", encoding="utf-8") if l.startswith("ShdPnd:"))
    return int(line.split()[1], 16) >> (number - 1) & 1


@test
def merges_under_way_and_waiting_are_given_up_at_the_end(folder):
    apps, n = "abcde", 200
    with Server() as s, mounted(s, folder, "connections=64") as m:
        for app in apps:
            store_many(s, app, n)
        s.fault("GetObject", "held", FOREVER)
        reading = [Doing((m.at / app / "merged/2026-11-22.pprof").stat) for app in apps]
        wait_for(lambda: s.counts["GetObject"] >= 32 and s.counts["ListObjectsV2"] > len(apps), "merges to begin")
        m.process.terminate()
        wait_for(lambda: not is_pending(m.process.pid, signal.SIGTERM), "the signal to be taken")
        s.let_go.set()
        for r in reading:
            raises(errno.ECANCELED, r.end)
        m.stop()
        assert s.counts["GetObject"] < n, s.counts


if __name__ == "__main__":
    need_fuse()
    PGOFS = os.path.abspath(sys.argv[1])
    main()
