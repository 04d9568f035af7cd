#!/usr/bin/python3
"""Another machine at the same bucket: a small S3 client for tests, with a signer of its own.

    s3tool.py make BUCKET | put BUCKET KEY FILE|- | get BUCKET KEY | rm BUCKET KEY | ls BUCKET [PREFIX]
    s3tool.py assume POLICY      prints keys that may do so much: access key, secret key, session token

Server and keys come from AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_CA_BUNDLE."""

import hashlib
import http.client
import os
import re
import ssl
import sys
import time
from html import unescape
from urllib.parse import unquote_plus, urlencode, urlsplit

import sigv4


def connect():
    url = urlsplit(os.environ["AWS_ENDPOINT_URL_S3"])
    if url.scheme == "http":
        return http.client.HTTPConnection(url.hostname, url.port, timeout=30), url.netloc
    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
    return http.client.HTTPSConnection(url.hostname, url.port, timeout=30, context=context), url.netloc


def ask(method, bucket, key=None, query="", body=b"", headers=None, service="s3"):
    connection, host = connect()
    path = "/" + bucket + ("/" + sigv4.encode(os.fsencode(key), "/") if key is not None else "")
    payload = hashlib.sha256(body).hexdigest()
    signed = {
        "host": host,
        "x-amz-content-sha256": payload,
        "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
        **(headers or {}),
    }
    who = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    signed["authorization"] = sigv4.authorization(method, path, query, dict(signed), payload, who, "us-east-1",
                                                   service)
    connection.request(method, path + ("?" + query if query else ""), body=body, headers=signed)
    answer = connection.getresponse()
    return answer.status, answer.read()


def must(answer):
    status, body = answer
    if status >= 300:
        sys.exit(f"s3tool: {status}: {body.decode(errors='replace')[:500]}")
    return body


def list_keys(bucket, prefix=""):
    token = ""
    while True:
        query = "encoding-type=url&list-type=2&prefix=" + sigv4.encode(prefix)
        if token:
            query = "continuation-token=" + sigv4.encode(token) + "&" + query
        page = must(ask("GET", bucket, query=query)).decode()
        for key in re.findall("<Key>(.*?)</Key>", page):
            yield unquote_plus(unescape(key))
        more = re.search("<NextContinuationToken>(.*?)</NextContinuationToken>", page)
        if not more:
            return
        token = unescape(more[1])


def assume(policy):
    form = urlencode({"Action": "AssumeRole", "Version": "2011-06-15", "DurationSeconds": "3600", "Policy": policy})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = must(ask("POST", "", body=form.encode(), headers=headers, service="sts")).decode()
    return [re.search(f"<{name}>(.*?)</{name}>", answer)[1] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]


def main(argv):
    match argv:
        case ["make", bucket]:
            must(ask("PUT", bucket))
        case ["put", bucket, key, path]:
            data = sys.stdin.buffer.read() if path == "-" else open(path, "rb").read()
            must(ask("PUT", bucket, key, body=data))
        case ["get", bucket, key]:
            sys.stdout.buffer.write(must(ask("GET", bucket, key)))
        case ["rm", bucket, key]:
            must(ask("DELETE", bucket, key))
        case ["assume", policy]:
            print(*assume(policy))
        case ["ls", bucket, *prefix]:
            for key in list_keys(bucket, *prefix):
                print(key)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
