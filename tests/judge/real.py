"""Real profiles: builds the programs under tests/go and lets them profile themselves.

Each program does another kind of work. Some are built in more than one way: position independent, so that every run has
other addresses, and without inlining, so that one program has two builds.
"""

import pathlib
import random
import subprocess
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "go"
PROGRAMS = ["codec", "grep", "order", "pipeline", "interp", "fanout", "tree"]
BUILDS = {"": [], "pie": ["-buildmode=pie"], "no-inlining": ["-gcflags=-l"]}
VARIANTS = [(program, "") for program in PROGRAMS] + [("order", "pie"), ("pipeline", "pie"), ("order", "no-inlining"),
                                                      ("tree", "no-inlining")]
LENGTH = ["-duration", "250ms", "-rate", "500"]


def build(env, scratch, program, how):
    out = scratch / ("-".join(filter(None, [program, how])))
    subprocess.run(["go", "build", "-C", SOURCE, *BUILDS[how], "-o", out, "./" + program], env=env, check=True)
    return out


def compile_with(env, scratch, program, profile):
    """The binary's bytes, and what the compiler said of its decisions in the program's own code."""
    out = scratch / "compiled"
    done = subprocess.run(["go", "build", "-C", SOURCE, "-trimpath", "-pgo", profile, "-gcflags=-m", "-o", out, "./" + program],
                          env=env, check=True, stderr=subprocess.PIPE, text=True)
    return out.read_bytes(), done.stderr


def collect(env, scratch, seconds=1):
    """Profiles by program and build: {"order-pie": [files]}. Those of the service are so many seconds long."""
    programs = [build(env, scratch, *variant) for variant in VARIANTS]
    sample = build(env, scratch, "sample", "")
    profiles = {program.name: [] for program in programs}
    for run in range(2):  # two runs of each: a position independent one lands elsewhere
        for pair in zip(programs[::2], programs[1::2] + [None]):
            profile_pair(scratch, [p for p in pair if p], run, profiles)
    profiles["sample"] = profile_service(scratch, sample, seconds)
    return profiles


def profile_pair(scratch, programs, run, profiles):
    running = []
    for program in programs:
        path = scratch / ("%s-%d-*.pprof" % (program.name, run))
        running.append((program, path, subprocess.Popen(
            [program, "-cpuprofile", path, "-profiles", "2", *LENGTH], stderr=subprocess.DEVNULL)))
    for program, path, process in running:
        if process.wait():
            raise RuntimeError("%s ended with %d" % (program, process.returncode))
        profiles[program.name] += sorted(path.parent.glob(path.name))


def profile_service(scratch, sample, seconds):
    """As a collector would: over HTTP, while the service works."""
    service = subprocess.Popen([sample, "-load", "2", "-for", "2m"], stdout=subprocess.PIPE, text=True)
    try:
        base = service.stdout.readline().strip()
        files = []
        for i in range(3):
            files.append(scratch / ("sample-%d.pprof" % i))
            with urllib.request.urlopen(base + "/debug/pprof/profile?seconds=%d" % seconds, timeout=60) as answer:
                files[-1].write_bytes(answer.read())
        return files
    finally:
        service.terminate()
        service.wait()


def merges(profiles):
    """What to merge: (words, files)."""
    for name, files in profiles.items():
        yield name, files
        yield name + ", backwards", files[::-1]
        yield name + ", one alone", files[:1]
    yield "two builds of one program", profiles["order"] + profiles["order-no-inlining"] + profiles["order-pie"]
    every = [file for files in profiles.values() for file in files]
    yield "every program", every
    shuffled = random.Random(1)
    for n in 128, 129, 300:
        yield "%d inputs" % n, shuffled.choices(every, k=n)
