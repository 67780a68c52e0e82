"""A token service as CNCF Distribution asks for one: JSON Web Tokens for who knows the password."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from typing_extensions import override

__all__ = ["TokenService", "token_service"]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class TokenService:
    """Where it is, who may ask, and what it signs with."""

    user: str
    password: str
    url: str = ""
    issued: int = 0
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def jwks(self) -> str:
        numbers = self.key.public_key().public_numbers()
        return json.dumps(
            {
                "keys": [
                    {
                        "kty": "EC",
                        "crv": "P-256",
                        "kid": "k",
                        "alg": "ES256",
                        "use": "sig",
                        "x": _text(numbers.x.to_bytes(32, "big")),
                        "y": _text(numbers.y.to_bytes(32, "big")),
                    }
                ]
            }
        )

    def token(self, service: str, scope: str) -> str:
        kind, name, actions = scope.split(":")
        now = int(time.time())
        claims = {
            "iss": "issuer",
            "sub": self.user,
            "aud": service,
            "iat": now,
            "nbf": now - 10,
            "exp": now + 300,
            "jti": str(self.issued),
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
        }
        head = {"typ": "JWT", "alg": "ES256", "kid": "k"}
        signed = ".".join(_text(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class _Handler(BaseHTTPRequestHandler):
    timeout = 20

    def do_GET(self) -> None:
        service = cast("_Server", self.server).service
        pair = base64.b64encode(f"{service.user}:{service.password}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {pair}":
            self.send_error(401)
            return
        query = {name: one[0] for name, one in parse_qs(urlsplit(self.path).query).items()}
        service.issued += 1
        answer = {"token": service.token(query["service"], query["scope"]), "expires_in": 300}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: Any) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    def __init__(self, service: TokenService) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service


@contextmanager
def token_service(user: str, password: str) -> Iterator[TokenService]:
    """Give out tokens until the block ends."""
    service = TokenService(user, password)
    server = _Server(service)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
