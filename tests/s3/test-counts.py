#!/usr/bin/env python3
"""How many requests each operation makes: test-counts.py DRIVE"""

import re
import tempfile

from driver import FOREVER, Drive, Server, environment, main


def opened(s, *options):
    return Drive("s3://bucket/p", *options, env=environment(AWS_ENDPOINT_URL_S3=s.url))


def fill(s, n, prefix="p/app/2026/11/22/"):
    for i in range(n):
        s.store(s.objects["bucket"], f"{prefix}{i:06}.pprof", b"%d" % i)


def test_a_listing_of_10000_keys_is_10_requests():
    with Server() as s, opened(s) as d:
        fill(s, 10000)
        answer = d.do("list", "app/2026/11/22")
        assert answer["r"] == 0 and len(answer["names"]) == 10000 and answer["names"] == sorted(answer["names"])
        assert s.counts == {"ListObjectsV2": 10}, s.counts
        assert s.n_connections == 1, "one connection serves them all"
        assert len(d.do("list-all", "")["names"]) == 10000 and s.counts == {"ListObjectsV2": 20}, s.counts


def test_each_small_operation_is_one_request():
    with Server() as s, opened(s) as d:
        for do, operation in ((lambda: d.do("probe"), "ListObjectsV2"), (lambda: d.do("list", "app"), "ListObjectsV2"),
                              (lambda: d.new("k", b"x"), "PutObject"), (lambda: d.put("k", b"y"), "PutObject"),
                              (lambda: d.get("k"), "GetObject"), (lambda: d.do("remove", "k"), "DeleteObject"),
                              (lambda: d.do("remove-dir", "app"), "ListObjectsV2")):
            s.counts.clear()
            assert do()["r"] == 0 and s.counts == {operation: 1}, s.counts
        assert s.n_connections == 1


def test_removing_2000_keys_is_2_requests():
    with Server() as s, opened(s) as d:
        fill(s, 2500, "p/k")
        answer = d.do("remove-many", *[f"k{i:06}.pprof" for i in range(2000)])
        assert answer["r"] == 0 and answer["results"] == [0] * 2000 and s.counts == {"DeleteObjects": 2}, s.counts
        assert len(s.objects["bucket"]) == 500


def test_a_rename_is_few():
    with Server() as s, opened(s) as d:
        s.store(s.objects["bucket"], "p/a", b"x")
        assert d.do("rename", "a", "b")["r"] == 0
        assert s.counts == {"ListObjectsV2": 1, "CopyObject": 1, "DeleteObject": 1}, s.counts
        s.counts.clear()
        assert d.do("rename", "b", "c", "new")["r"] == 0
        assert s.counts == {"GetObject": 1, "PutObject": 1, "DeleteObject": 1}, s.counts
        assert list(s.objects["bucket"]) == ["p/c"]


def test_many_gets_share_few_connections():
    with Server() as s, opened(s, "connections=4") as d:
        fill(s, 200, "p/k")
        s.fault("GetObject", "late", FOREVER, after_s=0.02)
        answer = d.do("fetch", "32", *[f"k{i:06}.pprof" for i in range(200)])
        assert answer["r"] == 0 and answer["n"] == 200 and s.counts == {"GetObject": 200}, (answer, s.counts)
        assert s.n_connections <= 4 and 2 <= s.most_at_once <= 4, (s.n_connections, s.most_at_once)


def test_each_key_that_will_not_go_is_reported():
    with Server() as s, opened(s, "attempts=3") as d:
        fill(s, 6, "p/k")
        s.fault("delete:p/k000001.pprof", "refuse", FOREVER, code="AccessDenied")
        s.fault("delete:p/k000002.pprof", "refuse", 1, code="SlowDown")
        s.fault("delete:p/k000003.pprof", "refuse", FOREVER, code="InternalError")
        s.fault("delete:p/k000004.pprof", "forget", FOREVER)
        answer = d.do("remove-many", *[f"k00000{i}.pprof" for i in range(6)])
        assert answer["r"] == 0 and answer["results"] == [0, -13, 0, -5, -5, 0], answer
        assert "remove k000001.pprof: the server answered 200 AccessDenied" in answer["why"], answer
        (line,) = re.findall("(?m)^drive: (storage .*)", d.log())
        assert re.match("storage request failed operation=DeleteObjects bucket=bucket key=p/k000001.pprof n=3 "
                        "code=AccessDenied request=REQ1 why=", line), line
        assert sorted(s.objects["bucket"]) == [f"p/k00000{i}.pprof" for i in (1, 3, 4)]
        assert s.counts == {"DeleteObjects": 3}, s.counts


def test_keys_that_XML_cannot_name_go_too():
    with Server() as s, opened(s) as d:
        keys = ["a&b", "<c>", "d\"e'", "f\x01g", "h\u00e9"]
        for key in keys:
            s.store(s.objects["bucket"], "p/" + key, b"x")
        assert d.do("remove-many", *keys)["results"] == [0] * 5 and not s.objects["bucket"]
        assert s.counts == {"DeleteObjects": 1, "DeleteObject": 2}, s.counts


def test_one_that_goes_by_itself_is_reported_too():
    with Server() as s, opened(s) as d:
        fill(s, 2, "p/k")
        s.store(s.objects["bucket"], "p/h\u00e9", b"x")
        s.fault("DeleteObject", "refuse", FOREVER, status=403, code="AccessDenied")
        answer = d.do("remove-many", "k000000.pprof", "h\u00e9", "k000001.pprof")
        assert answer["r"] == 0 and answer["results"] == [0, -13, 0], answer
        assert "remove h\u00e9: the server answered 403 AccessDenied" in answer["why"], answer
        assert d.log().count("drive: storage") == 1, d.log()


def test_a_server_that_hangs_is_waited_for_once():
    """Though 2,001 keys are three requests, or one for each key."""
    for fault, keys in (("DeleteObjects", [f"k{i}" for i in range(2001)]), ("DeleteObject", ["h\u00e9", "\u00e9", "\u00ea"])):
        with Server() as s, opened(s, "timeout=1s") as d:
            s.fault(fault, "silent", FOREVER)
            answer = d.do("remove-many", *keys)
            assert answer["errno"] == "ETIMEDOUT" and s.counts == {fault: 1}, (answer["why"], s.counts)


def test_a_server_without_DeleteObjects_is_asked_one_by_one():
    with Server() as s, opened(s) as d:
        fill(s, 3, "p/k")
        s.fault("DeleteObjects", "refuse", FOREVER, status=501, code="NotImplemented")
        assert d.do("remove-many", *[f"k00000{i}.pprof" for i in range(3)])["results"] == [0] * 3
        assert not s.objects["bucket"] and s.counts["DeleteObject"] == 3
        assert "drive: storage" not in d.log(), d.log()


def test_keys_that_are_not_ours_are_left_alone_and_counted_once():
    with Server() as s, opened(s) as d:
        foreign = ["p/app//x", "p/app/../x", "p/app/./x", "p/app/a\x00b", "p//", "p/app/.."]
        ours = ["p/app/good.pprof", "p/app/\u00e9 +%&", "p/app/sub/x", "p/app/new\nline"]
        for key in [*foreign, *ours, "p/app/", "p/app/folder/", "p/", "other", "p"]:
            s.store(s.objects["bucket"], key, b"" if key.endswith("/") else b"x")
        before = set(s.objects["bucket"])
        assert d.do("list", "app")["names"] == ["folder/", "good.pprof", "new\nline", "sub/", "\u00e9 +%&"]
        assert d.do("list")["names"] == ["app/"]
        names = d.do("list-all")["names"]
        assert sorted(names) == sorted(k[2:] for k in ours), names
        assert d.log().count("left alone") == 1 and "n=5" in d.log(), d.log()
        assert set(s.objects["bucket"]) == before


def test_a_folder_object_is_an_empty_directory():
    with Server() as s, opened(s) as d:
        s.store(s.objects["bucket"], "p/app/", b"")
        s.store(s.objects["bucket"], "p/full/", b"")
        s.store(s.objects["bucket"], "p/full/x", b"x")
        assert d.do("list")["names"] == ["app/", "full/"]
        assert d.do("remove-dir", "app")["r"] == 0 and d.do("remove-dir", "full")["errno"] == "ENOTEMPTY"
        assert sorted(s.objects["bucket"]) == ["p/full/", "p/full/x"]


def test_a_prefix_that_leaves_no_room_is_told():
    with Server() as s, opened(s) as d:
        answer = d.put("k" * 1024, b"x")
        assert answer["errno"] == "ENAMETOOLONG" and not s.counts, answer


def test_a_cache_on_disk_knows_one_endpoint_from_another():
    with tempfile.TemporaryDirectory() as cache, Server() as s, Server() as t:
        for _ in range(2):
            for server, data in ((s, b"one"), (t, b"two")):
                etag = server.store(server.objects["bucket"], "p/k", data).etag
                with opened(server, "cache=" + cache) as d:
                    assert d.get("k", "100", etag)["data"] == data
        assert s.counts == t.counts == {"GetObject": 1}, (s.counts, t.counts)


def test_stats_tell_what_was_asked():
    with Server() as s, opened(s) as d:
        d.new("k", b"x")
        d.do("list")
        stats = dict(line.split() for line in d.do("stats")["stats"].splitlines())
        assert stats["s3_requests_put_total"] == "1" and stats["s3_requests_list_total"] == "1", stats
        assert stats["s3_retries_total"] == "0", stats


main(globals())
