"""AWS Signature Version 4 of a request without a body, as S3 stores ask for it. Pure.

Own code, since it is HMAC over two texts: the libraries that hold it bring a client, its retries
and its configuration along. Source: Amazon S3 API Reference, "Authenticating Requests: Using the
Authorization Header"; the tests take its published examples.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from escadre.clients.sources.credentials import AccessKey

__all__ = ["signed"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_NO_BODY: Final = hashlib.sha256(b"").hexdigest()
_PORTS: Final = {"http": 80, "https": 443}


def signed(
    key: AccessKey, region: str, now: datetime, url: str, headers: Mapping[str, str]
) -> dict[str, str]:
    """Headers that make a GET of ``url`` at ``now`` (UTC) one by the holder of ``key``.

    Of ``headers``, which will be sent too, only Range is signed; the path of ``url`` is encoded
    already, as S3 wants it: once.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    added = {"x-amz-content-sha256": _NO_BODY, "x-amz-date": stamp}
    if key.session_token:
        added["x-amz-security-token"] = key.session_token
    given = {"range": headers["Range"]} if "Range" in headers else {}
    names, canonical = _canonical(url, {"host": _host(url), **given, **added})
    to_sign = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    signature = _hmac(_signing_key(key.secret, scope), to_sign).hex()
    credential = f"{_ALGORITHM} Credential={key.identity}/{scope}"
    return {
        **added,
        "Authorization": f"{credential},SignedHeaders={names},Signature={signature}",
    }


def _canonical(url: str, headers: Mapping[str, str]) -> tuple[str, str]:
    """The names of the signed headers and the canonical request."""
    parts = urlsplit(url)
    query = sorted(
        (quote(name, safe=""), quote(value, safe=""))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    ordered = sorted(headers.items())
    names = ";".join(name for name, _ in ordered)
    lines = (
        "GET",
        parts.path or "/",
        "&".join(f"{name}={value}" for name, value in query),
        "".join(f"{name}:{value.strip()}\n" for name, value in ordered),
        names,
        _NO_BODY,
    )
    return names, "\n".join(lines)


def _host(url: str) -> str:
    """As an HTTP client sends it: without the port of the scheme."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    host = f"[{name}]" if ":" in name else name
    return host if parts.port in {None, _PORTS.get(parts.scheme)} else f"{host}:{parts.port}"


def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
