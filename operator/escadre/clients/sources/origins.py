"""What a URL's origin is, and how messages show a URL. Pure."""

from urllib.parse import urlsplit

__all__ = ["origin", "shown"]


def shown(url: str) -> str:
    """The URL as messages show it: without user, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: what credentials may be sent to."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    return parts.scheme, (parts.hostname or "").lower(), port
