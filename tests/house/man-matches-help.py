#!/usr/bin/env python3
"""Do the manual page and --help speak of the same options? man-matches-help.py MAN_PAGE PROGRAM [COMMAND...]

Every option that a --help shows is in the page (as --name, or after -o as name), and every --name of the page is in a --help.
"""
import re
import shutil
import subprocess
import sys

OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*[a-z0-9])")


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}: {done.stderr}"
    return done.stdout


def page_text(path):
    text = output("mandoc", "-T", "utf8", "-O", "width=500", path)
    return re.sub(r".\x08", "", text).replace("‐", "-").replace("−", "-")


def main():
    page_path, program, *commands = sys.argv[1:]
    if not shutil.which("mandoc"):
        print("mandoc is not installed")
        sys.exit(77)
    page = page_text(page_path)
    in_page = set(OPTION.findall(page))
    shown, wrong = set(), []
    for command in [[], *([c] for c in commands)]:
        options = set(OPTION.findall(output(program, *command, "--help")))
        assert options or not command, f"no options in {command} --help"
        shown |= options
        for name in sorted(options):
            if not re.search(rf"(?<![\w-])(--)?{name.replace('-', '[-_]')}(?![\w-])", page):
                wrong.append(f"{' '.join([program, *command])} --help shows --{name}, which {page_path} does not")
    assert shown, "no --help shows an option: is this reading them right?"
    wrong += [f"{page_path} has --{name}, which no --help shows" for name in sorted(in_page - shown)]
    print("\n".join(wrong) or f"{len(shown)} options agree")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
