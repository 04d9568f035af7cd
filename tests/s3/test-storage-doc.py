#!/usr/bin/env python3
"""Does docs/storage.md tell the truth? test-storage-doc.py DOC PGOFS DATA, under minio.sh run --tls

Runs its sh blocks in order, in one shell, with the example's server, certificate and mountpoint replaced by this machine's. A line
that ends in "# -> WORDS" must print the words. The policy for AWS is tried with keys that it is all the rights of."""

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
DAY = "mnt/policy/2026/11/22"
MOUNTED = (f"pgofs mount s3://profiles mnt; trap 'umount mnt' EXIT; cp cpu2.pprof {DAY}/000000Z-a.pprof; "
           f"mv {DAY}/000000Z-a.pprof {DAY}/000000Z-b.pprof; cmp cpu2.pprof {DAY}/000000Z-b.pprof")


def checked(line):
    found = re.match(r"(.*?)\s+# -> (.*)$", line)
    if not found:
        return line
    command, words = found.groups()
    return f'must "$({command} 2>&1)" {json.dumps(words)} <<< ""' if "<&5" not in command else \
        f'must "$({command})" {json.dumps(words)}'


def run(line, env, home):
    done = subprocess.run(["bash", "-ec", line], env=env, cwd=home, timeout=120, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def try_policy(policy, env, home):
    """All of it is enough for everything, and its PutObject alone for a put."""
    def become(statements):
        words = json.dumps({"Version": policy["Version"], "Statement": statements}).replace("my-profiles", "profiles")
        keys = subprocess.run([TOOL, "assume", words], check=True, capture_output=True, text=True).stdout.split()
        return env | dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), keys))

    everything = become(policy["Statement"])
    for line in ("pgofs put s3://profiles policy cpu.pprof", "pgofs ls s3://profiles policy",
                 "pgofs cat s3://profiles policy/merged/2026-11-22.pgo > policy.pgo",
                 MOUNTED, "pgofs rm -r s3://profiles policy"):
        code, told = run(line, everything, home)
        assert code == 0, (line, told)
    put = next(s for s in policy["Statement"] if "s3:PutObject" in s["Action"])
    only_put = become([{**put, "Action": "s3:PutObject"}])
    assert run("pgofs put s3://profiles policy cpu.pprof", only_put, home)[0] == 0
    code, told = run("pgofs ls s3://profiles policy", only_put, home)
    assert code != 0 and "AccessDenied" in told, told


def main():
    text = pathlib.Path(DOC).read_text(encoding="utf-8")
    (policy,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.S))
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
        try_policy(policy, env, home)


main()
