#!/usr/bin/env python3
"""Does the mount behave as any disk does, for what people do with profiles? test-posix.py PGOFS"""
import errno
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from mounted import Mount, main, need_fuse, profile, raises, run, test, wait_for

P1, P2, P3 = profile(1), profile(2), profile(3, functions=900)


class Place:
    """A mount with one day in it."""

    def __init__(self, folder, pgofs, *options):
        self.source, self.at = folder / "source", folder / "mnt"
        self.source.mkdir()
        self.at.mkdir()
        self.mount = Mount(pgofs, self.source, self.at, *options)
        self.day = self.at / "sample/2026/11/22"
        self.stored_day = self.source / "sample/2026/11/22"
        self.folder = folder

    def __enter__(self):
        self.mount.__enter__()
        self.day.mkdir(parents=True)
        return self

    def __exit__(self, *why):
        return self.mount.__exit__(*why)

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def stored(self):
        """What storage holds, by path."""
        return {str(p.relative_to(self.source)): p.read_bytes() for p in self.source.rglob("*")
                if p.is_file() and not str(p.relative_to(self.source)).startswith(".pgofs")}

    def names(self):
        return sorted(os.listdir(self.day))


def sh(script, cwd, ok=True, **env):
    return run("sh", "-ec", script, ok=ok, cwd=cwd, env={**os.environ, **{k: str(v) for k, v in env.items()}})


@test
def a_copied_profile_is_stored_byte_for_byte(folder, pgofs):
    with Place(folder, pgofs) as p:
        sh('cp "$F" 100000.pprof', p.day, F=p.file("f", P1))
        assert p.stored() == {"sample/2026/11/22/100000.pprof": P1}
        assert (p.day / "100000.pprof").read_bytes() == P1


@test
def every_way_to_write_a_file_works(folder, pgofs):
    with Place(folder, pgofs) as p:
        f = p.file("f", P3)
        ways = ['cat "$F" > 1.pprof', 'dd if="$F" of=2.pprof bs=512', 'dd if="$F" of=3.pprof bs=100 conv=fsync',
                'install -m 600 "$F" 4.pprof', 'cp -p "$F" 5.pprof', 'rsync -a "$F" 6.pprof', 'tee 7.pprof < "$F" > /dev/null',
                '{ head -c 1000 "$F"; tail -c +1001 "$F"; } > 8.pprof', 'cp --preserve=all "$F" 9.pprof',
                'touch a.pprof; cat "$F" > a.pprof', 'touch b.pprof; cat "$F" >> b.pprof', '(cat "$F") > c.pprof',
                'exec 3> d.pprof; head -c 77 "$F" >&3; tail -c +78 "$F" >&3; exec 3>&-',
                'cp "$F" x.tmp; mv x.tmp e.pprof', 'cp "$F" .f.pprof.AbCdEf; mv .f.pprof.AbCdEf f.pprof',
                'cp "$F" x.tmp; mv -n x.tmp g.pprof', 'tar -C "$(dirname "$F")" -cf - f | tar --transform=s/f/h.pprof/ -xf -',
                'truncate -s 10 i.tmp; cat "$F" > i.tmp; mv i.tmp i.pprof', 'busybox cp "$F" j.pprof',
                'cp --sparse=always "$F" k.pprof', 'gzip -dc "$F" | gzip -n9 > l.tmp; cp "$F" l.tmp; mv l.tmp l.pprof']
        for way in ways:
            if ("rsync" in way and not shutil.which("rsync")) or ("busybox" in way and not shutil.which("busybox")):
                print("without", way.split()[0])
                continue
            sh(way, p.day, F=f)
        with open(p.day / "m.pprof", "wb") as out:  # backwards, in pieces
            for at in reversed(range(0, len(P3), 333)):
                os.pwrite(out.fileno(), P3[at:at + 333], at)
        shutil.copy2(f, p.day / "n.pprof")
        assert {n: s == P3 for n, s in p.stored().items() if s != P3} == {}
        assert len(p.stored()) >= len(ways), p.stored().keys()
        assert p.names() == sorted(n.rsplit("/", 1)[1] for n in p.stored())


@test
def curl_writes_straight_into_it(folder, pgofs):
    if not shutil.which("curl"):
        print("without curl")
        return
    with Place(folder, pgofs) as p:
        run("curl", "-s", "-o", p.day / "1.pprof", f"file://{p.file('f', P1)}")
        assert list(p.stored().values()) == [P1]


@test
def close_says_that_a_profile_was_refused(folder, pgofs):
    with Place(folder, pgofs) as p:
        for bad in (b"no profile", P1[:-9], P1 + b"x"):
            fd = os.open(p.day / "1.pprof", os.O_CREAT | os.O_WRONLY)
            os.write(fd, bad)
            raises(errno.EINVAL, lambda: os.fsync(fd))
            twin = os.dup(fd)
            raises(errno.EINVAL, lambda: os.close(fd))
            raises(errno.EINVAL, lambda: os.close(twin))
            assert p.names() == [] and p.stored() == {}
            assert not (p.day / "1.pprof").exists()
        assert "cp" in sh('cp "$F" 1.pprof', p.day, ok=False, F=p.file("f", P1[:100]))
        assert "profile not stored" in p.mount.words() and "is dropped" not in p.mount.words()


@test
def a_refused_replacement_leaves_what_was_there(folder, pgofs):
    with Place(folder, pgofs) as p:
        (p.day / "1.pprof").write_bytes(P1)
        raises(errno.EINVAL, lambda: (p.day / "1.pprof").write_bytes(b"no profile"))
        assert (p.day / "1.pprof").read_bytes() == P1
        sh(": > 1.pprof", p.day)
        assert (p.day / "1.pprof").read_bytes() == P1 and list(p.stored().values()) == [P1]


@test
def a_refused_rename_leaves_the_temporary_file(folder, pgofs):
    with Place(folder, pgofs) as p:
        (p.day / "x.tmp").write_bytes(b"no profile")
        raises(errno.EINVAL, lambda: os.rename(p.day / "x.tmp", p.day / "1.pprof"))
        assert p.names() == ["x.tmp"] and (p.day / "x.tmp").read_bytes() == b"no profile"
        assert p.stored() == {}


@test
def half_a_profile_is_never_seen(folder, pgofs):
    with Place(folder, pgofs) as p:
        f = open(p.day / "1.pprof", "wb", buffering=0)
        f.write(P1[:50])
        assert p.names() == [] and p.stored() == {}
        raises(errno.EBUSY, lambda: (p.day / "1.pprof").read_bytes())
        assert (p.day / "1.pprof").stat().st_size == 50
        f.write(P1[50:])
        f.close()
        assert p.names() == ["1.pprof"] and (p.day / "1.pprof").read_bytes() == P1


@test
def an_inherited_descriptor_does_not_store_half(folder, pgofs):
    with Place(folder, pgofs) as p:
        with open(p.day / "1.pprof", "wb", buffering=0) as f:
            f.write(P1[:50])
            subprocess.run(["true"], stdout=f, check=True)
            f.write(P1[50:])
        assert list(p.stored().values()) == [P1]
        assert "profile not stored" not in p.mount.words()


@test
def a_replaced_profile_is_whole_for_whoever_has_it_open(folder, pgofs):
    with Place(folder, pgofs) as p:
        (p.day / "1.pprof").write_bytes(P3)
        with open(p.day / "1.pprof", "rb", buffering=0) as old:
            first = old.read(100)
            for new in (P1, P2):
                (p.day / "1.pprof").write_bytes(new)
                assert (p.day / "1.pprof").read_bytes() == new
                assert (p.day / "1.pprof").stat().st_size == len(new)
            assert os.fstat(old.fileno()).st_size == len(P3)
            assert first + old.read() == P3
        os.remove(p.day / "1.pprof")


@test
def a_removed_profile_is_whole_for_whoever_has_it_open(folder, pgofs):
    with Place(folder, pgofs) as p:
        (p.day / "1.pprof").write_bytes(P3)
        with open(p.day / "1.pprof", "rb", buffering=0) as f:
            os.remove(p.day / "1.pprof")
            assert p.stored() == {} and p.names() == []
            assert f.read() == P3


@test
def two_writers_leave_one_whole_profile(folder, pgofs):
    with Place(folder, pgofs) as p:
        a, b = (open(p.day / "1.pprof", "wb", buffering=0) for _ in range(2))
        a.write(P1[:60])
        b.write(P3)
        a.write(P1[60:])
        b.close()
        assert (p.day / "1.pprof").read_bytes() == P3
        a.close()
        assert (p.day / "1.pprof").read_bytes() == P1 and list(p.stored().values()) == [P1]
        (p.day / "2.pprof").write_bytes(P1)  # for cp, who asks before it creates, and would race with itself
        writers = [subprocess.Popen(["sh", "-c", f"for k in $(seq 20); do cp '{p.file(str(k), d)}' 2.pprof || exit 1; done"],
                                    cwd=p.day) for k, d in enumerate((P1, P2, P3))]
        assert [w.wait(60) for w in writers] == [0, 0, 0]
        assert p.stored()["sample/2026/11/22/2.pprof"] in (P1, P2, P3)


@test
def a_stored_profile_cannot_be_changed_in_place(folder, pgofs):
    with Place(folder, pgofs) as p:
        one = p.day / "1.pprof"
        one.write_bytes(P1)
        with open(one, "ab", buffering=0) as f:
            raises(errno.EPERM, lambda: f.write(b"more"))
        with open(one, "r+b", buffering=0) as f:
            assert f.read() == P1
            raises(errno.EPERM, lambda: os.pwrite(f.fileno(), b"x", 0))
            raises(errno.EPERM, lambda: os.ftruncate(f.fileno(), 0))
            os.ftruncate(f.fileno(), len(P1))
        raises(errno.EPERM, lambda: os.truncate(one, 5))
        assert one.read_bytes() == P1


@test
def touch_and_attributes_succeed_and_change_nothing(folder, pgofs):
    with Place(folder, pgofs) as p:
        one = p.day / "1.pprof"
        one.write_bytes(P1)
        before = one.stat()
        sh("touch 1.pprof; touch -d 2020-01-01 1.pprof; chmod 600 1.pprof; touch 2.pprof; test -e 2.pprof; rm 2.pprof", p.day)
        os.chown(one, os.getuid(), os.getgid())
        after = one.stat()
        assert (before.st_mode, before.st_mtime_ns, before.st_size) == (after.st_mode, after.st_mtime_ns, after.st_size)
        assert after.st_nlink == 1 and after.st_blocks == (len(P1) + 511) // 512
        raises(errno.EOPNOTSUPP, lambda: os.setxattr(one, "user.a", b"b"))
        raises(errno.EPERM, lambda: os.link(one, p.day / "2.pprof"))
        raises(errno.EPERM, lambda: os.symlink("1.pprof", p.day / "2.pprof"))


@test
def an_empty_name_lives_until_it_gets_bytes_or_is_removed(folder, pgofs):
    with Place(folder, pgofs) as p:
        (p.day / "1.pprof").touch()
        assert p.names() == ["1.pprof"] and p.stored() == {}
        raises(errno.EEXIST, lambda: os.open(p.day / "1.pprof", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        raises(errno.ENOTEMPTY, lambda: os.rmdir(p.day))
        (p.day / "1.pprof").write_bytes(P1)
        (p.day / "2.pprof").touch()
        os.remove(p.day / "2.pprof")
        assert p.names() == ["1.pprof"] and list(p.stored().values()) == [P1]


@test
def names_outside_the_grammar_are_refused(folder, pgofs):
    with Place(folder, pgofs) as p:
        for path in ("x.pprof", "sample/x.pprof", "sample/2026/x.pprof", "sample/2026/11/x.tmp", "sample/2026/11/22/a b.pprof",
                     "sample/2026/11/22/ü.pprof"):
            raises(errno.EINVAL, lambda: (p.at / path).write_bytes(P1))
        for path in ("sample/x", "sample/2026/13", "sample/2026/02/30", "-x", "sample/2026/11/22/sub"):
            raises(errno.EINVAL, lambda: (p.at / path).mkdir(parents=True))
        raises(errno.ENAMETOOLONG, lambda: (p.day / ("x" * 256)).write_bytes(P1))
        raises(errno.ENOENT, lambda: (p.at / "nosuch/2026/11/22/1.pprof").write_bytes(P1))
        assert p.stored() == {}


@test
def renames_move_and_replace(folder, pgofs):
    with Place(folder, pgofs) as p:
        (p.day / "1.pprof").write_bytes(P1)
        (p.day / "2.pprof").write_bytes(P2)
        os.rename(p.day / "1.pprof", p.day / "3.pprof")
        assert p.names() == ["2.pprof", "3.pprof"] and (p.day / "3.pprof").read_bytes() == P1
        os.rename(p.day / "3.pprof", p.day / "2.pprof")
        assert p.names() == ["2.pprof"] and (p.day / "2.pprof").read_bytes() == P1
        (p.day / "x.tmp").write_bytes(P3)
        os.rename(p.day / "x.tmp", p.day / "2.pprof")
        assert (p.day / "2.pprof").read_bytes() == P3
        other = p.at / "sample/2026/11/23"
        other.mkdir()
        sh("mv 2.pprof ../23/9.pprof", p.day)
        assert p.stored() == {"sample/2026/11/23/9.pprof": P3}
        raises(errno.EINVAL, lambda: os.rename(other / "9.pprof", other / "9.bak"))
        (p.day / "x.tmp").write_bytes(P3)
        raises(errno.ENOENT, lambda: os.rename(p.day / "nosuch.pprof", p.day / "4.pprof"))
        for path in ("sample", "sample/2026", "sample/2026/11", "sample/2026/11/23"):
            raises(errno.EXDEV, lambda path=path: os.rename(p.at / path, p.at / "other"))
        sh("mv 22 24", p.at / "sample/2026/11")  # copies: a directory is only a prefix
        assert sorted(os.listdir(p.at / "sample/2026/11")) == ["23", "24"]


@test
def merged_files_cannot_be_changed(folder, pgofs):
    with Place(folder, pgofs) as p:
        (p.day / "1.pprof").write_bytes(P1)
        merged = p.at / "sample/merged"
        one = merged / "2026-11-22.pprof"
        content = one.read_bytes()
        raises(errno.EPERM, lambda: one.write_bytes(P1))
        raises(errno.EPERM, lambda: os.remove(one))
        raises(errno.EPERM, lambda: os.rename(one, p.day / "2.pprof"))
        raises(errno.EPERM, lambda: os.rename(p.day / "1.pprof", one))
        raises(errno.EPERM, lambda: os.truncate(one, 0))
        raises(errno.EPERM, lambda: (merged / "new.pprof").write_bytes(P1))
        raises(errno.EPERM, lambda: (merged / "dir").mkdir())
        raises(errno.EPERM, lambda: os.rmdir(merged))
        for path in (merged, p.at / "merged"):
            raises(errno.EPERM, lambda path=path: os.rename(path, p.at / "other"))
        sh("mv sample/merged other", p.at, ok=False)
        assert "merged files are computed" in p.mount.words()
        assert sorted(os.listdir(p.at)) == ["merged", "sample"]
        raises(errno.ENOENT, lambda: (merged / "2025-01-01.pprof").read_bytes())
        assert one.read_bytes() == content and one.stat().st_mode & 0o222 == 0


@test
def trees_are_made_and_removed(folder, pgofs):
    with Place(folder, pgofs) as p:
        sh('mkdir -p sample/2026/10/01 sample/2026/10/02 other/2025/01/31', p.at)
        for path in ("sample/2026/10/01/1.pprof", "sample/2026/10/01/2.pprof", "sample/2026/10/02/1.pprof"):
            (p.at / path).write_bytes(P1)
        raises(errno.ENOTEMPTY, lambda: os.rmdir(p.at / "sample/2026/10/01"))
        raises(errno.EEXIST, lambda: os.mkdir(p.at / "sample"))
        sh("rm -r sample/2026/10/01", p.at)
        assert sorted(p.stored()) == ["sample/2026/10/02/1.pprof"]
        sh("rm -r sample/2026/10", p.at)
        assert p.stored() == {} and not (p.at / "sample/2026/10").exists()
        sh("rmdir -p 2025/01/31 2>/dev/null || rmdir 2025/01/31 2025/01 2025", p.at / "other")
        sh("mkdir -p sample/2026/10/01", p.at)
        (p.at / "sample/2026/10/01/1.pprof").write_bytes(P2)
        os.remove(p.at / "sample/2026/10/01/1.pprof")
        assert os.listdir(p.at / "sample/2026/10/01") == []  # stays until it is removed


@test
def trees_are_copied_in_and_out(folder, pgofs):
    with Place(folder, pgofs) as p:
        tree = folder / "tree/shop/2026/11"
        for day in ("20", "21"):
            (tree / day).mkdir(parents=True)
            for k in range(5):
                (tree / day / f"10000{k}Z-web-{k}.pprof").write_bytes(profile(k))
        sh(f"cp -a shop '{p.at}/cp1'; cp -r shop '{p.at}/cp2'", folder / "tree")
        ways = ["cp1", "cp2"]
        if shutil.which("rsync"):
            sh(f"rsync -a shop/ '{p.at}/rsync1/'; rsync -a --delete shop/ '{p.at}/rsync1/' --exclude merged", folder / "tree")
            ways.append("rsync1")
        for way in ways:
            run("diff", "-r", folder / "tree/shop/2026", p.at / way / "2026")
        sh(f"cp -a '{p.at}/cp1/2026' out; diff -r out shop/2026; tar -C '{p.at}/cp1' -cf - 2026 | tar -t", folder / "tree")
        assert len(p.stored()) == 10 * len(ways)


@test
def listings_and_sizes_add_up(folder, pgofs):
    with Place(folder, pgofs) as p:
        for k in range(300):
            (p.day / f"{k:06}Z-a.pprof").write_bytes(P1)
        assert len(p.names()) == 300
        found = run("find", p.at / "sample/2026", "-type", "f", "-size", "-2").split()
        assert len(found) == 300
        assert len(run("ls", "-l", p.day).splitlines()) == 301
        blocks = int(run("du", "-s", "--block-size=512", p.day).split()[0])
        assert blocks == 300 * ((len(P1) + 511) // 512), blocks
        assert b"pgofs" in run("stat", "-f", p.at) or run("df", p.at)
        assert run("stat", "-c", "%s", p.day / "000001Z-a.pprof").split() == [str(len(P1)).encode()]
        for name in p.names()[::2]:
            os.remove(p.day / name)
        assert len(p.names()) == 150
        with os.scandir(p.day) as entries:
            inos = {e.name: e.inode() for e in entries}
        assert all((p.day / n).stat().st_ino == i for n, i in inos.items())
        assert len(set(inos.values())) == 150


@test
def a_listing_being_read_stays_as_it_was(folder, pgofs):
    with Place(folder, pgofs) as p:
        for k in range(2000):
            p.stored_day.mkdir(parents=True, exist_ok=True)
            (p.stored_day / f"{k:06}.pprof").write_bytes(P1)
        p.mount.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(p.names()) == 2000, "the files made underneath")
        with os.scandir(p.day) as entries:
            names = [next(entries).name for _ in range(3)]
            for k in range(0, 200):
                os.remove(p.day / f"{k:06}.pprof")
            (p.day / "999999.pprof").write_bytes(P1)
            names += [e.name for e in entries]
        assert len(names) == len(set(names)), "a name came twice"
        assert set(f"{k:06}.pprof" for k in range(200, 2000)) <= set(names)


@test
def limits_are_kept(folder, pgofs):
    with Place(folder, pgofs, "max-profile=64KiB", "spool=256KiB") as p:
        with open(p.day / "1.pprof", "wb", buffering=0) as f:
            raises(errno.EFBIG, lambda: [f.write(b"x" * 40000) for _ in range(3)])
            raises(errno.EFBIG, lambda: os.ftruncate(f.fileno(), 1 << 40))
            os.ftruncate(f.fileno(), 0)
        assert p.mount.words().count("more than the 65536 bytes that a profile may have (max-profile)") == 1
        def fill():
            for k in range(10):
                (p.day / f"{k}.tmp").write_bytes(b"x" * 60000)
        raises(errno.ENOSPC, fill)
        assert p.mount.words().count("more than the 262144 bytes that all files being written may have (spool)") == 1
        assert p.mount.statistics()["spool_bytes"] <= 256 * 1024
        sh("rm *.tmp 1.pprof", p.day)
        (p.day / "2.pprof").write_bytes(P1)
        assert list(p.stored().values()) == [P1]
        wait_for(lambda: p.mount.statistics()["spool_bytes"] == 0, "the last handle's end")


@test
def read_only_refuses_every_change(folder, pgofs):
    p = Place(folder, pgofs, "ro")
    p.stored_day.mkdir(parents=True)
    (p.stored_day / "1.pprof").write_bytes(P1)
    with p.mount:
        one = p.day / "1.pprof"
        assert one.read_bytes() == P1
        raises(errno.EROFS, lambda: one.write_bytes(P2))
        raises(errno.EROFS, lambda: (p.day / "2.pprof").write_bytes(P2))
        raises(errno.EROFS, lambda: os.remove(one))
        raises(errno.EROFS, lambda: os.rename(one, p.day / "2.pprof"))
        raises(errno.EROFS, lambda: os.mkdir(p.at / "app"))
        raises(errno.EROFS, lambda: os.rmdir(p.day))
        raises(errno.EROFS, lambda: os.utime(one))
    assert p.stored() == {"sample/2026/11/22/1.pprof": P1}


@test
def what_others_do_shows_in_time(folder, pgofs):
    with Place(folder, pgofs, "refresh=500ms") as p:
        (p.day / "1.pprof").write_bytes(P1)
        assert p.names() == ["1.pprof"]
        (p.stored_day / "2.pprof").write_bytes(P2)
        os.remove(p.stored_day / "1.pprof")
        time.sleep(0.6)
        assert p.names() == ["2.pprof"] and not (p.day / "1.pprof").exists()
        assert (p.day / "2.pprof").read_bytes() == P2
        (p.stored_day / "2.pprof").write_bytes(P3)
        time.sleep(0.6)
        assert (p.day / "2.pprof").read_bytes() == P3


@test
def owner_and_modes_are_as_asked(folder, pgofs):
    with Place(folder, pgofs, "uid=12345", "gid=54321", "umask=027") as p:
        (p.day / "1.pprof").write_bytes(P1)
        st, dir_st = (p.day / "1.pprof").stat(), p.day.stat()
        assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (12345, 54321, 0o640)
        assert (dir_st.st_uid, dir_st.st_mode & 0o777) == (12345, 0o750)


@test
def the_kernel_forgets_and_so_do_we(folder, pgofs):
    with Place(folder, pgofs) as p:
        for k in range(50):
            (p.day / f"{k:06}.pprof").write_bytes(profile(k))
            (p.at / "sample/merged/2026-11-22.pgo").read_bytes()
        wait_for(lambda: p.mount.statistics()["snapshots"] <= 2, "replaced snapshots to go with the last release")
        for _ in range(5):
            run("ls", "-lR", p.at)
            run("find", p.at, "-newer", "/etc/passwd")
        try:
            pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")
        except OSError:
            print("cannot drop caches here")
            return
        wait_for(lambda: p.mount.statistics()["inodes"] == 1, "the last forget")
        s = p.mount.statistics()
        assert s["lookups"] == 0 and s["handles"] == 0, s
        assert s["snapshots"] == 0 and s["pinned_bytes"] == 0 and s["spool_files"] == 0, s


if __name__ == "__main__":
    need_fuse()
    main(os.path.abspath(sys.argv[1]))
