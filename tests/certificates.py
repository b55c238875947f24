"""Certificates for tests: an authority, a server on 127.0.0.1, and a client."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from agents.embedded.ports import HOST

CLIENT = "feedback-client"


class Certificates(NamedTuple):
    """PEM files. `server` holds certificate and key, as Kafka wants them."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def make_certificates(folder: Path) -> Certificates:
    """An authority and what it signed, for a day; openssl makes them."""
    authority, authority_key = folder / "authority.pem", folder / "authority.key"
    _request(authority, authority_key, "authority")
    signed_by = ["-CA", str(authority), "-CAkey", str(authority_key)]
    made = []
    for name in ("localhost", CLIENT):
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        options = ["basicConstraints=critical,CA:FALSE", f"subjectAltName=IP:{HOST}"]
        extensions = [word for option in options for word in ("-addext", option)]
        _request(certificate, key, name, *signed_by, *extensions)
        made += [certificate, key]
    server, server_key, client, client_key = made
    both = folder / "server-with-key.pem"
    both.write_text(server_key.read_text() + server.read_text())
    return Certificates(authority, both, server_key, client, client_key)


def _request(certificate: Path, key: Path, name: str, *options: str) -> None:
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *new, *files, *options], check=True, capture_output=True)
