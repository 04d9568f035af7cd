#!/usr/bin/env python3
"""Does docs/storage.md tell the truth? test-storage-doc.py DOC PGOFS DATA, under minio.sh run --tls

Runs its sh blocks in order, in one shell, with the example's server, certificate and mountpoint replaced by this machine's. A line
that ends in "# -> WORDS" must print the words."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

DOC, PGOFS, DATA = sys.argv[1:4]
TOOL = pathlib.Path(__file__).parent / ".." / "s3server" / "s3tool.py"


def checked(line):
    found = re.match(r"(.*?)\s+# -> (.*)$", line)
    if not found:
        return line
    command, words = found.groups()
    return f'must "$({command} 2>&1)" {json.dumps(words)} <<< ""' if "<&5" not in command else \
        f'must "$({command})" {json.dumps(words)}'


def main():
    text = pathlib.Path(DOC).read_text(encoding="utf-8")
    for policy in re.findall(r"```json\n(.*?)```", text, re.S):
        json.loads(policy)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    lines = [checked(line) for block in blocks for line in block.splitlines()]
    assert len(lines) > 30, "where is the document?"

    if not os.path.exists("/dev/fuse") or os.geteuid():
        print("skipped: needs /dev/fuse and root")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as home:
        at = os.path.join(home, "mnt")
        for name in ("mnt", ".aws", "bin"):
            os.mkdir(os.path.join(home, name))
        os.symlink(os.path.abspath(PGOFS), os.path.join(home, "bin/pgofs"))
        shutil.copy(DATA + "/sample/1.pprof", home + "/cpu.pprof")
        shutil.copy(DATA + "/sample/2.pprof", home + "/cpu2.pprof")
        script = "\n".join(lines)
        for theirs, ours in (("https://minio.example:9000", os.environ["AWS_ENDPOINT_URL_S3"]),
                             ("/etc/ssl/minio-ca.crt", os.environ["AWS_CA_BUNDLE"]), ("/mnt", at)):
            script = script.replace(theirs, ours)
        head = ('must() { [[ $1 == *"$2"* ]] || { echo "line $BASH_LINENO: wanted: $2, got: $1" >&2; exit 1; }; }\n'
                f'trap \'umount -l {at} 2>/dev/null || true\' EXIT\nset -euo pipefail\n')
        subprocess.run([TOOL, "make", "profiles"], check=True)
        env = {**os.environ, "HOME": home, "PATH": home + "/bin:" + os.environ["PATH"]}
        for gone in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            env.pop(gone, None)
        done = subprocess.run(["bash", "-c", head + script], env=env, cwd=home, timeout=120, check=False)
        if done.returncode:
            print("\n".join(f"{n:3} {line}" for n, line in enumerate((head + script).splitlines(), 0)))
        sys.exit(done.returncode)


main()
