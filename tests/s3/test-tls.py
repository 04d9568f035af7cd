#!/usr/bin/env python3
"""Whose certificates are believed: test-tls.py DRIVE"""

import contextlib
import os
import shutil
import subprocess
import tempfile

from driver import Drive, Server, environment, main

SYSTEMS = "/etc/ssl/certs"  # where libcurl of Debian, Fedora and Alpine looks as well


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, stderr=subprocess.DEVNULL)


def make_authority(at):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            f"/CN={os.path.basename(at)}", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", at + ".key", "-out",
            at + ".crt")
    os.mkdir(at)
    os.symlink(at + ".crt", at + "/ca.crt")
    openssl("rehash", at)


def make_certificate(at, authority, names):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=server", "-keyout", at + ".key",
            "-out", at + ".request")
    with open(at + ".ext", "w", encoding="utf-8") as f:
        f.write(f"subjectAltName={names}\nauthorityKeyIdentifier=keyid\n")
    openssl("x509", "-req", "-in", at + ".request", "-CA", authority + ".crt", "-CAkey", authority + ".key", "-CAcreateserial",
            "-days", "2", "-extfile", at + ".ext", "-out", at + ".crt")


@contextlib.contextmanager
def server(names="IP:127.0.0.1"):
    """With a certificate for `names` of the authority "ours". Gives the server and the directory, where "other" is too."""
    with tempfile.TemporaryDirectory() as d:
        for name in ("ours", "other"):
            make_authority(f"{d}/{name}")
        make_certificate(d + "/server", d + "/ours", names)
        with Server(tls=(d + "/server.crt", d + "/server.key")) as s:
            yield s, d


def probe(s, *options, **env):
    with Drive("s3://bucket", "attempts=1", *options, env=environment(AWS_ENDPOINT_URL_S3=s.url, **env)) as d:
        return d.do("probe")


def believed(answer):
    assert answer["r"] == 0, answer


def refused(answer):
    assert answer["errno"] == "EIO" and "certificate" in answer["why"] and "ca-bundle=FILE" in answer["why"], answer


def test_a_bundle_is_a_file_or_a_directory_and_has_a_name_in_each_place():
    with server() as (s, d):
        believed(probe(s, f"ca-bundle={d}/ours.crt"))
        believed(probe(s, f"ca-bundle={d}/ours"))
        believed(probe(s, AWS_CA_BUNDLE=f"{d}/ours.crt"))
        with open(d + "/config", "w", encoding="utf-8") as f:
            f.write(f"[default]\nca_bundle = {d}/ours.crt\n")
        believed(probe(s, AWS_CONFIG_FILE=d + "/config"))
        refused(probe(s, AWS_CONFIG_FILE=d + "/config", AWS_CA_BUNDLE=f"{d}/other.crt"))


def test_a_certificate_of_somebody_else_is_refused():
    with server() as (s, d):
        refused(probe(s))
        refused(probe(s, f"ca-bundle={d}/other.crt"))
        refused(probe(s, f"ca-bundle={d}/other"))
        assert s.n_requests == 0, "nothing was said before"


def test_a_certificate_for_another_name_is_refused():
    with server("DNS:minio.example") as (s, d):
        answer = probe(s, f"ca-bundle={d}/ours.crt")
        assert answer["errno"] == "EIO" and "127.0.0.1" in answer["why"] and s.n_requests == 0, answer


def test_a_bundle_is_instead_of_the_systems():
    """The server's authority is made the system's, in a mount namespace of the test's own."""
    with server() as (s, d):
        os.unlink(d + "/ours/ca.crt")
        os.rename(d + "/ours.crt", d + "/ours/ca.crt")
        shutil.copy(d + "/other.crt", d + "/ours/ca-certificates.crt")  # Debian's file, which has to be there
        openssl("rehash", d + "/ours")
        inside = ["unshare", "--mount", "sh", "-c", f'mount --bind {d}/ours {SYSTEMS} && exec "$0" "$@"']
        if subprocess.run([*inside, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
            print("skipped: no mount namespace to be had")
            return
        program, Drive.program = Drive.program, inside + Drive.program
        try:
            answer = probe(s)
            if answer["r"] < 0:
                print("skipped: this libcurl does not look into", SYSTEMS, answer)
                return
            refused(probe(s, f"ca-bundle={d}/other.crt"))
            refused(probe(s, f"ca-bundle={d}/other"))
        finally:
            Drive.program = program


main(globals())
