#!/usr/bin/env python3
"""Judges pgofs' merge by Go's own tools.

    judge.py --pgofs PATH generated [--first SEED] [--cases N]
    judge.py --pgofs PATH real
    judge.py --pgofs PATH compiled FOLDER
    judge.py --pgofs PATH stored FOLDER
    judge.py --pgofs PATH files FILE...

With --merger PATH in the place of --pgofs, another program is judged, which is called as PATH OUT FILE...
With --standing PATH one more is judged beside it, called as PATH --standing OUT FILE..., which ends with 3 where inputs do not stand.

For a list of inputs these things must hold, in the order in which they are checked:
  1. `pgofs merge -o X.pprof` is, inflated, byte for byte what `go tool pprof -proto -symbolize=none` gives;
     and so is a standing merge, where they stand;
  2. `go tool preprofile` says the same of X.pprof and of X.pgo;
  3. merging the .pgo files of two halves gives the .pgo of the whole.
"compiled" builds a program with both: the binaries must be the same, and not the one built with no profile.
"stored" needs no Go: it compares merges with checksums made earlier.
Exit codes: 0 all hold, 1 a difference (shown, with the way to see it again), 77 there is no Go to judge by.
"""

import argparse
import difflib
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import odd
import real
import wire

SKIP = 77
NO_EDGES = b"GO PREPROFILE V1\n"


class Skip(Exception):
    pass


class Go:
    """Go's tools, found once: started directly they cost a tenth of what the go command costs."""

    def __init__(self, scratch):
        self.env = dict(os.environ, GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="")
        empty = scratch / "no-binaries"
        empty.mkdir()
        self.env.update(PPROF_BINARY_PATH=str(empty), PPROF_TMPDIR=str(empty))
        if not shutil.which("go"):
            raise Skip("there is no go command")
        version = self.ask("env", "GOVERSION")
        number = re.match(r"go1\.(\d+)", version)
        if not number or int(number[1]) < 23:
            raise Skip("%s has no preprofile, and an older merge: 1.23 or later is needed" % version)
        self.pprof, self.preprofile = self.ask("tool", "-n", "pprof"), self.ask("tool", "-n", "preprofile")

    def ask(self, *words):
        done = subprocess.run(["go", *words], env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise Skip("go %s: %s" % (" ".join(words), done.stderr.strip()))
        return done.stdout.strip()

    def merge(self, files, out):
        """The raw merge. Inputs that pprof would pass over are a mistake of the case, and shown as such."""
        command = [self.pprof, "-proto", "-symbolize=none", "-output", out, *files]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True)
        if done.returncode or "Fetched" in done.stderr:
            raise RuntimeError("go tool pprof does not take these inputs: " + done.stderr.strip())
        return wire.inflate(pathlib.Path(out).read_bytes())

    def edges(self, file):
        """What the compiler reads of a profile; None where it refuses, and why."""
        out = str(file) + ".edges"
        done = subprocess.run([self.preprofile, "-i", file, "-o", out], env=self.env, capture_output=True, text=True)
        if done.returncode:
            return None, done.stderr.strip()
        return pathlib.Path(out).read_bytes(), None

    def keeps_doc_url(self, scratch):
        """Older ones drop it; then cases have none."""
        profile = wire.block(1, b"") + wire.block(6, b"") + wire.block(6, b"doc") + wire.scalar(15, 1)
        (scratch / "doc").write_bytes(profile)
        return b"doc" in self.merge([scratch / "doc"], scratch / "doc.out")


class Judge:
    def __init__(self, command, standing, go, scratch):
        self.command, self.standing, self.go, self.scratch = command, standing, go, scratch
        self.merges = self.with_edges = self.n_several = self.n_standing = 0

    def merge(self, files, name):
        """pgofs' answer as raw bytes, or words for why there is none."""
        out = self.scratch / name
        out.unlink(missing_ok=True)
        done = subprocess.run([*self.command, out, *files], capture_output=True, text=True)
        if done.returncode:
            return None, ["exit code %d: %s" % (done.returncode, done.stderr.strip()[-2000:])]
        return wire.inflate(out.read_bytes()), None

    def differences(self, files, checks=3):
        """Lines that say what is wrong with the merge of these files; none when all is well."""
        self.merges += 1
        wanted = self.go.merge(files, self.scratch / "wanted.pprof")
        got, problem = self.merge(files, "got.pprof")
        problem = problem or wire.difference(wanted, got)
        if problem:
            return ["the .pprof is not what go tool pprof gives:", *problem]
        problem = self.standing_difference(files, wanted) if self.standing else []
        return problem or (self.edge_differences(files, checks) if checks >= 2 else [])

    def standing_difference(self, files, wanted):
        out = self.scratch / "standing.pprof"
        self.n_several += len(files) > 1
        done = subprocess.run([self.standing, "--standing", out, *files], capture_output=True, text=True)
        if done.returncode == 3:
            return []
        problem = ["exit code %d: %s" % (done.returncode, done.stderr.strip()[-2000:])] if done.returncode else None
        problem = problem or wire.difference(wanted, wire.inflate(out.read_bytes()))
        self.n_standing += 1
        return ["the standing merge is not what go tool pprof gives:", *problem] if problem else []

    def edge_differences(self, files, checks):
        wanted, refused = self.go.edges(self.scratch / "wanted.pprof")
        if refused:
            return []
        if wanted == NO_EDGES:
            return []  # nothing for the compiler: pgofs says so instead of making an empty file
        self.with_edges += 1
        whole, problem = self.merge(files, "got.pgo")
        if problem:
            return ["there is no .pgo:", *problem]
        got, refused = self.go.edges(self.scratch / "got.pgo")
        if refused or got != wanted:
            return ["the compiler reads other things in the .pgo:", *(self.text_difference(wanted, got) if got else [refused])]
        return self.half_differences(files, whole) if checks >= 3 else []

    def half_differences(self, files, whole):
        half = len(files) // 2
        for name, part in ("left.pgo", files[:half]), ("right.pgo", files[half:]):
            if not part or self.merge(part, name)[1]:
                return []  # half of the inputs may well have nothing for the compiler
        got, problem = self.merge([self.scratch / "left.pgo", self.scratch / "right.pgo"], "both.pgo")
        problem = problem or wire.difference(whole, got)
        return ["the .pgo of two .pgo files is not that of all their inputs:", *problem] if problem else []

    @staticmethod
    def text_difference(wanted, got):
        lines = [data.decode("utf-8", "backslashreplace").split("\n") for data in (wanted, got)]
        return list(difflib.unified_diff(*lines, "wanted", "got", lineterm=""))[:40]

    def shrink(self, files, checks):
        """Fewer inputs that still show a difference, for those who must find it."""
        files, deadline = list(files), time.monotonic() + 20
        step = max(len(files) // 2, 1)
        while len(files) > 1 and time.monotonic() < deadline:
            for at in range(0, len(files), step):
                fewer = files[:at] + files[at + step :]
                if fewer and self.differences(fewer, checks):
                    files = fewer
                    break
            else:
                if step == 1:
                    break
                step //= 2
        return files

    def report(self, what, files, problem, checks, keep):
        few = self.shrink(files, checks)
        shutil.rmtree(keep, ignore_errors=True)
        keep.mkdir(parents=True)
        kept = [str(shutil.copy(file, keep / ("%03d.pprof" % i))) for i, file in enumerate(few)]
        print("\nnot ok: %s (%d of %d inputs suffice)" % (what, len(few), len(files)))
        print("\n".join("  " + line for line in self.differences(few, checks) or problem))
        me = shlex.join([*sys.argv[:3], "files"])
        print("  see it again: %s %s" % (me, shlex.join(kept) if len(kept) < 9 else str(keep) + "/*"), flush=True)


def write_case(case, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    files = []
    for i, data in enumerate(case.inputs):
        files.append(folder / ("%03d.pprof" % i))
        files[-1].write_bytes(data)
    return files


def judge_generated(judge, args):
    doc_url = judge.go.keeps_doc_url(judge.scratch)
    failures = 0
    for seed in range(args.first, args.first + args.cases):
        case = odd.Case(seed, doc_url)
        files = write_case(case, judge.scratch / "inputs")
        # Negative weights can cancel out between samples, and an edge file keeps only sums; mixed types leave it open which of
        # them is the weight. Where places share addresses, what the compiler takes for one place depends on all inputs. No
        # fleet has any of this.
        checks = 1 if case.signed or case.mixed else 3 if case.like_go else 2
        problem = judge.differences(files, checks)
        if problem:
            failures += 1
            judge.report("seed %d: %s" % (seed, case.about), files, problem, checks, args.keep / ("seed-%d" % seed))
            if failures == args.max_failures:
                break
    return failures + too_few_stood(judge, 0.2)


def too_few_stood(judge, share):
    few = judge.standing and judge.n_standing < share * judge.n_several
    if few:
        print("not ok: of %d merges only %d were made by way of standing ones" % (judge.n_several, judge.n_standing))
    return 1 if few else 0


def judge_real(judge, args):
    failures = 0
    profiles = real.collect(judge.go.env, judge.scratch)
    for what, files in real.merges(profiles):
        problem = judge.differences(files)
        if problem:
            failures += 1
            judge.report(what, files, problem, 3, args.keep / re.sub(r"\W+", "-", what))
    if not same_on_one_core(judge, files):
        failures += 1
        print("not ok: %s: other bytes in another run, or on one core" % what)
    return failures + too_few_stood(judge, 0.9)


def judge_compiled(judge, args):
    """On stored profiles, so that Go's cache spares every build but the first."""
    files = sorted((args.folder / "interp").glob("*.pprof"))
    binaries = {}
    for view in None, "pprof", "pgo":
        profile = "off"
        if view:
            _, problem = judge.merge(files, "got." + view)
            if problem:
                print("\n".join(problem))
                return 1
            (judge.scratch / view).mkdir()
            profile = shutil.copy(judge.scratch / ("got." + view), judge.scratch / view / "default.pgo")
        binaries[view], said = real.compile_with(judge.go.env, judge.scratch, "interp", profile)
        if ("PGO devirtualizing" in said) != (view is not None):
            print("with profile %s the compiler said:\n%s" % (view, said))
            return 1
        judge.merges += 1
    if binaries["pprof"] != binaries["pgo"]:
        print("the compiler makes other code from the .pgo than from the .pprof")
        return 1
    return 0


def judge_stored(judge, args):
    failures = 0
    for line in (args.folder / "merged.sha256").read_text().splitlines():
        wanted, name = line.split()
        judge.merges += 1
        got, problem = judge.merge(sorted((args.folder / name).glob("*.pprof")), "got.pprof")
        if problem or hashlib.sha256(got).hexdigest() != wanted:
            failures += 1
            print("not ok: %s: %s" % (name, problem or "other bytes than go tool pprof gave"))
    return failures


def same_on_one_core(judge, files):
    """The stored bytes, gzip and all: neither threads nor a second run may change them."""
    core = str(min(os.sched_getaffinity(0)))
    outs = []
    for number, before in enumerate(([], [], ["taskset", "-c", core])):
        outs.append(judge.scratch / ("run-%d.pprof" % number))
        subprocess.run([*before, *judge.command, outs[-1], *files], check=True)
    return len({out.read_bytes() for out in outs}) == 1


def judge_files(judge, args):
    problem = judge.differences(args.files)
    print("\n".join(problem))
    return len(problem) > 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    judged = parser.add_mutually_exclusive_group(required=True)
    judged.add_argument("--pgofs", dest="command", type=lambda path: [path, "merge", "-o"])
    judged.add_argument("--merger", dest="command", type=lambda path: [path])
    parser.add_argument("--standing", type=pathlib.Path, help="tests/pprof/merge-files")
    parser.add_argument("--keep", type=pathlib.Path, default=pathlib.Path("judge-findings"), help="where failing inputs go")
    kinds = parser.add_subparsers(dest="kind", required=True)
    generated = kinds.add_parser("generated")
    generated.add_argument("--first", type=int, default=1)
    generated.add_argument("--cases", type=int, default=200)
    generated.add_argument("--max-failures", type=int, default=5)
    generated.set_defaults(run=judge_generated)
    kinds.add_parser("real").set_defaults(run=judge_real)
    for name, run in ("compiled", judge_compiled), ("stored", judge_stored):
        on_data = kinds.add_parser(name)
        on_data.add_argument("folder", type=pathlib.Path, help="tests/data")
        on_data.set_defaults(run=run)
    files = kinds.add_parser("files")
    files.add_argument("files", nargs="+", type=pathlib.Path)
    files.set_defaults(run=judge_files)
    return parser.parse_args()


def main():
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="pgofs-judge-") as folder:
        scratch = pathlib.Path(folder)
        try:
            judge = Judge(args.command, args.standing, None if args.kind == "stored" else Go(scratch), scratch)
        except Skip as reason:
            print("skipped:", reason)
            return SKIP
        failures = args.run(judge, args)
    print("%d merges judged, %d of them also as standing ones, %d as the compiler reads them, %d not ok" %
          (judge.merges, judge.n_standing, judge.with_edges, failures))
    return 1 if failures or not judge.merges else 0


if __name__ == "__main__":
    sys.exit(main())
