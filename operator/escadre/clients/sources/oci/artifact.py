"""An OCI registry: which artifact a repository's commit is, and which blob a file. Pure.

``organisation/Model`` is the repository ``organisation/model`` there, below the path of the
mirror's URL, and the commit its tag. Each layer is one file as it is, so that the digest of its
blob is the file's sha256; ModelPack and what `oras push` makes are both read. An escadre manifest
is the blob with its own digest, whatever artifact holds it there.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from escadre.clients.sources.answer import Told
from escadre.clients.sources.errors import MirrorUnavailable
from escadre.fieldfaults import shown

__all__ = [
    "ACCEPT",
    "MAX_ARTIFACT_BYTES",
    "Layer",
    "blob_url",
    "explain",
    "layers_of",
    "manifest_url",
    "repository_name",
]

MAX_ARTIFACT_BYTES: Final = 4 * 1024 * 1024  # what registries have to take, by the specification
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_INDEX: Final = "application/vnd.oci.image.index.v1+json"
ACCEPT: Final = {"Accept": f"{_MANIFEST}, {_INDEX}"}

# Where the layer says which file it is: ModelPack, then ORAS and all that follow it.
_PATHS: Final = ("org.cncf.model.filepath", "org.opencontainers.image.title")
_UNPACK: Final = "io.deis.oras.content.unpack"
# `oras push` calls every plain file a tar layer of an image, so that this one says nothing.
_ORAS_FILE: Final = "application/vnd.oci.image.layer.v1.tar"
_ARCHIVE: Final = re.compile(r"(\.|\+)(tar|gzip|zstd)\b")

# Of the distribution specification, "Pulling manifests".
_NAME: Final = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_MOST_NAME: Final = 255
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MOST_SIZE: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class Layer:
    """A file as the registry has it: its blob's digest (``sha256:<64 hex>``) and size in bytes."""

    digest: str
    size: int


def repository_name(url: str, repository: str) -> str:
    """The repository's name in the registry at ``url``; raises ValueError when it can be none."""
    name = f"{urlsplit(url).path.strip('/')}/{repository.lower()}".strip("/")
    if not _NAME.fullmatch(name) or len(name) > _MOST_NAME:
        raise ValueError(f"{name} can be no name of a repository in an OCI registry")
    return name


def manifest_url(url: str, name: str, revision: str) -> str:
    """Where the artifact under the tag ``revision`` is described."""
    return f"{_api(url)}/{name}/manifests/{revision}"


def blob_url(url: str, name: str, digest: str) -> str:
    """Where a blob is."""
    return f"{_api(url)}/{name}/blobs/{digest}"


def _api(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/v2"


def layers_of(text: bytes, where: str) -> dict[str, Layer]:
    """The files of an artifact, by path.

    Args:
        text: the artifact's OCI manifest.
        where: its URL, for messages.

    Raises:
        MirrorUnavailable: naming the field or the layer that cannot be read as one file.
    """
    manifest = _parsed(text, where)
    kind = manifest.get("mediaType")
    if kind == _INDEX or "manifests" in manifest:
        raise MirrorUnavailable(
            f"{where} is an index of several manifests; push the model itself under that tag"
        )
    layers = manifest.get("layers")
    if not isinstance(layers, list) or not layers:
        raise MirrorUnavailable(f"{where} has no layers, so it is no artifact with files")
    found: dict[str, Layer] = {}
    for number, layer in enumerate(layers):
        at = f"{where}: layers[{number}]"
        path, one = _file(layer, at)
        if found.setdefault(path, one) != one:
            raise MirrorUnavailable(f"{at}: {path[:200]!r} stands there twice, with other bytes")
    return found


def _parsed(text: bytes, where: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MirrorUnavailable(f"{where} is not the JSON of an OCI manifest") from error
    if not isinstance(parsed, dict):
        raise MirrorUnavailable(f"{where} is not a JSON object, as an OCI manifest is")
    return parsed


def _file(layer: object, at: str) -> tuple[str, Layer]:
    if not isinstance(layer, dict):
        raise MirrorUnavailable(f"{at} is no object")
    notes = layer.get("annotations")
    notes = notes if isinstance(notes, dict) else {}
    kind = layer.get("mediaType")
    path = next((notes[key] for key in _PATHS if isinstance(notes.get(key), str)), "")
    if _is_archive(kind, notes):
        told = repr(path[:200]) if path else "without a name"
        raise MirrorUnavailable(
            f"{at} ({told}, {str(kind)[:100]!r}) is an archive: push each file as a layer of its "
            "own, uncompressed (ModelPack: raw)"
        )
    if not path:
        raise MirrorUnavailable(f"{at} says no file name (annotation {' or '.join(_PATHS)})")
    return path, _blob(layer, f"{at} ({path[:200]!r})")


def _is_archive(kind: object, notes: Mapping[str, object]) -> bool:
    if notes.get(_UNPACK) == "true":  # a folder that was pushed
        return True
    return isinstance(kind, str) and kind != _ORAS_FILE and bool(_ARCHIVE.search(kind))


def _blob(layer: Mapping[str, object], at: str) -> Layer:
    digest, size = layer.get("digest"), layer.get("size")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise MirrorUnavailable(f"{at}: digest {shown(digest)} is not sha256:<64 hex>")
    if type(size) is not int or not 0 <= size <= _MOST_SIZE:
        raise MirrorUnavailable(f"{at}: size {shown(size)} is no number of bytes")
    return Layer(digest, size)


_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_WORDS: Final = {
    "BLOB_UNKNOWN": "the registry has no such blob in that repository",
    "DENIED": "the registry refuses the credentials for that repository, or wants some",
    "MANIFEST_UNKNOWN": "the repository has no such tag; push the model under its commit",
    "NAME_INVALID": "the registry takes no such name of a repository",
    "NAME_UNKNOWN": "the registry has no repository of that name",
    "UNAUTHORIZED": "the registry refuses the credentials for that repository, or wants some",
}


def explain(text: bytes) -> Told:
    """The code of an error of a registry, and what it means; what else it says is not shown."""
    try:
        code = json.loads(text)["errors"][0]["code"]
    except (ValueError, RecursionError, KeyError, IndexError, TypeError):
        return Told()
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return Told()
    return Told(code, _WORDS.get(code, ""))
