"""A server of profiles, good and bad, for tests: what it does with a request is the first word of the path.

    http://127.0.0.1:PORT/good/web-1        a profile of its own for every request
    http://127.0.0.1:PORT/endless/web-2     …

It remembers, by the second word, what it served and how many requests were there at one time.
"""
import collections
import gzip
import socket
import ssl
import struct
import threading
import time
import urllib.parse


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def profile(mark, idle=False):
    """A CPU profile as Go writes it, of two functions of which one calls the other; `mark` makes its bytes unique."""
    strings = ["", "samples", "count", "cpu", "nanoseconds", "main.caller", "main.callee", "/main.go", mark]
    raw = field(1, field(1, 1) + field(2, 2)) + field(1, field(1, 3) + field(2, 4))
    if not idle:
        raw += field(2, field(1, varint(1) + varint(2)) + field(2, varint(7) + varint(70000000)))
    for i in (1, 2):
        raw += field(4, field(1, i) + field(3, 0x1000 * i) + field(4, field(1, i) + field(2, 10 * i + 3)))
        raw += field(5, field(1, i) + field(2, 7 - i) + field(3, 7 - i) + field(4, 7) + field(5, 10 * i))
    raw += b"".join(field(6, s.encode()) for s in strings)
    raw += field(9, time.time_ns()) + field(10, 10**9) + field(11, field(1, 3) + field(2, 4)) + field(12, 10**7)
    raw += field(13, 8)
    return gzip.compress(raw)


def answer(body, status="200 OK", kind="application/octet-stream", length=None, extra=""):
    length = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n{extra}\r\n"
    return head.encode() + body


class Hostile:
    def __init__(self, tls=None, port=0):
        self.lock = threading.Lock()
        self.served = collections.defaultdict(list)  # name -> bodies that went out whole and good
        self.requests = collections.defaultdict(list)  # name -> (when, path, headers)
        self.at_once = collections.Counter()
        self.most_at_once = collections.Counter()
        self.most_in_all = 0
        self.here = threading.local()  # .name: of the request that this thread serves
        self.closing = threading.Event()
        self.tls = tls
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, kind, name=""):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/{kind}/{name}"

    def close(self):
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while not self.closing.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    def serve(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                self.serve_one(connection)
        except (OSError, ssl.SSLError):
            pass

    def serve_one(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            part = connection.recv(65536)
            if not part:
                return
            head += part
        first, *lines = head.decode().split("\r\n")
        target = urllib.parse.urlsplit(first.split(" ")[1])
        kind, name = (target.path.lstrip("/").split("/") + [""])[:2]
        with self.lock:
            self.requests[name].append((time.monotonic(), first.split(" ")[1], [x for x in lines if x]))
            self.at_once[name] += 1
            self.most_at_once[name] = max(self.most_at_once[name], self.at_once[name])
            self.most_in_all = max(self.most_in_all, sum(self.at_once.values()))
        self.here.name = name
        try:
            getattr(self, "do_" + kind.replace("-", "_"))(connection, name)
        finally:
            self.leave()

    def leave(self):
        """This request is over: called before the last byte goes out, since the client may be back before we run again."""
        with self.lock:
            if self.here.name is not None:
                self.at_once[self.here.name] -= 1
                self.here.name = None

    def wait(self, seconds):
        self.closing.wait(seconds)

    # Good ones.

    def do_good(self, connection, name):
        body = profile(f"{name} {len(self.requests[name])} {time.time_ns()}")
        # Before it goes out: whoever looks once the client is done must find it.
        with self.lock:
            self.served[name].append(body)
        self.leave()
        connection.sendall(answer(body))

    do_debug = do_good  # /debug/pprof/profile

    def do_slow(self, connection, name):
        self.wait(0.4)
        self.do_good(connection, name)

    def do_slower(self, connection, name):
        self.wait(2.5)
        self.do_good(connection, name)

    def do_chunked(self, connection, name):
        body = profile(f"{name} {time.time_ns()}")
        with self.lock:
            self.served[name].append(body)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(body), 50):
            part = body[i : i + 50]
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        connection.sendall(b"0\r\n\r\n")

    def do_busy_once(self, connection, name):
        if len(self.requests[name]) == 1:
            self.do_busy(connection, name)
        else:
            self.do_good(connection, name)

    # Bad ones.

    def do_idle(self, connection, name):
        connection.sendall(answer(profile(name, idle=True)))

    def do_missing(self, connection, name):
        self.leave()
        connection.sendall(answer(b"404 page not found\n", "404 Not Found", "text/plain"))

    def do_busy(self, connection, name):
        body = b"Could not enable CPU profiling: cpu profiling already in use\n"
        connection.sendall(answer(body, "500 Internal Server Error", "text/plain", extra="X-Go-Pprof: 1\r\n"))

    def do_broken(self, connection, name):
        connection.sendall(answer(b"oops\n" + b"x" * 100000, "500 Internal Server Error", "text/plain"))

    def do_html(self, connection, name):
        connection.sendall(answer(b"<html><body>Please log in</body></html>", kind="text/html; charset=utf-8"))

    def do_redirect(self, connection, name):
        extra = f"Location: {self.url('good', name)}\r\n"
        connection.sendall(answer(b"", "302 Found", extra=extra))

    def do_half(self, connection, name):
        body = profile(name)
        connection.sendall(answer(body[: len(body) // 2], length=len(body)))

    def do_half_unsaid(self, connection, name):
        body = profile(name)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + body[: len(body) // 2])

    def do_short_length(self, connection, name):
        body = profile(name)
        connection.sendall(answer(body, length=len(body) - 20))

    def do_huge_length(self, connection, name):
        connection.sendall(answer(profile(name), length=10**15))

    def do_cut_chunk(self, connection, name):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc")

    def do_garbage(self, connection, name):
        connection.sendall(answer(bytes(range(256)) * 40))

    def do_not_http(self, connection, name):
        connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n")
        self.wait(0.2)

    def do_bomb(self, connection, name):
        connection.sendall(answer(gzip.compress(bytes(64 << 20), 9)))

    def do_reset(self, connection, name):
        self.leave()
        connection.sendall(answer(b"x" * 100, length=100000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def do_closed(self, connection, name):
        pass

    def do_never(self, connection, name):
        self.wait(60)

    def do_trickle(self, connection, name):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not self.closing.is_set():
            connection.sendall(b"x")
            self.wait(0.05)

    def do_endless(self, connection, name):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not self.closing.is_set():
            connection.sendall(bytes(65536))

    def do_endless_head(self, connection, name):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for i in range(1 << 30):
            connection.sendall(b"X-%d: %s\r\n" % (i, b"y" * 1000))

    def do_endless_continue(self, connection, name):
        while not self.closing.is_set():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
