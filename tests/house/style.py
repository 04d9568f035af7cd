#!/usr/bin/env python3
"""The rules of the house that a compiler does not know: style.py SOURCE_ROOT

Dependencies between rooms point one way, libraries stay in the rooms they belong to, no file grows past 700 lines, and
nothing that may run under a mount ends the process. Prints each breach as FILE:LINE: WHY and fails.
"""
import pathlib
import re
import sys

ROOMS = ["include", "pprof", "backends", "collector", "fs"]

# A header (as a pattern over what an #include names) -> the files that may include it.
KEPT_IN = {
    r"fuse_|fuse3|linux/fuse": r"fs/(fuse|mount)[a-z-]*\.[ch]$",
    r"curl/": r"(backends|collector)/",
    r"expat\.h": r"backends/s3",
    r"openssl/": r"(backends|fs)/",
    r".*pb-c\.h|protobuf-c/": r"pprof/",
    r"(zlib|libdeflate|xxhash)\.h": r"pprof/",
    r"pgofs/backend-impl\.h": r"backends/",
    r"pgofs/backend\.h": r"(include|backends|fs)/",
    r"pgofs/pprof\.h": r"(include|pprof|collector|fs)/",
    r".*tree\.h": r"fs/",
}
MAX_LINES = 700
ENDS_THE_PROCESS = re.compile(r"(?<![\w>.])(exit|_exit|abort|quick_exit)\s*\(")


def breaches(root, path):
    name = path.relative_to(root).as_posix()
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > MAX_LINES:
        yield f"{name}:{len(lines)}: longer than {MAX_LINES} lines: does it hold more than one noun?"
    for number, line in enumerate(lines, 1):
        if included := re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line):
            yield from (f"{name}:{number}: {why}" for why in include_breaches(path, name, *included.groups()))
        if name.startswith(("include/", "pprof/", "backends/")) and ENDS_THE_PROCESS.search(line):
            yield f"{name}:{number}: a library never ends the process"


def include_breaches(path, name, bracket, header):
    if bracket == '"' and not (path.parent / header).exists() and not header.endswith("pb-c.h"):
        yield f'"{header}" is not in this room; rooms share <pgofs/…> only'
    for pattern, where in KEPT_IN.items():
        if re.match(pattern, header) and not re.match(where, name):
            yield f"{header} is not for this file, only for {where}"


def main():
    root = pathlib.Path(sys.argv[1])
    files = sorted(p for room in ROOMS for p in (root / room).rglob("*") if p.suffix in (".c", ".h"))
    assert files, f"no sources under {root}"
    found = [breach for path in files for breach in breaches(root, path)]
    print("\n".join(found) or f"{len(files)} files keep to the rules")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
