"""A repository at a commit in an OCI registry, as a source: its files are blobs."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from typing_extensions import override

from escadre.clients.sources.answer import Body
from escadre.clients.sources.errors import DigestMismatch, NotFound, Unauthorized
from escadre.clients.sources.http import HttpSource
from escadre.clients.sources.oci import artifact
from escadre.clients.sources.oci.tokens import Tokens
from escadre.clients.sources.protocol import ListedFile, Met, Reader, RemoteFile, Sink
from escadre.clients.sources.transport import Transport

__all__ = ["AuthorizedTransport", "RegistrySource"]


class AuthorizedTransport:
    """A registry's connections: what it refuses is asked once more with what it wants to see."""

    def __init__(self, inner: Transport, service: Transport, tokens: Tokens) -> None:
        self._inner = inner
        self._service = service
        self._tokens = tokens

    @property
    def met(self) -> Met:
        """Of the registry; its token service redirects nobody."""
        return self._inner.met

    def close(self) -> None:
        """Close idle connections."""
        self._inner.close()
        self._service.close()

    @contextmanager
    def get(
        self,
        url: str,
        byte_range: tuple[int, int] | None = None,
        patience: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Body]:
        """As Transport.get."""
        with ExitStack() as stack:
            said = self._tokens.current
            try:
                body = stack.enter_context(self._inner.get(url, byte_range, patience, headers))
            except Unauthorized as error:
                self._tokens.answer(error, said)
                body = stack.enter_context(self._inner.get(url, byte_range, patience, headers))
            yield body


class RegistrySource(HttpSource):
    """One repository at one commit in a registry.

    What the tag names is read once, so that a tag that moves meanwhile mixes nothing.

    Args:
        name: of the ModelMirror.
        url: of the registry.
        repository: its name there.
        revision: the tag.
        transport: the connections.
    """

    def __init__(
        self, *, name: str, url: str, repository: str, revision: str, transport: AuthorizedTransport
    ) -> None:
        super().__init__(
            name=name,
            file_url=self.url,
            manifests_url=None,
            transport=transport,
            listing=self._listed,
        )
        self._registry, self._repository = url, repository
        self._artifact = artifact.manifest_url(url, repository, revision)
        self._layers: dict[str, artifact.Layer] | None = None
        self._lock = threading.Lock()

    @override
    def url(self, path: str) -> str:
        """The file's blob; the artifact while that is not known."""
        layer = (self._layers or {}).get(path)
        if layer is None:
            return self._artifact
        return artifact.blob_url(self._registry, self._repository, layer.digest)

    @override
    def manifest_url(self, digest: str) -> str:
        """The blob with that digest: a manifest's own digest is its blob's."""
        return artifact.blob_url(self._registry, self._repository, digest)

    @override
    def read(
        self, file: RemoteFile, offset: int, size: int, sink: Sink, patience: float | None = None
    ) -> None:
        self._expect(file)
        super().read(file, offset, size, sink, patience)

    @override
    @contextmanager
    def stream(self, file: RemoteFile) -> Iterator[Reader]:
        self._expect(file)
        with super().stream(file) as reader:
            yield reader

    def _listed(self) -> list[ListedFile]:
        return [
            ListedFile(path, layer.size, layer.digest.removeprefix("sha256:"))
            for path, layer in self._known().items()
        ]

    def _expect(self, file: RemoteFile) -> None:
        layer = self._known().get(file.path)
        if layer is None:
            raise NotFound(f"{self._artifact} has no layer for the file {file.path}")
        if layer.size != file.size:
            raise DigestMismatch(
                f"{self._artifact} says {file.path} has {layer.size:,} bytes, the approved file "
                f"has {file.size:,}"
            )

    def _known(self) -> Mapping[str, artifact.Layer]:
        with self._lock:
            if self._layers is None:
                text = self._fetch(self._artifact, artifact.MAX_ARTIFACT_BYTES, artifact.ACCEPT)
                self._layers = artifact.layers_of(text, self._artifact)
            return self._layers
