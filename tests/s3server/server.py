"""An S3 server for tests: objects in memory, signatures checked by a signer of its own, faults on demand, requests counted.

    with Server() as s:
        s.fault("GetObject", "short", times=2)     the next two GetObject fail in this way, then all is well
        ... s.url, s.counts["GetObject"], s.objects["bucket"]["key"]

It speaks what pgofs asks for, and is stricter than S3 where strictness finds bugs. Loopback only."""

import base64
import calendar
import collections
import email.utils
import hashlib
import html
import http.server
import random
import re
import socket
import socketserver
import ssl
import struct
import threading
import time
from urllib.parse import unquote_to_bytes

import sigv4

PAGE = 1000
SKEW_MAX = 15 * 60
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
FOREVER = 10**9
CHAOTIC = {"ListObjectsV2", "GetObject", "PutObject", "CopyObject", "DeleteObject", "DeleteObjects"}

Object = collections.namedtuple("Object", "data etag time")
Fault = collections.namedtuple("Fault", "operation kind details")


class Refusal(Exception):
    def __init__(self, status, code, message="no", headers=None, extra=""):
        super().__init__(code)
        self.status, self.code, self.message, self.headers, self.extra = status, code, message, headers or {}, extra


class Request:
    """One request, read whole and understood."""

    def __init__(self, handler, body):
        self.method = handler.command
        self.raw_path, _, self.raw_query = handler.path.partition("?")
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body
        self.query = {}
        for part in self.raw_query.split("&") if self.raw_query else []:
            name, _, value = part.partition("=")
            self.query[unquote_to_bytes(name).decode()] = unquote_to_bytes(value).decode("utf-8", "surrogateescape")
        name, below, _ = self.headers.get("host", "").partition(".localhost")
        path = f"/{name}{self.raw_path}" if below else self.raw_path  # the bucket may be in the host's name
        _, self.bucket, *key = path.split("/", 2)
        self.key = unquote_to_bytes(key[0]).decode("utf-8", "surrogateescape") if key and key[0] else None
        self.operation = self.name()

    def name(self):
        if self.key is None:
            by_method = {"PUT": "CreateBucket", "GET": "ListObjectsV2"}
            return "DeleteObjects" if "delete" in self.query else by_method.get(self.method, self.method)
        if self.method == "PUT":
            return "CopyObject" if "x-amz-copy-source" in self.headers else "PutObject"
        return {"GET": "GetObject", "DELETE": "DeleteObject"}.get(self.method, self.method)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.s3 = self.server.s3
        with self.s3.lock:
            self.s3.n_connections += 1
        self.n_requests = 0

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(self.s3.now() if timestamp is None else timestamp, usegmt=True)

    def answer(self, status, body=b"", headers=None):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"x-amz-request-id": "REQ%d" % self.s3.n_requests, **(headers or {})}.items():
            self.send_header(name, value)
        if status not in (204, 304) and "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status not in (204, 304):
            self.wfile.write(body)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def any(self):
        self.n_requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self, body)
        try:
            with self.s3.lock:
                self.s3.n_requests += 1
                self.s3.n_now += 1
                self.s3.most_at_once = max(self.s3.most_at_once, self.s3.n_now)
                self.s3.counts[request.operation] += 1
                self.s3.log.append(request)
            extra = self.s3.extra.get(request.raw_path) or self.s3.extra.get("*")
            if extra and not request.headers.get("authorization", "").startswith(sigv4.ALGORITHM):
                return self.answer(*extra(request))
            fault = self.s3.next_fault(request.operation)
            if fault:
                getattr(self, "fault_" + fault.kind)(request, **fault.details)
            else:
                self.obey(request)
        except Refusal as no:
            self.refuse(no)
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True
        finally:
            with self.s3.lock:
                self.s3.n_now -= 1

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = any

    def refuse(self, no, status=None):
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{no.code}</Code><Message>{no.message}</Message>'
                f"{no.extra}<RequestId>REQ{self.s3.n_requests}</RequestId></Error>")
        self.answer(status or no.status, body, {"Content-Type": "application/xml", **no.headers})

    def obey(self, request):
        self.answer(*self.s3.obey(request))

    # ---- Faults: what happens instead ----

    def fault_reset(self, request):
        self.reset()

    def fault_lost(self, request):
        """Obeyed, but the answer never comes."""
        self.s3.obey(request)
        self.reset()

    def fault_lost_if_kept(self, request):
        """So, but only on a connection that served before: the client's library sends again by itself."""
        if self.n_requests > 1:
            self.fault_lost(request)
        else:
            self.s3.put_back()
            self.obey(request)

    def fault_lost_then_refused(self, request, code="ServiceUnavailable"):
        self.s3.obey(request)
        raise Refusal(503, code)

    def begin_object(self, request, length=None):
        _, body, headers = self.s3.obey(request)
        self.answer(200, b"", {**headers, "Content-Length": str(len(body) if length is None else length)})
        return body.encode() if isinstance(body, str) else body

    def fault_reset_inside(self, request):
        body = self.begin_object(request)
        self.wfile.write(body[: len(body) // 2])
        time.sleep(0.05)
        self.reset()

    def fault_short(self, request):
        body = self.begin_object(request)
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def fault_loris(self, request):
        body = self.begin_object(request)
        for at in range(len(body)):
            self.wfile.write(body[at : at + 1])
            if self.s3.closing.wait(0.1):
                break
        self.close_connection = True

    def fault_silent(self, request):
        self.s3.closing.wait(60)
        self.close_connection = True

    def fault_late(self, request, after_s):
        self.s3.closing.wait(after_s)
        self.obey(request)

    def fault_held(self, request):
        """Obeyed, once the test lets it go."""
        self.s3.let_go.wait(60)
        self.obey(request)

    def fault_too_short_a_length(self, request):
        status, body, headers = self.s3.obey(request)
        self.answer(status, body[:-3], {**headers, "Content-Length": str(len(body) - 3)})

    def fault_too_long_a_length(self, request):
        body = self.begin_object(request, len(self.s3.objects[request.bucket][request.key].data) + 3)
        self.wfile.write(body)
        self.close_connection = True

    def fault_other_bytes(self, request):
        status, body, headers = self.s3.obey(request)
        self.answer(status, bytes([body[0] ^ 1]) + body[1:], headers)

    def fault_other_etag(self, request):
        status, body, headers = self.s3.obey(request)
        self.answer(status, body, {**headers, "ETag": '"%s"' % ("0" * 32)})

    def fault_no_etag(self, request):
        status, body, headers = self.s3.obey(request)
        self.answer(status, body, {k: v for k, v in headers.items() if k != "ETag"})

    def fault_refuse(self, request, status=500, code="InternalError", headers=None, extra=""):
        raise Refusal(status, code, headers=headers, extra=extra)

    def fault_hidden(self, request, code="InternalError"):
        self.refuse(Refusal(200, code), 200)

    def fault_answer(self, request, status=200, body=b"", headers=None):
        self.answer(status, body, headers)

    def fault_endless_body(self, request, status=200, megabytes=200):
        self.answer(status, b"", {"Content-Length": str(megabytes << 20), "ETag": '"x"'})
        for _ in range(megabytes):
            self.wfile.write(b"x" * (1 << 20))
        self.close_connection = True

    def fault_endless_headers(self, request):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.s3.closing.is_set():
            self.wfile.write(b"x-filler: " + b"x" * 8000 + b"\r\n")

    def page(self, body, token):
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        self.answer(200, f"<ListBucketResult {XMLNS}>{body}{more}</ListBucketResult>")

    def fault_empty_page(self, request, token="t"):
        """Nothing, but more to come; a token that a real server would take up again."""
        self.page("", token)

    def fault_fresh_tokens(self, request, body=""):
        self.page(body, "t%d" % self.s3.n_requests)

    def fault_no_token(self, request):
        self.answer(200, f"<ListBucketResult {XMLNS}><IsTruncated>true</IsTruncated></ListBucketResult>")


class Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a client that goes away is part of most tests

    def server_bind(self):  # without the name lookup of HTTPServer's
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class Server:
    def __init__(self, keys=None, region="us-east-1", tls=None):
        self.keys = keys or {"AKTEST": "secret/of+the=test"}
        self.tokens = {}  # access key -> session token that must come with it
        self.expired = set()  # access keys whose token has expired
        self.region = region
        self.redirect = "malformed"  # how another region is told: "malformed" or "301"
        self.clock_off = 0
        self.conditional = True  # 501 for If-None-Match where not; "304" as old MinIO
        self.anonymous = False
        self.extra = {}  # path -> function(request) -> answer: metadata services
        self.objects = {"bucket": {}}
        self.faults = []
        self.chaos = 0  # how likely a request is to fail, in one of the ways that pass
        self.random = random.Random(1)
        self.counts = collections.Counter()
        self.log = []
        self.n_requests = self.n_connections = 0
        self.n_now = self.most_at_once = 0  # requests under way
        self.lock = threading.RLock()
        self.let_go, self.closing = threading.Event(), threading.Event()
        self.http = Threads(("127.0.0.1", 0), Handler)
        self.http.s3 = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.http.server_port)

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.let_go.set()
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()

    def now(self):
        return time.time() + self.clock_off

    # ---- Faults ----

    def fault(self, operation, kind, times=1, **details):
        self.faults.append([Fault(operation, kind, details), times])

    def next_fault(self, operation):
        with self.lock:
            if operation in CHAOTIC and self.random.random() < self.chaos:
                return Fault(operation, *self.random.choice((("reset", {}), ("lost", {}), ("refuse", {"status": 503}))))
            for entry in self.faults:
                if entry[1] > 0 and entry[0].operation in (operation, "*"):
                    entry[1] -= 1
                    self.last = entry
                    return entry[0]
        return None

    def put_back(self):
        with self.lock:
            self.last[1] += 1

    # ---- Signatures ----

    def check_signature(self, r):
        header = r.headers.get("authorization")
        if header is None:
            if not self.anonymous:
                raise Refusal(403, "AccessDenied", "anonymous")
            return
        parts = sigv4.parse(header)
        if not parts:
            raise Refusal(400, "AuthorizationHeaderMalformed")
        access, day, region, service, _ = parts["Credential"].split("/")
        if region != self.region:
            self.tell_region()
        if access not in self.keys:
            raise Refusal(403, "InvalidAccessKeyId")
        self.check_token(r, access)
        signed, date = parts["SignedHeaders"].split(";"), r.headers["x-amz-date"]
        self.check_date(date, day)
        self.check_headers(r, signed)
        request = sigv4.canonical_request(r.method, r.raw_path, r.raw_query, r.headers, signed,
                                          r.headers["x-amz-content-sha256"])
        if sigv4.signature(self.keys[access], date, region, service, request) != parts["Signature"]:
            raise Refusal(403, "SignatureDoesNotMatch")

    def tell_region(self):
        if self.redirect == "301":
            raise Refusal(301, "PermanentRedirect", headers={"x-amz-bucket-region": self.region})
        raise Refusal(400, "AuthorizationHeaderMalformed", extra=f"<Region>{self.region}</Region>")

    def check_token(self, r, access):
        if access in self.expired:
            raise Refusal(400, "ExpiredToken")
        if self.tokens.get(access) != r.headers.get("x-amz-security-token"):
            raise Refusal(403, "InvalidToken")

    def check_date(self, date, day):
        at = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
        if abs(at - self.now()) > SKEW_MAX or not date.startswith(day):
            raise Refusal(403, "RequestTimeTooSkewed")

    def check_headers(self, r, signed):
        """Signed must be host and all x-amz-*; nothing is sent that S3 does strange things with."""
        must = {n for n in r.headers if n.startswith("x-amz-") or n in ("host", "content-type", "content-md5")}
        if not must <= set(signed) or signed != sorted(signed):
            raise Refusal(403, "SignatureDoesNotMatch", "not all headers are signed")
        if {"expect", "transfer-encoding"} & set(r.headers):
            raise Refusal(501, "NotImplemented", "a header that was not asked for")
        if hashlib.sha256(r.body).hexdigest() != r.headers["x-amz-content-sha256"]:
            raise Refusal(400, "XAmzContentSHA256Mismatch")

    # ---- S3 ----

    def obey(self, r):
        with self.lock:
            self.check_signature(r)
            if r.operation == "CreateBucket":
                self.objects.setdefault(r.bucket, {})
                return 200, b"", {}
            if r.bucket not in self.objects:
                raise Refusal(404, "NoSuchBucket")
            does = getattr(self, "do_" + r.operation, None)
            if not does:
                raise Refusal(405, "MethodNotAllowed")
            return does(r, self.objects[r.bucket])

    def store(self, bucket, key, data):
        o = Object(data, hashlib.md5(data).hexdigest(), self.now())
        with self.lock:
            bucket[key] = o
        return o

    def do_GetObject(self, r, bucket):
        if r.key not in bucket:
            raise Refusal(404, "NoSuchKey")
        o = bucket[r.key]
        if "if-match" in r.headers and r.headers["if-match"].strip('"') != o.etag:
            raise Refusal(412, "PreconditionFailed")
        return 200, o.data, {"ETag": f'"{o.etag}"', "Last-Modified": email.utils.formatdate(o.time, usegmt=True)}

    def do_PutObject(self, r, bucket):
        if len(r.key.encode("utf-8", "surrogateescape")) > 1024:
            raise Refusal(400, "KeyTooLongError")
        if r.headers.get("if-none-match") == "*":
            if self.conditional is False:
                raise Refusal(501, "NotImplemented")
            if r.key in bucket and self.conditional == "304":
                return 304, b"", {}
            if r.key in bucket:
                raise Refusal(412, "PreconditionFailed")
        return 200, b"", {"ETag": f'"{self.store(bucket, r.key, r.body).etag}"'}

    def do_CopyObject(self, r, bucket):
        source = unquote_to_bytes(r.headers["x-amz-copy-source"]).decode("utf-8", "surrogateescape")
        _, name, key = source.split("/", 2)
        if key not in self.objects.get(name, {}):
            raise Refusal(404, "NoSuchKey")
        o = self.objects[name][key]
        if r.headers.get("x-amz-copy-source-if-match", o.etag).strip('"') != o.etag:
            raise Refusal(412, "PreconditionFailed")
        o = self.store(bucket, r.key, o.data)
        return 200, (f"<CopyObjectResult><LastModified>{iso(o.time)}</LastModified>"
                     f"<ETag>&quot;{o.etag}&quot;</ETag></CopyObjectResult>"), {}

    def do_DeleteObject(self, r, bucket):
        bucket.pop(r.key, None)
        return 204, b"", {}

    def do_DeleteObjects(self, r, bucket):
        if r.headers.get("content-md5") != base64.b64encode(hashlib.md5(r.body).digest()).decode():
            raise Refusal(400, "BadDigest")
        keys = [html.unescape(k) for k in re.findall("<Key>(.*?)</Key>", r.body.decode())]
        if not 1 <= len(keys) <= 1000:
            raise Refusal(400, "MalformedXML")
        result = ""
        for key in keys:
            fault = self.next_fault("delete:" + key)
            name = html.escape(key)
            if fault and fault.kind == "forget":
                continue
            if fault:
                result += f"<Error><Key>{name}</Key><Code>{fault.details['code']}</Code></Error>"
            else:
                bucket.pop(key, None)
                result += f"<Deleted><Key>{name}</Key></Deleted>"
        return 200, f"<DeleteResult {XMLNS}>{result}</DeleteResult>", {}

    def do_ListObjectsV2(self, r, bucket):
        prefix, delimiter = r.query.get("prefix", ""), r.query.get("delimiter", "")
        after = bytes.fromhex(r.query.get("continuation-token", "").removeprefix("+/ ")).decode("utf-8", "surrogateescape")
        entries = {}
        for key in bucket:
            rest = key[len(prefix) :]
            if key.startswith(prefix):
                cut = rest.find(delimiter) if delimiter else -1
                entries[key if cut < 0 else prefix + rest[: cut + 1]] = bucket[key] if cut < 0 else None
        names = sorted((n for n in entries if n > after or not after), key=by_bytes)
        page = names[: min(PAGE, int(r.query.get("max-keys", PAGE)))]
        body = "".join(self.entry(n, entries[n]) for n in page)
        if len(page) < len(names):
            token = "+/ " + page[-1].encode("utf-8", "surrogateescape").hex()  # with what a query must encode
            body += f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        else:
            body += "<IsTruncated>false</IsTruncated>"
        encoding = "<EncodingType>url</EncodingType>" if "encoding-type" in r.query else ""
        return 200, f'<?xml version="1.0"?><ListBucketResult {XMLNS}>{body}{encoding}</ListBucketResult>', {}

    def entry(self, name, o):
        name = sigv4.encode(name.encode("utf-8", "surrogateescape"), "/").replace("%20", "+")
        if o is None:
            return f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"
        return (f"<Contents><Key>{name}</Key><LastModified>{iso(o.time)}</LastModified><ETag>&quot;{o.etag}&quot;</ETag>"
                f"<Size>{len(o.data)}</Size><StorageClass>STANDARD</StorageClass></Contents>")


def by_bytes(name):
    return name.encode("utf-8", "surrogateescape")


def iso(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(at)) + "%03dZ" % (at % 1 * 1000)


def black_hole():
    """A port where connections are never answered: its queue is full. Returns (url, what keeps it so)."""
    hole = socket.socket()
    hole.bind(("127.0.0.1", 0))
    hole.listen(0)
    held = [hole]
    for _ in range(8):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(hole.getsockname())
        held.append(one)
    time.sleep(0.05)
    return "http://127.0.0.1:%d" % hole.getsockname()[1], held
