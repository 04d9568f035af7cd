#!/usr/bin/env python3
"""Adds up meson's test logs: tally.py [--broken BUILD]... LOG...

Names what failed or was skipped, then prints "N passed, N failed, N skipped" alone on the last line. Fails when a test
failed, when a build is broken, when nothing ran, and, where CI=true, when a test was skipped.
"""
import argparse
import json
import os
import pathlib
import sys

PASSED = {"OK", "EXPECTEDFAIL"}


def results(log):
    build = pathlib.Path(log).parent.parent.name
    with open(log, encoding="utf-8") as lines:
        for line in lines:
            test = json.loads(line)
            yield f'{build}: {test["name"]}', test["result"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--broken", action="append", default=[])
    parser.add_argument("logs", nargs="*")
    args = parser.parse_args()

    passed, failed, skipped = 0, [(build, "DID NOT BUILD") for build in args.broken], []
    for log in args.logs:
        if not os.path.exists(log):
            failed.append((log, "NO LOG"))
            continue
        for name, result in results(log):
            if result in PASSED:
                passed += 1
            elif result == "SKIP":
                skipped.append((name, result))
            else:
                failed.append((name, result))
    for name, result in failed + skipped:
        print(f"{result:>14}  {name}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    ci = os.environ.get("CI") == "true"
    sys.exit(1 if failed or not passed or (ci and skipped) else 0)


if __name__ == "__main__":
    main()
