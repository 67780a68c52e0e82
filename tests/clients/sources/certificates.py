"""Certificates for mirrors of tests, and a server that speaks TLS with them."""

import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import override

__all__ = ["Authority", "Issued", "TlsServer", "tls_server"]


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, PEM."""

    certificate: str
    key: str

    def file(self, path: Path) -> Path:
        """Both in one file."""
        path.write_text(self.key + self.certificate)
        return path


class Authority:
    """Signs certificates; ``critical`` says how its own basicConstraints are marked."""

    def __init__(
        self, name: str, *, critical: bool = True, above: "Authority | None" = None
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = above or self
        self.built = (
            _builder(self.name, signer.name, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical)
            .sign(signer.key, hashes.SHA256())
        )
        self.pem = self.built.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, address: str) -> Issued:
        """A certificate of a host at that address, or of a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        built = (
            _builder(name, self.name, key)
            .add_extension(alternative, False)
            .sign(self.key, hashes.SHA256())
        )
        return Issued(
            built.public_bytes(serialization.Encoding.PEM).decode(),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
        )


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
    )


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast("TlsServer", self.server)
        connection = cast("ssl.SSLSocket", self.connection)
        subject = (connection.getpeercert() or {}).get("subject", ())
        server.shown.append(str(subject[0][0][1]) if subject else None)
        if location := server.redirects.get(self.path):
            self.send_response(307)
            self.send_header("Location", location)
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"text")

    @override
    def log_message(self, *_: object) -> None:
        """Silent."""


class TlsServer(ThreadingHTTPServer):
    """``shown`` holds the name of the client's certificate of each request, None without one."""

    def __init__(self, context: ssl.SSLContext, redirects: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.shown: list[str | None] = []
        self.redirects = redirects

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    @override
    def handle_error(self, *_: object) -> None:
        """A client that refuses the certificate is part of the tests."""


@contextmanager
def tls_server(
    file: Path,
    *,
    asks: Authority | None = None,
    wants: bool = False,
    redirects: Mapping[str, str] | None = None,
) -> Iterator[TlsServer]:
    """Serve "text" at each path; ``asks`` for certificates of that authority, ``wants`` one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if asks:
        context.load_verify_locations(cadata=asks.pem)
        context.verify_mode = ssl.CERT_REQUIRED if wants else ssl.CERT_OPTIONAL
    server = TlsServer(context, redirects or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
