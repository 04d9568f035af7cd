"""AWS Signature Version 4 in Python, written from AWS's description alone, to judge the one in C.

It works on what is on the wire: a method, a raw path, a raw query and headers, as a server sees them."""

import hashlib
import hmac
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"


def encode(raw, safe=""):
    return quote(raw, safe=safe + "-_.~")


def canonical_path(raw_path):
    return encode(unquote_to_bytes(raw_path), "/") or "/"


def canonical_query(raw_query):
    pairs = []
    for part in raw_query.split("&") if raw_query else []:
        name, _, value = part.partition("=")
        pairs.append((encode(unquote_to_bytes(name)), encode(unquote_to_bytes(value))))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def canonical_request(method, raw_path, raw_query, headers, signed, payload_hash):
    lines = [method, canonical_path(raw_path), canonical_query(raw_query)]
    lines += [f"{name}:{' '.join(headers[name].split())}" for name in signed]
    lines += ["", ";".join(signed), payload_hash]
    return "\n".join(lines)


def signature(secret, date, region, service, request):
    key = ("AWS4" + secret).encode()
    for part in (date[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, date, scope, hashlib.sha256(request.encode()).hexdigest()])
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def authorization(method, raw_path, raw_query, headers, payload_hash, who, region, service="s3"):
    """The header for a request; `headers` have lower-case names and are all signed, x-amz-date is among them."""
    access, secret = who
    signed = sorted(headers)
    request = canonical_request(method, raw_path, raw_query, headers, signed, payload_hash)
    date = headers["x-amz-date"]
    mark = signature(secret, date, region, service, request)
    scope = f"{access}/{date[:8]}/{region}/{service}/aws4_request"
    return f"{ALGORITHM} Credential={scope},SignedHeaders={';'.join(signed)},Signature={mark}"


def parse(header):
    """Credential, SignedHeaders and Signature of an Authorization header; None where it is none."""
    kind, _, rest = header.partition(" ")
    if kind != ALGORITHM:
        return None
    return dict(part.strip().partition("=")[::2] for part in rest.split(","))
