"""Credentials of a mirror, from the Secret it names; they never show in a repr or a log."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from escadre import reasons
from escadre.errors import Refusal

__all__ = ["Credentials", "credentials_from_secret"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The value of the Authorization header."""

    authorization: str = field(repr=False)

    @classmethod
    def bearer(cls, token: str) -> "Credentials":
        """Credentials made of a token."""
        return cls(f"Bearer {token}")

    @classmethod
    def basic(cls, username: str, password: str) -> "Credentials":
        """Credentials made of a user name and a password."""
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        return cls(f"Basic {pair}")


def credentials_from_secret(name: str, data: Mapping[str, bytes]) -> Credentials:
    """Read ``token``, or ``username`` and ``password``, from a Secret's decoded data.

    Raises:
        Refusal: reason SecretNotFound, when the Secret has neither or a value is not plain text.
    """
    values = {key: _text(name, key, data[key]) for key in _KEYS if data.get(key)}
    if token := values.get("token"):
        return Credentials.bearer(token)
    if "username" in values and "password" in values:
        return Credentials.basic(values["username"], values["password"])
    raise Refusal(
        reasons.SECRET_NOT_FOUND,
        f"Secret {name} has the keys {sorted(data)}, "
        "but a mirror needs token, or username and password",
    )


_KEYS = ("token", "username", "password")


def _text(name: str, key: str, value: bytes) -> str:
    try:
        text = value.decode("utf-8").strip()
    except UnicodeDecodeError:
        text = "\n"
    if not text.isprintable() or (key == "token" and not text.isascii()):
        # The value itself stays out of the message.
        raise Refusal(
            reasons.SECRET_NOT_FOUND, f"Secret {name}: {key} is not one line of plain text"
        )
    return text
