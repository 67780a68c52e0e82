"""TLS to a mirror: only the authorities that the ModelMirror names."""

import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.clients.sources.faulty import LOCAL
from typing_extensions import override

from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.errors import MirrorUnavailable
from escadre.clients.sources.factory import open_source

DIGEST = "sha256:" + "a" * 64


def certificate(folder: Path, address: str) -> Path:
    """A self-signed certificate with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mirror")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{address}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"text")

    @override
    def log_message(self, *_: object) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    @override
    def handle_error(self, *_: object) -> None:
        """A client that refuses the certificate is part of the tests."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """URL of a server and the PEM of its certificate."""
    path = certificate(tmp_path, "127.0.0.1")
    server = _Server(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}", path.read_text()
    server.shutdown()
    thread.join()
    server.server_close()


def manifest(url: str, ca_bundle: str | None) -> bytes:
    spec = ModelMirrorSpec(type="http", url=url, ca_bundle=ca_bundle)
    mirror = open_source("m", spec, repository="org/model", revision="0" * 40, guard=LOCAL)
    try:
        return mirror.manifest(DIGEST)
    finally:
        mirror.close()


def only_certificate(pem: str) -> str:
    return pem[pem.index("-----BEGIN CERTIFICATE") :]


def test_the_bundle_is_believed(served: tuple[str, str]) -> None:
    assert manifest(served[0], only_certificate(served[1])) == b"text"


def test_nobody_else_is(served: tuple[str, str], tmp_path: Path) -> None:
    other = certificate(tmp_path, "127.0.0.2").read_text()
    for bundle in (None, only_certificate(other)):
        with pytest.raises(MirrorUnavailable, match=r"TLS: .*certificate verify failed") as caught:
            manifest(served[0], bundle)
        assert not caught.value.transient
