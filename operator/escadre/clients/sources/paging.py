"""Where a list goes on: the Link header of RFC 8288. Pure."""

import re
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from escadre.clients.sources.errors import MirrorUnavailable
from escadre.clients.sources.origins import origin, shown

__all__ = ["next_page"]

_PARAMETER: Final = r'\s*;\s*[^\s,;="<>]+\s*(?:=\s*(?:"[^"]*"|[^\s",;<>]*))?'
_LINK: Final = re.compile(rf"<([^<>]*)>((?:{_PARAMETER})*)")
_RELATION: Final = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;<>]*))', re.IGNORECASE)


def next_page(link: str, here: str) -> str | None:
    """The URL of the page behind ``here``, None behind the last one.

    A relative one stands below ``here``. A mirror behind a proxy that ends TLS writes its URLs with
    http: of the same host, they are asked as ``here`` was.

    Raises:
        MirrorUnavailable: it is on another host.
    """
    for target, parameters in _LINK.findall(link):
        relation = _RELATION.search(parameters)
        if relation and "next" in (relation[1] or relation[2]).lower().split():
            return _below(target.strip(), here)
    return None


def _below(target: str, here: str) -> str:
    try:
        there = urljoin(here, target)
        scheme, host, _ = origin(there)
    except ValueError:
        scheme, host, there = "", "", ""
    if scheme not in {"http", "https"} or host != origin(here)[1]:
        at = shown(there) if host else "what is no URL"
        raise MirrorUnavailable(
            f"getting {shown(here)}: the list goes on at {at}, another host, which is not "
            "followed: let the mirror write its own name, or a relative URL, into Link"
        )
    mine, theirs = urlsplit(here), urlsplit(there)
    return urlunsplit((mine.scheme, mine.netloc, theirs.path, theirs.query, ""))
