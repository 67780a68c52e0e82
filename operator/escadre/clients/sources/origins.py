"""What a URL's origin is, and how messages show a URL. Pure."""

import re
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Origin", "listed_as", "origin", "shown"]

Origin = tuple[str, str, int | None]  # scheme, host in lower case, port

_USUAL: Final = {("http", 80), ("https", 443)}
_SHOWN: Final = 500  # characters of a URL: a peer chooses where it redirects to
_PLAIN: Final = re.compile(
    r"https?://(?:[^\\/?#@\s]*@)?(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:[/?#].*)?",
    re.IGNORECASE | re.DOTALL,
)


def shown(url: str) -> str:
    """The URL as messages show it: without user, query and fragment, and not for ever long."""
    parts = urlsplit(url)
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def origin(url: str) -> Origin:
    """Scheme, host and port: what credentials may be sent to.

    The host is "" where it is not written plainly: two libraries need not read the same one then.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", "", None
    if not _PLAIN.fullmatch(url):
        return parts.scheme, "", None
    if port is None:
        port = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def listed_as(url: str) -> str:
    """The URL's host as a ModelMirror lists it: with the port only where it is not the scheme's."""
    scheme, host, port = origin(url)
    name = f"[{host}]" if ":" in host else host
    return name if (scheme, port) in _USUAL else f"{name}:{port}"
