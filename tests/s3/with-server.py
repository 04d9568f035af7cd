#!/usr/bin/env python3
"""A command with a fake S3 server of its own: with-server.py CHAOS COMMAND...

CHAOS is how likely each request is to fail (0 to 1): reset, refused for a moment, or obeyed and its answer lost."""

import subprocess
import sys

from driver import Server, environment

with Server() as s:
    s.chaos = float(sys.argv[1])
    env = environment(AWS_ENDPOINT_URL_S3=s.url, AWS_MAX_ATTEMPTS="8")
    code = subprocess.run(sys.argv[2:], env=env, check=False).returncode
    print(s.n_requests, "requests on", s.n_connections, "connections:", dict(s.counts))
    sys.exit(code)
