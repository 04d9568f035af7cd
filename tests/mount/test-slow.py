#!/usr/bin/env python3
"""Does a mount keep its promises while storage takes its time? test-slow.py PGOFS

Storage is an S3 server of the tests' own, which holds what it is asked for until a test lets it go."""
import errno
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "s3"))

from driver import FOREVER, Server, environment
from mounted import Mount, main, need_fuse, profile, raises, test, wait_for

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
        self.join()
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


if __name__ == "__main__":
    need_fuse()
    PGOFS = os.path.abspath(sys.argv[1])
    main()
