#!/usr/bin/env python3
"""Does a mount begin, fail and end as promised? test-lifecycle.py PGOFS MOUNT_HELPER"""
import ctypes
import errno
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from mounted import SECONDS, Mount, main, need_fuse, profile, raises, run, skip, test, wait_for

P1 = profile(1)
DAY = "sample/2026/11/22"


def place(folder):
    source, at = folder / "source", folder / "mnt"
    (source / DAY).mkdir(parents=True)
    (source / DAY / "1.pprof").write_bytes(P1)
    at.mkdir()
    return source, at


def start(pgofs, *words, **more):
    """Runs pgofs mount as a person would; exit code and stderr."""
    done = subprocess.run([pgofs, "mount", *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          timeout=SECONDS, check=False, **more)
    return done.returncode, done.stderr.decode()


def pids_of(at):
    """The daemons mounted at a place, by their command lines."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if b"mount" in words and bytes(at) in words:
            found.append(int(entry.name))
    return found


def unmount(at):
    run("umount", at)
    wait_for(lambda: not pids_of(at), "the daemon's end")


@test
def it_returns_when_mounted_and_not_before(folder, pgofs, helper):
    source, at = place(folder)
    code, words = start(pgofs, source, at)
    assert (code, words) == (0, ""), words
    assert (at / DAY / "1.pprof").read_bytes() == P1
    line = [l for l in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if f" {at} " in l]
    assert len(line) == 1 and f"- fuse.pgofs {source} " in line[0], line
    unmount(at)


@test
def relative_paths_mean_where_it_was_started(folder, pgofs, helper):
    source, at = place(folder)
    assert start(pgofs, "source", "./mnt/", cwd=folder) == (0, "")
    assert (at / DAY / "1.pprof").read_bytes() == P1
    unmount(at)


@test
def a_directory_can_be_mounted_over_itself(folder, pgofs, helper):
    source, _ = place(folder)
    assert start(pgofs, source, source) == (0, "")
    assert (source / DAY / "1.pprof").read_bytes() == P1 and (source / "merged").is_dir()
    unmount(source)


@test
def wrong_usage_exits_2_and_names_what_is_wrong(folder, pgofs, helper):
    source, at = place(folder)
    for words, why in (((), "SOURCE"), ((source,), "SOURCE"), ((source, at, "x"), "SOURCE"),
                       (("-o", "nosuch", source, at), "nosuch"), (("-o", "rw,bad_one=1", source, at), "bad_one"),
                       (("--nosuch", source, at), "nosuch"), (("-o", "refresh=5", source, at), "refresh"),
                       (("-o", "memory=x", source, at), "memory"), (("-o", "uid=nosuchuser", source, at), "uid"),
                       (("-o", "umask=99", source, at), "umask"), (("-o", "threads=0", source, at), "threads"),
                       (("-o", "ready-fd=99", source, at), "ready-fd"), (("-o", "log=xml", source, at), "log")):
        code, said = start(pgofs, *words)
        assert code == 2 and why in said and said.count("\n") == 1, (words, code, said)
    assert not os.path.ismount(at)


@test
def what_cannot_work_exits_1_and_says_why(folder, pgofs, helper):
    source, at = place(folder)
    (folder / "file").write_text("x")
    (source / "inside").mkdir()
    for words, why in (((folder / "nosuch", at), "nosuch"), ((folder / "file", at), "file"),
                       ((source, folder / "nowhere"), "nowhere"), ((source, folder / "file"), "file"),
                       ((source, source / "inside"), "inside")):
        for foreground in ((), ("-f",)):
            code, said = start(pgofs, *foreground, *words)
            assert code == 1 and why in said, (words, code, said)
            assert said.count("\n") == 1, said
    assert not os.path.ismount(at)


@test
def options_of_fstab_are_understood_or_passed_over(folder, pgofs, helper):
    source, at = place(folder)
    words = "rw,nosuid,nodev,noauto,_netdev,nofail,x-systemd.automount,x-gvfs-show,comment=a,user,defaults,relatime," \
            "default_permissions,allow_other,idle_timeout=1h,umask=077,fsname=a\\,b,noexec,dir_mode=711"
    assert start(pgofs, "-o", words, source, at) == (0, "")
    line = [l for l in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if f" {at} " in l][0]
    assert "fuse.pgofs a,b " in line and "noexec" in line and "allow_other" in line, line
    assert at.stat().st_mode & 0o777 == 0o711 and (at / DAY / "1.pprof").stat().st_mode & 0o777 == 0o600
    unmount(at)


@test
def systemd_and_ready_fd_are_told(folder, pgofs, helper):
    source, at = place(folder)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(folder / "notify"))
        listener.settimeout(SECONDS)
        os.environ["NOTIFY_SOCKET"] = str(folder / "notify")
        try:
            with Mount(pgofs, source, at):
                assert b"READY=1" in listener.recv(4096)
            assert b"STOPPING=1" in listener.recv(4096)
        finally:
            del os.environ["NOTIFY_SOCKET"]


@test
def a_second_mount_at_the_same_place_is_refused(folder, pgofs, helper):
    source, at = place(folder)
    with Mount(pgofs, source, at) as m:
        code, said = start(pgofs, source, at)
        assert code == 1 and "already" in said and str(source) in said, said
        m.process.send_signal(signal.SIGSTOP)  # alive, though it does not answer
        tasks = pathlib.Path(f"/proc/{m.process.pid}/task")
        wait_for(lambda: all(") T " in (t / "stat").read_text() for t in tasks.iterdir()), "it to stop")
        asking = subprocess.Popen([pgofs, "mount", "-f", source, at], stderr=subprocess.PIPE)
        while not (child := pathlib.Path(f"/proc/{asking.pid}/task/{asking.pid}/children").read_text().split()):
            time.sleep(0.01)
        # Should nobody ever answer the one it asks through, nobody waits for that one's end of a pipe.
        asker = pathlib.Path("/proc") / child[0]
        wait_for(lambda: not os.listdir(asker / "fd") and ") Z " not in (asker / "stat").read_text(), "it to hold nothing")
        said = asking.communicate(timeout=SECONDS)[1].decode()
        m.process.send_signal(signal.SIGCONT)
        assert asking.returncode == 1 and "already" in said, said
        assert (at / DAY / "1.pprof").read_bytes() == P1


@test
def what_a_killed_one_left_is_cleared_away(folder, pgofs, helper):
    source, at = place(folder)
    m = Mount(pgofs, source, at).start()
    holding = open(at / DAY / "1.pprof", "rb")
    half = open(at / DAY / "2.pprof", "wb", buffering=0)
    half.write(P1[:50])
    m.process.kill()
    m.process.wait()
    raises(errno.ENOTCONN, lambda: os.statvfs(at))
    with Mount(pgofs, source, at) as again:
        assert (at / DAY / "1.pprof").read_bytes() == P1
        assert os.listdir(at / DAY) == ["1.pprof"]
        assert "dead pgofs" in again.words()
    holding.close()
    try:
        half.close()
    except OSError:
        pass


@test
def auto_unmount_clears_away_by_itself(folder, pgofs, helper):
    if not shutil.which("fusermount3"):
        print("without fusermount3")
        return
    source, at = place(folder)
    m = Mount(pgofs, source, at, "auto_unmount").start()
    m.process.kill()
    m.process.wait()
    try:
        wait_for(lambda: f" {at} " not in pathlib.Path("/proc/self/mountinfo").read_text(), "fusermount3", 5)
        assert os.listdir(at) == []
    except AssertionError:
        # It asks for ENOTCONN once, and is told ECONNABORTED where it asks while the process is still dying.
        print("     fusermount3 lost a race of its own")
    with Mount(pgofs, source, at):
        assert (at / DAY / "1.pprof").read_bytes() == P1


@test
def somebody_elses_mount_is_left_alone(folder, pgofs, helper):
    source, at = place(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "theirs", str(at)], check=False).returncode:
        print("cannot mount a tmpfs")
        return
    (at / "file").write_text("theirs")
    with Mount(pgofs, source, at) as m:
        assert (at / DAY / "1.pprof").exists()
        assert "not empty" in m.words()
        m.process.terminate()
        m.process.wait(SECONDS)
        assert (at / "file").read_text() == "theirs"
        run("umount", at)


@test
def sigterm_ends_it_with_files_open(folder, pgofs, helper):
    source, at = place(folder)
    m = Mount(pgofs, source, at).start()
    reading = open(at / DAY / "1.pprof", "rb")
    writing = open(at / DAY / "2.pprof", "wb", buffering=0)
    writing.write(P1[:50])
    began = time.monotonic()
    m.stop()
    assert time.monotonic() - began < 40
    assert os.listdir(at) == [] and sorted(os.listdir(source / DAY)) == ["1.pprof"]
    reading.close()
    raises(errno.ENOTCONN, writing.close)


@test
def a_close_under_way_is_finished_before_the_end(folder, pgofs, helper):
    source, at = place(folder)
    m = Mount(pgofs, source, at).start()
    script = "import sys,time\nf=open(sys.argv[1],'wb')\nf.write(open(sys.argv[2],'rb').read())\nf.close()\n"
    (folder / "f").write_bytes(P1)
    writers = [subprocess.Popen([sys.executable, "-c", script, str(at / DAY / f"{k:06}.pprof"), str(folder / "f")],
                                stderr=subprocess.DEVNULL) for k in range(100, 104)]
    time.sleep(0.05)
    m.stop()
    codes = [w.wait(SECONDS) for w in writers]
    for k, code in enumerate(codes):
        path = source / DAY / f"{k + 100:06}.pprof"
        assert not code or not path.exists() or path.read_bytes() == P1
        # Said to be stored is stored; but one who came after the end wrote to the bare directory, or nowhere.
        assert code or path.exists() and path.read_bytes() == P1, (k, code)


@test
def sighup_shows_what_others_did(folder, pgofs, helper):
    source, at = place(folder)
    with Mount(pgofs, source, at, "refresh=1h") as m:
        m.process.send_signal(signal.SIGUSR2)  # means nothing
        assert os.listdir(at / DAY) == ["1.pprof"]
        (source / DAY / "2.pprof").write_bytes(P1)
        assert os.listdir(at / DAY) == ["1.pprof"]
        m.process.send_signal(signal.SIGHUP)
        wait_for(lambda: os.listdir(at / DAY) == ["1.pprof", "2.pprof"], "the new file")


@test
def what_is_no_profiles_name_is_told_once(folder, pgofs, helper):
    source, at = place(folder)
    (source / DAY / "notes.txt").write_text("mine")
    (source / ".pgofs").mkdir()
    with Mount(pgofs, source, at) as m:
        for names in (["1.pprof"], ["1.pprof", "2.pprof"], ["1.pprof", "2.pprof", "3.pprof"]):
            (source / DAY / names[-1]).write_bytes(P1)
            m.process.send_signal(signal.SIGHUP)
            wait_for(lambda names=names: os.listdir(at / DAY) == names, "the new file")
            assert os.listdir(at) == ["merged", "sample"]
        said = [l for l in m.words().splitlines() if "left alone" in l]
        assert len(said) == 1 and f"dir={DAY} n=1 first=notes.txt" in said[0], said
        (source / DAY / "more.txt").write_text("mine")
        m.process.send_signal(signal.SIGHUP)
        wait_for(lambda: os.listdir(at / DAY) and "n=2" in m.words(), "it to be told again")
    assert (source / DAY / "notes.txt").read_text() == "mine"


@test
def an_unused_mount_goes_away_when_asked(folder, pgofs, helper):
    source, at = place(folder)
    m = Mount(pgofs, source, at, "idle-timeout=4s").start()
    for _ in range(12):
        time.sleep(0.5)
        assert (at / DAY / "1.pprof").exists() and m.process.poll() is None
    with open(at / DAY / "1.pprof", "rb"):
        time.sleep(6)
        assert m.process.poll() is None
    assert m.process.wait(SECONDS) == 0 and not os.path.ismount(at)
    m.check_log()


@test
def an_fstab_line_mounts(folder, pgofs, helper):
    if os.geteuid():
        print("not root")
        return
    source, at = place(folder)
    (folder / "fstab").write_text(f"{source} {at} pgofs noauto,ro,_netdev,x-systemd.automount 0 0\n")
    script = f"""set -e
mount -t tmpfs none "$(realpath /sbin)"
ln -s '{pgofs}' /sbin/pgofs; cp '{helper}' /sbin/mount.pgofs; ln -s mount.pgofs /sbin/mount.fuse.pgofs
mount -T '{folder}/fstab' '{at}'; cat '{at}/{DAY}/1.pprof'
! touch '{at}/{DAY}/2.pprof' 2>/dev/null; umount '{at}'
mount -t fuse.pgofs -o rw '{source}' '{at}'; touch '{at}/{DAY}/2.pprof'; umount '{at}'
! mount -t pgofs -o nosuch '{source}' '{at}' 2>'{folder}/said'
"""
    try:
        out = run("unshare", "-m", "sh", "-c", script)
    except AssertionError as e:
        if "unshare: " in str(e):  # not permitted, or / is no mount point: a plain chroot
            print("cannot unshare")
            return
        raise
    assert out == P1 and "nosuch" in (folder / "said").read_text()
    wait_for(lambda: not pids_of(at), "the daemons' end")


@test
def without_dev_fuse_it_says_what_to_do(folder, pgofs, helper):
    source, at = place(folder)
    script = f"mount -t tmpfs none /dev && exec '{pgofs}' mount -f '{source}' '{at}'"
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("cannot unshare")
        return
    said = run("unshare", "-m", "sh", "-c", script, ok=False)
    assert "/dev/fuse" in said and "pgofs cat" in said and said.count("\n") == 1, said


@test
def a_passed_descriptor_is_mounted(folder, pgofs, helper):
    if os.geteuid():
        print("not root")
        return
    source, at = place(folder)

    fd = os.open("/dev/fuse", os.O_RDWR)
    os.set_inheritable(fd, True)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,default_permissions".encode()
    assert libc.mount(b"passed", bytes(at), b"fuse.pgofs", 0, options) == 0, os.strerror(ctypes.get_errno())
    # ThreadSanitizer knows that the kernel orders requests and answers on a descriptor, but only on one it saw being opened.
    env = {**os.environ, "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", "") + ":report_bugs=0"}
    process = subprocess.Popen(
        [pgofs, "mount", "-f", str(source), f"/dev/fd/{fd}"], pass_fds=[fd], stderr=subprocess.PIPE, env=env
    )
    os.close(fd)
    assert (at / DAY / "1.pprof").read_bytes() == P1
    run("umount", at)
    assert process.wait(SECONDS) == 0, process.stderr.read()


def hole_of(hole):
    """The environment of a storage that never answers."""
    hole.bind(("127.0.0.1", 0))
    hole.listen(1)
    url = f"http://127.0.0.1:{hole.getsockname()[1]}"
    return {**os.environ, "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}


@test
def storage_that_never_answers_is_given_up(folder, pgofs, helper):
    at = folder / "mnt"
    at.mkdir()
    with socket.socket() as hole:
        env = hole_of(hole)
        began = time.monotonic()
        code, said = start(pgofs, "-o", "timeout=2s", "s3://bucket/prefix", at, env=env)
        if code == 2 or "no storage" in said:
            print("without s3")
            return
        assert code == 1 and said.count("\n") == 1 and re.search("time|answer", said), (code, said)
        assert time.monotonic() - began < 40
        for foreground in ((), ("-f",)):
            code, said = start(pgofs, *foreground, "-o", "timeout=1h,ready-timeout=1s", "s3://bucket/prefix", at, env=env)
            assert code == 1 and "in time" in said, said
    assert not os.path.ismount(at)


@test
def a_start_can_be_interrupted(folder, pgofs, helper):
    at = folder / "mnt"
    at.mkdir()
    for how in (signal.SIGINT, signal.SIGTERM):
        with socket.socket() as hole:
            waits = subprocess.Popen([pgofs, "mount", "-f", "-o", "timeout=1h,ready-timeout=1h", "s3://bucket", at],
                                     env=hole_of(hole), stderr=subprocess.PIPE)
            hole.accept()[0].close()
            waits.send_signal(how)
            said = waits.communicate(timeout=SECONDS)[1].decode()
            assert waits.returncode == 1 and said == "pgofs mount: interrupted\n", (waits.returncode, said)


if __name__ == "__main__":
    need_fuse()
    if not shutil.which("umount"):
        skip("no umount")
    main(*map(os.path.abspath, sys.argv[1:]))
