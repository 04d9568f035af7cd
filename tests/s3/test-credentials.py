#!/usr/bin/env python3
"""Who we are, and where the bucket is, as AWS's tools find it: test-credentials.py DRIVE"""

import contextlib
import json
import os
import tempfile
import time
from urllib.parse import parse_qs

from driver import ACCESS, SECRET, Drive, Server, environment, main

NOBODY = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


@contextlib.contextmanager
def files(**texts):
    """Files in a directory of their own; gives a function from name to path."""
    with tempfile.TemporaryDirectory() as d:
        def path(name):
            return os.path.join(d, name)
        for name, text in texts.items():
            write(path(name), text)
        yield path


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)


def opened(s, *options, **env):
    return Drive("s3://bucket", *options, env=environment(**{"AWS_ENDPOINT_URL_S3": s.url, **env}))


def must_reach(d):
    answer = d.do("probe")
    assert answer["r"] == 0, (answer, d.log())


def used(s):
    """The access keys the server saw, in order, without repetition."""
    seen = [r.headers["authorization"].split("Credential=")[1].split("/")[0] for r in s.log if "authorization" in r.headers
            and "Credential=" in r.headers["authorization"]]
    return [k for i, k in enumerate(seen) if i == 0 or seen[i - 1] != k]


def keys_json(access, token, lives_s=3600, secret=SECRET):
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lives_s))
    return json.dumps({"Code": "Success", "AccessKeyId": access, "SecretAccessKey": secret, "Token": token,
                       "Expiration": expires})


# ---- The sources ----

def test_the_environment_comes_first():
    with Server() as s, files(keys="[default]\naws_access_key_id=OTHER\naws_secret_access_key=x\n") as f:
        with opened(s, AWS_SHARED_CREDENTIALS_FILE=f("keys")) as d:
            must_reach(d)
        assert used(s) == [ACCESS]


def test_a_session_token_is_sent_and_signed():
    with Server() as s:
        s.tokens[ACCESS] = "to+ken/="
        with opened(s, AWS_SESSION_TOKEN="to+ken/=") as d:
            must_reach(d)
        with opened(s) as d:
            assert d.do("probe")["errno"] == "EACCES"


def test_half_a_pair_is_told():
    with Server() as s, opened(s, AWS_SECRET_ACCESS_KEY=None) as d:
        answer = d.do("probe")
        assert answer["errno"] == "EACCES" and "AWS_SECRET_ACCESS_KEY is not set" in answer["why"] and not s.n_requests


def test_a_profile_of_the_shared_files():
    keys = f"[default]\naws_access_key_id=OTHER\naws_secret_access_key=x\n[web]\naws_access_key_id={ACCESS}\n" \
           f"aws_secret_access_key={SECRET}\n"
    with Server() as s, files(keys=keys) as f:
        env = {"AWS_SHARED_CREDENTIALS_FILE": f("keys"), **NOBODY}
        with opened(s, AWS_PROFILE="web", **env) as d:
            must_reach(d)
        with opened(s, "profile=web", **env) as d:
            must_reach(d)
        with opened(s, "profile=web", **{**env, "AWS_ACCESS_KEY_ID": "OTHER", "AWS_SECRET_ACCESS_KEY": "x"}) as d:
            must_reach(d)  # named by option, it goes before the environment
        assert used(s) == [ACCESS]
        with opened(s, **env) as d:
            assert "InvalidAccessKeyId" in d.do("probe")["why"]
        with opened(s, "profile=none", **env) as d:
            assert d.opened["r"] < 0 and "profile none is in neither" in d.opened["why"], d.opened


def test_a_profile_in_the_config_file_alone():
    config = f"[profile web]\naws_access_key_id={ACCESS}\naws_secret_access_key={SECRET}\nregion=eu-central-1\n"
    with Server(region="eu-central-1") as s, files(config=config) as f:
        with opened(s, AWS_CONFIG_FILE=f("config"), AWS_PROFILE="web", **NOBODY) as d:
            must_reach(d)
        assert s.n_requests == 1, "the region is right at once"


def test_home_is_where_the_files_are():
    with Server() as s, files() as f:
        os.mkdir(f(".aws"))
        write(f(".aws/credentials"), f"[default]\naws_access_key_id={ACCESS}\naws_secret_access_key={SECRET}\n")
        with opened(s, HOME=f(""), AWS_CONFIG_FILE=None, AWS_SHARED_CREDENTIALS_FILE=None, **NOBODY) as d:
            must_reach(d)


def test_what_a_profile_asks_for_and_we_cannot_is_told():
    with Server() as s, files(config="[default]\nsso_session = x\n") as f:
        with opened(s, AWS_CONFIG_FILE=f("config"), **NOBODY) as d:
            answer = d.do("probe")
            assert answer["errno"] == "EACCES" and "sso_session" in answer["why"] and "export-credentials" in answer["why"]


def sts_answer(access, token, lives_s=3600):
    expires = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + lives_s))
    return (f'<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{access}</AccessKeyId><SecretAccessKey>{SECRET}"
            f"</SecretAccessKey><SessionToken>{token}</SessionToken><Expiration>{expires}</Expiration></Credentials>"
            f"</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>")


def test_a_web_identity_reads_its_token_again_each_time():
    with Server() as s, files(token="first\n") as f:
        asked = []

        def sts(request):
            form = {k: v[0] for k, v in parse_qs(request.body.decode()).items()}
            asked.append(form)
            access = "AKWEB%d" % len(asked)
            s.keys[access], s.tokens[access] = SECRET, "t"
            return 200, sts_answer(access, "t", 60 if len(asked) == 1 else 3600), {}

        s.extra["/"] = sts
        with opened(s, AWS_WEB_IDENTITY_TOKEN_FILE=f("token"), AWS_ROLE_ARN="arn:aws:iam::1:role/r",
                    AWS_ENDPOINT_URL_STS=s.url, **NOBODY) as d:
            must_reach(d)
            write(f("token"), "second\n")
            s.expired.add("AKWEB1")
            must_reach(d)
            must_reach(d)
            assert "first" not in d.log() and "second" not in d.log(), "a token is in the log"
        assert [a["WebIdentityToken"] for a in asked] == ["first", "second"], asked
        assert asked[0]["RoleArn"] == "arn:aws:iam::1:role/r" and asked[0]["Action"] == "AssumeRoleWithWebIdentity"
        assert used(s) == ["AKWEB1", "AKWEB2"]


def test_a_web_identity_that_is_refused_is_told():
    with Server() as s, files(token="t") as f:
        s.extra["/"] = lambda r: (403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>", {})
        with opened(s, AWS_WEB_IDENTITY_TOKEN_FILE=f("token"), AWS_ROLE_ARN="r", AWS_ENDPOINT_URL_STS=s.url, **NOBODY) as d:
            answer = d.do("probe")
            assert answer["errno"] == "EACCES" and "STS answered 403 AccessDenied" in answer["why"], answer
        with opened(s, AWS_WEB_IDENTITY_TOKEN_FILE=f("none"), AWS_ROLE_ARN="r", AWS_ENDPOINT_URL_STS=s.url, **NOBODY) as d:
            assert "No such file" in d.do("probe")["why"]


def test_a_container_s_endpoint():
    with Server() as s, files(token="Bearer abc\n") as f:
        s.keys["AKBOX"], s.tokens["AKBOX"] = SECRET, "t"
        seen = []

        def box(request):
            seen.append(request.headers.get("authorization"))
            return 200, keys_json("AKBOX", "t"), {}

        s.extra["/box"] = box
        full = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": s.url + "/box", **NOBODY}
        with opened(s, AWS_CONTAINER_AUTHORIZATION_TOKEN="abc", **full) as d:
            must_reach(d)
        write(f("token"), "filed\n")
        with opened(s, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=f("token"), **full) as d:
            must_reach(d)
        assert seen == ["abc", "filed"] and used(s) == ["AKBOX"], seen


def test_a_container_s_address_is_in_no_message():
    with Server() as s:
        s.extra["/v2/credentials/hunter2"] = lambda r: (404, "", {})
        for url in (s.url + "/v2/credentials/hunter2", "http://me:hunter2@127.0.0.1:1/", "http://127.0.0.1:1/hunter2"):
            with opened(s, AWS_CONTAINER_CREDENTIALS_FULL_URI=url, **NOBODY) as d:
                answer = d.do("probe")
                assert answer["r"] < 0 and "container endpoint" in answer["why"], answer
                assert "hunter2" not in answer["why"] + d.log(), (answer, d.log())
        with opened(s, AWS_CONTAINER_CREDENTIALS_FULL_URI=s.url + "/v2/credentials/hunter2", **NOBODY) as d:
            assert "the address in AWS_CONTAINER_CREDENTIALS_FULL_URI answered 404" in d.do("probe")["why"]


def test_a_container_token_goes_nowhere_else():
    for url in ("http://example.com/box", "http://127.0.0.1.example.com/", "http://169.254.169.254/", "ftp://localhost/",
                "http://user@example.com/", "not a url"):
        with Server() as s, opened(s, AWS_CONTAINER_CREDENTIALS_FULL_URI=url, AWS_CONTAINER_AUTHORIZATION_TOKEN="abc",
                                   **NOBODY) as d:
            answer = d.do("probe")
            assert answer["errno"] == "EACCES" and "not sent there" in answer["why"] and answer["ms"] < 1000, (url, answer)


def metadata(s, lives_s=3600, role="a role"):
    def token(request):
        assert request.method == "PUT" and request.headers["x-aws-ec2-metadata-token-ttl-seconds"]
        return 200, "imds-token", {}

    def with_token(answer):
        def check(request):
            return answer(request) if request.headers.get("x-aws-ec2-metadata-token") == "imds-token" else (401, "", {})
        return check

    def keys(request):
        s.n_issued = getattr(s, "n_issued", 0) + 1
        access = "AKIMDS%d" % s.n_issued
        s.keys[access], s.tokens[access] = SECRET, "t"
        return 200, keys_json(access, "t", lives_s), {}

    base = "/latest/meta-data/iam/security-credentials/"
    s.extra |= {"/latest/api/token": token, base: with_token(lambda r: (200, role, {})),
                base + role.replace(" ", "%20"): with_token(keys)}
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": s.url, "AWS_EC2_METADATA_DISABLED": None, **NOBODY}


def test_an_instance_s_metadata():
    with Server() as s, opened(s, **metadata(s)) as d:
        must_reach(d)
        must_reach(d)
        assert used(s) == ["AKIMDS1"] and "imds-token" not in d.log()


def test_the_sources_are_asked_in_order():
    """With all of them set up, then without the first, and so on; and one that is set up and fails is the end of it."""
    with Server() as s, files(keys=f"[default]\naws_access_key_id=AKFILE\naws_secret_access_key={SECRET}\n", token="t") as f:
        for access in ("AKWEB", "AKBOX"):
            s.tokens[access] = "t"
        s.keys |= {access: SECRET for access in ("AKFILE", "AKWEB", "AKBOX")}
        s.extra["/"] = lambda r: (200, sts_answer("AKWEB", "t"), {})
        s.extra["/box"] = lambda r: (200, keys_json("AKBOX", "t"), {})
        sources = [(ACCESS, {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}),
                   ("AKFILE", {"AWS_SHARED_CREDENTIALS_FILE": f("keys")}),
                   ("AKWEB", {"AWS_WEB_IDENTITY_TOKEN_FILE": f("token"), "AWS_ROLE_ARN": "r", "AWS_ENDPOINT_URL_STS": s.url}),
                   ("AKBOX", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": s.url + "/box"}),
                   ("AKIMDS1", metadata(s))]
        for i, (access, _) in enumerate(sources):
            env = dict(NOBODY)
            for _, more in reversed(sources[i:]):
                env |= more
            s.log.clear()
            with opened(s, **env) as d:
                must_reach(d)
            assert used(s) == [access], (used(s), access)
        env = NOBODY | sources[3][1] | sources[2][1]
        s.extra["/"] = lambda r: (403, "", {})
        with opened(s, **env) as d:
            assert "STS answered 403" in d.do("probe")["why"], d.log()


def first_fail(answer, times, status):
    """A source whose first answers are of that status; None for no answer at all."""
    left = [times]

    def source(request):
        left[0] -= 1
        if left[0] < 0:
            return answer(request)
        if status is None:
            raise ConnectionError
        return status, "", {}
    return source


def test_a_source_that_fails_in_a_way_that_passes_is_asked_again():
    for status in (None, 503, 500, 429):
        for times in (2, 3):
            with Server() as s, files(token="t") as f:
                s.keys["AKWEB"], s.tokens["AKWEB"] = SECRET, "t"
                s.extra["/"] = first_fail(lambda r: (200, sts_answer("AKWEB", "t"), {}), times, status)
                s.extra["/box"] = first_fail(lambda r: (200, keys_json("AKWEB", "t"), {}), times, status)
                instance = metadata(s)
                s.extra["/latest/api/token"] = first_fail(s.extra["/latest/api/token"], times, status)
                for env in ({"AWS_WEB_IDENTITY_TOKEN_FILE": f("token"), "AWS_ROLE_ARN": "r", "AWS_ENDPOINT_URL_STS": s.url},
                            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": s.url + "/box"}, instance):
                    s.n_requests = 0
                    with opened(s, **{**NOBODY, **env}) as d:
                        answer = d.do("probe")
                        assert answer["errno"] == "ok" if times == 2 else answer["r"] < 0, (status, times, env, answer)
                        assert times == 2 or s.n_requests == 3, (status, env, s.n_requests)
                        assert "no credentials" not in answer["why"], answer


def test_an_instance_without_a_role_and_other_clouds_have_no_credentials():
    for path, status in (("/latest/api/token", 404), ("/latest/api/token", 405),
                         ("/latest/meta-data/iam/security-credentials/", 404)):
        with Server() as s:
            env = metadata(s)
            s.extra[path] = lambda r, status=status: (status, "", {})
            with opened(s, **env) as d:
                answer = d.do("probe")
                assert answer["errno"] == "EACCES" and "no credentials" in answer["why"], answer


def test_keys_are_renewed_before_they_expire():
    """They live four minutes, less than the five before which they are renewed, and the sources are left alone between rounds. A
    source that hangs then does not use up the time of the request that asks it."""
    with Server() as s, opened(s, "timeout=10s", AWS_CONTAINER_CREDENTIALS_FULL_URI=s.url + "/box", **NOBODY) as d:
        n = [0]

        def box(request):
            n[0] += 1
            if n[0] > 2:
                s.closing.wait(60)
            s.keys[f"AKBOX{n[0]}"], s.tokens[f"AKBOX{n[0]}"] = SECRET, "t"
            return 200, keys_json(f"AKBOX{n[0]}", "t", lives_s=240), {}

        def reach_until(done):
            until = time.monotonic() + 60
            while not done() and time.monotonic() < until:
                time.sleep(0.2)
                must_reach(d)
            assert done()

        s.extra["/box"] = box
        for _ in range(5):
            must_reach(d)
        assert n == [1], "not at each request"
        reach_until(lambda: n[0] == 2)
        reach_until(lambda: "credentials not renewed" in d.log())
        assert used(s) == ["AKBOX1", "AKBOX2"]


def test_that_one_had_no_time_left_is_not_the_others_failure():
    with Server() as s, opened(s, "timeout=6s", "connections=4", AWS_CONTAINER_CREDENTIALS_FULL_URI=s.url + "/box",
                               **NOBODY) as d:
        s.keys["AKBOX"], s.tokens["AKBOX"] = SECRET, "t"
        s.store(s.objects["bucket"], "k", b"x")
        n = [0]

        def box(request):
            n[0] += 1
            if n[0] == 1:
                s.closing.wait(60)
            return 200, keys_json("AKBOX", "t"), {}

        s.extra["/box"] = box
        answer = d.do("fetch", "2/3000", "k", "k")  # the second begins three seconds after the first, and has that much longer
        assert answer["errno"] == "ETIMEDOUT" and answer["n"] == 1 and n[0] == 2, (answer, n, d.log())


def test_keys_that_look_expired_when_they_come_are_left_to_the_server_to_judge():
    """Our clock may be an hour ahead: asking for others again and again would not set it right."""
    with Server() as s, opened(s, **metadata(s, lives_s=-60)) as d:
        for _ in range(3):
            must_reach(d)
        assert s.n_issued == 1, s.n_issued
        s.expired.add("AKIMDS1")
        must_reach(d)
        assert s.n_issued == 2, "what the server calls expired is renewed"


def test_many_threads_ask_a_source_once():
    with Server() as s:
        s.store(s.objects["bucket"], "k", b"x")
        with opened(s, **metadata(s)) as d:
            assert d.do("fetch", "16", *["k"] * 64)["n"] == 64
        assert s.n_issued == 1


def test_many_threads_share_one_failure():
    with Server() as s, opened(s, AWS_CONTAINER_CREDENTIALS_FULL_URI=s.url + "/box", **NOBODY) as d:
        n = [0]

        def box(request):
            n[0] += 1
            time.sleep(0.2)
            return 403, "", {}

        s.extra["/box"] = box
        answer = d.do("fetch", "16", *["k"] * 16)
        assert answer["errno"] == "EACCES" and answer["n"] == 0 and n[0] <= 4, (answer, n)


def test_no_credentials_at_all_is_told_at_once():
    with Server() as s, opened(s, **NOBODY) as d:
        answer = d.do("probe")
        assert answer["errno"] == "EACCES" and "no credentials" in answer["why"] and answer["ms"] < 1000, answer
        assert not s.n_requests


def test_a_metadata_service_that_is_not_there_costs_a_second():
    with Server() as s, opened(s, AWS_EC2_METADATA_DISABLED=None, AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:1",
                               **NOBODY) as d:
        answer = d.do("probe")
        assert answer["errno"] == "EACCES" and answer["ms"] < 4000, answer


def test_metadata_that_lies_is_refused():
    for body in ("", "{", "[]", '"x"', "{}", '{"AccessKeyId": 1}', '{"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"x"}',
                 '{"AccessKeyId":"a","AccessKeyId":"b","SecretAccessKey":"c"}', "[" * 100000):
        with Server() as s, opened(s, AWS_CONTAINER_CREDENTIALS_FULL_URI=s.url + "/box", **NOBODY) as d:
            s.extra["/box"] = lambda r, body=body: (200, body, {})
            answer = d.do("probe")
            assert answer["errno"] == "EIO", (body[:50], answer)
    with Server() as s, opened(s, AWS_CONTAINER_CREDENTIALS_FULL_URI=s.url + "/box", **NOBODY) as d:
        s.extra["/box"] = lambda r: (200, keys_json("AK\r\nx-evil: 1", "t"), {})
        answer = d.do("probe")
        assert answer["r"] < 0 and not [r for r in s.log if "x-evil" in r.headers], answer


# ---- Where ----

def test_anonymous():
    with Server() as s:
        s.anonymous = True
        with opened(s, "no-sign-request", **NOBODY) as d:
            must_reach(d)
        assert "authorization" not in s.log[0].headers and "x-amz-date" not in s.log[0].headers


def test_the_endpoint_is_found_in_this_order():
    with Server() as s, files(config=f"[default]\nendpoint_url = {s.url}\n",
                              services=f"[default]\nservices = here\n[services here]\ns3 =\n  endpoint_url = {s.url}\n") as f:
        dead = "http://127.0.0.1:1"
        for options, env in ((["endpoint=" + s.url], {"AWS_ENDPOINT_URL_S3": dead}),
                             ([], {"AWS_ENDPOINT_URL_S3": s.url, "AWS_ENDPOINT_URL": dead}),
                             ([], {"AWS_ENDPOINT_URL_S3": None, "AWS_ENDPOINT_URL": s.url}),
                             ([], {"AWS_ENDPOINT_URL_S3": None, "AWS_CONFIG_FILE": f("config")}),
                             ([], {"AWS_ENDPOINT_URL_S3": None, "AWS_CONFIG_FILE": f("services")})):
            with opened(s, *options, **env) as d:
                must_reach(d)


def test_an_endpoint_may_have_a_path():
    with Server() as s, opened(s, "endpoint=" + s.url + "/bucket/", "addressing=path", **NOBODY) as d:
        d.do("probe")
    with Server() as s:
        with Drive("s3://b2", "endpoint=" + s.url + "/bucket/", "no-sign-request", env=environment()) as d:
            d.get("k")
        assert s.log[0].raw_path == "/bucket/b2/k", s.log[0].raw_path


def test_virtual_hosts():
    with Server() as s:
        url = s.url.replace("127.0.0.1", "localhost")  # libcurl itself knows where bucket.localhost is (RFC 6761)
        with Drive("s3://bucket", "endpoint=" + url, "addressing=virtual", env=environment()) as d:
            must_reach(d)
            assert d.new("a/k", b"x")["r"] == 0 and d.get("a/k")["data"] == b"x" and d.do("list", "a")["names"] == ["k"]
            assert d.do("rename", "a/k", "l")["r"] == 0 and d.do("remove-many", "l")["results"] == [0]
        assert {r.headers["host"] for r in s.log} == {url.replace("http://", "bucket.")}
        assert [r.raw_path for r in s.log[:3]] == ["/", "/a/k", "/a/k"] and not s.objects["bucket"]


def test_options_that_make_no_sense_are_told():
    for option, words in (("timeout=5", "option timeout"), ("attempts=0", "attempts"), ("attempts=x", "whole number"),
                          ("connections=0", "connections"), ("addressing=x", "addressing"), ("endpoint=localhost:9", "endpoint"),
                          ("endpoint=ftp://h", "endpoint"), ("endpoint=http://h/?x", "endpoint"), ("endpoint=", "needs a value"),
                          ("region=a/b", "region"), ("ca-bundle=/none", "/none"), ("colour=red", "colour"),
                          ("profile=none", "profile none")):
        with Drive("s3://bucket", option, env=environment(AWS_ENDPOINT_URL_S3="http://127.0.0.1:1")) as d:
            assert d.opened["r"] < 0 and words in d.opened["why"], (option, d.opened)
    with Drive("s3://bucket", env=environment(AWS_MAX_ATTEMPTS="many")) as d:
        assert d.opened["errno"] == "EINVAL" and "AWS_MAX_ATTEMPTS" in d.opened["why"], d.opened
    for source in ("s3://", "s3:///x", "s3://bu cket", "s3://bucket/../x", "s3://bucket//x", "s3://bucket/a/./b", "s3://.b"):
        with Drive(source, env=environment()) as d:
            assert d.opened["errno"] == "EINVAL", (source, d.opened)


def test_secrets_on_a_command_line_are_refused_and_not_repeated():
    for option in ("secret-key=hunter2", "access-key=hunter2", "session-token=hunter2"):
        with Drive("s3://bucket", option, env=environment()) as d:
            why = d.opened["why"]
            assert d.opened["errno"] == "EINVAL" and "AWS_SECRET_ACCESS_KEY" in why and "hunter2" not in why + d.log(), why
    for source, options in (("s3://me:hunter2@bucket", []), ("s3://bucket", ["endpoint=http://me:hunter2@host"])):
        with Drive(source, *options, env=environment()) as d:
            why = d.opened["why"]
            assert d.opened["errno"] == "EINVAL" and "refused" in why and "hunter2" not in why, why


def test_a_name_that_nobody_resolves_ends_by_the_deadline():
    with Drive("s3://bucket", "timeout=2s", "endpoint=http://no.such.host.invalid", env=environment()) as d:
        answer = d.do("probe")
        assert answer["errno"] in ("EIO", "ETIMEDOUT") and answer["ms"] < 6000, answer


main(globals())
