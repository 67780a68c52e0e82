"""From a ModelMirror to the object that reads it; the one place that knows all adapters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from escadre import reasons
from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources import tree
from escadre.clients.sources.answer import Explain
from escadre.clients.sources.credentials import Authorize, Credentials
from escadre.clients.sources.folder import FolderSource
from escadre.clients.sources.guard import Guard
from escadre.clients.sources.http import HttpSource
from escadre.clients.sources.huggingface import Hub
from escadre.clients.sources.oci import artifact as oci
from escadre.clients.sources.oci.registry import AuthorizedTransport, RegistrySource
from escadre.clients.sources.oci.tokens import Tokens
from escadre.clients.sources.origins import origin
from escadre.clients.sources.protocol import Source
from escadre.clients.sources.reach import reach_of
from escadre.clients.sources.s3 import bucket as s3
from escadre.clients.sources.transport import Link, Timeouts, Transport
from escadre.errors import Refusal

__all__ = ["open_source"]


@dataclass(frozen=True, slots=True)
class Opening:
    """What one adapter is made from.

    Args:
        name: of the ModelMirror, for messages.
        spec: where it is and what it speaks.
        repository: organisation/model.
        revision: commit.
        credentials: sent to this mirror and its manifests only.
        connections: how many are kept open for reuse.
        timeouts: how long it may be silent.
        manifests: False when no manifest will be asked for (drafting).
        folders: where mirrors of type folder are mounted, by name; None where nothing ever is.
    """

    name: str
    spec: ModelMirrorSpec
    repository: str
    revision: str
    credentials: Credentials | None
    connections: int
    timeouts: Timeouts
    manifests: bool
    folders: Mapping[str, Path] | None
    guard: Guard

    def transport(
        self, authorize: Authorize | None = None, explain: Explain | None = None
    ) -> Transport:
        """Its connections; each request carries the credentials, or what ``authorize`` says."""
        if authorize is None and self.credentials:
            authorize = self.credentials.authorize
        return Transport(
            Link(
                reach=reach_of(self.spec),
                guard=self.guard,
                ca_bundle=self.spec.ca_bundle,
                certificate=self.credentials.certificate if self.credentials else None,
                proxy=self.spec.proxy_url,
                kept=self.connections,
                timeouts=self.timeouts,
            ),
            authorize,
            explain,
        )

    def check_urls(self) -> None:
        """Raises Refusal, reason InvalidSpec, for a URL that leads to no host."""
        spec = self.spec
        given = {
            "url": spec.url,
            "manifestsURL": spec.manifests_url,
            "proxyURL": spec.proxy_url,
        }
        for field, url in given.items():
            if url and not origin(url)[2]:
                raise _invalid(
                    self.name,
                    f"{field} {url} has no host that can be connected to: a name, an IPv4 address "
                    "or an IPv6 address in brackets, and a port of 1 to 65535 if any",
                )

    def url(self) -> str:
        """The mirror's URL; raises Refusal, reason InvalidSpec, when it has none."""
        if self.spec.url is None:
            raise _invalid(self.name, f"type {self.spec.type} needs url")
        return self.spec.url


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
    folders: Mapping[str, Path] | None = None,
    guard: Guard | None = None,
) -> Source:
    """Open ``repository`` at ``revision`` on the mirror; nothing is sent yet.

    Args:
        name: name of the ModelMirror, for messages.
        spec: where it is and what it speaks.
        repository: organisation/model.
        revision: commit.
        credentials: sent to this mirror and its manifests only.
        connections: how many are kept open for reuse.
        timeouts: those of the mirror when left out.
        manifests: False when no manifest will be asked for (drafting).
        folders: where mirrors of type folder are mounted, by name; None where nothing ever is.
        guard: which addresses may be connected to; the strictest when left out.

    Raises:
        Refusal: reason InvalidSpec, when a member that the type needs is missing or the CA bundle
            is not PEM; FolderNotMounted.
    """
    given = spec.timeouts
    opening = Opening(
        name=name,
        spec=spec,
        repository=repository,
        revision=revision,
        credentials=credentials,
        connections=connections,
        timeouts=timeouts
        or (
            Timeouts(first_byte=given.first_byte_seconds, idle=given.idle_seconds)
            if given
            else Timeouts()
        ),
        manifests=manifests,
        folders=folders,
        guard=guard or Guard(),
    )
    opening.check_urls()
    adapter = _ADAPTERS.get(spec.type)
    if adapter is None:
        raise _invalid(name, f"type {spec.type} is not known to this version")
    return adapter(opening)


def _huggingface(opening: Opening) -> Source:
    spec, url = opening.spec, opening.url()
    _check_header(opening, "a hub")
    if opening.manifests and not spec.manifests_url:
        raise _invalid(
            opening.name,
            "type huggingface needs manifestsURL, "
            "because a pinned commit cannot take the manifest as one more file",
        )
    hub, transport = Hub(url, opening.repository, opening.revision), opening.transport()
    return HttpSource(
        name=opening.name,
        file_url=hub.file_url,
        manifests_url=spec.manifests_base if opening.manifests else None,
        transport=transport,
        listing=partial(hub.files, transport),
    )


def _tree(opening: Opening) -> Source:
    _check_header(opening, "files")
    return HttpSource(
        name=opening.name,
        file_url=partial(tree.file_url, opening.url(), opening.repository, opening.revision),
        manifests_url=opening.spec.manifests_base if opening.manifests else None,
        transport=opening.transport(),
        listing=None,
    )


def _s3(opening: Opening) -> Source:
    url, bucket = opening.url(), opening.spec.s3
    if bucket is None:
        raise _invalid(opening.name, "type s3 needs s3")
    given = opening.credentials
    key = given.access_key if given else None
    if given and not (key or given.certificate):
        raise _wrong_keys(opening, "accessKeyID and secretAccessKey", "a bucket")
    transport = opening.transport(s3.Signer(key, bucket.region) if key else None, s3.explain)
    where = (url, bucket, opening.repository, opening.revision)
    return HttpSource(
        name=opening.name,
        file_url=partial(s3.file_url, *where),
        manifests_url=s3.manifests_url(url, bucket),
        transport=transport,
        listing=partial(s3.list_files, transport, *where),
    )


def _oci(opening: Opening) -> Source:
    url, given = opening.url(), opening.spec.oci
    try:
        name = oci.repository_name(url, opening.repository)
    except ValueError as error:
        raise _invalid(opening.name, str(error)) from error
    _check_header(opening, "a repository")
    service = opening.transport()
    tokens = Tokens(
        url,
        name,
        credentials=opening.credentials,
        auth_hosts=given.auth_hosts if given else (),
        service=service,
    )
    inner = opening.transport(tokens, oci.explain)
    return RegistrySource(
        name=opening.name,
        url=url,
        repository=name,
        revision=opening.revision,
        transport=AuthorizedTransport(inner, service, tokens),
    )


def _folder(opening: Opening) -> Source:
    """The path comes of the chart's name and nothing else: no resource says what is mounted."""
    if opening.spec.folder is None:
        raise _invalid(opening.name, "type folder needs folder")
    name, mounted = opening.spec.folder.name, opening.folders
    if mounted is None:
        raise _invalid(
            opening.name,
            f"it is the folder {name}, which only agents have mounted; here a copy, or the same "
            "mount, is read: draft --folder PATH, sign --against PATH",
        )
    if name not in mounted:
        listed = ", ".join(sorted(mounted)) or "none"
        raise Refusal(
            reasons.FOLDER_NOT_MOUNTED,
            f"folder {name}, which ModelMirror {opening.name} names, is not among those the chart "
            f"mounts (agent.mirrorFolders: {listed})",
        )
    mount = mounted[name]
    return FolderSource(
        opening.name,
        mount / opening.repository / opening.revision,
        inside=mount,
        manifests=mount / "escadre-manifests",
    )


def _check_header(opening: Opening, what: str) -> None:
    """Refuses keys that no request could carry: without them, it would ask as anybody does."""
    keys = opening.credentials
    if keys and keys.access_key and not keys.certificate:
        raise _wrong_keys(opening, "username and password, or token,", what)


def _wrong_keys(opening: Opening, keys: str, what: str) -> Refusal:
    return Refusal(
        reasons.SECRET_NOT_FOUND,
        f"ModelMirror {opening.name}: type {opening.spec.type} needs {keys} in its Secret, or no "
        f"Secret at all for {what} that anybody may read",
    )


def _invalid(name: str, message: str) -> Refusal:
    return Refusal(reasons.INVALID_SPEC, f"ModelMirror {name}: {message}")


# One line a protocol; each has a file of its own beside this one.
_ADAPTERS: Final[dict[str, Callable[[Opening], Source]]] = {
    "huggingface": _huggingface,
    "http": _tree,
    "s3": _s3,
    "oci": _oci,
    "folder": _folder,
}
