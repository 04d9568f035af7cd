#!/usr/bin/env python3
"""The commands, as people and scripts call them: test-commands.py PGOFS DATA

Each test has a storage directory of its own. Exit codes and words are demanded, not only outcomes.
"""
import gzip
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
import unittest

PGOFS = sys.argv.pop(1)
DATA = pathlib.Path(sys.argv.pop(1))
SAMPLES = sorted(str(p) for p in (DATA / "sample").glob("*.pprof"))
ONE_LINE = re.compile(r"\Apgofs( [a-z]+)?: [^\n]+\n\Z")


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def read_varint(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return n, at


def with_time(profile, ns):
    """The same profile in raw form, taken at another time."""
    raw, out, at = gzip.decompress(pathlib.Path(profile).read_bytes()), b"", 0
    while at < len(raw):
        start = at
        tag, at = read_varint(raw, at)
        n, at = read_varint(raw, at)
        at += n if tag & 7 == 2 else 0
        if tag >> 3 != 9:
            out += raw[start:at]
    return out + (b"\x48" + varint(ns) if ns else b"")


NOON = 1795348800 * 10**9  # 2026-11-22T12:00:00Z


class Commands(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="pgofs-commands-")
        self.addCleanup(scratch.cleanup)
        self.dir = pathlib.Path(scratch.name)
        self.store = self.dir / "store"
        self.store.mkdir()

    def run_pgofs(self, *words, code=0, stdin=b"", **how):
        done = subprocess.run([PGOFS, *map(str, words)], input=stdin, capture_output=True, timeout=60, **how)
        self.assertEqual(done.returncode, code, (words, done.stdout[-300:], done.stderr))
        return done

    def lines(self, *words, **how):
        return self.run_pgofs(*words, **how).stdout.decode().splitlines()

    def fails(self, *words, says, code=1, **how):
        """One line that names what is wrong."""
        done = self.run_pgofs(*words, code=code, **how)
        text = done.stderr.decode()
        self.assertRegex(text, ONE_LINE)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, text)
        return done

    def profile(self, name, ns=NOON, sample=0):
        path = self.dir / name
        path.write_bytes(with_time(SAMPLES[sample], ns))
        return path

    def files(self, root=None):
        root = root or self.store
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and ".pgofs" not in p.parts)

    # ---- the program ----

    def test_says_how_it_is_used(self):
        self.assertRegex(self.run_pgofs("--version").stdout.decode(), r"\Apgofs \d+\.\d+\.\d+\n\Z")
        overview = self.run_pgofs("--help").stdout.decode()
        for command in ["mount", "cat", "ls", "put", "rm", "prune", "merge"]:
            self.assertIn(f"  {command} ", overview)
            words = self.run_pgofs(command, "--help").stdout.decode()
            self.assertIn("pgofs " + command, words)
            self.assertIn("--help", words)
            self.assertEqual(self.run_pgofs("help", command).stdout.decode(), words)
        self.assertEqual(self.run_pgofs("-V").stdout, self.run_pgofs("--version").stdout)

    def test_wrong_usage_is_exit_code_2_and_one_line(self):
        for words, says in [
            ([], "command"),
            (["frob"], "frob"),
            (["--frob"], "--frob"),
            (["help", "frob"], "frob"),
            (["mount", self.store], "MOUNTPOINT"),
            (["mount", "-o", "frob", self.store, self.dir], "frob"),
            (["mount", "s3://", self.dir], "s3://"),
            (["cat", self.store], "SOURCE PATH"),
            (["cat", "--frob", self.store, "x"], "--frob"),
            (["ls"], "SOURCE"),
            (["ls", "-o", "frob=1", self.store], "frob"),
            (["ls", "-o", "refresh=soon", self.store], "refresh"),
            (["put", self.store, "app"], "FILE"),
            (["put", self.store, "merged", "x"], '"merged"'),
            (["put", self.store, "a/b", "x"], '"a/b"'),
            (["rm", self.store], "PATH"),
            (["prune", self.store], "--older-than"),
            (["prune", self.store, "--older-than", "30"], "30"),
            (["prune", self.store, "--older-than", "30d", "--app", ".."], '".."'),
            (["merge"], "FILE"),
            (["merge", "-o", "out.prof", SAMPLES[0]], "out.prof"),
            (["merge", "--view", "svg", SAMPLES[0]], "svg"),
        ]:
            with self.subTest(words=words):
                self.fails(*words, says=says, code=2)

    def test_a_storage_that_is_not_there_is_a_failure(self):
        for words in [["ls"], ["cat", "x"], ["rm", "x"], ["put", "app", SAMPLES[0]]]:
            self.fails(words[0], self.dir / "nowhere", *words[1:], says=str(self.dir / "nowhere"))
        done = self.fails("prune", self.dir / "nowhere", "--older-than", "1d", says="nowhere")
        self.assertEqual(done.stdout, b"")
        self.fails("ls", SAMPLES[0], says=[SAMPLES[0], "Not a directory"])

    # ---- put ----

    def test_put_files_a_profile_under_its_own_time(self):
        printed = self.lines("put", "-s", "web-3", self.store, "app", self.profile("a.pprof", NOON + 250 * 10**6))
        self.assertEqual(printed, ["app/2026/11/22/120000.250Z-web-3.pprof"])
        self.assertEqual(self.files(), printed)
        self.assertEqual((self.store / printed[0]).read_bytes(), (self.dir / "a.pprof").read_bytes())

    def test_put_takes_the_files_time_where_the_profile_has_none(self):
        path = self.profile("a.pprof", 0)
        os.utime(path, ns=(NOON, NOON))
        self.assertEqual(self.lines("put", self.store, "app", path), ["app/2026/11/22/120000.000Z.pprof"])

    def test_put_again_changes_nothing(self):
        first = self.lines("put", self.store, "app", self.profile("a.pprof"))
        self.assertEqual(self.lines("put", self.store, "app", self.dir / "a.pprof"), first)
        self.assertEqual(self.files(), first)

    def test_put_tells_two_profiles_of_one_instant_apart(self):
        a, b = self.profile("a.pprof"), self.profile("b.pprof", sample=1)
        printed = self.lines("put", "-s", "web", self.store, "app", a, b)
        self.assertEqual(printed[0], "app/2026/11/22/120000.000Z-web.pprof")
        self.assertRegex(printed[1], r"/120000\.000Z-web-[0-9a-f]{12}\.pprof$")
        self.assertEqual(self.lines("put", "-s", "web", self.store, "app", b, a), printed[::-1])
        self.assertEqual(len(self.files()), 2)

    def test_put_reads_stdin(self):
        self.assertEqual(
            self.lines("put", self.store, "app", "-", stdin=with_time(SAMPLES[0], NOON)),
            ["app/2026/11/22/120000.000Z.pprof"],
        )

    def test_put_refuses_what_go_could_not_use_and_stores_the_rest(self):
        bad = self.dir / "bad.pprof"
        bad.write_bytes(b"404 page not found\n")
        done = self.fails("put", self.store, "app", bad, self.profile("good.pprof"), says=["bad.pprof"])
        self.assertEqual(done.stdout.decode().splitlines(), self.files())
        self.assertEqual(len(self.files()), 1)
        self.fails("put", self.store, "app", self.dir / "absent.pprof", says=["absent.pprof", "No such file"])
        self.fails("put", self.store, "app", self.dir, says=[str(self.dir), "directory"])

    def test_put_keeps_to_its_limits(self):
        a = self.profile("a.pprof")
        size = a.stat().st_size
        self.fails("put", "-o", f"max-profile={size - 1}", self.store, "app", a, says=["a.pprof", "larger than"])
        self.fails("put", "-o", "max_inflated=1000", self.store, "app", a, says=["a.pprof", "1000"])
        self.fails("put", "-o", "ro", self.store, "app", a, says=["a.pprof", "Read-only"])
        self.assertEqual(self.files(), [])
        self.lines("put", "-o", f"max-profile={size},max-inflated=1MiB", self.store, "app", a)

    # ---- ls and cat ----

    def test_ls_shows_the_tree(self):
        now = self.lines("put", self.store, "app", self.profile("a.pprof", time.time_ns() - 10**9))
        self.lines("put", self.store, "old", self.profile("b.pprof", NOON - 400 * 86400 * 10**9))
        (self.store / "lost+found").mkdir()
        self.assertEqual(self.lines("ls", self.store), ["app", "merged", "old"])
        self.assertEqual(self.lines("ls", self.store, "/app/"), [now[0].split("/")[1], "merged"])
        names = [f"last-{w}.{v}" for w in ("1h", "24h", "7d") for v in ("pgo", "pprof", "txt")]
        self.assertEqual(self.lines("ls", self.store, "app/merged"), names)
        self.assertEqual(self.lines("ls", self.store, "merged"), names)
        self.assertEqual(self.lines("ls", self.store, "old/merged"), [])
        self.assertEqual(self.lines("ls", self.store, now[0]), now)
        rows = self.lines("ls", "-l", self.store, os.path.dirname(now[0]))
        self.assertRegex(rows[0], r"^- +%d \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +%s$" % ((self.store / now[0]).stat().st_size, os.path.basename(now[0])))
        sizes = {row.split()[3]: int(row.split()[1]) for row in self.lines("ls", "-l", self.store, "app/merged")}
        self.assertEqual(sizes["last-1h.pgo"], len(self.run_pgofs("cat", self.store, "app/merged/last-1h.pgo").stdout))
        self.fails("ls", self.store, "nobody", says=["nobody", "No such file"])

    def test_cat_prints_stored_bytes_and_merges(self):
        paths = self.lines("put", self.store, "app", *[self.profile(f"{i}.pprof", NOON + i * 10**9, i) for i in range(3)])
        self.assertEqual(self.run_pgofs("cat", self.store, paths[0]).stdout, (self.store / paths[0]).read_bytes())
        inputs = [self.store / p for p in sorted(paths)]
        for view in ["pprof", "pgo"]:
            merged = self.run_pgofs("cat", self.store, f"app/merged/2026-11-22.{view}").stdout
            self.assertEqual(merged, self.run_pgofs("merge", "--view", view, *inputs).stdout)
            self.assertEqual(merged[:10], gzip.compress(b"")[:2] + b"\x08\x00\x00\x00\x00\x00" + merged[8:10], "no time, no name")
        self.assertIn(b"3", self.run_pgofs("cat", self.store, "app/merged/2026-11.txt").stdout)

    def test_cat_fails_loudly_where_there_is_nothing(self):
        done = self.fails("cat", self.store, "app/merged/last-24h.pgo", says=["app/merged/last-24h.pgo", "no profile"])
        self.assertEqual(done.stdout, b"")
        self.fails("cat", self.store, "app/merged/yesterday.pgo", says="yesterday")
        self.fails("cat", self.store, "app/2026/11/22/x.pprof", says=["x.pprof", "No such file"])
        self.lines("put", self.store, "app", self.profile("a.pprof"))
        self.fails("cat", self.store, "app", says=["app", "directory"])
        self.fails("cat", self.store, "../store/app", says="../store/app")

    def test_a_wrong_path_keeps_no_other_from_being_shown(self):
        path = self.lines("put", self.store, "app", self.profile("a.pprof"))[0]
        done = self.fails("cat", self.store, "nobody/x.pprof", path, says="nobody")
        self.assertEqual(done.stdout, (self.store / path).read_bytes())
        done = self.fails("ls", self.store, "nobody", "app", says="nobody")
        self.assertEqual(done.stdout.decode(), "nobody:\n\napp:\n2026\nmerged\n")

    def test_cat_names_what_is_broken_only_when_nothing_is_left(self):
        path = self.lines("put", self.store, "app", self.profile("a.pprof"))[0]
        (self.store / path).with_name("100000Z-web-7.pprof").write_bytes(b"rubbish")
        done = self.run_pgofs("cat", self.store, "app/merged/2026-11-22.pgo")
        self.assertIn("100000Z-web-7.pprof", done.stderr.decode(), "said on stderr")
        self.assertIn(b"100000Z-web-7.pprof", self.run_pgofs("cat", self.store, "app/merged/2026-11-22.txt").stdout)
        (self.store / path).unlink()
        done = self.run_pgofs("cat", self.store, "app/merged/2026-11-22.pgo", code=1)
        self.assertIn("100000Z-web-7.pprof", done.stderr.decode().splitlines()[-1])
        self.assertEqual(done.stdout, b"")

    def test_an_edge_profile_without_calls_is_none(self):
        """Go would take it in silence, and build as if there were none."""
        idle = DATA.parent / "pprof" / "bad" / "no-calls.pprof"
        for n in [1, 40]:  # at once, in parts
            for i in range(n):
                path = self.store / f"app/2026/11/22/1200{i:02}Z-web.pprof"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(idle.read_bytes())
            done = self.fails("cat", self.store, "app/merged/2026-11-22.pgo", says=["2026-11-22.pgo", "no calls"])
            self.assertEqual(done.stdout, b"")
            self.assertTrue(self.run_pgofs("cat", self.store, "app/merged/2026-11-22.pprof").stdout)
        out = self.dir / "default.pgo"
        self.fails("merge", "-o", out, idle, says="no calls")
        self.assertFalse(out.exists())

    def test_cat_ends_quietly_when_its_reader_does(self):
        big = self.dir / "big"
        big.write_bytes(with_time(SAMPLES[0], NOON) + b"\x32\xff\xff\x0f" + b"c" * 0x3FFFF)  # a long string
        path = self.lines("put", self.store, "app", big)[0]
        cat = subprocess.Popen([PGOFS, "cat", self.store, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        cat.stdout.read(1)
        cat.stdout.close()
        self.assertEqual(cat.stderr.read(), b"")
        self.assertEqual(cat.wait(30), 1)
        cat.stderr.close()

    def test_a_full_disk_is_a_failure(self):
        path = self.lines("put", self.store, "app", self.profile("a.pprof"))[0]
        with open("/dev/full", "wb") as full:
            for words in [["cat", self.store, path], ["ls", self.store], ["--help"]]:
                done = subprocess.run([PGOFS, *map(str, words)], stdout=full, stderr=subprocess.PIPE, timeout=60)
                self.assertEqual(done.returncode, 1, words)
                self.assertIn(b"No space left", done.stderr)

    # ---- rm and prune ----

    def test_rm_removes_profiles_and_nothing_else(self):
        a, b = self.lines("put", self.store, "app", self.profile("a.pprof"), self.profile("b.pprof", NOON + 10**9, 1))
        self.run_pgofs("rm", self.store, a)
        self.assertEqual(self.files(), [b])
        self.fails("rm", self.store, a, says=[a, "No such file"])
        self.fails("rm", self.store, "app", says=["app", "-r"])
        self.fails("rm", self.store, "app/merged/last-1h.pgo", says="last-1h.pgo")
        self.fails("rm", "-r", self.store, "/", says="root")
        self.fails("rm", self.store, "", says="root")
        self.fails("rm", "-r", self.store, "../store", says="../store")
        self.assertEqual(self.files(), [b])

    def test_rm_r_removes_a_month(self):
        files = [self.profile(f"{i}.pprof", NOON + i * 86400 * 10**9) for i in range(-3, 3)]
        self.lines("put", self.store, "app", *files)
        self.lines("put", self.store, "app", self.profile("next.pprof", NOON + 10 * 86400 * 10**9))
        (self.store / "app/2026/11/01").mkdir()
        gone = self.lines("rm", "-rv", self.store, "app/2026/11")
        self.assertEqual(len(gone), 6)
        self.assertEqual(self.files(), ["app/2026/12/02/120000.000Z.pprof"])
        self.assertEqual(self.lines("ls", self.store, "app/2026"), ["12"])

    def test_rm_says_of_each_what_went_wrong_and_goes_on(self):
        a = self.lines("put", self.store, "app", self.profile("a.pprof"))[0]
        done = self.run_pgofs("rm", self.store, "app/2026/11/22/x.pprof", a, "nobody/2026/11/22/y.pprof", code=1)
        self.assertEqual(len(done.stderr.splitlines()), 2)
        self.assertEqual(self.files(), [])

    def test_prune_removes_what_is_old(self):
        now = time.time_ns()
        for days in (0, 10, 29, 31, 400):
            for app in ("app", "other"):
                self.lines("put", self.store, app, self.profile("p.pprof", now - days * 86400 * 10**9))
        before = self.files()
        listed = self.lines("prune", self.store, "--older-than", "30d", "--app", "app", "--dry-run")
        self.assertEqual(len(listed), 3)
        self.assertRegex(listed[-1], r"^would remove 2 profiles, ")
        self.assertEqual(self.files(), before)
        self.assertRegex(self.lines("prune", self.store, "--older-than=30d", "--app=app")[-1], r"^removed 2 profiles, ")
        self.assertEqual([p for p in before if p not in self.files()], sorted(listed[:2]))
        self.assertRegex(self.lines("prune", self.store, "--older-than", "2w")[-1], r"^removed 4 profiles, ")
        self.assertRegex(self.lines("prune", self.store, "--older-than", "2w")[-1], r"^removed 0 profiles, ")
        done = self.run_pgofs("prune", self.store, "--older-than", "2w", "--app", "slip")
        self.assertIn("no app slip", done.stderr.decode())

    # ---- merge ----

    def test_merge_writes_what_its_output_is_called(self):
        for view, magic in [("pprof", b"\x1f\x8b"), ("pgo", b"\x1f\x8b"), ("txt", b"")]:
            out = self.dir / f"out.{view}"
            self.assertEqual(self.run_pgofs("merge", "-o", out, *SAMPLES).stdout, b"")
            self.assertTrue(out.read_bytes().startswith(magic))
            self.assertEqual(out.read_bytes(), self.run_pgofs("merge", "--view", view, *SAMPLES).stdout)
        self.assertEqual((self.dir / "out.pprof").read_bytes(), self.run_pgofs("merge", *SAMPLES).stdout)
        self.assertLess((self.dir / "out.pgo").stat().st_size, (self.dir / "out.pprof").stat().st_size)

    def test_merge_gives_the_same_bytes_with_any_number_of_threads(self):
        many = SAMPLES * 20
        one = self.run_pgofs("merge", "--threads", "0", *many).stdout
        for n in ("1", "2", "7", "64"):
            self.assertEqual(self.run_pgofs("merge", "--threads", n, *many).stdout, one)

    def test_merge_replaces_its_output_whole(self):
        out = self.dir / "default.pgo"
        out.write_bytes(b"precious")
        out.chmod(0o640)
        bad = self.dir / "bad.pprof"
        bad.write_bytes(b"rubbish")
        self.fails("merge", "-o", out, SAMPLES[0], bad, says=["bad.pprof"])
        self.assertEqual(out.read_bytes(), b"precious")
        link = self.dir / "link.pgo"
        link.symlink_to(out)
        self.run_pgofs("merge", "-o", link, *SAMPLES)
        self.assertTrue(link.is_symlink())
        self.assertTrue(out.read_bytes().startswith(b"\x1f\x8b"))
        self.assertEqual(out.stat().st_mode & 0o777, 0o640)
        self.assertEqual(sorted(p.name for p in self.dir.iterdir() if p.name.startswith(".")), [])
        self.fails("merge", "-o", self.dir / "no/such/x.pgo", *SAMPLES, says=["no/such/x.pgo", "No such file"])

    def test_merge_leaves_out_broken_files_only_when_told_to(self):
        bad = self.dir / "bad.pprof"
        bad.write_bytes(pathlib.Path(SAMPLES[1]).read_bytes()[:-20])
        self.fails("merge", SAMPLES[0], bad, says="bad.pprof")
        done = self.run_pgofs("merge", "--skip-broken", SAMPLES[0], bad)
        self.assertIn("bad.pprof", done.stderr.decode())
        self.assertEqual(done.stdout, self.run_pgofs("merge", SAMPLES[0]).stdout)
        done = self.run_pgofs("merge", "--skip-broken", bad, code=1)
        self.assertEqual(done.stdout, b"")
        self.assertIn("no file could be used", done.stderr.decode())

    def test_merge_reads_stdin_and_pipes(self):
        expected = self.run_pgofs("merge", *SAMPLES[:2]).stdout
        stdin = pathlib.Path(SAMPLES[1]).read_bytes()
        self.assertEqual(self.run_pgofs("merge", SAMPLES[0], "-", stdin=stdin).stdout, expected)

    def test_merge_writes_no_profile_to_a_terminal(self):
        ours, theirs = pty.openpty()
        try:
            done = subprocess.run([PGOFS, "merge", *SAMPLES], stdout=theirs, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"terminal", done.stderr)
            report = subprocess.Popen([PGOFS, "merge", "--view", "txt", SAMPLES[0]], stdout=theirs)
            while report.poll() is None:
                if select.select([ours], [], [], 0.01)[0]:
                    os.read(ours, 65536)
            self.assertEqual(report.returncode, 0)
        finally:
            os.close(theirs)
            os.close(ours)


unittest.main(verbosity=1)
