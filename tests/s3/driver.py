"""What the tests of S3 share: the program `drive` (drive.c) as an object, and a clean environment for it."""

import errno
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "s3server"))

import server  # noqa: E402  (found by the line above)

Server, black_hole, FOREVER = server.Server, server.black_hole, server.FOREVER
ACCESS, SECRET = "AKTEST", "secret/of+the=test"


def environment(**more):
    """No proxy, no AWS settings but these; `None` takes one away."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
    env |= {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, **more}
    return {k: v for k, v in env.items() if v is not None}


class Drive:
    """One opened storage. Commands are methods; each gives the answer as a dictionary, with the errno's name as "errno"."""

    program = []  # and the words before its own

    def __init__(self, source, *options, env=None):
        self.dir = tempfile.TemporaryDirectory()
        self.log_path = os.path.join(self.dir.name, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([*self.program, source, "cache-memory=0", *options], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=log, env=env or environment())
        self.opened = self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        code = self.process.wait()
        log = self.log()
        self.dir.cleanup()
        assert code == 0, f"drive ended with {code}:\n{log}"
        assert SECRET not in log, "a secret is in the log"

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def read(self):
        line = self.process.stdout.readline()
        assert line, "drive died:\n" + self.log()
        answer = json.loads(line)
        answer["errno"] = errno.errorcode[-answer["r"]] if answer["r"] < 0 else "ok"
        assert answer["r"] < 0 or "results" in answer or not answer["why"], f"words for a success: {answer}"
        return answer

    def do(self, *words):
        self.process.stdin.write("\t".join(words).encode("utf-8", "surrogateescape") + b"\n")
        self.process.stdin.flush()
        return self.read()

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def get(self, key, *more):
        """As "data" the bytes, or None."""
        if os.path.exists(self.path("got")):
            os.unlink(self.path("got"))
        answer = self.do("get", key, self.path("got"), *more)
        answer["data"] = open(self.path("got"), "rb").read() if answer["r"] == 0 else None
        return answer

    def put(self, key, data, verb="put"):
        with open(self.path("put"), "wb") as f:
            f.write(data)
        return self.do(verb, key, self.path("put"))

    def new(self, key, data):
        return self.put(key, data, "new")


def main(tests):
    """Runs the functions named test_*; the program to drive is the first argument, names to choose by may follow."""
    Drive.program = [sys.argv[1]]
    chosen = [(n, f) for n, f in tests.items() if n.startswith("test_") and (not sys.argv[2:] or n in sys.argv[2:])]
    assert chosen, "no such test"
    for name, test in chosen:
        test()
        print("ok", name[5:].replace("_", " "), flush=True)
