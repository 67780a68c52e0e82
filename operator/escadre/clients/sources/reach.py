"""Which hosts a ModelMirror names, and for what. Pure.

Everything that is asked of a mirror goes to a host of its own; a redirect may lead to a host that
it lists, where nothing of the credentials goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.origins import Origin, listed_as, origin

__all__ = ["Reach", "reach_of"]


@dataclass(frozen=True, slots=True)
class Reach:
    """The hosts.

    Args:
        own: origins that may be asked, with credentials.
        own_hosts: host or host:port of others that may be, under either scheme.
        redirect_hosts: host or host:port that redirects may lead to.
    """

    own: frozenset[Origin]
    own_hosts: frozenset[str] = frozenset()
    redirect_hosts: frozenset[str] = frozenset()

    def owns(self, url: str) -> bool:
        """Whether it may be asked, with credentials."""
        asked = origin(url)
        return bool(asked[1]) and (asked in self.own or _listed(url, self.own_hosts))

    def redirects(self, url: str) -> bool:
        """Whether a redirect may lead there, without credentials."""
        return _listed(url, self.redirect_hosts)


def reach_of(spec: ModelMirrorSpec) -> Reach:
    """The hosts that the ModelMirror names."""
    return Reach(
        own=frozenset(origin(url) for url in _urls(spec)),
        own_hosts=frozenset(spec.oci.auth_hosts if spec.oci else ()),
        redirect_hosts=frozenset(spec.redirect_hosts),
    )


def _urls(spec: ModelMirrorSpec) -> Iterable[str]:
    yield from (url for url in (spec.url, spec.manifests_url) if url)
    if spec.url and spec.s3 and spec.s3.addressing == "VirtualHost":
        parts = urlsplit(spec.url)
        yield f"{parts.scheme}://{spec.s3.bucket}.{parts.netloc}"


def _listed(url: str, hosts: frozenset[str]) -> bool:
    """``host`` in the list is the scheme's usual port, ``host:port`` that one."""
    shortest, (*_, port) = listed_as(url), origin(url)
    return shortest in hosts or f"{shortest}:{port}" in hosts
