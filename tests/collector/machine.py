"""A machine of one's own for a test: files of /etc that only this process and its children see, and a loopback where every port is free."""
import ctypes
import fcntl
import os
import pathlib
import socket
import struct

NEWNS, NEWUSER, NEWNET = 0x20000, 0x10000000, 0x40000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 0x20, 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)


def leave():
    """Leaves the machine this runs on. For a process that has no other thread yet. OSError: it may not."""
    user, group, root = os.getuid(), os.getgid(), os.geteuid() == 0
    check(libc.unshare(NEWNS | NEWNET | (0 if root else NEWUSER)), "unshare")
    if not root:
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount /")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def put(ours, over):
    """Shows the file or directory `ours` where `over` is, until that is taken away."""
    check(libc.mount(os.fsencode(ours), os.fsencode(over), None, MS_BIND, None), f"mount {over}")


def put_disk(over, size):
    """Likewise an empty disk of so many bytes."""
    check(libc.mount(b"tmpfs", os.fsencode(over), b"tmpfs", 0, b"size=%d" % size), f"mount {over}")


def take_away(over):
    check(libc.umount2(os.fsencode(over), MNT_DETACH), f"umount {over}")


def make_read_only(disk, size, read_only=True):
    check(libc.mount(None, os.fsencode(disk), None, MS_REMOUNT | (MS_RDONLY if read_only else 0), b"size=%d" % size), f"remount {disk}")
