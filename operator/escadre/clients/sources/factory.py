"""From a ModelMirror to the object that reads it; the one place that knows all adapters."""

from collections.abc import Callable
from functools import partial
from typing import Final

from escadre import reasons
from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources import huggingface, tree
from escadre.clients.sources.credentials import Credentials
from escadre.clients.sources.http import HttpSource
from escadre.clients.sources.protocol import Source
from escadre.clients.sources.transport import Timeouts, Transport
from escadre.errors import Refusal

__all__ = ["open_source"]

_FILE_URLS: Final[dict[str, Callable[[str, str, str, str], str]]] = {
    "huggingface": huggingface.file_url,
    "http": tree.file_url,
}


def open_source(
    name: str,
    spec: ModelMirrorSpec,
    *,
    repository: str,
    revision: str,
    credentials: Credentials | None = None,
    connections: int = 8,
    timeouts: Timeouts | None = None,
    manifests: bool = True,
) -> Source:
    """Open ``repository`` at ``revision`` on the mirror; nothing is sent yet.

    Args:
        name: name of the ModelMirror, for messages.
        spec: where it is and what it speaks.
        repository: organisation/model.
        revision: commit.
        credentials: sent to this mirror and its manifests only.
        connections: how many are kept open for reuse.
        timeouts: the defaults suit a network inside one organisation.
        manifests: False when no manifest will be asked for (drafting).

    Raises:
        Refusal: reason InvalidSpec, when manifestsURL is missing or the CA bundle is not PEM.
    """
    if manifests and spec.type == "huggingface" and not spec.manifests_url:
        raise Refusal(
            reasons.INVALID_SPEC,
            f"ModelMirror {name}: type huggingface needs manifestsURL, "
            "because a pinned commit cannot take the manifest as one more file",
        )
    return HttpSource(
        name=name,
        file_url=partial(_FILE_URLS[spec.type], spec.url, repository, revision),
        manifests_url=spec.manifests_base if manifests else None,
        transport=Transport(
            credentials=credentials,
            ca_bundle=spec.ca_bundle,
            connections=connections,
            timeouts=timeouts or Timeouts(),
        ),
    )
