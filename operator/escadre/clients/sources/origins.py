"""What a URL's origin is, and how messages show a URL. Pure."""

from urllib.parse import urlsplit

__all__ = ["Origin", "origin", "shown"]

Origin = tuple[str, str, int | None]  # scheme, host in lower case, port

_SHOWN = 500  # characters of a URL: a peer chooses where it redirects to


def shown(url: str) -> str:
    """The URL as messages show it: without user, query and fragment, and not for ever long."""
    parts = urlsplit(url)
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def origin(url: str) -> Origin:
    """Scheme, host and port: what credentials may be sent to."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    return parts.scheme, (parts.hostname or "").lower(), port
