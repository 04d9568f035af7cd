#!/usr/bin/env python3
"""pgofs over a bucket, by commands and through a mount: test-end-to-end.py PGOFS

How many requests each thing costs, what a reader sees of another machine's changes, and what is said when the place is
wrong. The server is tests/s3server's, so that it can count; docs/storage.md promises what is shown here."""

import ctypes
import gzip
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "mount"))

from driver import FOREVER, Server, black_hole, environment
from mounted import SECONDS, Mount, main, need_fuse, profile, raises, run, test, wait_for

DAY = "app/2026/11/22"
MERGED = "app/merged/2026-11-22"


def fill(s, n, day=DAY):
    bucket = s.objects["bucket"]
    for i in range(n):
        at = i * 7 % 86400
        s.store(bucket, f"{day}/{at // 3600:02}{at // 60 % 60:02}{at % 60:02}Z-{i}.pprof", profile(i % 5))


def env(s, **more):
    return environment(**{"AWS_ENDPOINT_URL_S3": s.url, **more})


def pgofs(s, *words, **more):
    return run(PGOFS, *words, env=env(s), **more)


def costs(s, **wanted):
    """At most so many requests of each operation, none of another; then counts from 0."""
    assert set(s.counts) <= set(wanted) and all(s.counts[o] <= n for o, n in wanted.items()), (s.counts, wanted)
    s.counts.clear()


def rollups(s):
    return sorted(key for key in s.objects["bucket"] if key.startswith(".pgofs/"))


def fill_hours(s, n_hours, now_s):
    """40 profiles in each of the last hours, and 70 in those that last-24h may cut. Returns a key well within."""
    bucket = s.objects["bucket"]
    for hour in range(n_hours):
        n = 70 if hour in (23, 24, 25) else 40
        for i in range(n):
            at = time.gmtime((int(now_s) // 3600 - hour) * 3600 + i * 3600 // n)
            s.store(bucket, time.strftime(f"app/%Y/%m/%d/%H%M%SZ-{i}.pprof", at), profile(i % 5))
    return time.strftime("app/%Y/%m/%d/%H0000Z-0.pprof", time.gmtime(now_s - 10 * 3600))


# ---- Commands ----

@test
def a_machine_that_begins_with_nothing_reads_what_others_merged(_):
    """The clock goes on while this runs, so an hour may end, and with it a rollup be missing, between any two steps."""
    an_hour, last, week = 70, "app/merged/last-24h.pgo", "app/merged/last-7d.pgo"
    now_s = time.time()
    days = time.strftime("app/merged/%Y-%m-%d..", time.gmtime(now_s - 86400)) + time.strftime("%Y-%m-%d.pgo", time.gmtime(now_s))
    with Server() as s:
        within = fill_hours(s, 27, now_s)
        pgofs(s, "cat", "-o", "no-rollups", "s3://bucket", week)
        assert not rollups(s) and "PutObject" not in s.counts, s.counts
        pgofs(s, "cat", "s3://bucket", week)
        made = rollups(s)
        assert len(made) >= 24 + 1, made
        s.counts.clear()
        merged = pgofs(s, "cat", "s3://bucket", last)
        costs(s, ListObjectsV2=2 + 2, GetObject=25 + 3 * an_hour, PutObject=2 * 2)

        del s.objects["bucket"][within]
        changed = pgofs(s, "cat", "s3://bucket", last)
        costs(s, ListObjectsV2=2 + 3, GetObject=25 + 4 * an_hour, PutObject=2 * 2 + 1, DeleteObjects=2)
        assert changed != merged
        assert pgofs(s, "cat", "s3://bucket", days) == pgofs(s, "cat", "-o", "no-rollups", "s3://bucket", days)
        hour = within[4:].replace("0000Z-0.pprof", "-")
        assert len([key for key in rollups(s) if f"app/{hour}" in key]) == 1, rollups(s)
        assert b".pgofs" not in pgofs(s, "ls", "s3://bucket")



@test
def a_listing_of_10000_profiles_is_10_requests(_):
    with Server() as s:
        fill(s, 10000)
        names = pgofs(s, "ls", "s3://bucket", DAY).decode().splitlines()
        assert len(names) == 10000 and names == sorted(names)
        costs(s, ListObjectsV2=10)
        lines = pgofs(s, "ls", "-l", "s3://bucket", DAY).decode().splitlines()
        assert len(lines) == 10000
        costs(s, ListObjectsV2=10)


@test
def one_stored_profile_is_one_listing_and_one_get(_):
    with Server() as s:
        fill(s, 50)
        assert pgofs(s, "cat", "s3://bucket", DAY + "/000000Z-0.pprof") == profile(0)
        costs(s, ListObjectsV2=1, GetObject=1)


@test
def a_merged_file_is_the_listings_and_one_get_for_each_profile(_):
    with Server() as s:
        fill(s, 300)
        s.fault("GetObject", "late", FOREVER, after_s=0.02)
        merged = pgofs(s, "cat", "s3://bucket", MERGED + ".pprof")
        assert gzip.decompress(merged)
        costs(s, ListObjectsV2=2, GetObject=300)
        assert s.n_connections <= 16 + 1 and 2 <= s.most_at_once <= 16, (s.n_connections, s.most_at_once)
        assert merged == pgofs(s, "cat", "s3://bucket", MERGED + ".pprof"), "the same inputs give the same bytes"


@test
def a_push_is_one_conditional_put(folder):
    with Server() as s:
        with open(folder / "x.pprof", "wb") as f:
            f.write(profile(1, taken_s=1795342500))
        pgofs(s, "put", "s3://bucket/team", "app", folder / "x.pprof")
        (key,) = s.objects["bucket"]
        assert key.startswith("team/app/2026/11/22/101500") and s.objects["bucket"][key].data == profile(1, taken_s=1795342500)
        assert [r.headers.get("if-none-match") for r in s.log if r.operation == "PutObject"] == ["*"]
        costs(s, PutObject=1)


@test
def pruning_2500_profiles_is_three_deletions(_):
    with Server() as s:
        fill(s, 2500, "app/2020/01/01")
        fill(s, 3, time.strftime("app/%Y/%m/%d", time.gmtime()))
        pgofs(s, "prune", "s3://bucket", "--older-than", "30d")
        assert len(s.objects["bucket"]) == 3
        assert s.counts["DeleteObjects"] == 3 and not s.counts["DeleteObject"] and s.counts["ListObjectsV2"] <= 12, s.counts


@test
def pruning_on_a_server_that_hangs_ends_with_the_first_day(_):
    with Server() as s:
        for day in range(1, 4):
            fill(s, 3, f"app/2020/01/0{day}")
        s.fault("DeleteObjects", "silent", FOREVER)
        words = pgofs(s, "prune", "-o", "timeout=1s", "s3://bucket", "--older-than", "30d", ok=False)
        assert "timed out" in words and s.counts["DeleteObjects"] == 1, (words, s.counts)


@test
def each_key_that_will_not_go_is_named(_):
    with Server() as s:
        fill(s, 3, "app/2020/01/01")
        key = sorted(s.objects["bucket"])[1]
        s.fault("delete:" + key, "refuse", FOREVER, code="AccessDenied")
        words = pgofs(s, "rm", "-r", "s3://bucket", "app/2020", ok=False)
        assert key in words and "AccessDenied" in words, words
        assert list(s.objects["bucket"]) == [key]


@test
def wrong_places_are_told_in_words(folder):
    mountpoint = folder / "mnt"
    mountpoint.mkdir()
    with Server() as s:
        secret = "not-this-one"
        wrong = (("s3://nobody", {}, "NoSuchBucket"), ("s3://bucket", {"AWS_ACCESS_KEY_ID": "ELSE"}, "InvalidAccessKeyId"),
                 ("s3://bucket", {"AWS_SECRET_ACCESS_KEY": secret}, "SignatureDoesNotMatch"),
                 ("s3://bucket", {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "2"}, "onnect"),
                 ("s3://bucket", {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "no credentials"))
        for source, more, want in wrong:
            for words in (["ls", source], ["mount", source, mountpoint]):
                done = subprocess.run([PGOFS, *words], env=env(s, **more), capture_output=True, timeout=SECONDS, check=False)
                told = done.stderr.decode()
                assert done.returncode == 1 and want in told and secret not in told, (words, more, told)
        told = pgofs(s, "ls", "-o", "secret-key=hunter2", "s3://bucket", ok=False)
        assert "AWS_SECRET_ACCESS_KEY" in told and "hunter2" not in told, told
    assert not os.path.ismount(mountpoint)


@test
def a_black_hole_ends_by_its_deadline(_):
    url, held = black_hole()
    began = time.monotonic()
    done = subprocess.run([PGOFS, "ls", "-o", "timeout=1s", "s3://bucket"], env=environment(AWS_ENDPOINT_URL_S3=url),
                          capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 1 and b"timed out" in done.stderr and time.monotonic() - began < 10, done.stderr
    for one in held:
        one.close()


# ---- Through a mount ----

def mounted(s, folder, *options):
    need_fuse()
    os.environ.clear()
    os.environ.update(env(s))
    at = folder / "mnt"
    at.mkdir(exist_ok=True)
    mount = Mount(PGOFS, "s3://bucket", at, *options)
    mount.source = "s3://bucket"
    return mount


@test
def a_day_s_listing_answers_every_lookup_of_that_day(folder):
    with Server() as s:
        fill(s, 10000)
        with mounted(s, folder, "refresh=60s") as m:
            os.listdir(m.at / "app/2026/11")
            costs(s, ListObjectsV2=5)  # to see that storage answers, and each directory on the way
            assert len(os.listdir(m.at / DAY)) == 10000
            sizes = sum(e.stat().st_size for e in os.scandir(m.at / DAY))
            assert sizes == sum(len(o.data) for o in s.objects["bucket"].values())
            assert not (m.at / DAY / "nothing.pprof").exists()
            costs(s, ListObjectsV2=10)
            assert (m.at / DAY / "000000Z-0.pprof").read_bytes() == profile(0)
            costs(s, GetObject=1)
            assert (m.at / DAY / "000000Z-0.pprof").read_bytes() == profile(0)
            costs(s)  # fetched once


@test
def what_is_written_here_is_one_put_and_shows_at_once(folder):
    with Server() as s:
        fill(s, 3)
        with mounted(s, folder, "refresh=60s") as m:
            os.listdir(m.at / DAY)
            s.counts.clear()
            (m.at / DAY / "120000Z-new.pprof").write_bytes(profile(7))
            assert s.objects["bucket"][DAY + "/120000Z-new.pprof"].data == profile(7), "stored when close() has returned"
            assert s.counts["PutObject"] == 1 and not s.counts["GetObject"], s.counts
            assert "120000Z-new.pprof" in os.listdir(m.at / DAY)
            os.unlink(m.at / DAY / "120000Z-new.pprof")
            assert DAY + "/120000Z-new.pprof" not in s.objects["bucket"]
            assert "120000Z-new.pprof" not in os.listdir(m.at / DAY)


@test
def storage_that_refuses_is_told_by_close(folder):
    with Server() as s:
        fill(s, 1)
        with mounted(s, folder, "attempts=2") as m:
            os.listdir(m.at / DAY)
            for code, number in (("AccessDenied", 13), ("QuotaExceeded", 122), ("InternalError", 5)):
                s.fault("PutObject", "refuse", FOREVER, status=403 if number != 5 else 500, code=code)
                fd = os.open(m.at / DAY / "120000Z-new.pprof", os.O_WRONLY | os.O_CREAT)
                os.write(fd, profile(7))
                raises(number, lambda fd=fd: os.close(fd))
                s.faults.clear()
            assert len(s.objects["bucket"]) == 1


@test
def what_another_machine_does_shows_within_refresh(folder):
    with Server() as s:
        fill(s, 3)
        bucket, key = s.objects["bucket"], DAY + "/000000Z-0.pprof"
        with mounted(s, folder, "refresh=1s") as m:
            assert len(os.listdir(m.at / DAY)) == 3
            s.store(bucket, DAY + "/130000Z-other.pprof", profile(8))
            wait_for(lambda: (m.at / DAY / "130000Z-other.pprof").exists(), "what another machine wrote", 10)
            before = os.open(m.at / key, os.O_RDONLY)
            first = os.read(before, 10)
            s.store(bucket, key, profile(9))
            wait_for(lambda: (m.at / key).read_bytes() == profile(9), "what another machine replaced", 10)
            assert first + os.read(before, 10**6) == profile(0), "an open file never changes"
            os.close(before)
            del bucket[key]
            wait_for(lambda: not (m.at / key).exists(), "what another machine deleted", 10)


@test
def a_file_replaced_behind_a_listing_is_ESTALE_once_or_the_new_one(folder):
    with Server() as s:
        fill(s, 1)
        key = DAY + "/000000Z-0.pprof"
        with mounted(s, folder, "refresh=60s") as m:
            assert (m.at / key).stat().st_size == len(profile(0))
            s.store(s.objects["bucket"], key, profile(9, functions=30))
            try:
                seen = (m.at / key).read_bytes()
            except OSError as e:
                assert e.errno == 116, e  # ESTALE: look again
                seen = (m.at / key).read_bytes()
            assert seen == profile(9, functions=30), "neither ESTALE nor the new one"


@test
def a_signal_to_the_reader_of_a_slow_object_changes_nothing(folder):
    """Go programs are sent some all the time. Python would ask again by itself, so the system's own calls are asked."""
    libc = ctypes.CDLL(None, use_errno=True)
    into = ctypes.create_string_buffer(1 << 16)
    with Server() as s:
        fill(s, 1)
        with mounted(s, folder, "cache-memory=0") as m:
            path = m.at / DAY / "000000Z-0.pprof"
            path.stat()
            s.fault("GetObject", "late", FOREVER, after_s=2)
            signals = []
            signal.signal(signal.SIGALRM, lambda *_: signals.append(1))  # without SA_RESTART
            signal.setitimer(signal.ITIMER_REAL, 0.5, 0.2)
            fd = libc.open(os.fsencode(path), os.O_RDONLY)
            n = libc.read(fd, into, len(into)) if fd >= 0 else -1
            why = os.strerror(ctypes.get_errno())
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert n >= 0 and into.raw[:n] == profile(0), (fd, n, why)
            assert signals and s.counts["GetObject"] == 1, (signals, s.counts)
            os.close(fd)
            killed = subprocess.Popen(["cat", path], stdout=subprocess.DEVNULL)
            wait_for(lambda: s.counts["GetObject"] == 2, "the reader to ask")
            killed.kill()
            assert killed.wait(SECONDS) == -signal.SIGKILL and path.read_bytes() == profile(0)


@test
def a_merge_through_the_mount_is_made_once(folder):
    with Server() as s:
        fill(s, 100)
        with mounted(s, folder, "refresh=60s", "no-rollups") as m:
            s.counts.clear()
            first = (m.at / (MERGED + ".pgo")).read_bytes()
            assert s.counts["GetObject"] == 100 and s.counts["ListObjectsV2"] <= 6, s.counts
            assert (m.at / (MERGED + ".pgo")).read_bytes() == first and s.counts["GetObject"] == 100
            s.store(s.objects["bucket"], DAY + "/230000Z-late.pprof", profile(11))
            m.process.send_signal(1)  # SIGHUP: look again now
            wait_for(lambda: (m.at / (MERGED + ".pgo")).read_bytes() != first, "the late profile in the merge", 10)
            assert s.counts["GetObject"] == 101, s.counts


@test
def a_mount_that_may_not_write_stores_nothing(folder):
    with Server() as s:
        fill_hours(s, 4, time.time())
        with mounted(s, folder, "ro") as m:
            assert (m.at / "app/merged/last-7d.pgo").read_bytes()
            assert "PutObject" not in s.counts and not rollups(s), s.counts


@test
def a_bucket_that_takes_no_rollups_is_read_all_the_same(_):
    with Server() as s:
        fill_hours(s, 4, time.time())
        s.fault("PutObject", "refuse", FOREVER, status=403, code="AccessDenied")
        assert pgofs(s, "cat", "s3://bucket", "app/merged/last-7d.pgo")
        assert 1 <= s.counts["PutObject"] <= 16 and not rollups(s), s.counts


@test
def a_profile_that_vanishes_under_a_merge_is_left_out(_):
    with Server() as s:
        fill(s, 5)
        s.fault("GetObject", "refuse", 1, status=404, code="NoSuchKey")
        assert pgofs(s, "cat", "s3://bucket", MERGED + ".txt")


@test
def a_mount_on_a_server_that_went_away_never_hangs(folder):
    s = Server().__enter__()
    fill(s, 3)
    with mounted(s, folder, "refresh=1s", "timeout=1s", "attempts=2", "cache-memory=0") as m:
        os.listdir(m.at / DAY)
        s.fault("*", "silent", FOREVER)
        time.sleep(1.1)
        for act in (lambda: os.listdir(m.at / DAY), lambda: (m.at / DAY / "000000Z-0.pprof").read_bytes(),
                    lambda: (m.at / DAY / "120000Z-n.pprof").write_bytes(profile(1)), lambda: os.statvfs(m.at)):
            began = time.monotonic()
            try:
                act()
            except OSError as e:
                assert e.errno in (110, 5), e
            assert time.monotonic() - began < 10, "too long"
        s.faults.clear()
        s.closing.set()
        wait_for(lambda: len(os.listdir(m.at / DAY)) == 3, "the server to be back")
    s.__exit__()


PGOFS = None
if __name__ == "__main__":
    PGOFS = os.path.abspath(sys.argv[1])
    main()
