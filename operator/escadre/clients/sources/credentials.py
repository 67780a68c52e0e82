"""Credentials of a mirror, from the Secret it names; they never show in a repr or a log."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from escadre import reasons
from escadre.errors import Refusal

__all__ = [
    "SECRET_KEYS",
    "AccessKey",
    "Authorize",
    "Certificate",
    "Credentials",
    "credentials_from_files",
    "credentials_from_secret",
]


class Authorize(Protocol):
    """What one request says of who asks; called again for each redirect on the same origin."""

    def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Headers to add; ``headers`` are the others that will be sent."""
        ...


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What requests to an S3 store are signed with; the token only with keys for some hours."""

    identity: str
    secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client's certificate with its chain, and its key, as PEM."""

    chain: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a mirror wants to see; each may be missing.

    Args:
        authorization: the value of the Authorization header.
        access_key: for protocols that sign each request.
        certificate: shown while the connection is made.
    """

    authorization: str | None = field(default=None, repr=False)
    access_key: AccessKey | None = None
    certificate: Certificate | None = None

    @classmethod
    def bearer(cls, token: str) -> "Credentials":
        """Credentials made of a token."""
        return cls(f"Bearer {token}")

    @classmethod
    def basic(cls, username: str, password: str) -> "Credentials":
        """Credentials made of a user name and a password."""
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        return cls(f"Basic {pair}")

    def authorize(self, method: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002 - an Authorize
        """The Authorization header, the same for every request."""
        return {"Authorization": self.authorization} if self.authorization else {}


def credentials_from_secret(name: str, data: Mapping[str, bytes]) -> Credentials:
    """Read a Secret's decoded data.

    ``token``, or ``username`` and ``password``, or ``accessKeyID`` and ``secretAccessKey``, with
    ``sessionToken`` where the key has one; and ``tls.crt`` and ``tls.key``, alone or beside one of
    these.

    Raises:
        Refusal: reason SecretNotFound, when the Secret has none of them whole, or a value is not
            plain text.
    """
    return _credentials(f"Secret {name}", data)


def credentials_from_files(where: str, data: Mapping[str, bytes]) -> Credentials:
    """Read what a person gives in files, named as the keys of a Secret are.

    All of it is meant: an empty file, half of a pair, or a second way to say who asks, which a
    Secret may hold for another reader, are refused. ``where`` is what messages call them. Raises
    Refusal, reason SecretNotFound.
    """
    fault = next(_unmeant(data), "")
    if fault:
        raise Refusal(reasons.SECRET_NOT_FOUND, f"{where}: {fault}")
    return _credentials(where, data)


def _unmeant(data: Mapping[str, bytes]) -> Iterator[str]:
    """What somebody who wrote all of this cannot have meant."""
    if not data:
        yield f"no file there is called as a key is: {', '.join(SECRET_KEYS)}"
    yield from (f"{key} is empty" for key in data if not data[key].strip())
    for pair in _PAIRS:
        given = [key for key in pair if key in data]
        if len(given) == 1:
            (other,) = set(pair) - set(given)
            yield f"{given[0]} without {other}"
    if "sessionToken" in data and "accessKeyID" not in data:
        yield "sessionToken without accessKeyID and secretAccessKey"
    ways = [way for way in _WAYS if way[0] in data]
    if len(ways) > 1:
        told = "; ".join(" and ".join(way) for way in ways)
        yield f"{told}: one of these is sent; leave the others out"


def _credentials(where: str, data: Mapping[str, bytes]) -> Credentials:
    given = {key: _text(where, key, data[key]) for key in _LINES if data.get(key)}
    given |= {key: _pem(where, key, data[key]) for key in _PEMS if data.get(key)}
    if ":" in given.get("username", ""):
        raise Refusal(
            reasons.SECRET_NOT_FOUND,
            f"{where}: username has a colon, where HTTP would begin the password (RFC 7617)",
        )
    authorization = access_key = None
    if token := given.get("token"):
        authorization = Credentials.bearer(token).authorization
    elif "username" in given and "password" in given:
        authorization = Credentials.basic(given["username"], given["password"]).authorization
    elif "accessKeyID" in given and "secretAccessKey" in given:
        access_key = AccessKey(
            given["accessKeyID"], given["secretAccessKey"], given.get("sessionToken")
        )
    certificate = None
    if all(key in given for key in _PEMS):
        certificate = Certificate(given["tls.crt"], given["tls.key"])
    if authorization or access_key or certificate:
        return Credentials(authorization, access_key, certificate)
    keys = f"the keys {', '.join(sorted(data))}" if data else "no keys"
    raise Refusal(
        reasons.SECRET_NOT_FOUND,
        f"{where} has {keys}, but a mirror needs token, or username and password, or accessKeyID "
        "and secretAccessKey, or tls.crt and tls.key",
    )


_LINES = ("token", "username", "password", "accessKeyID", "secretAccessKey", "sessionToken")
_PEMS = ("tls.crt", "tls.key")
_PAIRS = (("username", "password"), ("accessKeyID", "secretAccessKey"), _PEMS)
_WAYS = (("token",), *_PAIRS[:2])
SECRET_KEYS = (*_LINES, *_PEMS)
_ASCII = ("token", "accessKeyID", "secretAccessKey", "sessionToken")


def _text(where: str, key: str, value: bytes) -> str:
    return _read(
        value,
        lambda text: text.isprintable() and (key not in _ASCII or text.isascii()),
        f"{where}: {key} is not one line of plain text",
    )


def _pem(where: str, key: str, value: bytes) -> str:
    return _read(
        value,
        lambda text: text.isascii() and "-----BEGIN " in text,
        f"{where}: {key} is not PEM",
    )


def _read(value: bytes, fits: Callable[[str], bool], refusal: str) -> str:
    """The value as text; it stays out of the message of a refusal."""
    try:
        text = value.decode("utf-8").strip()
    except UnicodeDecodeError:
        text = ""
    if not text or not fits(text):
        raise Refusal(reasons.SECRET_NOT_FOUND, refusal)
    return text
