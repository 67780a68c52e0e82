"""Writes model folders that must not be approved, each broken in one way that people have met.

Called by tests, and by who tries `escadre approve draft` on them by hand::

    python -m e2e.engine.brokenmodels --out DIR

The folders are copies of the tiny checkpoint. It must not touch anything but that folder.
"""

import argparse
import json
import os
import shutil
import struct
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from e2e.engine.checkpoint import write_checkpoint

__all__ = ["CASES", "main", "write_broken"]

_WEIGHTS: Final = "consolidated.safetensors"
_POINTER: Final = (
    f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 493443\n"
)
_PAGE: Final = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n"
_SENTENCEPIECE: Final = {
    "v1": "tokenizer.model.v1",
    "v3": "mistral_instruct_tokenizer_240323.model.v3",
}

Change = Callable[[Path], object]


def _text(name: str, content: str) -> Change:
    return lambda folder: (folder / name).write_text(content)


def _json(name: str, **members: Any) -> Change:
    def change(folder: Path) -> None:
        document = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(document | members))

    return change


def _header(edit: Callable[[bytes], bytes]) -> Change:
    """Another header before the same data."""

    def change(folder: Path) -> None:
        content = (folder / _WEIGHTS).read_bytes()
        size = 8 + struct.unpack("<Q", content[:8])[0]
        header = edit(content[8:size])
        (folder / _WEIGHTS).write_bytes(struct.pack("<Q", len(header)) + header + content[size:])

    return change


def _described(edit: Callable[[dict[str, Any]], object]) -> Change:
    def changed(header: bytes) -> bytes:
        document = json.loads(header)
        edit(document)
        return json.dumps(document).encode()

    return _header(changed)


def _tokenizer(version: str, name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / "tekken.json").unlink()
        source = Path(str(files("mistral_common"))) / "data" / _SENTENCEPIECE[version]
        shutil.copy(source, folder / name)

    return change


def _index(weight_map: Mapping[str, object]) -> Change:
    name = f"{_WEIGHTS}.index.json"
    return _text(name, json.dumps({"weight_map": weight_map}))


def _links(folder: Path) -> None:
    """A snapshot of the hub's cache, copied without the blobs that it links to."""
    for number, path in enumerate(sorted(folder.iterdir())):
        path.unlink()
        path.symlink_to(f"../../blobs/{number:064x}")


def _pipe(folder: Path) -> None:
    (folder / "params.json").unlink()
    os.mkfifo(folder / "params.json")


def _shards(*names: str) -> Change:
    """The weights under other names: each is the whole file."""

    def change(folder: Path) -> None:
        for name in names:
            shutil.copy(folder / _WEIGHTS, folder / name)
        (folder / _WEIGHTS).unlink()

    return change


def _all(*changes: Change) -> Change:
    def change(folder: Path) -> None:
        for each in changes:
            each(folder)

    return change


CASES: Final[Mapping[str, Change]] = {
    "pointer": _text("tekken.json", _POINTER),
    "pointer-of-weights": _text(_WEIGHTS, _POINTER),
    "page-of-a-proxy": _text("params.json", _PAGE),
    "torch-archive": lambda folder: (folder / _WEIGHTS).write_bytes(b"PK\x03\x04" + bytes(60)),
    "links-to-nowhere": _links,
    "pipe": _pipe,
    "half-the-shards": _shards("consolidated-00001-of-00002.safetensors"),
    "shards-twice": _shards(
        "consolidated-00001-of-00002.safetensors", "consolidated-00002-of-00002.safetensors"
    ),
    "index-of-more": _index({"output.weight": _WEIGHTS, "lora.weight": _WEIGHTS}),
    "index-of-lists": _index({"output.weight": [_WEIGHTS]}),
    "layer-too-few": _json("params.json", n_layers=3),
    "tokenizer-without-version": _tokenizer("v3", "tokenizer.model"),
    "tokenizer-of-no-version": _tokenizer("v3", "tokenizer.model.v4"),
    "tokenizer-renamed": _tokenizer("v1", "tokenizer.model.v3"),
    "tokenizer-under-a-date": lambda folder: (folder / "tekken.json").rename(
        folder / "tekken_240911.json"
    ),
    "tekken-of-no-version": _json("tekken.json", config={"version": "v99"}),
    "tekken-a-list": _text("tekken.json", "[]"),
    "configuration-a-list": _text("params.json", "[]"),
    "configuration-nested": _text("params.json", '{"a":' * 100_000),
    "experts-a-list": _json("params.json", moe=[8]),
    "code": _json("params.json", auto_map={"AutoModel": "model.Model"}),
    "header-with-mark": _header(lambda header: b"\xef\xbb\xbf" + header),
    "header-metadata": _described(lambda header: header.update(__metadata__={"epoch": 3})),
    "header-truth-values": _described(
        lambda header: header["norm.weight"].update(data_offsets=[False, True])
    ),
    "header-overlap": _described(
        lambda header: header["norm.weight"].update(
            data_offsets=[offset - 2 for offset in header["norm.weight"]["data_offsets"]]
        )
    ),
    "weights-cut-short": lambda folder: os.truncate(folder / _WEIGHTS, 1_000_000),
    "all-at-once": _all(
        _shards("consolidated-00001-of-00002.safetensors"),
        _text("LICENSE", _PAGE),
        _json("params.json", n_heads="eight"),
        _tokenizer("v1", "tokenizer.model.v3"),
    ),
}


def write_broken(name: str, out: Path) -> Path:
    """Write the folder of that case into ``out`` and return it."""
    folder = write_checkpoint(out / name)
    CASES[name](folder)
    return folder


def main(arguments: list[str] | None = None) -> None:
    """Write every case and name its folder."""
    parser = argparse.ArgumentParser(prog="python -m e2e.engine.brokenmodels", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the folders")
    out = parser.parse_args(arguments).out
    for name in CASES:
        print(write_broken(name, out))


if __name__ == "__main__":
    main()
