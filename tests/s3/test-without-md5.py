#!/usr/bin/env python3
"""On a machine in FIPS mode, where there is no MD5: test-without-md5.py DRIVE"""

from driver import Drive, Server, environment, main


def test_all_works_but_many_keys_go_one_by_one():
    with Server() as s, Drive("s3://bucket", env=environment(AWS_ENDPOINT_URL_S3=s.url)) as d:
        keys = [f"k{i}" for i in range(3)]
        for key in keys:
            assert d.new(key, b"x")["r"] == 0 and d.get(key)["data"] == b"x"
        s.counts.clear()
        answer = d.do("remove-many", *keys)
        assert answer["r"] == 0 and answer["results"] == [0] * 3 and not answer["why"], answer
        assert not s.objects["bucket"] and s.counts == {"DeleteObject": 3}, s.counts
        assert "drive: storage" not in d.log(), d.log()


main(globals())
