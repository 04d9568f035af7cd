#!/usr/bin/env python3
"""Do the papers name files that are there? links.py SOURCE_ROOT

Looks at links, and at `path` in backticks that begins with a folder of the project, in every .md.
"""
import pathlib
import re
import sys

FOLDERS = "fs|backends|pprof|collector|include|tests|docs|scripts"
NAMED = re.compile(rf"\]\((?!https?:|#)([^)#]+)|`((?:{FOLDERS})/[\w./-]+)`")


def missing(root, paper):
    for number, line in enumerate(paper.read_text(encoding="utf-8").splitlines(), 1):
        for link, path in NAMED.findall(line):
            if not (paper.parent / link if link else root / path).exists():
                yield f"{paper.relative_to(root)}:{number}: {link or path} is not there"


def main():
    root = pathlib.Path(sys.argv[1])
    papers = [root / "README.md", *sorted((root / "docs").rglob("*.md")), *sorted((root / "tests").rglob("*.md"))]
    found = [m for paper in papers for m in missing(root, paper)]
    print("\n".join(found) or f"{len(papers)} papers name only what is there")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
