#!/usr/bin/env python3
"""Does README.md tell the truth? readme.py README DIRECTORY_OF_PROFILES DIRECTORY_OF_PROGRAM...

Runs every block of it that is marked sh, in order, in one shell: in namespaces of their own, where /srv and /mnt are empty, where
localhost:6060 serves a CPU profile at once, however many seconds were asked for, and where nothing is left running at the end.
The block marked go must stand in self-profile.go, which a test of the collector runs.
"""
import fcntl
import http.server
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading

MODULE = {
    "go.mod": "module example.org/search\n\ngo 1.21\n",
    "main.go": """package main

import "fmt"

func work(n int) (sum int) {
	for i := 0; i < n; i++ {
		sum += i * i % 7
	}
	return sum
}

func main() { fmt.Println(work(1000)) }
""",
    "main_test.go": """package main

import "testing"

func BenchmarkWork(b *testing.B) {
	for i := 0; i < b.N; i++ {
		work(100000)
	}
}
""",
}
IN_NAMESPACE = "PGOFS_README_IN_NAMESPACE"
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def recipes(readme):
    return re.findall(r"^```sh\n(.*?)^```$", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def check_go(readme, program):
    blocks = re.findall(r"^```go\n(.*?)^```$", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1 and blocks[0] in program.read_text(encoding="utf-8"), f"the Go recipe is not that of {program}"


def enter_namespaces():
    if not os.path.exists("/dev/fuse"):
        skip("there is no /dev/fuse")
    if not shutil.which("go"):
        skip("there is no Go")
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", *(["--map-root-user", "--user"] if os.geteuid() else [])]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        skip("no namespaces can be made here")
    os.execvpe(unshare[0], [*unshare, sys.executable, *sys.argv], {**os.environ, IN_NAMESPACE: "yes"})


def set_loopback_up():
    with socket.socket() as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def serve(profile):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(profile)))
            self.end_headers()
            self.wfile.write(profile)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("localhost", 6060), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    readme, profiles = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    programs = [os.path.abspath(p) for p in sys.argv[3:]]
    check_go(readme, readme.parent / "tests/collector/self-profile.go")
    if IN_NAMESPACE not in os.environ:
        enter_namespaces()
    blocks = recipes(readme)
    assert len(blocks) >= 8, f"only {len(blocks)} recipes found: has their mark changed?"

    for directory in ("/srv", "/mnt"):
        subprocess.run(["mount", "-t", "tmpfs", "readme", directory], check=True)
    set_loopback_up()
    examples = sorted(profiles.rglob("*.pprof"))[:2]
    assert examples, f"no profiles under {profiles}"
    serve(examples[0].read_bytes())

    with tempfile.TemporaryDirectory() as work:
        for name, text in MODULE.items():
            pathlib.Path(work, name).write_text(text)
        old = pathlib.Path(work, "old")
        old.mkdir()
        for example in examples:
            shutil.copy(example, old)
        environment = {**os.environ, "PATH": ":".join([*programs, os.environ["PATH"]]), "GOTOOLCHAIN": "local"}
        shell = ["bash", "-euxo", "pipefail", "-c", "".join(blocks)]
        done = subprocess.run(shell, cwd=work, env=environment, stdin=subprocess.DEVNULL, timeout=240)
        assert done.returncode == 0, "a recipe failed: the last command above"
        assert not os.path.ismount("/mnt/pgofs"), "still mounted"


if __name__ == "__main__":
    main()
