"""Where a draft's bytes come from: a mirror with a hub's routes, or a local folder.

Both list files and hand their bytes over in order, once. Called by cli/approve/drafting.py.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.hub import HubFile, list_files
from escadre.clients.sources.credentials import Credentials
from escadre.clients.sources.errors import NotFound
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.protocol import RemoteFile, Sink
from escadre.clients.sources.retry import RetryPolicy, attempt, read_range
from escadre.errors import EscadreError

__all__ = ["FolderSource", "MirrorSource", "Source", "mirror_source"]

_PIECE: Final = 1024 * 1024


class Source(Protocol):
    """Files to draft from."""

    def files(self) -> list[HubFile]:
        """The files there are."""
        ...

    def read(self, file: HubFile, sink: Sink) -> None:
        """Hand over a file's bytes, in order, once."""
        ...


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder that holds a repository's files, e.g. a snapshot of the hub's own cache."""

    root: Path

    def files(self) -> list[HubFile]:
        """The files below the folder."""
        if not self.root.is_dir():
            raise EscadreError(f"--folder {self.root} is no folder")
        paths = (path for path in self.root.rglob("*") if path.is_file())
        return [
            HubFile(path.relative_to(self.root).as_posix(), path.stat().st_size, None)
            for path in sorted(paths)
        ]

    def read(self, file: HubFile, sink: Sink) -> None:
        """Read a file from the disk."""
        path = self.root / file.path
        try:
            with path.open("rb", buffering=0) as content:
                while piece := content.read(_PIECE):
                    sink(piece)
        except OSError as error:
            # Likely: safetensors 0.8.0 saves weights readable for their owner only.
            raise EscadreError(f"--folder: cannot read {path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class MirrorSource:
    """A repository at a commit on a mirror."""

    listing: Callable[[], list[HubFile]]
    fetch: Callable[[HubFile, Sink], None]

    def files(self) -> list[HubFile]:
        """The files as the mirror lists them."""
        return attempt(self.listing, RetryPolicy(), threading.Event().wait)

    def read(self, file: HubFile, sink: Sink) -> None:
        """Stream a file from the mirror, going on where a connection broke."""
        if file.size:
            self.fetch(file, sink)


def mirror_source(
    name: str,
    spec: ModelMirrorSpec,
    repository: str,
    revision: str,
    credentials: Credentials | None,
) -> MirrorSource:
    """Open a mirror to draft from; refuses one that has no list of files."""
    if spec.type != "huggingface":
        raise EscadreError(
            f"ModelMirror {name} is of type {spec.type}, a plain tree without a list of files: "
            "draft from the folder behind it with --folder"
        )
    mirror = open_source(
        name,
        spec,
        repository=repository,
        revision=revision,
        credentials=credentials,
        manifests=False,
    )

    def fetch(file: HubFile, sink: Sink) -> None:
        wait = threading.Event().wait
        remote = RemoteFile(file.path, file.size)
        read_range(mirror, remote, 0, file.size, sink=sink, policy=RetryPolicy(), wait=wait)

    def listing() -> list[HubFile]:
        try:
            return list_files(
                spec.url, repository, revision, credentials=credentials, ca_bundle=spec.ca_bundle
            )
        except NotFound as error:  # its own next step speaks of a file, and none is named yet
            raise EscadreError(
                f"ModelMirror {name}: {error.message}\nnext: Correct --repository or --revision, "
                "or have whoever runs the mirror bring that commit onto it."
            ) from error

    return MirrorSource(listing, fetch)
