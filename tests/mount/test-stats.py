#!/usr/bin/env python3
"""Does .pgofs/stats tell what a mount did? test-stats.py PGOFS"""
import errno
import mmap
import os
import re
import sys

from mounted import Mount, main, need_fuse, profile, raises, run, test

DAY = "sample/2026/11/22"
PGO = "sample/merged/2026-11-22.pgo"


def place(folder, n=3):
    source, at = folder / "source", folder / "mnt"
    (source / DAY).mkdir(parents=True)
    for k in range(n):
        (source / DAY / f"{k}.pprof").write_bytes(profile(k))
    at.mkdir()
    return source, at


def numbers(at):
    text = (at / ".pgofs/stats").read_text()
    for line in text.splitlines():
        assert re.fullmatch(r"pgofs_[a-z0-9_]+ [0-9]+(\.[0-9]+)?", line), line
    found = {name: float(value) for name, value in map(str.split, text.splitlines())}
    assert len(found) == text.count("\n"), "a name twice"
    return found


@test
def it_counts_what_was_done(folder, pgofs):
    source, at = place(folder)
    with Mount(pgofs, source, at, "stats", "refresh=1h"):
        before = numbers(at)
        assert before["pgofs_merges_made_total"] == 0, before
        merged = (at / PGO).read_bytes()
        assert (at / PGO).read_bytes() == merged
        (at / DAY / "9.pprof").write_bytes(profile(9))
        (at / DAY / "x.tmp").write_bytes(b"x" * 5000)
        os.listdir(at / DAY)
        after = numbers(at)
        change = {name[6:]: after[name] - before[name] for name in after}
    assert change["merges_made_total"] == 1 and change["merges_inputs_total"] == 3, change
    assert change["merges_kept_hits_total"] >= 1 and change["merges_inputs_skipped_total"] == 0, change
    assert change["merges_fetched_bytes_total"] == sum(len(profile(k)) for k in range(3)), change
    assert change["profiles_stored_total"] == 1 and change["spool_bytes"] >= 5000 and change["spool_files"] == 1, change
    assert change["listings_asked_total"] >= 1 and change["listings_bytes"] > 0, change
    for stage in "list", "fetch", "inflate", "decode_and_merge", "encode", "deflate":
        assert change[f"stage_{stage}_seconds_total"] > 0, (stage, change)
    assert change["merges_seconds_total"] > 0 and change["merges_kept_bytes"] >= len(merged), change
    for request in "lookup", "open", "read", "write", "flush", "create", "opendir", "readdir":
        assert change[f"requests_{request}_total"] > 0, (request, change)


@test
def what_a_cache_did_is_there_too(folder, pgofs):
    source, at = place(folder)
    with Mount(pgofs, source, at, "stats", f"cache={folder / 'cache'}"):
        (at / PGO).read_bytes()
        (at / PGO.replace(".pgo", ".txt")).read_bytes()
        found = numbers(at)
    assert found["pgofs_cache_misses_total"] == 3 and found["pgofs_cache_disk_hits_total"] == 3, found
    assert found["pgofs_cache_disk_bytes"] > 0 and found["pgofs_cache_miss_bytes_total"] > 0, found


@test
def a_look_at_it_is_a_snapshot(folder, pgofs):
    source, at = place(folder)
    with Mount(pgofs, source, at, "stats"):
        path = at / ".pgofs/stats"
        with open(path, "rb", buffering=0) as f:
            size = os.fstat(f.fileno()).st_size
            with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                (at / PGO).read_bytes()
                text = f.read(1 << 20)
                assert mapped[:] == text and len(text) == size > 0
        newer = path.read_bytes()
        assert newer != text
        assert path.stat().st_ino == path.stat().st_ino
        for tool in (["cp"], ["install", "-m644"]):
            run(*tool, path, folder / "copy")
            assert (folder / "copy").read_bytes().startswith(b"pgofs_requests_lookup_total ")


@test
def nobody_comes_upon_it_by_chance(folder, pgofs):
    source, at = place(folder)
    with Mount(pgofs, source, at, "stats"):
        assert sorted(os.listdir(at)) == ["merged", "sample"]
        assert os.listdir(at / ".pgofs") == ["stats"]
        run("cp", "-r", at, folder / "copy")
        assert not (folder / "copy/.pgofs").exists()
    with Mount(pgofs, source, at):
        raises(errno.ENOENT, lambda: os.stat(at / ".pgofs"))
        raises(errno.ENOENT, lambda: os.stat(at / ".pgofs/stats"))


@test
def it_is_the_mounts_and_not_the_storages(folder, pgofs):
    source, at = place(folder)
    (source / ".pgofs").mkdir()
    (source / ".pgofs/stats").write_text("of the storage")
    (source / ".pgofs/other").write_text("of the storage")
    with Mount(pgofs, source, at, "stats"):
        own, stats = at / ".pgofs", at / ".pgofs/stats"
        assert "pgofs_requests_open_total" in stats.read_text()
        raises(errno.ENOENT, lambda: os.stat(own / "other"))
        raises(errno.EPERM, lambda: stats.write_text("x"))
        raises(errno.EPERM, lambda: (own / "x.tmp").write_text("x"))
        raises(errno.EPERM, lambda: (own / "120000Z.pprof").write_bytes(profile(1)))
        raises(errno.EPERM, stats.unlink)
        raises(errno.EPERM, own.rmdir)
        raises(errno.EPERM, (own / "sub").mkdir)
        raises(errno.EPERM, lambda: stats.rename(at / DAY / "8.pprof"))
        raises(errno.EPERM, lambda: (at / DAY / "1.pprof").rename(own / "1.pprof"))
        raises(errno.EPERM, lambda: os.truncate(stats, 0))
        assert sorted(os.listdir(at / DAY)) == ["0.pprof", "1.pprof", "2.pprof"]
    assert (source / ".pgofs/stats").read_text() == "of the storage"


if __name__ == "__main__":
    need_fuse()
    main(os.path.abspath(sys.argv[1]))
