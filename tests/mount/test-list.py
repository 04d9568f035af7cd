#!/usr/bin/env python3
"""Are large directories listed truly, and with bounded memory and requests? test-list.py PGOFS"""
import datetime
import errno
import os
import sys

from mounted import Mount, main, need_fuse, profile, raises, run, test

DAY = "app/2026/11/22"
MANY = 20_000  # some thirty pages of a listing


def fill(day, n, of):
    """n profiles in a day, all of them the one file `of`."""
    day.mkdir(parents=True)
    for i in range(n):
        second = i * 86400 // n
        os.link(of, day / f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}Z-web-{i:06}.pprof")


def place(folder):
    source, at, one = folder / "source", folder / "mnt", folder / "one"
    one.write_bytes(profile(1))
    source.mkdir()
    at.mkdir()
    return source, at, one


@test
def names_alone_cost_no_sizes(folder, pgofs):
    source, at, one = place(folder)
    fill(source / DAY, MANY, one)
    with Mount(pgofs, source, at, "stats", "refresh=1h", debug=False) as m:
        for _ in range(3):
            shown = run("ls", "-U", at / DAY).decode().splitlines()
            assert shown == sorted(os.listdir(source / DAY)), "all names, in byte order"
        n = m.numbers()
    assert n["requests_lookup_total"] < 50 and n["inodes"] < 50, n
    assert n["listings_asked_total"] <= 5, n
    assert n["listings_bytes"] < 150 * MANY, n


@test
def sizes_and_times_come_with_the_names(folder, pgofs):
    source, at, one = place(folder)
    fill(source / DAY, MANY, one)
    form = "--printf=%n %s %Y %F\\n"
    with Mount(pgofs, source, at, "stats", "refresh=1h", debug=False) as m:
        with os.scandir(at / DAY) as entries:  # as ls -l does: a look at each while reading
            assert sum(e.stat().st_size for e in entries) == MANY * len(profile(1))
        assert m.numbers()["requests_lookup_total"] < MANY / 2, m.numbers()
        for _ in range(2):
            shown = run("find", ".", "-type", "f", "-printf", "%P %s %T@\n", cwd=at / DAY)
            assert sorted(shown.split(b"\n")) == \
                sorted(run("find", ".", "-type", "f", "-printf", "%P %s %T@\n", cwd=source / DAY).split(b"\n"))
            assert run("ls", "-l", "--time-style=full-iso", at / DAY).count(b"\n") == MANY + 1
        assert run("stat", form, f"{at / DAY}/000000Z-web-000000.pprof").endswith(b"regular file\n")
        n = m.numbers()
    assert n["listings_asked_total"] <= 6, n
    assert n["inodes_bytes"] < 400 * MANY and n["listings_bytes"] < 150 * MANY, n


@test
def a_change_made_while_a_day_is_read_shows(folder, pgofs):
    source, at, one = place(folder)
    fill(source / DAY, MANY, one)
    with Mount(pgofs, source, at, "refresh=1h", debug=False):
        with os.scandir(at / DAY) as entries:
            first = next(entries)
            first.stat()  # so that what follows comes with attributes
            names = sorted(os.listdir(source / DAY))
            gone, replaced, new = names[-1], names[-2], "235959Z-zzz.pprof"
            (at / DAY / gone).unlink()
            (at / DAY / replaced).write_bytes(profile(2, functions=50))
            (at / DAY / new).write_bytes(profile(3))
            seen = [first.name] + [e.name for e in entries]
        assert seen == names, "names are those of the moment it was opened, each once"
        raises(errno.ENOENT, lambda: (at / DAY / gone).stat())
        assert (at / DAY / replaced).read_bytes() == profile(2, functions=50)
        assert (at / DAY / replaced).stat().st_size == len(profile(2, functions=50))
        assert (at / DAY / new).stat().st_size == len(profile(3))
        assert sorted(os.listdir(at / DAY)) == sorted((set(names) | {new}) - {gone})


@test
def of_many_days_only_those_looked_at_are_held(folder, pgofs):
    source, at, one = place(folder)
    last = datetime.date(2026, 11, 22)
    days = [(last - datetime.timedelta(k)).strftime("app/%Y/%m/%d") for k in range(300)]
    for day in days:
        fill(source / day, 20, one)
    with Mount(pgofs, source, at, "stats", "refresh=1h", debug=False) as m:
        assert m.numbers()["listings_asked_total"] == 0, "a mount asks for nothing by itself"
        assert len(os.listdir(at / days[0])) == 20
        n = m.numbers()
        assert n["listings_asked_total"] <= 5 and n["listings_kept"] <= 5, n


@test
def listings_stay_within_their_share_of_memory(folder, pgofs):
    source, at, one = place(folder)
    last = datetime.date(2026, 11, 22)
    days = [(last - datetime.timedelta(k)).strftime("app/%Y/%m/%d") for k in range(60)]
    for day in days:
        fill(source / day, 500, one)
    with Mount(pgofs, source, at, "stats", "refresh=1h", "memory=1MiB", debug=False) as m:
        for day in days:
            assert len(os.listdir(at / day)) == 500
            n = m.numbers()
            assert n["listings_bytes"] <= (1 << 20) / 4 and n["listings_kept"] < 20, n


if __name__ == "__main__":
    need_fuse()
    main(os.path.abspath(sys.argv[1]))
