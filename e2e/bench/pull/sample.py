"""The model that is pulled: a folder that nginx serves as a plain tree and as a hub at once."""

import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from escadre.core.weights import manifest as manifests
from escadre.core.weights.digesting import FileDigester
from escadre.core.weights.manifest import Manifest, ManifestFile

__all__ = ["COMMIT", "Sample", "make_sample", "tree_path"]

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
_MIB: Final = 1 << 20
_TOKENS: Final = 16  # MiB, as tekken.json is


@dataclass(frozen=True, slots=True)
class Sample:
    """A model on a mirror.

    Args:
        root: what the mirror serves.
        digest: of the manifest.
        files: of the model.
    """

    root: Path
    digest: str
    files: tuple[ManifestFile, ...]

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def tree_path(path: str) -> str:
    """Where a file is below the root."""
    return f"org/model/{COMMIT}/{path}"


def make_sample(root: Path, mebibytes: int, shards: int = 1) -> Sample:
    """A model of so many MiB: weights in ``shards`` files, a tokenizer, a configuration."""
    names = [f"consolidated-{n + 1:05}-of-{shards:05}.safetensors" for n in range(shards)]
    if shards == 1:
        names = ["consolidated.safetensors"]
    sizes = dict.fromkeys(names, (mebibytes - _TOKENS) * _MIB // shards)
    sizes |= {"tekken.json": _TOKENS * _MIB, "params.json": 1000}
    files = tuple(_file(root, path, size) for path, size in sorted(sizes.items()))
    text = manifests.render(Manifest(files))
    digest = manifests.digest(text)
    folder = root / "escadre-manifests"
    folder.mkdir(parents=True)
    (folder / f"{digest[7:]}.manifest").write_bytes(text)
    _as_hub(root / "api" / "models" / "org" / "model", files)
    return Sample(root, digest, files)


def _file(root: Path, path: str, size: int) -> ManifestFile:
    target = root / tree_path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    rng, digester = random.Random(path), FileDigester()  # noqa: S311 - bytes of no meaning
    block = rng.randbytes(min(size, 8 * _MIB))
    with target.open("wb") as file:
        for at in range(0, size, len(block)):
            piece = at.to_bytes(8) + block[8 : size - at]
            piece = piece[: size - at]
            file.write(piece)
            digester.take(piece)
    return digester.finish(path)


def _as_hub(folder: Path, files: tuple[ManifestFile, ...]) -> None:
    (folder / "revision").mkdir(parents=True)
    (folder / "tree").mkdir()
    about = {
        "_id": COMMIT[:24],
        "id": "org/model",
        "modelId": "org/model",
        "sha": COMMIT,
        "siblings": [{"rfilename": file.path} for file in files],
    }
    (folder / "revision" / COMMIT).write_text(json.dumps(about))
    entries = [
        {
            "type": "file",
            "path": file.path,
            "size": file.size,
            "oid": hashlib.sha1(file.path.encode(), usedforsecurity=False).hexdigest(),
            "lfs": {"oid": file.sha256, "sha256": file.sha256, "size": file.size, "pointerSize": 1},
        }
        for file in files
    ]
    (folder / "tree" / COMMIT).write_text(json.dumps(entries))
