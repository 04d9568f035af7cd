#!/usr/bin/env python3
"""Does every tool read exact bytes while the content changes? test-battery.py PGOFS [SECONDS]

Profiles arrive and leave every few milliseconds, through the mount and underneath it, while each tool copies a merged
file, again and again. Whatever it got must be the merge of some set of profiles that could have been there: five come and
go, so there are 32 such sets, and their merges are made beforehand, by `pgofs merge`.
"""
import itertools
import mmap
import os
import random
import shutil
import subprocess
import sys
import threading
import time

from mounted import Mount, main, need_fuse, profile, run, test, wait_for

DAY = "2026/11/22"
ALWAYS = ["000000Z-base.pprof"]
CHANGING = [f"{k:06}Z-web-{k}.pprof" for k in (1, 2, 3, 4, 5)]
DATA = {name: profile(k, functions=400) for k, name in enumerate(ALWAYS + CHANGING)}
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 15.0


def expected(pgofs, folder, view):
    """The merges of all sets, as bytes."""
    whole = folder / "whole/sample" / DAY
    whole.mkdir(parents=True)
    for name, data in DATA.items():
        (whole / name).write_bytes(data)
    merges = set()
    for k in range(len(CHANGING) + 1):
        for some in itertools.combinations(CHANGING, k):
            out = folder / f"out.{view}"
            run(pgofs, "merge", "-o", out, *(whole / n for n in sorted(ALWAYS + list(some))))
            merges.add(out.read_bytes())
    assert len(merges) == 2 ** len(CHANGING), len(merges)
    return merges


class Churn(threading.Thread):
    """Adds and removes profiles until told to stop."""

    def __init__(self, stored, mounted):
        super().__init__()
        self.places, self.over, self.n, self.error = [stored, mounted], threading.Event(), 0, None

    def run(self):
        rng = random.Random(1)
        try:
            while not self.over.wait(0.015):
                name, place = rng.choice(CHANGING), rng.choice(self.places)
                self.flip(place, name)
                self.n += 1
        except OSError as e:
            self.error = e

    def flip(self, place, name):
        if (place / name).exists():
            # Underneath, another may have removed it within the time that may pass unseen.
            try:
                os.remove(place / name)
            except FileNotFoundError:
                pass
        else:
            temporary = place / f".tmp-{name}"
            temporary.write_bytes(DATA[name])
            os.rename(temporary, place / name)


def by_mmap(path, flags):
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, flags, mmap.PROT_READ) as m:
        time.sleep(0.01)  # others replace it meanwhile
        return bytes(m)


def by_seek(path):
    with open(path, "rb", buffering=0) as f:
        end = f.seek(0, os.SEEK_END)
        f.seek(0)
        data = f.read(end + 1)
        assert len(data) == end == os.fstat(f.fileno()).st_size
        return data


def slowly(path):
    with open(path, "rb", buffering=0) as f:
        size, out = os.fstat(f.fileno()).st_size, b""
        while piece := f.read(4096):
            out += piece
            time.sleep(0.004)
        assert len(out) == size == os.fstat(f.fileno()).st_size
        return out


def by_sendfile(path, to):
    with open(path, "rb") as f, open(to, "wb") as out:
        while os.sendfile(out.fileno(), f.fileno(), None, 1 << 20):
            pass
    return to.read_bytes()


def tools(folder):
    """name -> a function that reads a path and returns the bytes it got."""
    to = folder / "copy"

    def program(*words):
        def act(path):
            to.unlink(missing_ok=True)
            run(*(str(path) if w == "IN" else str(to) if w == "OUT" else w for w in words))
            return to.read_bytes()
        return act

    def archived(*words):
        def act(path):
            data = run(*words, "-C", path.parent, "-cf", "-", path.name)
            return run("tar", "-xOf", "-", input=data)
        return act

    def python(copy):
        def act(path):
            copy(path, to)
            return to.read_bytes()
        return act

    every = {
        "cp": program("cp", "IN", "OUT"), "cp -p": program("cp", "-p", "IN", "OUT"),
        "install": program("install", "IN", "OUT"), "dd": lambda path: run("dd", f"if={path}", "bs=1000", "status=none"),
        "cat": lambda path: run("cat", path), "tar": archived("tar"), "rsync": program("rsync", "-a", "IN", "OUT"),
        "busybox cp": program("busybox", "cp", "IN", "OUT"),
        "read": lambda path: path.read_bytes(), "copyfile": python(shutil.copyfile), "copy2": python(shutil.copy2),
        "mmap private": lambda path: by_mmap(path, mmap.MAP_PRIVATE), "mmap shared": lambda path: by_mmap(path, mmap.MAP_SHARED),
        "lseek": by_seek, "slow read": slowly, "sendfile": lambda path: by_sendfile(path, to),
    }
    return {n: act for n, act in every.items() if n.split()[0] not in ("rsync", "busybox") or shutil.which(n.split()[0])}


def churned(folder, pgofs, view, act):
    """Mounts, lets profiles come and go, and calls act(path of the merged file, the bytes it may have)."""
    may_be = expected(pgofs, folder, view)
    source, at = folder / "source", folder / "mnt"
    (source / "sample" / DAY).mkdir(parents=True)
    at.mkdir()
    (source / "sample" / DAY / ALWAYS[0]).write_bytes(DATA[ALWAYS[0]])
    with Mount(pgofs, source, at, "refresh=50ms", debug=False) as m:
        churn = Churn(source / "sample" / DAY, at / "sample" / DAY)
        churn.start()
        try:
            act(at / "sample/merged" / f"2026-11-22.{view}", may_be)
        finally:
            churn.over.set()
            churn.join()
        assert churn.error is None, churn.error
        assert churn.n > 20, "hardly anything changed"
        print(f"     {churn.n} changes")
        wait_for(lambda: m.statistics()["handles"] == 0, "the last release")  # the kernel sends it after close() returned
        statistics = m.statistics()
        assert statistics["snapshots"] < 40, statistics


@test
def every_tool_reads_one_snapshot(folder, pgofs):
    every, runs, seen = tools(folder), {}, set()

    def enough():
        return runs and min(runs.values()) >= 3 and len(seen) >= 8

    def act(path, may_be):
        until, at_last = time.monotonic() + SECONDS, time.monotonic() + 10 * SECONDS
        while time.monotonic() < until or (not enough() and time.monotonic() < at_last):
            for name, read in every.items():
                data = read(path)
                assert data in may_be, f"{name}: {len(data)} bytes that are no merge of anything"
                runs[name] = runs.get(name, 0) + 1
                seen.add(data)

    churned(folder, pgofs, "pprof", act)
    print("     " + ", ".join(f"{n} {k}" for n, k in runs.items()), f"; {len(seen)} contents")
    assert enough(), "too few runs to say anything"


@test
def go_reads_one_snapshot(folder, pgofs):
    if not shutil.which("go"):
        print("without Go")
        return
    go = run("go", "env", "GOROOT").decode().strip() + "/bin/go"

    def act(path, may_be):
        results = set()
        for data in may_be:
            plain = folder / "plain.pgo"
            plain.write_bytes(data)
            results.add(run(go, "tool", "preprofile", "-i", plain))
        until = time.monotonic() + SECONDS / 2
        n = 0
        while time.monotonic() < until or n < 3:
            assert run(go, "tool", "preprofile", "-i", path) in results
            assert b"main.work0_1" in run(go, "tool", "pprof", "-raw", "-symbolize=none", path)
            n += 1
        print(f"     {n} times")

    churned(folder, pgofs, "pgo", act)


@test
def busybox_tar_reads_what_is_there(folder, pgofs):
    """It takes the size by name and then opens by name: of a file replaced in between, on any disk, it packs the new bytes
    under the old size. So it is asked while nothing changes."""
    if not shutil.which("busybox"):
        print("without busybox")
        return
    source, at = folder / "source", folder / "mnt"
    for path in (source / "sample" / DAY, at):
        path.mkdir(parents=True)
    with Mount(pgofs, source, at):
        merged = at / "sample/merged/2026-11-22.pprof"
        for name in ALWAYS + CHANGING:
            (at / "sample" / DAY).mkdir(parents=True, exist_ok=True)
            (at / "sample" / DAY / name).write_bytes(DATA[name])
            data = run("busybox", "tar", "-C", merged.parent, "-cf", "-", merged.name)
            out = folder / "out.pprof"
            run(pgofs, "merge", "-o", out, *sorted((source / "sample" / DAY).iterdir()))
            assert run("tar", "-xOf", "-", input=data) == out.read_bytes()


@test
def go_builds_straight_from_the_mount(folder, pgofs):
    """Each content is another build of Go's whole runtime, so: two builds, and no churn, that they be of one profile."""
    if not shutil.which("go"):
        print("without Go")
        return
    source, at, code = folder / "source", folder / "mnt", folder / "code"
    for path in (source / "sample" / DAY, at, code):
        path.mkdir(parents=True)
    (source / "sample" / DAY / ALWAYS[0]).write_bytes(DATA[ALWAYS[0]])
    (code / "go.mod").write_text("module m\n\ngo 1.21\n")
    (code / "main.go").write_text("package main\n\nfunc main() { println(1) }\n")
    env = {**os.environ, "GOCACHE": str(folder / "cache"), "GOFLAGS": "", "CGO_ENABLED": "0"}
    with Mount(pgofs, source, at):
        merged = at / "sample/merged/2026-11-22.pgo"
        for out in ("a", "b"):
            done = subprocess.run(["go", "build", f"-pgo={merged}", "-o", folder / out, "."], cwd=code, env=env,
                                  capture_output=True, timeout=240, check=False)
            assert done.returncode == 0, done.stderr.decode()
        assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
        assert str(merged).encode() in run("go", "version", "-m", folder / "a")


if __name__ == "__main__":
    need_fuse()
    main(os.path.abspath(sys.argv[1]))
