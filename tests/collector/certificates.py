"""Certificates for tests: two CAs, "ca" and "other", and of the first a server's and a client's, both of the name shop.test."""
import subprocess


def make(top):
    """Makes NAME.pem and NAME.key in the directory `top`."""

    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=top)

    for ca in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-subj", f"/CN={ca}", "-days", "2")
    for name in ("server", "client"):
        (top / f"{name}.ext").write_text("subjectAltName=DNS:shop.test\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext")
