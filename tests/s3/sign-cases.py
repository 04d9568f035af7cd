#!/usr/bin/env python3
"""Makes the table of test-sign.c: requests as S3 clients send them, signed by tests/s3server/sigv4.py.

    sign-cases.py > sign-cases.h

The table is kept, so that two signers of two minds agree on fixed answers. Raw paths and queries here are what goes over
the wire from other clients; in C they are built from the raw bytes of keys and parameters."""

import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "s3server"))
import sigv4  # noqa: E402

WHO = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION, DATE = "us-east-1", "20261122T101500Z"
EMPTY = hashlib.sha256(b"").hexdigest()
BODY = hashlib.sha256(b"hello").hexdigest()

# name, method, path (raw bytes, not encoded), parameters (raw), headers, payload
CASES = [
    ("a plain get", "GET", "/bucket/key", [], {}, EMPTY),
    ("a bucket", "GET", "/bucket", [], {}, EMPTY),
    ("the root", "GET", "/", [], {}, EMPTY),
    ("a key with slashes", "GET", "/bucket/app/2026/11/22/101500Z-web-3.pprof", [], {}, EMPTY),
    ("a blank", "GET", "/bucket/a b", [], {}, EMPTY),
    ("a plus", "GET", "/bucket/a+b", [], {}, EMPTY),
    ("a percent", "GET", "/bucket/100%", [], {}, EMPTY),
    ("what looks encoded", "GET", "/bucket/a%2fb%2Fc", [], {}, EMPTY),
    ("a colon", "GET", "/bucket/a:b", [], {}, EMPTY),
    ("an equals sign", "GET", "/bucket/a=b", [], {}, EMPTY),
    ("an at sign", "GET", "/bucket/a@b", [], {}, EMPTY),
    ("an ampersand", "GET", "/bucket/a&b", [], {}, EMPTY),
    ("parentheses", "GET", "/bucket/a(b)", [], {}, EMPTY),
    ("a star", "GET", "/bucket/a*b", [], {}, EMPTY),
    ("a quote", "GET", "/bucket/a'b", [], {}, EMPTY),
    ("other sub-delimiters", "GET", "/bucket/a!$,;b", [], {}, EMPTY),
    ("a tilde", "GET", "/bucket/~a", [], {}, EMPTY),
    ("a question mark and a hash", "GET", "/bucket/a?b#c", [], {}, EMPTY),
    ("dot segments", "GET", "/bucket/./a/../b", [], {}, EMPTY),
    ("empty segments", "GET", "/bucket//a//b/", [], {}, EMPTY),
    ("UTF-8", "GET", "/bucket/\u00e9\u20ac\U0001f4be", [], {}, EMPTY),
    ("control bytes", "GET", "/bucket/a\tb\x7f\x01", [], {}, EMPTY),
    ("brackets and a backslash", "GET", "/bucket/[a]{b}\\|^`\"<>", [], {}, EMPTY),
    ("a listing", "GET", "/bucket", [("list-type", "2"), ("prefix", "app/")], {}, EMPTY),
    ("parameters out of order", "GET", "/bucket", [("prefix", "x"), ("delimiter", "/"), ("list-type", "2"),
                                                   ("encoding-type", "url"), ("max-keys", "1000")], {}, EMPTY),
    ("a continuation token", "GET", "/bucket", [("list-type", "2"), ("continuation-token", "1ueGcxLPRx1Tr/XYExHnhbYLgv+=")],
     {}, EMPTY),
    ("a prefix with a plus", "GET", "/bucket", [("prefix", "a+b c%d")], {}, EMPTY),
    ("a parameter without a value", "POST", "/bucket", [("delete", "")], {"content-md5": "XUFAKrxLKna5cZ2REBfFkg=="}, BODY),
    ("another without a value", "GET", "/bucket", [("location", "")], {}, EMPTY),
    ("one with and one without", "POST", "/bucket/key", [("uploads", ""), ("a", "b")], {}, EMPTY),
    ("parameters of one name", "GET", "/bucket", [("a", "2"), ("a", "1"), ("a", "10")], {}, EMPTY),
    ("names that begin alike", "GET", "/bucket", [("ab", "1"), ("a", "2"), ("a-b", "3"), ("a1", "4")], {}, EMPTY),
    ("an upper-case parameter", "GET", "/bucket", [("b", "1"), ("A", "2")], {}, EMPTY),
    ("a put", "PUT", "/bucket/key", [], {"content-type": "application/octet-stream"}, BODY),
    ("a put of something new", "PUT", "/bucket/key", [], {"if-none-match": "*"}, BODY),
    ("a get of a version", "GET", "/bucket/key", [], {"if-match": '"5d41402abc4b2a76b9719d911017c592"'}, EMPTY),
    ("a session token", "GET", "/bucket/key", [], {"x-amz-security-token": "FwoGZXIvYXdzEBc//+=="}, EMPTY),
    ("headers that begin alike", "PUT", "/bucket/key", [], {"x-amz-meta-test": "1", "x-amz-meta-test-two": "2"}, BODY),
    ("blanks in a header", "PUT", "/bucket/key", [], {"x-amz-meta-a": "  two   words\t here "}, BODY),
    ("an empty header", "PUT", "/bucket/key", [], {"x-amz-meta-a": ""}, BODY),
    ("a range", "GET", "/bucket/key", [], {"range": "bytes=0-9"}, EMPTY),
    ("a copy", "PUT", "/bucket/to", [], {"x-amz-copy-source": "/bucket/a%20b"}, EMPTY),
]


def c_string(text):
    out = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else "\\%03o" % b for b in text.encode())
    return f'"{out}"'


def row(name, method, path, params, headers, payload):
    raw_path = sigv4.encode(path.encode(), "/")
    raw_query = "&".join(f"{sigv4.encode(n)}={sigv4.encode(v)}" for n, v in params)
    signed = {"host": "s3.example.com", "x-amz-date": DATE, "x-amz-content-sha256": payload, **headers}
    want = sigv4.authorization(method, raw_path, raw_query, signed, payload, WHO, REGION).rpartition("=")[2]
    list_of = lambda pairs: "{ " + ", ".join(f"{{ {c_string(n)}, {c_string(v)} }}" for n, v in pairs) + " }"
    return (f"\t{{ {c_string(name)}, {c_string(method)}, {c_string(path)}, {list_of(params) if params else '{ { 0 } }'}, "
            f"{list_of(headers.items()) if headers else '{ { 0 } }'}, {'BODY' if payload == BODY else 'EMPTY'},\n"
            f"\t  {c_string(sigv4.canonical_query(raw_query))}, \"{want}\" }},")


assert len(CASES) == 42
print("/* Made by sign-cases.py. */\n/* clang-format off */")
print(f'#define EMPTY "{EMPTY}"\n#define BODY "{BODY}"')
print("\n".join(row(*case) for case in CASES))
