"""Certificates for services that speak TLS: an authority of its own, and what it signs."""

import subprocess

from .services import ServiceError


def make_authority(directory, name):
    """`NAME.pem` and `NAME.key`."""
    openssl(directory, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365",
            "-subj", f"/CN=hivecast test {name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def issue(directory, authority, name):
    """`NAME.crt` and `NAME.key`, for a server on this machine."""
    openssl(directory, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (directory / f"{name}.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
            "-CAcreateserial", "-days", "365", "-extfile", f"{name}.ext", "-out", f"{name}.crt")


def openssl(directory, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=directory, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise ServiceError(f"openssl {arguments[0]} failed: {done.stdout.strip()}")
