#!/usr/bin/env python3
"""Does check accept what Go's compiler makes use of, and nothing else?

    check-as-go.py CHECK_FILES BAD_DIR

Asks `go tool preprofile` about odd profiles and about those of bad/. What check accepts must give edges; what it
refuses must give an error or none, but for the reasons named below. Exit code 77 where there is no Go.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "judge"))
import odd  # noqa: E402

CASES, INPUTS = 60, 3
HEADER = b"GO PREPROFILE V1\n"
# Refused although Go finds edges: they would be of no use, or no other tool reads the file.
STRICTER = ("negative values", "samples are in functions with a start line", "two of its sample types",
            "a line without a function", "which is not there")


def go_finds_edges(preprofile, path, out):
    done = subprocess.run([preprofile, "-i", path, "-o", out], capture_output=True)
    return done.returncode == 0 and out.read_bytes() != HEADER


def main():
    check_files, bad = sys.argv[1:]
    if not shutil.which("go"):
        print("there is no Go to judge by")
        sys.exit(77)
    preprofile = subprocess.check_output(["go", "tool", "-n", "preprofile"], text=True).strip()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        paths = sorted(pathlib.Path(bad).glob("*.pprof"))
        for seed in range(CASES):
            for i, stored in enumerate(odd.Case(seed).inputs[:INPUTS]):
                paths.append(scratch / ("odd-%d-%d" % (seed, i)))
                paths[-1].write_bytes(stored)
        words = subprocess.check_output([check_files, *paths], text=True, errors="replace").splitlines()
        assert len(words) == len(paths)
        wrong = accepted = 0
        for path, said in zip(paths, words):
            edges = go_finds_edges(preprofile, path, scratch / "out")
            accepted += said == "ok"
            if edges != (said == "ok") and not (edges and any(reason in said for reason in STRICTER)):
                wrong += 1
                print("%s: check says %s; preprofile %s edges" % (path.name, said, "finds" if edges else "finds no"))
    print("%d profiles, %d accepted, %d wrong" % (len(paths), accepted, wrong))
    sys.exit(1 if wrong or accepted < CASES / 2 else 0)


if __name__ == "__main__":
    main()
