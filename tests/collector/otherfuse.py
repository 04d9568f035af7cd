"""A FUSE file system of somebody else's, for tests: empty, with files one can make and no directories; and it hangs when told to."""
import ctypes
import errno
import os
import select
import struct
import threading

LOOKUP, FORGET, GETATTR, STATFS, INIT, OPENDIR, READDIR, CREATE, INTERRUPT, BATCH_FORGET = 1, 2, 3, 17, 26, 27, 28, 35, 36, 42
NOT_ANSWERED = FORGET, BATCH_FORGET, INTERRUPT

libc = ctypes.CDLL(None, use_errno=True)


def attributes(node):
    mode = 0o40700 if node == 1 else 0o100600
    return struct.pack("<6Q3I7I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def reply(opcode, node):
    """What it says; an int is an error."""
    return {
        LOOKUP: errno.ENOENT,
        GETATTR: struct.pack("<QII", 0, 0, 0) + attributes(node),
        STATFS: bytes(80),
        INIT: struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, *[0] * 8),
        OPENDIR: bytes(16),
        READDIR: b"",
        CREATE: struct.pack("<QQQQII", 2, 0, 0, 0, 0, 0) + attributes(2) + bytes(16),
    }.get(opcode, errno.ENOSYS)


class OtherFuse:
    def __init__(self, at):
        """Mounts it. OSError: it may not."""
        self.hung = False  # reads no request any more: one that was read could not be killed
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        words = b"fd=%d,rootmode=40000,user_id=%d,group_id=%d" % (self.fd, os.geteuid(), os.getegid())
        if libc.mount(b"other", os.fsencode(at), b"fuse.other", 0, words) < 0:
            raise OSError(ctypes.get_errno(), f"mount {at}")
        threading.Thread(target=self.serve, daemon=True).start()
        with open(os.path.join(at, "file"), "x"):
            pass  # learns that there is no FLUSH, for which a process would wait to its end

    def serve(self):
        while select.select([self.fd], [], [])[0] and not self.hung:
            try:
                request = os.read(self.fd, 1 << 17)
            except OSError:  # unmounted
                os.close(self.fd)
                return
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            if opcode in NOT_ANSWERED:
                continue
            said = reply(opcode, node)
            error, body = (-said, b"") if isinstance(said, int) else (0, said)
            try:
                os.write(self.fd, struct.pack("<IiQ", 16 + len(body), error, unique) + body)
            except OSError:
                pass  # who asked is gone
