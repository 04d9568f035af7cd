#!/usr/bin/env python3
"""What each fault of a server gives: test-faults.py DRIVE

For every fault: the errno, how many requests were made, within what time, that a reader never saw anything but the whole
object, and that nothing the server accepted was called lost. Ends with the table."""

import re
import tempfile

from driver import FOREVER, SECRET, Drive, Server, black_hole, environment, main

DATA = bytes(range(256)) * 40
TRIES = 3
PAUSES = 0.1 + 0.2  # the longest that two pauses can be
TIMEOUT = 1.0  # where that is what ends it
SLACK = 4.0  # for a machine that does much else: a deadline of 1 s that is missed by so much is none
rows = []


def row(fault, operation, answer, requests, seconds):
    rows.append((fault, operation, answer["errno"], requests, f"{seconds:.1f} s", answer["why"]))


def run(operation, drive):
    if operation == "GetObject":
        return drive.get("k")
    if operation == "PutObject":
        return drive.new("new", DATA)
    if operation == "CopyObject":
        return drive.do("rename", "k", "moved")
    if operation == "DeleteObject":
        return drive.do("remove", "k")
    if operation == "DeleteObjects":
        return drive.do("remove-many", "k", "k2")
    return drive.do("list")


def check_nothing_torn(s, operation, answer):
    """The promises, whatever happened."""
    bucket = s.objects["bucket"]
    if operation == "GetObject":
        assert answer["data"] == (DATA if answer["r"] == 0 else None), "a reader got other bytes"
    if operation == "PutObject":
        assert "new" in bucket if answer["r"] == 0 else True, "what was stored is not there"
        assert bucket["new"].data == DATA if "new" in bucket else True, "half an object is there"
    if operation == "CopyObject":
        assert "k" in bucket or bucket["moved"].data == DATA, "a rename lost the object"
    if operation == "ListObjectsV2" and answer["r"] == 0:
        assert answer["names"] == ["k"], answer


def case(fault, operation, kind, wants, requests, seconds, times=FOREVER, options=(), why="", **details):
    """`requests` is how many of this operation may be made: a number, or a range of them."""
    if isinstance(requests, int):
        requests = range(requests, requests + 1)
    with Server() as s:
        s.store(s.objects["bucket"], "k", DATA)
        s.fault(operation, kind, times, **details)
        timeout = f"timeout={int(TIMEOUT * 1000)}ms" if wants == "ETIMEDOUT" else "timeout=30s"
        with Drive("s3://bucket", f"attempts={TRIES}", timeout, *options, env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
            answer = run(operation, d)
            took = answer["ms"] / 1000
            log = d.log()
    n = s.counts[operation]
    row(fault, operation, answer, n, took)
    where = f"{fault} on {operation}: {answer['errno']}, {n} requests, {took:.2f} s: {answer['why']}\n{log}"
    assert answer["errno"] == wants, f"wanted {wants}: {where}"
    assert n in requests, f"wanted {requests} requests: {where}"
    assert took <= seconds + SLACK, f"wanted {seconds} s: {where}"
    assert re.search(why, answer["why"]), f"wanted {why}: {where}"
    check_nothing_torn(s, operation, answer)
    if answer["r"] < 0 and (operation, wants) != ("GetObject", "EFBIG"):
        check_line(operation, kind, details, log)
    return answer


def check_line(operation, kind, details, log):
    """A failure is one line, and it says what was asked for and what came."""
    lines = re.findall("(?m)^drive: (storage .*)", log)
    assert len(lines) == 1, log
    said = f"storage (request failed|answer refused) operation={operation} bucket=bucket key={KEYS[operation]} "
    if kind in ("refuse", "hidden"):
        status = 200 if kind == "hidden" else details.get("status", 500)
        said += f"status={status} code={details.get('code', 'InternalError')} request=REQ[0-9]+ "
    elif kind in ("answer", "no_token", "other_bytes"):
        said += f"status={details.get('status', 200)} request=REQ[0-9]+ "
    assert re.match(said + ".*why=", lines[0]), (said, lines)


KEYS = {"GetObject": "k", "PutObject": "new", "CopyObject": "moved", "DeleteObject": "k", "DeleteObjects": "k",
        "ListObjectsV2": '""'}


IDEMPOTENT = ("GetObject", "ListObjectsV2", "PutObject", "CopyObject", "DeleteObject", "DeleteObjects")


def test_the_network_fails_once_and_nobody_notices():
    for operation in IDEMPOTENT:
        case("reset, once", operation, "reset", "ok", 2, PAUSES, times=1)


def test_the_network_fails_for_good():
    for operation in IDEMPOTENT:
        # On a connection that served before, libcurl sends once more by itself.
        requests = range(TRIES, TRIES + 2) if operation == "CopyObject" else TRIES
        case("reset", operation, "reset", "EIO", requests, PAUSES)


def test_the_server_is_in_trouble():
    for status, code in ((500, "InternalError"), (503, "SlowDown"), (429, "TooManyRequests"), (502, "BadGateway"),
                         (504, "GatewayTimeout"), (400, "RequestTimeout"), (409, "OperationAborted")):
        case(f"{status} {code}, once", "GetObject", "refuse", "ok", 2, PAUSES, times=1, status=status, code=code)
        case(f"{status} {code}", "PutObject", "refuse", "EIO", TRIES, PAUSES, status=status, code=code,
             why=f"answered {status} {code}.*request REQ.*tried 3 times")


def test_a_refusal_is_final_and_in_words():
    for status, code, wants in ((403, "AccessDenied", "EACCES"), (400, "KeyTooLongError", "ENAMETOOLONG"),
                                (400, "EntityTooLarge", "EFBIG"), (403, "QuotaExceeded", "EDQUOT"),
                                (507, "XMinioStorageFull", "ENOSPC"), (405, "MethodNotAllowed", "EROFS"),
                                (400, "InvalidRequest", "EIO")):
        case(f"{status} {code}", "PutObject", "refuse", wants, 1, 0, status=status, code=code, why=code)
    case("404 NoSuchBucket", "GetObject", "refuse", "EIO", 1, 0, status=404, code="NoSuchBucket", why="NoSuchBucket")
    case("404 NoSuchBucket", "ListObjectsV2", "refuse", "EIO", 1, 0, status=404, code="NoSuchBucket")


def test_a_denial_that_passes_is_asked_about_once_by_who_has_written_before():
    with Server() as s, Drive("s3://bucket", "attempts=3", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        assert d.new("first", DATA)["r"] == 0
        s.fault("PutObject", "refuse", 1, status=403, code="AccessDenied")
        assert d.new("second", DATA)["r"] == 0
        assert s.counts["PutObject"] == 3, s.counts
        s.fault("PutObject", "refuse", FOREVER, status=403, code="AccessDenied")
        assert d.new("third", DATA)["errno"] == "EACCES"
        assert s.counts["PutObject"] == 5, s.counts


def test_a_body_that_ends_early_is_read_again():
    for kind in ("reset_inside", "short"):
        case(kind.replace("_", " ") + ", once", "GetObject", kind, "ok", 2, PAUSES + 0.1, times=1)
        case(kind.replace("_", " "), "GetObject", kind, "EIO", TRIES, PAUSES + 0.2)
        case(kind.replace("_", " "), "ListObjectsV2", kind, "EIO", TRIES, PAUSES + 0.2)


def test_a_body_that_is_not_the_object_is_read_again():
    for kind in ("too_short_a_length", "other_bytes", "other_etag"):
        case(kind.replace("_", " ") + ", once", "GetObject", kind, "ok", 2, PAUSES, times=1)
        case(kind.replace("_", " "), "GetObject", kind, "EIO", TRIES, PAUSES, why="MD5")
    case("too long a length", "GetObject", "too_long_a_length", "EIO", TRIES, PAUSES)
    case("no etag", "GetObject", "no_etag", "EIO", 1, 0, why="is the endpoint an S3 server")


def test_a_server_that_says_nothing_ends_by_the_deadline():
    for operation in ("GetObject", "PutObject", "ListObjectsV2"):
        case("silence", operation, "silent", "ETIMEDOUT", range(1, TRIES + 1), TIMEOUT)
    case("silence for 12 s", "GetObject", "late", "ok", 1, 12, after_s=12)
    case("one byte at a time", "GetObject", "loris", "ETIMEDOUT", range(1, TRIES + 1), TIMEOUT)
    case("one byte at a time", "ListObjectsV2", "loris", "ETIMEDOUT", range(1, TRIES + 1), TIMEOUT)


def test_an_error_in_a_200_is_an_error():
    for operation in ("ListObjectsV2", "CopyObject", "DeleteObjects"):
        case("200 with an Error, once", operation, "hidden", "ok", 2, PAUSES, times=1)
    case("200 with an Error", "ListObjectsV2", "hidden", "EIO", TRIES, PAUSES, why="200 InternalError")
    case("200 with an Error", "CopyObject", "hidden", "EIO", TRIES, PAUSES, why="200 InternalError")
    case("200 with AccessDenied", "CopyObject", "hidden", "EACCES", 1, 0, code="AccessDenied")


def test_a_lost_answer_to_a_put_is_recognised():
    answer = case("obeyed, answer lost", "PutObject", "lost", "ok", 2, PAUSES, times=1)
    assert answer["stored"]["size"] == len(DATA)
    case("obeyed, then 503", "PutObject", "lost_then_refused", "ok", 2, PAUSES, times=1)
    with Server() as s, Drive("s3://bucket", "attempts=3", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        s.store(s.objects["bucket"], "new", b"somebody else's")
        s.fault("PutObject", "reset")
        answer = d.new("new", DATA)
        row("lost, and another's is there", "PutObject", answer, s.counts["PutObject"], answer["ms"] / 1000)
        assert answer["errno"] == "EEXIST" and s.objects["bucket"]["new"].data == b"somebody else's", answer


def test_a_lost_answer_on_a_kept_connection_is_recognised():
    """There libcurl sends again by itself, out of our count."""
    with Server() as s, Drive("s3://bucket", "attempts=3", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        assert d.do("list")["r"] == 0
        s.fault("PutObject", "lost_if_kept")
        answer = d.new("new", DATA)
        row("lost on a kept connection", "PutObject", answer, s.counts["PutObject"], answer["ms"] / 1000)
        assert answer["errno"] == "ok" and s.objects["bucket"]["new"].data == DATA, answer
        assert s.counts["PutObject"] == 2


def test_a_put_of_the_same_bytes_by_another_is_EEXIST():
    with Server() as s, Drive("s3://bucket", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        s.store(s.objects["bucket"], "new", DATA)
        answer = d.new("new", DATA)
        assert answer["errno"] == "EEXIST" and s.counts == {"PutObject": 1}, (answer, s.counts)


def test_two_who_write_at_once_are_sorted_out():
    case("409 conflict, once", "PutObject", "refuse", "ok", 2, PAUSES, times=1, status=409,
         code="ConditionalRequestConflict")
    case("409 conflict", "PutObject", "refuse", "EIO", TRIES, PAUSES, status=409, code="ConditionalRequestConflict")


def test_servers_without_conditional_writes_are_asked_before():
    for conditional, fault in ((False, "501 If-None-Match"), ("304", "304 If-None-Match")):
        with Server() as s, Drive("s3://bucket", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
            s.conditional = conditional
            answer = d.new("new", DATA)
            row(fault + ", free", "PutObject", answer, s.counts["PutObject"], answer["ms"] / 1000)
            assert answer["errno"] == "ok" and s.objects["bucket"]["new"].data == DATA, answer
            answer = d.new("new", b"other")
            row(fault + ", taken", "PutObject", answer, s.counts["PutObject"], answer["ms"] / 1000)
            assert answer["errno"] == "EEXIST" and s.objects["bucket"]["new"].data == DATA, answer
            s.counts.clear()
            assert d.new("new2", b"")["errno"] == "ok"
            assert s.counts == ({"ListObjectsV2": 1, "PutObject": 1} if conditional is False else {"PutObject": 1}), s.counts
            warned = [line for line in d.log().splitlines() if re.match("drive: (warning|storage)", line)]
            assert len(warned) == (1 if conditional is False else 0), warned
            assert not warned or "storage has no conditional writes" in warned[0], warned


def test_a_replaced_object_is_ESTALE():
    with Server() as s, Drive("s3://bucket", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        old = s.store(s.objects["bucket"], "k", b"old").etag
        assert d.get("k", "100", old)["data"] == b"old"
        s.store(s.objects["bucket"], "k", b"new")
        answer = d.get("k", "100", old)
        row("412 on If-Match", "GetObject", answer, 1, answer["ms"] / 1000)
        assert answer["errno"] == "ESTALE" and s.counts["GetObject"] == 2, answer


# ---- Corrections: what the server tells us that we had wrong ----

def corrected(fault, change, requests=2, options=(), env=None):
    with Server() as s:
        s.store(s.objects["bucket"], "k", DATA)
        with Drive("s3://bucket", *options, env=environment(AWS_ENDPOINT_URL_S3=s.url, **(env or {}))) as d:
            change(s, d)
            answer = d.get("k")
            row(fault, "GetObject", answer, s.counts["GetObject"], answer["ms"] / 1000)
            assert answer["data"] == DATA and s.counts["GetObject"] == requests, (answer, s.counts, d.log())
            assert d.get("k")["data"] == DATA and s.counts["GetObject"] == requests + 1, "it has to learn that once"


def test_a_clock_that_is_off_is_corrected_once():
    for seconds in (3600, -3600, 86400 * 400):
        def change(s, d, seconds=seconds):
            s.clock_off = seconds
        corrected(f"clock {seconds:+} s off", change)


def test_a_region_is_followed():
    for how in ("malformed", "301"):
        def change(s, d, how=how):
            s.region, s.redirect = "eu-west-1", how
        corrected(f"another region, {how}", change)


def test_a_region_that_nobody_can_mean_is_not_followed():
    for region in ("a/b", "x.example.com", "a" * 80, ""):
        case(f"region {region[:12]!r}", "GetObject", "refuse", "EIO", 1, 0, status=301, code="PermanentRedirect",
             extra=f"<Region>{region}</Region>")


def test_regions_that_send_each_other_around_end():
    with Server() as s, Drive("s3://bucket", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        for i in range(40):
            s.fault("GetObject", "refuse", 1, status=400, code="AuthorizationHeaderMalformed",
                    extra=f"<Region>r-{i}</Region>")
        answer = d.get("k")
        row("regions in a circle", "GetObject", answer, s.counts["GetObject"], answer["ms"] / 1000)
        assert answer["errno"] == "EIO" and s.counts["GetObject"] == 2, (answer, s.counts)


def test_an_expired_token_costs_one_retry():
    with Server() as s, tempfile.TemporaryDirectory() as home:
        s.store(s.objects["bucket"], "k", DATA)
        env = environment(AWS_ENDPOINT_URL_S3=s.url, AWS_SHARED_CREDENTIALS_FILE=home + "/keys", AWS_ACCESS_KEY_ID=None,
                          AWS_SECRET_ACCESS_KEY=None)

        def become(access, token):
            s.keys[access], s.tokens[access] = SECRET, token
            with open(home + "/keys", "w", encoding="utf-8") as f:
                f.write(f"[default]\naws_access_key_id = {access}\naws_secret_access_key = {SECRET}\n"
                        f"aws_session_token = {token}\n")

        become("AKOLD", "t1")
        with Drive("s3://bucket", env=env) as d:
            assert d.do("list")["r"] == 0
            s.expired.add("AKOLD")
            become("AKNEW", "t2")
            answer = d.get("k")
            row("ExpiredToken, a new one to be had", "GetObject", answer, s.counts["GetObject"], answer["ms"] / 1000)
            assert answer["data"] == DATA and s.counts["GetObject"] == 2, (answer, s.counts)
            s.expired.add("AKNEW")
            answer = d.get("k")
            row("ExpiredToken, no new one", "GetObject", answer, s.counts["GetObject"] - 2, answer["ms"] / 1000)
            assert answer["errno"] == "EACCES" and s.counts["GetObject"] == 3, (answer, s.counts)


# ---- Servers that lie ----

def test_listings_that_do_not_end_are_refused():
    case("empty page, once", "ListObjectsV2", "empty_page", "ok", 2, 0, times=1, token="+/ ")
    case("token repeated", "ListObjectsV2", "empty_page", "EIO", 2, 0, token="again", why="circle")
    case("truncated, no token", "ListObjectsV2", "no_token", "EIO", 1, 0, why="not where")
    case("empty pages without end", "ListObjectsV2", "fresh_tokens", "EIO", range(100, 110), 1, why="nothing in it")
    entry = ("<Contents><Key>k</Key><Size>1</Size><ETag>x</ETag><LastModified>2026-01-01T00:00:00Z</LastModified>"
             "</Contents>")
    case("full pages without end", "ListObjectsV2", "fresh_tokens", "ETIMEDOUT", range(2, 100000), TIMEOUT, body=entry)


def test_an_empty_page_is_not_the_end():
    """Of those either who look for one object, and then would write over it, call it gone, or leave it behind."""
    with Server() as s, Drive("s3://bucket", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        bucket, more = s.objects["bucket"], "+/ "  # begins at the first key
        s.conditional = False
        s.store(bucket, "k", DATA)
        s.fault("ListObjectsV2", "empty_page", 1, token=more)
        assert d.new("k", b"other")["errno"] == "EEXIST" and bucket["k"].data == DATA
        s.fault("ListObjectsV2", "empty_page", 1, token=more)
        assert d.do("rename", "k", "moved")["errno"] == "ok" and list(bucket) == ["moved"]
        s.store(bucket, "dir/", b"")
        s.fault("ListObjectsV2", "empty_page", 1, token=more)
        assert d.do("remove-dir", "dir")["errno"] == "ok" and list(bucket) == ["moved"]
        assert s.counts["ListObjectsV2"] == 6, s.counts
        s.store(bucket, "dir/x", DATA)
        short = (f"<ListBucketResult>{s.entry('dir/', s.store(bucket, 'dir/', b''))}<IsTruncated>true</IsTruncated>"
                 f"<NextContinuationToken>{more}{b'dir/'.hex()}</NextContinuationToken></ListBucketResult>")
        s.fault("ListObjectsV2", "answer", 1, body=short.encode())
        assert d.do("remove-dir", "dir")["errno"] == "ENOTEMPTY" and "dir/" in bucket


def test_an_object_described_by_halves_is_not_absent():
    half = b"<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>"
    with Server() as s, Drive("s3://bucket", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        s.conditional = False
        s.store(s.objects["bucket"], "k", DATA)
        s.fault("ListObjectsV2", "answer", FOREVER, body=half)
        for answer in (d.new("k", b"other"), d.do("rename", "k", "moved")):
            assert answer["errno"] == "EIO" and "by halves" in answer["why"], answer
        assert s.objects["bucket"]["k"].data == DATA


def test_tokens_in_a_longer_circle_are_seen():
    with Server() as s, Drive("s3://bucket", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        for _ in range(20):
            for token in "abcdefg":
                s.fault("ListObjectsV2", "empty_page", 1, token=token)
        answer = d.do("list")
        row("tokens in a circle of seven", "ListObjectsV2", answer, s.counts["ListObjectsV2"], answer["ms"] / 1000)
        assert answer["errno"] == "EIO" and "circle" in answer["why"] and s.counts["ListObjectsV2"] < 30, answer


def test_a_listing_that_fails_says_of_what():
    with Server() as s, Drive("s3://bucket/p", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        s.fault("ListObjectsV2", "refuse", 1, status=403, code="AccessDenied")
        s.fault("ListObjectsV2", "no_token", 1)
        assert d.do("list", "app/2026")["errno"] == "EACCES" and d.do("list", "app/2027")["errno"] == "EIO"
        first, second = re.findall("(?m)^drive: (storage .*)", d.log())
        assert " key=p/app/2026/ status=403 code=AccessDenied request=REQ1 " in first, first
        assert " key=p/app/2027/ status=200 request=REQ2 " in second, second


def test_answers_of_no_S3_server_are_recognised():
    page = b"<html><body>Log in to this network</body></html>"
    for status in (200, 404):
        case(f"{status} with a web page", "ListObjectsV2", "answer", "EIO", 1, 0, status=status, body=page)
        case(f"{status} with a web page", "GetObject", "answer", "EIO", 1, 0, status=status, body=page,
             why="is the endpoint an S3 server")
    case("a redirect elsewhere", "GetObject", "answer", "EIO", 1, 0, status=302,
         headers={"Location": "http://127.0.0.1:1/"})


def test_bodies_have_limits():
    case("200 MB for a listing", "ListObjectsV2", "endless_body", "EIO", 1, TIMEOUT, why="larger than")
    case("200 MB for an object", "GetObject", "endless_body", "EFBIG", 1, TIMEOUT, why="larger than")
    case("200 MB for an error", "GetObject", "endless_body", "EIO", TRIES, TIMEOUT, status=500)
    case("headers without end", "GetObject", "endless_headers", "EIO", range(1, TRIES + 1), TIMEOUT)


def test_what_is_too_large_to_be_carried_is_not_renamed():
    with Server() as s, Drive("s3://bucket", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        s.store(s.objects["bucket"], "k", DATA)
        s.fault("GetObject", "endless_body", megabytes=257)
        answer = d.do("rename", "k", "moved", "new")
        row("257 MB to rename", "GetObject", answer, s.counts["GetObject"], answer["ms"] / 1000)
        assert answer["errno"] == "EFBIG" and "larger than" in answer["why"], answer
        assert s.counts == {"GetObject": 1} and list(s.objects["bucket"]) == ["k"], s.counts


def test_hostile_XML_is_refused():
    bomb = (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
            b"<ListBucketResult><Contents><Key>&b;</Key></Contents></ListBucketResult>")
    case("XML with a DOCTYPE", "ListObjectsV2", "answer", "EIO", 1, 0, body=bomb, why="DOCTYPE")
    case("XML cut off", "ListObjectsV2", "answer", "EIO", 1, 0, body=b"<ListBucketResult><Contents>", why="parse")
    case("XML nested deep", "ListObjectsV2", "answer", "EIO", 1, 0, body=b"<ListBucketResult>" + b"<a>" * 100000,
         why="nested")


# ---- Nobody there ----

def test_a_black_hole_ends_by_the_deadline():
    url, held = black_hole()
    for name, command in (("ListObjectsV2", lambda d: d.do("probe")), ("GetObject", lambda d: d.get("k")),
                          ("PutObject", lambda d: d.new("new", DATA)), ("DeleteObject", lambda d: d.do("remove", "k")),
                          ("DeleteObjects", lambda d: d.do("remove-many", "k")),
                          ("CopyObject", lambda d: d.do("rename", "k", "l"))):
        with Drive("s3://bucket", "timeout=1s", env=environment(AWS_ENDPOINT_URL_S3=url)) as d:
            answer = command(d)
            row("black hole", name, answer, 0, answer["ms"] / 1000)
            assert answer["errno"] == "ETIMEDOUT" and answer["ms"] < 1000 * (TIMEOUT + SLACK), (name, answer)
            assert "storage request failed" in d.log() and "errno=\"Connection timed out\"" in d.log(), d.log()
    for one in held:
        one.close()


def test_a_closed_port_is_told_in_words():
    with Drive("s3://bucket", "attempts=2", "endpoint=http://127.0.0.1:1") as d:
        answer = d.do("probe")
        row("connection refused", "ListObjectsV2", answer, 0, answer["ms"] / 1000)
        assert answer["errno"] == "EIO" and "onnect" in answer["why"], answer
        stats = d.do("stats")["stats"]
        assert "s3_requests_list_total 0\n" in stats and "s3_retries_total 1\n" in stats, stats


def test_many_at_once_in_a_black_hole_all_end():
    """More threads than connections: those who wait for one end by their deadline too."""
    url, held = black_hole()
    with Drive("s3://bucket", "timeout=1s", "connections=2", env=environment(AWS_ENDPOINT_URL_S3=url)) as d:
        answer = d.do("fetch", "16", *["k"] * 16)
        assert answer["errno"] == "ETIMEDOUT" and answer["n"] == 0 and answer["ms"] < 1000 * (TIMEOUT + SLACK), answer
    for one in held:
        one.close()


def test_a_storm_of_failures_is_not_multiplied_for_ever():
    """The budget of retries: 100 of them at first, though 600 requests fail."""
    with Server() as s, Drive("s3://bucket", "attempts=3", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        s.fault("GetObject", "refuse", FOREVER, status=503, code="SlowDown")
        answer = d.do("fetch", "16", *["k"] * 600)
        row("503 SlowDown to 600 gets", "GetObject", answer, s.counts["GetObject"], answer["ms"] / 1000)
        assert answer["errno"] == "EIO" and 600 < s.counts["GetObject"] <= 700, s.counts


def test_z_the_table():
    print(f"\n{'fault':36} {'operation':14} {'errno':10} {'requests':>8}  {'time':>6}  words")
    for fault, operation, errno, requests, took, why in rows:
        print(f"{fault:36} {operation:14} {errno:10} {requests:8}  {took:>6}  {why[:110]}")
    print()


main(globals())
